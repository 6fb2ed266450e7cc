//! Which connections run here, and the way to talk to them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use actix::prelude::*;
use domain::ids::ConnectionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::actor::Connection;

/// Questions that one connection may have unanswered; beyond it callers are told to come back later.
pub(crate) const SLOTS: usize = 2_048;

/// A running connection. The mailbox limit of actix counts per sender, so slots of our own bound it.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) address: Addr<Connection>,
    slots: Arc<Semaphore>,
    work: Arc<Work>,
}

/// What a connection has to do, as seen from outside. Kept by the connection, up to date whenever it has answered.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Messages on their way, in memory or still to be read.
    pub(crate) messages: AtomicUsize,
    /// Those whose outcome is not known: any report matters then.
    pub(crate) ambiguous: AtomicUsize,
    /// Those whose arrival somebody waits for.
    pub(crate) listening: AtomicUsize,
    /// Messages that the number received and that were not yet counted against its rate.
    pub(crate) received: AtomicU32,
}

/// Why a connection cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// Too much is unanswered.
    Full,
    /// It is leaving memory; ask the supervisor for it again.
    Leaving,
}

impl Running {
    pub(crate) fn new(address: Addr<Connection>, work: Arc<Work>) -> Self {
        Self { address, slots: Arc::new(Semaphore::new(SLOTS)), work }
    }

    /// A place in its queue, held until the question is answered.
    pub(crate) fn slot(&self) -> Result<OwnedSemaphorePermit, NoSlot> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|error| match error {
            tokio::sync::TryAcquireError::NoPermits => NoSlot::Full,
            tokio::sync::TryAcquireError::Closed => NoSlot::Leaving,
        })
    }

    /// Closes the queue if nobody is in it and nothing is on its way; afterwards nobody can write to the actor.
    pub(crate) fn close_if_unused(&self) -> bool {
        let all = u32::try_from(SLOTS).unwrap_or(u32::MAX);
        let Ok(permits) = self.slots.try_acquire_many(all) else { return false };
        if self.work.messages.load(Ordering::Acquire) > 0 {
            return false;
        }
        self.slots.close();
        drop(permits);
        true
    }

    pub(crate) fn has_ambiguous(&self) -> bool {
        self.work.ambiguous.load(Ordering::Acquire) > 0
    }

    pub(crate) fn listens(&self) -> bool {
        self.work.listening.load(Ordering::Acquire) > 0
    }

    pub(crate) fn received(&self, messages: u32) {
        self.work.received.fetch_add(messages, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<RwLock<HashMap<ConnectionId, Running>>>);

impl Registry {
    pub(crate) fn get(&self, id: ConnectionId) -> Option<Running> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(crate) fn insert(&self, id: ConnectionId, running: Running) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, running);
        crate::metrics::connections(self.len());
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        crate::metrics::connections(self.len());
    }

    /// Takes this one out, unless another was put in its place meanwhile.
    pub(crate) fn remove_this(&self, id: ConnectionId, address: &Addr<Connection>) {
        let mut running = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if running.get(&id).is_some_and(|present| present.address == *address) {
            running.remove(&id);
        }
    }

    pub(crate) fn all(&self) -> Vec<(ConnectionId, Running)> {
        let running = self.0.read().unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|(id, running)| (*id, running.clone())).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
