//! Coordination within one process: for a single node, and for tests that run several nodes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::clock::Clock;
use domain::contracts::coordination::{CoordinationError, Member, Membership};
use domain::partition::{Epoch, Incarnation, Partition};

use crate::ALIVE_FOR;

/// Clones see the same cluster. Never fails.
#[derive(Clone)]
pub struct InProcess {
    clock: Arc<dyn Clock>,
    alive_for: Duration,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// With the time since boot of the last beat.
    members: HashMap<Incarnation, (Member, Duration)>,
    holders: HashMap<Partition, (Incarnation, Epoch)>,
}

impl InProcess {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, alive_for: ALIVE_FOR, known: Arc::default() }
    }

    /// Another limit than [`ALIVE_FOR`].
    #[must_use]
    pub fn with_alive_for(self, alive_for: Duration) -> Self {
        Self { alive_for, ..self }
    }

    /// No call leaves this half done, so what a panicking thread left behind is whole.
    fn with_known<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

#[async_trait]
impl Membership for InProcess {
    async fn beat(&self, me: &Member) -> Result<Vec<Member>, CoordinationError> {
        let now = self.clock.boottime();
        Ok(self.with_known(|known| {
            known.members.insert(me.incarnation, (me.clone(), now));
            known.members.retain(|_, (_, seen)| now.saturating_sub(*seen) <= self.alive_for);
            let mut members: Vec<_> = known.members.values().map(|(member, _)| member.clone()).collect();
            order(&mut members);
            members
        }))
    }

    async fn publish(
        &self,
        owner: Incarnation,
        held: &[(Partition, Epoch)],
    ) -> Result<(), CoordinationError> {
        self.with_known(|known| {
            for (partition, epoch) in held {
                let holder = known.holders.entry(*partition).or_insert((owner, *epoch));
                if *epoch > holder.1 {
                    *holder = (owner, *epoch);
                }
            }
        });
        Ok(())
    }

    async fn holder(&self, partition: Partition) -> Result<Option<(Incarnation, Epoch)>, CoordinationError> {
        Ok(self.with_known(|known| known.holders.get(&partition).copied()))
    }

    async fn leave(&self, me: Incarnation) -> Result<(), CoordinationError> {
        self.with_known(|known| known.members.remove(&me));
        Ok(())
    }
}

/// By name; while a restarted node's earlier incarnation is still believed to live, both are there.
pub(crate) fn order(members: &mut [Member]) {
    members.sort_by(|a, b| (&a.name, a.incarnation.0).cmp(&(&b.name, b.incarnation.0)));
}
