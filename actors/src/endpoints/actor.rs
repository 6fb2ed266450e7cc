//! One endpoint: takes the stream behind its cursor, delivers, keeps what was not taken for later.
//!
//! A slow or dead endpoint holds up nobody else: each has its own place in the stream, its own posts in flight and its
//! own rows of failures. The cursor passes an event when it was taken or has a row, so after a crash only what was
//! under way goes out again, under the same id.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::deliver::Deliver;
use domain::contracts::store::StoreError;
use domain::endpoint::{Endpoint, EndpointHealth, OrderKey};
use tokio::sync::oneshot;

use super::health::{Health, Permit};
use super::missed::Missed;
use super::order::Order;
use super::progress::Progress;
use super::retrying::Retrying;
use super::samples::Samples;
use super::target::Target;
use crate::keychain::SealError;
use crate::services::Services;
use crate::stream::OpenedEvent;

/// Events that an ordered endpoint has in memory, for each post that may be under way: some wait for others.
const WINDOW: usize = 8;
/// After an error of the database.
pub(super) const A_MOMENT: Duration = Duration::from_secs(1);

pub(crate) struct EndpointActor {
    pub(super) services: Services,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) endpoint: Endpoint,
    pub(super) target: Option<Target>,
    pub(super) health: Health,
    pub(super) progress: Progress,
    /// Where the next reading of the stream begins.
    pub(super) read_to: i64,
    /// Events are being read, or what belongs to them.
    pub(super) reading: bool,
    /// The place before a number that was missing a moment ago.
    pub(super) hole: Option<i64>,
    /// Events up to here may have been offered before, or had to wait.
    pub(super) again_to: i64,
    /// Events behind the cursor that had a row at the start.
    pub(super) known: HashSet<i64>,
    pub(super) order: Option<Order>,
    /// When the rows of an order that has no room may be counted again.
    pub(super) count_from: Timestamp,
    pub(super) missed: Missed,
    /// Events that wait behind one of the same contact.
    pub(super) waiting: HashMap<i64, Pending>,
    pub(super) ready: VecDeque<Pending>,
    /// Events of the stream that are being posted.
    pub(super) posting: usize,
    pub(super) retrying: Retrying,
    pub(super) samples: Samples,
    /// A writing of the cursor is due; idly, while nothing is delivered.
    pub(super) saving: Option<(bool, SpawnHandle)>,
    pub(super) wake: Option<(Timestamp, SpawnHandle)>,
    /// Who waits until nothing is under way; nothing more begins then.
    resting: Vec<oneshot::Sender<()>>,
}

/// An event of the stream on its way.
pub(super) struct Pending {
    pub(super) event: Arc<OpenedEvent>,
    pub(super) key: Option<OrderKey>,
}

/// What has to be known before the first post.
struct Beginning {
    target: Target,
    known: Vec<i64>,
    rows: Vec<(OrderKey, u64)>,
}

#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error("the endpoint's secret cannot be opened")]
    Secret(#[from] SealError),
    #[error("the endpoint's deliveries cannot be read")]
    Store(#[from] StoreError),
}

impl EndpointActor {
    /// `again_to`: what happened up to there is not news.
    pub(crate) fn new(
        services: Services,
        deliver: Arc<dyn Deliver>,
        endpoint: Endpoint,
        again_to: i64,
    ) -> Self {
        let now = services.clock.now();
        Self {
            target: None,
            health: Health::of(endpoint.health),
            progress: Progress::at(endpoint.cursor),
            read_to: endpoint.cursor,
            reading: false,
            hole: None,
            again_to,
            known: HashSet::new(),
            order: endpoint.ordered.then(Order::default),
            count_from: now,
            missed: Missed::of(endpoint.created_at, endpoint.health),
            waiting: HashMap::new(),
            ready: VecDeque::new(),
            posting: 0,
            retrying: Retrying::due_at(now),
            samples: Samples::default(),
            saving: None,
            wake: None,
            resting: Vec::new(),
            services,
            deliver,
            endpoint,
        }
    }

    fn begin(&self, ctx: &mut Context<Self>) {
        let (services, endpoint) = (self.services.clone(), self.endpoint.clone());
        let beginning = async move {
            let target = Target::open(&services.keychain, &endpoint).await?;
            let known = services.store.deliveries_behind(endpoint.id, endpoint.cursor).await?;
            let rows = if endpoint.ordered {
                services.store.waiting_deliveries(endpoint.id).await?
            } else {
                Vec::new()
            };
            Ok::<_, NotBegun>(Beginning { target, known, rows })
        };
        ctx.wait(beginning.into_actor(self).map(|begun, this, ctx| match begun {
            Ok(Beginning { target, known, rows }) => {
                this.target = Some(target);
                this.known.extend(known);
                this.order = this.endpoint.ordered.then(|| Order::with_rows(rows));
                this.pump(ctx);
            }
            Err(error) => {
                let cause = std::error::Error::source(&error);
                tracing::error!(endpoint.id = %this.endpoint.id, %error, ?cause, "an endpoint cannot begin");
                // The next look at the list of endpoints starts it again.
                ctx.stop();
            }
        }));
    }

    /// Posts that may be under way, of the stream and again of what failed before.
    pub(super) fn budget(&self) -> usize {
        self.services.config.deliveries_in_flight.get() as usize
    }

    fn window(&self) -> usize {
        self.budget() * if self.order.is_some() { WINDOW } else { 1 }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.posting == 0 && self.retrying.is_quiet() && !self.reading
    }

    /// Does whatever may be done now.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.target.is_none() {
            return;
        }
        if !self.resting.is_empty() {
            self.rest(ctx);
            return;
        }
        let now = self.services.clock.now();
        if self.health.retries_seldom() {
            self.give_up(now, ctx);
        }
        match self.health.permit(now) {
            Permit::Everything => {
                self.read(self.window(), ctx);
                self.post_ready(self.budget(), ctx);
                self.retry(self.budget(), now, ctx);
            }
            Permit::One { again_from } if self.is_quiet() => {
                self.read(1, ctx);
                self.post_ready(1, ctx);
                match again_from {
                    _ if !self.is_quiet() => {}
                    Some(from) => self.wake_at(from, ctx),
                    None => self.retry(1, now, ctx),
                }
            }
            Permit::One { .. } | Permit::Nothing { until: None } => {}
            Permit::Nothing { until: Some(until) } => self.wake_at(until, ctx),
        }
    }

    pub(super) fn wake_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
        if let Some((known, handle)) = self.wake {
            if known <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let wait = at.since(self.services.clock.now()).max(Duration::from_millis(1));
        let handle = ctx.run_later(wait, |this, ctx| {
            this.wake = None;
            this.pump(ctx);
        });
        self.wake = Some((at, handle));
    }

    fn rest(&mut self, ctx: &mut Context<Self>) {
        if self.is_quiet() {
            self.save_cursor(ctx);
            for resting in self.resting.drain(..) {
                let _ = resting.send(());
            }
            ctx.stop();
        }
    }
}

impl Actor for EndpointActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

/// There may be something new.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub(crate) struct News;

impl Handler<News> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: News, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

/// Something that failed may go again, and somebody else may have written it down.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retry;

impl Handler<Retry> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: Retry, ctx: &mut Self::Context) {
        self.retrying.look_by(self.services.clock.now());
        self.count_again(ctx);
        if self.health.state() != EndpointHealth::Taking {
            self.read_health(ctx);
        }
        self.pump(ctx);
    }
}

/// Its owner changed it, in all but its order.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Changed(pub(crate) Endpoint);

impl Handler<Changed> for EndpointActor {
    type Result = ();

    fn handle(&mut self, Changed(endpoint): Changed, ctx: &mut Self::Context) {
        let keychain = self.services.keychain.clone();
        self.endpoint = endpoint.clone();
        let opening = async move { Target::open(&keychain, &endpoint).await };
        ctx.wait(opening.into_actor(self).map(|opened, this, ctx| match opened {
            Ok(target) => this.target = Some(target),
            Err(error) => {
                tracing::error!(endpoint.id = %this.endpoint.id, %error, "the endpoint's secret cannot be opened");
                ctx.stop();
            }
        }));
    }
}

/// Ends what is under way, begins nothing more, and writes down how far it came.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Rest;

impl Handler<Rest> for EndpointActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Rest, ctx: &mut Self::Context) -> Self::Result {
        let (rested, done) = oneshot::channel();
        self.resting.push(rested);
        self.pump(ctx);
        Box::pin(async move {
            let _ = done.await;
        })
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

impl Handler<Close> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        self.save_cursor(ctx);
        ctx.stop();
    }
}
