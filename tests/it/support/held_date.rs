//! A date that a test decides.

use std::time::Duration;

use domain::Timestamp;
use domain::clock::{Clock, ManualClock, Sleep};
use gateway_actors::SystemClock;

/// Wall time stands still until it is moved, as it may step on any machine. Time since boot, by which leases and
/// commits are measured, goes on.
#[derive(Debug)]
pub(crate) struct HeldDate(ManualClock);

impl HeldDate {
    /// At the beginning of this second.
    pub(crate) fn today() -> Self {
        Self(ManualClock::at_seconds(SystemClock.now().as_seconds()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

impl Clock for HeldDate {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boottime(&self) -> Duration {
        SystemClock.boottime()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        SystemClock.sleep(duration)
    }
}
