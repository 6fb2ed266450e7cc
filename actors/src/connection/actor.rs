//! One number: its lifecycle and its mailbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::store::Batch;
use domain::delivery_status::DeliveryStatus;
use domain::ids::ConnectionId;
use tokio::sync::oneshot;

use super::caution::Caution;
use super::credentials::{self, LoadError, Opened};
use super::halt::Halt;
use super::lanes::Lanes;
use super::limiter::Limiter;
use super::messages::{
    Cancel, Cancellation, Drain, Observation, Observe, Quit, Reload, Reported, Resume, Told,
};
use super::reading::Begun;
use super::review::{Subscription, has_arrived};
use super::tally::Tally;
use super::turns::Turns;
use crate::permits::{Granted, Permit};
use crate::services::Services;
use crate::supervisor::registry::Work;
use crate::supervisor::{ExitGuard, Idle, SOON};
use crate::writer::WriteError;

/// How often a connection with work looks at it, beyond the moments it knows of.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) services: Services,
    pub(super) opened: Option<Arc<Opened>>,
    pub(super) lanes: Lanes,
    pub(super) turns: Turns,
    pub(super) limiter: Limiter,
    pub(super) halt: Halt,
    pub(super) caution: Caution,
    pub(super) tally: Tally,
    /// Permits that were called out for this number and are not used yet.
    pub(super) granted: Vec<Permit>,
    /// Of each priority: a permit was asked for, and will come.
    pub(super) applied: [bool; 4],
    pub(super) subscription: Subscription,
    /// Rises with each reading of the credential, so that an old token's refusal is not held against a new one.
    pub(super) opened_generation: u64,
    pub(super) reviewing: bool,
    pub(super) expiring: bool,
    /// Readings of the store under way.
    pub(super) readings: usize,
    /// Shared with the registry.
    work: Arc<Work>,
    draining: Vec<oneshot::Sender<()>>,
    timer: Option<(Timestamp, SpawnHandle)>,
    idle_since: Timestamp,
    guard: ExitGuard,
    /// An earlier actor of this number may have left something with the writer.
    after_failure: bool,
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        services: Services,
        work: Arc<Work>,
        guard: ExitGuard,
        after_failure: bool,
    ) -> Self {
        let limiter = Limiter::new(&services.config.limiter, Arc::clone(&services.clock));
        let idle_since = services.clock.now();
        Self {
            id,
            services,
            opened: None,
            lanes: Lanes::default(),
            turns: Turns::default(),
            limiter,
            halt: Halt::None,
            caution: Caution::default(),
            tally: Tally::default(),
            granted: Vec::new(),
            applied: [false; 4],
            subscription: Subscription::default(),
            opened_generation: 0,
            reviewing: false,
            expiring: false,
            readings: 0,
            work,
            draining: Vec::new(),
            timer: None,
            idle_since,
            guard,
            after_failure,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    pub(super) fn is_draining(&self) -> bool {
        !self.draining.is_empty()
    }

    /// What the number received since this was asked last.
    pub(super) fn take_received(&self) -> u32 {
        self.work.received.swap(0, Ordering::Relaxed)
    }

    /// Reads the connection, and at the start what is on its way; until that is done no message is handled.
    pub(super) fn load(&mut self, ctx: &mut Context<Self>) {
        let (services, id) = (self.services.clone(), self.id);
        let (first, after_failure) = (self.opened.is_none(), self.after_failure);
        let loading = async move {
            let opened = credentials::load(&*services.store, &services.keychain, id).await?;
            if !first {
                return Ok((opened, None));
            }
            if after_failure {
                // What the earlier actor handed to the writer is written before the rows are read.
                services.writer.write(Batch::default()).await.map_err(|_| LoadError::Writer)?;
            }
            Ok::<_, LoadError>((opened, Some(Begun::read(&services, id).await?)))
        };
        ctx.wait(loading.into_actor(self).map(|loaded, this, ctx| match loaded {
            Ok((opened, begun)) => this.loaded(opened, begun, ctx),
            // Erased: there is nothing to start again for.
            Err(LoadError::Missing) => ctx.stop(),
            Err(error) => {
                tracing::warn!(connection.id = %this.id, %error, "the connection cannot be started");
                this.start_over(ctx);
            }
        }));
    }

    fn loaded(&mut self, opened: Opened, begun: Option<Begun>, ctx: &mut Context<Self>) {
        let now = self.now();
        let connection = Arc::clone(&opened.connection);
        self.opened = Some(Arc::new(opened));
        self.opened_generation += 1;
        self.limiter.learn(connection.sending);
        let stored = if connection.status == domain::ConnectionStatus::Suspended {
            Halt::stored(connection.reason.as_deref(), connection.sending.probe, now)
        } else {
            Halt::None
        };
        self.halt = self.halt.reloaded(stored);
        if let Some(begun) = begun {
            self.begin(begun, ctx);
        }
        self.pump(ctx);
    }

    /// Memory and store may disagree: end, and begin again from the store.
    pub(super) fn start_over(&mut self, ctx: &mut Context<Self>) {
        self.guard.failed();
        ctx.stop();
    }

    /// Reads on in the store when memory has room, and posts what may go.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        self.read_on(ctx);
        self.dispatch(ctx);
        self.settle_down(ctx);
    }

    /// After anything changed: look when to look again, finish a drain.
    fn settle_down(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        let idle = self.is_idle(now);
        self.work.ambiguous.store(self.lanes.ambiguous_count(), Ordering::Release);
        let listening = self.lanes.listening() + usize::from(self.halt.listens());
        self.work.listening.store(listening, Ordering::Release);
        self.work.messages.store(usize::from(!idle), Ordering::Release);
        if self.is_draining() && self.lanes.in_flight() == 0 {
            for drained in self.draining.drain(..) {
                let _ = drained.send(());
            }
            ctx.stop();
            return;
        }
        if idle {
            let idle_after = Duration::from_secs(self.services.config.idle_after_s);
            self.wake_at(self.idle_since.plus(idle_after), ctx);
            return;
        }
        self.idle_since = now;
        let look = now.plus(LOOK);
        // What is over already and was not ended, or is due and was not taken, waits for something outside: look
        // again, do not spin. A number that does not send has nothing to look for but the end of its messages.
        let looks = (self.wants_rows(now) || self.lanes.ambiguous_count() > 0).then_some(look);
        let wakes = [self.lanes.wakes_at(), self.tally.next_expiry(), self.halt.waits_until(now)];
        let next = wakes.into_iter().flatten().map(|at| if at > now { at } else { look }).chain(looks).min();
        if let Some(next) = next {
            self.wake_at(next, ctx);
        }
    }

    pub(super) fn wake_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
        if let Some((armed, handle)) = self.timer {
            if armed <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let wait = at.since(self.now()).max(Duration::from_millis(1));
        let handle = ctx.run_later(wait, |this, ctx| {
            this.timer = None;
            this.look(ctx);
        });
        self.timer = Some((at, handle));
    }

    /// Nothing to do soon: it need not be in memory.
    fn is_idle(&self, now: Timestamp) -> bool {
        let soon = now.plus(SOON);
        self.lanes.is_idle(soon)
            && self.tally.next_expiry().is_none_or(|at| at > soon)
            && !self.halt.is_passing()
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        if self.is_idle(now) {
            let idle_after = Duration::from_secs(self.services.config.idle_after_s);
            if now.since(self.idle_since) >= idle_after {
                // Whether it may go is for the supervisor to say: somebody may be writing to it just now.
                self.guard.tell(Idle { id: self.id, address: ctx.address() });
                self.idle_since = now;
            }
            self.settle_down(ctx);
            return;
        }
        // Should an answer to an application have got lost, it is asked for again; whoever waits already keeps its place.
        self.applied = [false; 4];
        self.wait_out(now, ctx);
        self.expire(now, ctx);
        self.review(ctx);
        self.pump(ctx);
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Bounded by the slots of the registry's entry.
        ctx.set_mailbox_capacity(0);
        self.load(ctx);
    }
}

impl Handler<Cancel> for Connection {
    type Result = ResponseActFuture<Self, Result<Cancellation, WriteError>>;

    fn handle(&mut self, Cancel(id): Cancel, _: &mut Self::Context) -> Self::Result {
        self.cancel(id)
    }
}

impl Handler<Reported> for Connection {
    type Result = ();

    fn handle(&mut self, Reported { statuses, errors }: Reported, ctx: &mut Self::Context) {
        // Before what went well: of a try that failed nothing else is believed.
        for error in errors {
            self.judge_report(error, ctx);
        }
        for (id, status) in statuses {
            if has_arrived(status) {
                self.lanes.arrived(id);
            }
            if status != DeliveryStatus::Failed {
                self.confirmed(id, ctx);
            }
        }
        self.review(ctx);
        self.pump(ctx);
    }
}

impl Handler<Told> for Connection {
    type Result = ();

    fn handle(&mut self, Told(news): Told, ctx: &mut Self::Context) {
        self.hear(&news, ctx);
        self.pump(ctx);
    }
}

impl Handler<Granted> for Connection {
    type Result = ();

    fn handle(&mut self, Granted(permit): Granted, ctx: &mut Self::Context) {
        self.applied[permit.priority() as usize] = false;
        self.granted.push(permit);
        self.pump(ctx);
    }
}

impl Handler<Reload> for Connection {
    type Result = ();

    fn handle(&mut self, _: Reload, ctx: &mut Self::Context) {
        self.load(ctx);
    }
}

impl Handler<Resume> for Connection {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Self::Context) {
        self.resume(ctx);
        self.pump(ctx);
    }
}

impl Handler<Drain> for Connection {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.draining.push(drained);
        self.settle_down(ctx);
        Box::pin(async move {
            let _ = done.await;
        })
    }
}

impl Handler<Quit> for Connection {
    type Result = ();

    fn handle(&mut self, _: Quit, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Observe> for Connection {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        let paused = [self.halt.waits_until(now), self.limiter.paused_until().filter(|&until| until > now)];
        MessageResult(Observation {
            status: self.opened.as_ref().map_or("starting", |opened| opened.connection.status.as_str()),
            waiting: self.tally.waiting(),
            in_memory: self.lanes.waiting(),
            in_flight: self.lanes.in_flight(),
            ambiguous: self.lanes.ambiguous_count(),
            messages_per_second: self.limiter.rate(),
            paused_until: paused.into_iter().flatten().max(),
            trouble: self.opened.as_ref().and_then(|opened| opened.trouble),
        })
    }
}
