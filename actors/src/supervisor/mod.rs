//! Runs connections of the partitions owned here: starts them on first use or when they have work, starts them
//! again when they fail, lets them go when they are idle.
//!
//! Not actix's own `Supervisor`, which keeps the old state after `stop()` and does nothing after a panic. A child
//! holds an exit guard; its drop tells how the child ended, also when it panicked.

pub(crate) mod registry;
pub(crate) mod restart;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::WeakAddr;
use actix::prelude::*;
use domain::clock::Timestamp;
use domain::ids::ConnectionId;

use crate::connection::actor::Connection;
use crate::connection::messages::{Drain, Quit};
use crate::metrics;
use crate::services::Services;
use registry::{Registry, Running, Work};
use restart::History;

/// A connection whose next message is due later than this need not be in memory.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) struct Supervisor {
    services: Services,
    registry: Registry,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: usize,
    failures: HashMap<ConnectionId, Failed>,
    draining: bool,
}

/// Times are boot time, which no step of the wall clock can stretch.
struct Failed {
    history: History,
    not_before: Timestamp,
}

impl Supervisor {
    pub(crate) fn new(services: Services, registry: Registry, arbiters: Vec<ArbiterHandle>) -> Self {
        Self { services, registry, arbiters, next_arbiter: 0, failures: HashMap::new(), draining: false }
    }

    fn run(&mut self, id: ConnectionId, ctx: &mut Context<Self>) -> Result<Running, NotRunning> {
        if self.draining {
            return Err(NotRunning::Stopping);
        }
        if let Some(running) = self.registry.get(id)
            && running.address.connected()
        {
            return Ok(running);
        }
        let now = self.uptime();
        if let Some(failed) = self.failures.get(&id)
            && failed.not_before > now
        {
            return Err(NotRunning::Restarting { wait: failed.not_before.since(now) });
        }
        let arbiter = &self.arbiters[self.next_arbiter % self.arbiters.len()];
        self.next_arbiter = self.next_arbiter.wrapping_add(1);
        let work = Arc::new(Work::default());
        let guard = ExitGuard { id, supervisor: ctx.address().downgrade(), failed: false };
        let (services, shared) = (self.services.clone(), Arc::clone(&work));
        // An actor that was let go had nothing under way; one that ended otherwise may have.
        let after_failure = self.failures.contains_key(&id) || self.registry.get(id).is_some();
        let address = Connection::start_in_arbiter(arbiter, move |_| {
            Connection::new(id, services, shared, guard, after_failure)
        });
        let running = Running::new(address, work);
        self.registry.insert(id, running.clone());
        Ok(running)
    }

    fn uptime(&self) -> Timestamp {
        Timestamp::from_micros(0).plus(self.services.clock.boottime())
    }

    /// The periodic look: whatever a lost hint missed is found here.
    fn sweep(&self) -> ResponseFuture<Vec<ConnectionId>> {
        let (store, held) = (Arc::clone(&self.services.store), self.services.holdings.partitions());
        let soon = self.services.clock.now().plus(SOON);
        Box::pin(async move {
            store.connections_with_work(&held, soon).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the look for unfinished work failed; the next one finds it");
                Vec::new()
            })
        })
    }

    fn sweep_now(&self, ctx: &mut Context<Self>) {
        ctx.spawn(self.sweep().into_actor(self).map(|found, this, ctx| {
            for id in found {
                // A connection that waits out a failure is found again by the next sweep.
                let _ = this.run(id, ctx);
            }
        }));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(0);
        self.sweep_now(ctx);
        let every = Duration::from_secs(self.services.config.sweep_s.max(1));
        ctx.run_interval(every, |this, ctx| this.sweep_now(ctx));
    }
}

/// Why a connection does not run here now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRunning {
    Restarting { wait: Duration },
    Stopping,
}

/// Run this connection, if it does not run already.
#[derive(Message)]
#[rtype(result = "Result<Running, NotRunning>")]
pub(crate) struct Run(pub(crate) ConnectionId);

impl Handler<Run> for Supervisor {
    type Result = Result<Running, NotRunning>;

    fn handle(&mut self, Run(id): Run, ctx: &mut Self::Context) -> Self::Result {
        self.run(id, ctx)
    }
}

/// The connection has had no work for a while.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Idle {
    pub(crate) id: ConnectionId,
    /// Who says so: an older actor of the same number has no say about the present one.
    pub(crate) address: Addr<Connection>,
}

impl Handler<Idle> for Supervisor {
    type Result = ();

    fn handle(&mut self, Idle { id, address }: Idle, ctx: &mut Self::Context) {
        if let Some(running) = self.registry.get(id)
            && running.address == address
            && running.close_if_unused()
        {
            self.registry.remove(id);
            quit(&address, ctx);
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Exited {
    id: ConnectionId,
    how: Exit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Stopped,
    Failed,
    Panicked,
}

impl Handler<Exited> for Supervisor {
    type Result = ();

    fn handle(&mut self, Exited { id, how }: Exited, ctx: &mut Self::Context) {
        // A younger one may run already; its entry is not this one's to remove.
        if self.registry.get(id).is_some_and(|running| !running.address.connected()) {
            self.registry.remove(id);
        }
        if how == Exit::Stopped || self.draining {
            return;
        }
        if how == Exit::Panicked {
            metrics::crashed();
        }
        let now = self.uptime();
        let failed = self
            .failures
            .entry(id)
            .or_insert_with(|| Failed { history: History::default(), not_before: now });
        let wait = failed.history.failed(now);
        failed.not_before = now.plus(wait);
        tracing::warn!(connection.id = %id, how = ?how, wait_ms = wait.as_millis(), "a connection ended and starts again");
        ctx.run_later(wait, move |this, ctx| {
            let _ = this.run(id, ctx);
        });
    }
}

/// Ends these connections as they are: what they worked for is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget(pub(crate) Vec<ConnectionId>);

impl Handler<Forget> for Supervisor {
    type Result = ();

    fn handle(&mut self, Forget(ids): Forget, ctx: &mut Self::Context) {
        for id in ids {
            if let Some(running) = self.registry.get(id) {
                self.registry.remove(id);
                quit(&running.address, ctx);
            }
        }
    }
}

/// An actor with timers lives until it is told to stop: dropping its address is not enough.
fn quit(address: &Addr<Connection>, ctx: &mut Context<Supervisor>) {
    let quitting = address.send(Quit);
    ctx.spawn(actix::fut::wrap_future::<_, Supervisor>(quitting).map(|_, _, _| ()));
}

/// Lets every connection finish what is in flight, and starts none.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DrainAll;

impl Handler<DrainAll> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: DrainAll, _: &mut Self::Context) -> Self::Result {
        self.draining = true;
        let running = self.registry.all();
        // All of them are told before any is waited for, so that none goes on claiming meanwhile.
        let draining: Vec<_> = running.into_iter().map(|(_, running)| running.address.send(Drain)).collect();
        Box::pin(async move {
            futures_util::future::join_all(draining).await;
        })
    }
}

/// Held by a connection; its drop tells the supervisor that the connection ended, and how.
#[derive(Debug)]
pub(crate) struct ExitGuard {
    id: ConnectionId,
    supervisor: WeakAddr<Supervisor>,
    failed: bool,
}

impl ExitGuard {
    /// The end that follows is a failure.
    pub(crate) fn failed(&mut self) {
        self.failed = true;
    }

    pub(crate) fn tell(&self, idle: Idle) {
        if let Some(supervisor) = self.supervisor.upgrade() {
            let _ = supervisor.try_send(idle);
        }
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        let how = match (std::thread::panicking(), self.failed) {
            (true, _) => Exit::Panicked,
            (false, true) => Exit::Failed,
            (false, false) => Exit::Stopped,
        };
        if let Some(supervisor) = self.supervisor.upgrade() {
            let _ = supervisor.try_send(Exited { id: self.id, how });
        }
    }
}
