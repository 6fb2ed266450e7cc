//! Runs one actor an endpoint, and passes on that there is news.

mod endpoint;
pub mod payload;
mod progress;
mod retry;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::contracts::deliver::Deliver;
use domain::endpoint::Endpoint;
use domain::ids::EndpointId;

use crate::services::Services;
use endpoint::{Close, EndpointActor, News, Retry};

/// How often the list of endpoints is read without being asked to.
const LOOK: Duration = Duration::from_secs(30);

pub(crate) struct Endpoints {
    services: Services,
    deliver: Arc<dyn Deliver>,
    running: HashMap<EndpointId, (Endpoint, Addr<EndpointActor>)>,
}

impl Endpoints {
    pub(crate) fn new(services: Services, deliver: Arc<dyn Deliver>) -> Self {
        Self { services, deliver, running: HashMap::new() }
    }

    /// Runs exactly the endpoints that there are, as they are now.
    fn refresh(&self) -> ResponseActFuture<Self, ()> {
        let store = Arc::clone(&self.services.store);
        let reading = async move { store.all_endpoints().await };
        Box::pin(reading.into_actor(self).map(|read, this, _| match read {
            Ok(endpoints) => this.run(endpoints),
            Err(error) => tracing::warn!(%error, "the endpoints cannot be read now"),
        }))
    }

    fn run(&mut self, endpoints: Vec<Endpoint>) {
        let mut old = std::mem::take(&mut self.running);
        for endpoint in endpoints {
            let address = match old.remove(&endpoint.id) {
                Some((known, address)) if address.connected() && is_same(&known, &endpoint) => address,
                outdated => {
                    if let Some((_, address)) = outdated {
                        close(&address);
                    }
                    EndpointActor::new(self.services.clone(), Arc::clone(&self.deliver), endpoint.clone())
                        .start()
                }
            };
            self.running.insert(endpoint.id, (endpoint, address));
        }
        for (_, address) in old.into_values() {
            close(&address);
        }
    }

    fn wait_for_news(&self, ctx: &mut Context<Self>) {
        let mut news = self.services.news.subscribe();
        let waiting = async move { news.changed().await.is_ok() };
        ctx.spawn(waiting.into_actor(self).map(|alive, this, ctx| {
            if alive {
                for (_, address) in this.running.values() {
                    // A full mailbox holds the same hint already.
                    let _ = address.try_send(News);
                }
                this.wait_for_news(ctx);
            }
        }));
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

/// Whether a running actor still does what the row says; the cursor is the actor's own.
fn is_same(running: &Endpoint, row: &Endpoint) -> bool {
    let unmoved = Endpoint { cursor: running.cursor, ..row.clone() };
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

/// A failed delivery was made due.
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
