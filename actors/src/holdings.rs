//! What this node may act for at this moment: the partitions it holds, and until when its lease allows a post.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use domain::clock::Clock;
use domain::partition::{Epoch, PARTITIONS, Partition};

const NOT_HELD: i64 = -1;

/// Written by the ownership actor, read everywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Holdings {
    epochs: Arc<Vec<AtomicI64>>,
    /// Boot time in microseconds after which nothing may be posted; 0 before the first lease.
    deadline: Arc<AtomicU64>,
}

impl Default for Holdings {
    fn default() -> Self {
        Self {
            epochs: Arc::new((0..PARTITIONS).map(|_| AtomicI64::new(NOT_HELD)).collect()),
            deadline: Arc::new(AtomicU64::new(0)),
        }
    }
}

impl Holdings {
    pub fn epoch(&self, partition: Partition) -> Option<Epoch> {
        match self.epochs.get(usize::from(partition.0))?.load(Ordering::Acquire) {
            NOT_HELD => None,
            epoch => Some(Epoch(epoch)),
        }
    }

    pub fn partitions(&self) -> Vec<Partition> {
        Partition::all().filter(|&partition| self.epoch(partition).is_some()).collect()
    }

    /// Asked immediately before each post. A process that was paused past its deadline starts nothing.
    pub fn may_act(&self, partition: Partition, clock: &dyn Clock) -> bool {
        self.epoch(partition).is_some() && self.is_leased(clock)
    }

    pub fn is_leased(&self, clock: &dyn Clock) -> bool {
        micros(clock.boottime()) < self.deadline.load(Ordering::Acquire)
    }

    pub(crate) fn hold(&self, held: &[(Partition, Epoch)]) {
        for (partition, epoch) in held {
            self.epochs[usize::from(partition.0)].store(epoch.0, Ordering::Release);
        }
    }

    pub(crate) fn extend(&self, until: Duration) {
        self.deadline.fetch_max(micros(until), Ordering::AcqRel);
    }

    pub(crate) fn lose_all(&self) {
        self.deadline.store(0, Ordering::Release);
        for epoch in self.epochs.iter() {
            epoch.store(NOT_HELD, Ordering::Release);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::ManualClock;

    #[test]
    fn nothing_is_allowed_past_the_deadline_or_after_a_loss() {
        let clock = ManualClock::at_seconds(1_000);
        let holdings = Holdings::default();
        assert!(!holdings.may_act(Partition(3), &clock));
        holdings.hold(&[(Partition(3), Epoch(7))]);
        holdings.extend(Duration::from_secs(4));
        assert!(holdings.may_act(Partition(3), &clock));
        assert!(!holdings.may_act(Partition(4), &clock));
        clock.advance(Duration::from_secs(4));
        assert!(!holdings.may_act(Partition(3), &clock));
        holdings.extend(Duration::from_secs(9));
        holdings.lose_all();
        assert!(!holdings.may_act(Partition(3), &clock));
        assert!(holdings.partitions().is_empty());
    }
}
