//! Since when nothing that providers tell was missed here.
//!
//! Silence about a message proves something only while everything that is told is heard. A process hears nothing
//! before its start; and what it could not keep, it turned away, so that the provider repeats it later and in no
//! order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::clock::Timestamp;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Hearing {
    started_at: Timestamp,
    /// Microseconds.
    unbroken_since: Arc<AtomicI64>,
}

impl Hearing {
    pub(crate) fn since(started_at: Timestamp) -> Self {
        Self { started_at, unbroken_since: Arc::new(AtomicI64::new(started_at.as_micros())) }
    }

    pub(crate) const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    pub(crate) fn unbroken_since(&self) -> Timestamp {
        Timestamp::from_micros(self.unbroken_since.load(Ordering::Relaxed))
    }

    /// Something that was told was turned away.
    pub(crate) fn missed(&self, now: Timestamp) {
        self.unbroken_since.fetch_max(now.as_micros(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_breaks_the_silence_and_the_start_stays_what_it_was() {
        let hearing = Hearing::since(Timestamp::from_seconds(10));
        assert_eq!(hearing.unbroken_since(), Timestamp::from_seconds(10));
        hearing.missed(Timestamp::from_seconds(30));
        hearing.missed(Timestamp::from_seconds(20));
        assert_eq!(hearing.unbroken_since(), Timestamp::from_seconds(30));
        assert_eq!(hearing.started_at(), Timestamp::from_seconds(10));
    }
}
