//! Runs one actor an endpoint, and tells each that there is news for it.

mod actor;
mod alert;
mod contact;
mod ending;
mod envelope;
mod health;
mod keeping;
mod missed;
mod number;
mod order;
mod overdue;
pub mod payload;
mod posting;
mod progress;
mod reading;
mod replaying;
mod retrying;
mod samples;
mod schedule;
mod target;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::contracts::deliver::Deliver;
use domain::endpoint::Endpoint;
use domain::ids::EndpointId;
use futures_util::future::{Either, join_all, select};
use tokio::sync::watch;

use crate::services::Services;
use actor::{Changed, Close, EndpointActor, News, Rest, Retry};
pub(crate) use replaying::replay;
pub use replaying::{Replay, ReplayError, Replayed};
pub use schedule::Config;

/// How often the list of endpoints is read without being asked to.
const LOOK: Duration = Duration::from_secs(30);
/// How often the end of the stream is looked at, for events that nobody told of here.
const LOOK_AT_STREAM: Duration = Duration::from_secs(1);
/// How often each endpoint looks at its failed deliveries without being asked to.
const LOOK_AT_FAILED: Duration = Duration::from_mins(1);
/// News come often under load: one reading takes what came in so long.
const GATHER: Duration = Duration::from_millis(5);

pub(crate) struct Endpoints {
    services: Services,
    deliver: Arc<dyn Deliver>,
    running: HashMap<EndpointId, (Endpoint, Addr<EndpointActor>)>,
    untold: watch::Receiver<()>,
    /// Nothing is begun any more.
    resting: bool,
}

/// Why it is time to look.
enum Hint {
    Told,
    Untold,
}

impl Endpoints {
    pub(crate) fn new(services: Services, deliver: Arc<dyn Deliver>) -> Self {
        let untold = services.news.subscribe();
        Self { services, deliver, running: HashMap::new(), untold, resting: false }
    }

    /// Runs exactly the endpoints that there are, as they are now.
    fn refresh(&self) -> ResponseActFuture<Self, ()> {
        let store = Arc::clone(&self.services.store);
        let reading = async move {
            // First: whatever one that is new hears of happened after its registration.
            let end = store.last_event().await?;
            Ok::<_, domain::contracts::store::StoreError>((end, store.all_endpoints().await?))
        };
        Box::pin(reading.into_actor(self).map(|read, this, _| match read {
            Ok(_) if this.resting => {}
            Ok((end, endpoints)) => {
                this.services.stream.goes_to(end);
                this.run(endpoints, end);
            }
            Err(error) => tracing::warn!(%error, "the endpoints cannot be read now"),
        }))
    }

    fn run(&mut self, endpoints: Vec<Endpoint>, end: i64) {
        let mut old = std::mem::take(&mut self.running);
        for endpoint in endpoints {
            let address = match old.remove(&endpoint.id) {
                Some((known, address)) if address.connected() && known.ordered == endpoint.ordered => {
                    if !is_same(&known, &endpoint) {
                        // An actor that ends meanwhile is started anew by the next look.
                        let _ = address.try_send(Changed(endpoint.clone()));
                    }
                    address
                }
                outdated => {
                    if let Some((_, address)) = outdated {
                        close(&address);
                    }
                    let (services, deliver) = (self.services.clone(), Arc::clone(&self.deliver));
                    EndpointActor::new(services, deliver, endpoint.clone(), end).start()
                }
            };
            self.running.insert(endpoint.id, (endpoint, address));
        }
        for (_, address) in old.into_values() {
            close(&address);
        }
    }

    fn wait_for_news(&self, ctx: &mut Context<Self>) {
        let (stream, clock) = (self.services.stream.clone(), Arc::clone(&self.services.clock));
        let mut untold = self.untold.clone();
        let waiting = async move {
            let hint = match select(Box::pin(stream.changed()), Box::pin(untold.changed())).await {
                Either::Left(..) => Hint::Told,
                Either::Right(..) => Hint::Untold,
            };
            clock.sleep(GATHER).await;
            (hint, untold)
        };
        ctx.spawn(waiting.into_actor(self).map(|(hint, untold), this, ctx| {
            this.untold = untold;
            match hint {
                Hint::Told => this.pass_on(),
                Hint::Untold => this.look_at_stream(ctx),
            }
            this.wait_for_news(ctx);
        }));
    }

    fn pass_on(&self) {
        let news = self.services.stream.news();
        self.hint(|endpoint| news.concern(endpoint));
    }

    fn hint(&self, concerned: impl Fn(&Endpoint) -> bool) {
        for (_, address) in self.running.values().filter(|(endpoint, _)| concerned(endpoint)) {
            // A full mailbox holds the same hint already.
            let _ = address.try_send(News);
        }
    }

    /// What was committed without being told may concern anybody, also when something later was told before.
    fn look_at_stream(&self, ctx: &mut Context<Self>) {
        let services = self.services.clone();
        let looking = async move {
            match services.store.last_event().await {
                Ok(end) => services.stream.goes_to(end),
                Err(error) => tracing::warn!(%error, "the end of the stream cannot be read now"),
            }
        };
        ctx.spawn(looking.into_actor(self).map(|(), this, _| this.hint(|_| true)));
    }
}

/// An actor with timers lives until it is told to stop: dropping its address is not enough.
fn close(address: &Addr<EndpointActor>) {
    let telling = address.send(Close);
    actix::spawn(async move {
        // One that is gone already needs no telling.
        let _ = telling.await;
    });
}

/// Whether a running actor still does what the row says; how far and how well it goes is the actor's own.
fn is_same(running: &Endpoint, row: &Endpoint) -> bool {
    let unmoved = Endpoint { cursor: running.cursor, health: running.health, ..row.clone() };
    *running == unmoved
}

impl Actor for Endpoints {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(self.refresh());
        self.wait_for_news(ctx);
        ctx.run_interval(LOOK, |this, ctx| {
            ctx.spawn(this.refresh());
        });
        ctx.run_interval(LOOK_AT_STREAM, |this, ctx| this.look_at_stream(ctx));
        ctx.run_interval(LOOK_AT_FAILED, |this, _| {
            for (_, address) in this.running.values() {
                let _ = address.try_send(Retry);
            }
        });
    }
}

/// The list of endpoints changed. Answered when they run as they should.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Refresh;

impl Handler<Refresh> for Endpoints {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Refresh, _: &mut Self::Context) -> Self::Result {
        self.refresh()
    }
}

/// Failed deliveries were made due, or the endpoint was resumed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RetryNow(pub(crate) EndpointId);

impl Handler<RetryNow> for Endpoints {
    type Result = ();

    fn handle(&mut self, RetryNow(id): RetryNow, _: &mut Self::Context) {
        if let Some((_, address)) = self.running.get(&id) {
            let _ = address.try_send(Retry);
        }
    }
}

/// Begins nothing more; answered when what is under way has ended and every cursor is written down.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RestAll;

impl Handler<RestAll> for Endpoints {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: RestAll, _: &mut Self::Context) -> Self::Result {
        self.resting = true;
        let resting: Vec<_> = self.running.values().map(|(_, address)| address.send(Rest)).collect();
        Box::pin(async move {
            join_all(resting).await;
        })
    }
}
