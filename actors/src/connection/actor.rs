//! One number: its lifecycle and its mailbox. What it decides stands in `lanes`, `retry` and `limiter`; how it
//! claims, posts and settles in `outbox`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::store::{Accepted, Batch};
use domain::ids::ConnectionId;
use domain::outbox::{Happening, OutboxState};
use tokio::sync::oneshot;

use super::credentials::{self, LoadError, Opened};
use super::lanes::{Admission, Entry, Lanes};
use super::limiter::Limiter;
use super::messages::{Cancel, Cancellation, Drain, Observation, Observe, Quit, Reload, Reported, Submit};
use super::outbox::READ;
use crate::metrics;
use crate::services::Services;
use crate::supervisor::registry::Work;
use crate::supervisor::{ExitGuard, Idle};
use crate::writer::WriteError;

/// How often a connection with work looks at it, beyond the moments it knows of.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) services: Services,
    pub(super) opened: Option<Opened>,
    pub(super) lanes: Lanes,
    pub(super) limiter: Limiter,
    /// Shared with the registry.
    work: Arc<Work>,
    /// Rises with each reading of the credential, so that an old token's refusal is not held against a new one.
    pub(super) opened_generation: u64,
    pub(super) reviewing: bool,
    pub(super) reading: bool,
    draining: Vec<oneshot::Sender<()>>,
    timer: Option<(Timestamp, SpawnHandle)>,
    idle_since: Timestamp,
    guard: ExitGuard,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, services: Services, work: Arc<Work>, guard: ExitGuard) -> Self {
        let limiter = Limiter::new(&services.config.limiter, Arc::clone(&services.clock));
        let idle_since = services.clock.now();
        Self {
            id,
            services,
            opened: None,
            lanes: Lanes::default(),
            limiter,
            work,
            opened_generation: 0,
            reviewing: false,
            reading: false,
            draining: Vec::new(),
            timer: None,
            idle_since,
            guard,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Whether this node may post for this number at this moment.
    pub(super) fn may_post(&self) -> bool {
        let Some(opened) = &self.opened else { return false };
        self.draining.is_empty()
            && opened.token.is_some()
            && opened.connection.status.sends()
            && self.services.holdings.may_act(opened.connection.partition, &*self.services.clock)
            && self.lanes.in_flight() < self.services.config.posts_in_flight.get() as usize
    }

    /// Reads the connection, and at the start what waits for it; until that is done no message is handled.
    fn load(&mut self, ctx: &mut Context<Self>) {
        let (services, id) = (self.services.clone(), self.id);
        let first = self.opened.is_none();
        let begun = self.lanes.snapshot();
        let loading = async move {
            let opened = credentials::load(&*services.store, &services.keychain, id).await?;
            if !first {
                return Ok((opened, Vec::new()));
            }
            // What an earlier actor of this number handed to the writer is written before the rows are read.
            services.writer.write(Batch::default()).await.map_err(|_| LoadError::Writer)?;
            let rows = services.store.unfinished(id, 0, READ).await?;
            Ok::<_, LoadError>((opened, rows))
        };
        ctx.wait(loading.into_actor(self).map(move |loaded, this, ctx| match loaded {
            Ok((opened, rows)) => {
                this.opened = Some(opened);
                this.opened_generation += 1;
                if first {
                    this.take_rows(&rows, begun, ctx);
                }
                this.pump(ctx);
            }
            // Erased: there is nothing to start again for.
            Err(LoadError::Missing) => ctx.stop(),
            Err(error) => {
                tracing::warn!(connection.id = %this.id, %error, "the connection cannot be started");
                this.start_over(ctx);
            }
        }));
    }

    /// Memory and store may disagree: end, and begin again from the store.
    pub(super) fn start_over(&mut self, ctx: &mut Context<Self>) {
        self.guard.failed();
        ctx.stop();
    }

    /// After anything changed: post what may go, look when to look again, finish a drain.
    pub(super) fn settle_down(&mut self, ctx: &mut Context<Self>) {
        self.work.ambiguous.store(self.lanes.ambiguous_count(), Ordering::Release);
        self.work.messages.store(self.lanes.work(), Ordering::Release);
        if !self.draining.is_empty() && self.lanes.in_flight() == 0 {
            for drained in self.draining.drain(..) {
                let _ = drained.send(());
            }
            ctx.stop();
            return;
        }
        let now = self.now();
        if self.lanes.is_empty() {
            let idle_after = Duration::from_secs(self.services.config.idle_after_s);
            self.wake_at(self.idle_since.plus(idle_after), ctx);
        } else {
            self.idle_since = now;
            let look = now.plus(LOOK);
            // A head that is due and was not taken waits for something outside: look again, do not spin.
            let due = self.lanes.next_due_at().filter(|&due| due > now).unwrap_or(look);
            self.wake_at(look.min(due), ctx);
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

    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        if self.lanes.is_empty() {
            let idle_after = Duration::from_secs(self.services.config.idle_after_s);
            if now.since(self.idle_since) >= idle_after {
                // Whether it may go is for the supervisor to say: somebody may be writing to it just now.
                self.guard.tell(Idle { id: self.id, address: ctx.address() });
                self.idle_since = now;
            }
            self.settle_down(ctx);
            return;
        }
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
        self.lanes.must_read();
        self.load(ctx);
    }
}

impl Handler<Submit> for Connection {
    type Result = ResponseActFuture<Self, Result<Accepted, WriteError>>;

    fn handle(&mut self, Submit { mut message, json }: Submit, ctx: &mut Self::Context) -> Self::Result {
        let now = self.now();
        let mut admission = self.lanes.admission(message.lane, message.send_at, now, self.may_post());
        if admission == Admission::Claim
            && let Err(wait) = self.limiter.take()
        {
            admission = Admission::Queue;
            self.wake_at(now.plus(wait), ctx);
        }
        let epoch =
            self.opened.as_ref().and_then(|opened| self.services.holdings.epoch(opened.connection.partition));
        message.state = match (admission, epoch) {
            (Admission::Claim, Some(epoch)) => {
                OutboxState::NEW.after(Happening::Claimed { epoch, at: now }).unwrap_or(OutboxState::NEW)
            }
            _ => OutboxState::NEW,
        };
        let entry = Entry {
            id: message.id,
            lane: message.lane,
            state: message.state,
            send_at: message.send_at,
            expires_at: message.expires_at,
            committed: false,
        };
        self.lanes.admit(entry, admission);
        let batch = Batch { messages: vec![*message], ..Default::default() };
        let written = self.services.writer.write(batch);
        Box::pin(written.into_actor(self).map(move |written, this, ctx| {
            let accepted = written.map(|mut committed| committed.messages.pop());
            match accepted {
                Ok(Some(Accepted::Committed { seq })) => {
                    metrics::accepted(if admission == Admission::Claim { "claimed" } else { "queued" });
                    this.lanes.committed(entry.id, admission, seq);
                    if admission == Admission::Claim {
                        this.post(entry.id, Some(json), ctx);
                    }
                    this.pump(ctx);
                    Ok(Accepted::Committed { seq })
                }
                Ok(Some(refused)) => {
                    this.lanes.rejected(entry.id, admission);
                    this.pump(ctx);
                    Ok(refused)
                }
                // Written or not: only the store knows.
                Ok(None) | Err(_) => {
                    this.start_over(ctx);
                    Err(WriteError::Unavailable)
                }
            }
        }))
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

    fn handle(&mut self, _: Reported, ctx: &mut Self::Context) {
        self.review(ctx);
    }
}

impl Handler<Reload> for Connection {
    type Result = ();

    fn handle(&mut self, _: Reload, ctx: &mut Self::Context) {
        self.load(ctx);
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
        MessageResult(Observation {
            status: self.opened.as_ref().map_or("starting", |opened| opened.connection.status.as_str()),
            waiting: self.lanes.len() - self.lanes.in_flight(),
            in_flight: self.lanes.in_flight(),
            ambiguous: self.lanes.ambiguous_count(),
            trouble: self.opened.as_ref().and_then(|opened| opened.trouble),
        })
    }
}
