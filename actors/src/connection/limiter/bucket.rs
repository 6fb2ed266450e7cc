//! The bucket of one number: so many messages a second, with a part that only urgent ones may take.
//!
//! Its size is an eighth of a second's worth. A process that starts again begins with a full one, and so never adds
//! more than that to what an earlier one sent.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::message::Priority;
use governor::clock::{Clock as GovernorClock, Reference as _};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// Our clock as governor reads it; boot time, so that a suspended machine refills its buckets.
#[derive(Clone)]
pub(super) struct BootClock(pub(super) Arc<dyn Clock>);

impl GovernorClock for BootClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.boottime().into()
    }
}

type Direct = RateLimiter<NotKeyed, InMemoryState, BootClock, StateInformationMiddleware>;

pub(super) struct Bucket {
    limiter: Direct,
    clock: BootClock,
    rate: NonZeroU32,
    /// What was in it when something was taken last, and when that was.
    left: (u32, Nanos),
    /// Taken without asking: what the number received counts as well.
    owed: u32,
}

const fn size(rate: NonZeroU32) -> NonZeroU32 {
    match NonZeroU32::new(rate.get() / 8) {
        Some(size) => size,
        None => NonZeroU32::MIN,
    }
}

impl Bucket {
    pub(super) fn new(rate: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let clock = BootClock(clock);
        let left = (size(rate).get(), clock.now());
        Self { limiter: limiter(rate, &clock), clock, rate, left, owed: 0 }
    }

    pub(super) const fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// What is in the bucket stays in it.
    pub(super) fn set_rate(&mut self, rate: NonZeroU32) {
        let kept = self.level();
        self.rate = rate;
        self.limiter = limiter(rate, &self.clock);
        self.left = (size(rate).get(), self.clock.now());
        while self.level() > kept {
            self.pour();
        }
    }

    /// Whether a message of this priority may go now, or how long until it may.
    pub(super) fn ready(&mut self, priority: Priority) -> Result<(), Duration> {
        while self.owed > 0 && self.level() >= 1.0 {
            self.pour();
            self.owed -= 1;
        }
        let kept = size(self.rate).get() / 5;
        let kept = match priority {
            Priority::Otp => 0,
            Priority::High | Priority::Normal => kept,
            Priority::Bulk => 2 * kept,
        };
        let missing = f64::from(1 + kept + self.owed) - self.level();
        if missing <= 0.0 {
            return Ok(());
        }
        let wait = Duration::from_secs_f64(missing / f64::from(self.rate.get()));
        Err(wait.max(Duration::from_millis(1)))
    }

    /// Takes one, after [`Self::ready`] allowed it.
    pub(super) fn take(&mut self) {
        self.pour();
    }

    /// The number received so many messages. At most a second's worth is held against it.
    pub(super) fn received(&mut self, count: u32) {
        self.owed = self.owed.saturating_add(count).min(self.rate.get());
    }

    fn pour(&mut self) {
        if let Ok(snapshot) = self.limiter.check() {
            self.left = (snapshot.remaining_burst_capacity(), self.clock.now());
        }
    }

    /// Never more than governor would grant.
    fn level(&self) -> f64 {
        let (left, at) = self.left;
        let since: Duration = self.clock.now().duration_since(at).into();
        let refilled = since.as_secs_f64() * f64::from(self.rate.get());
        (f64::from(left) + refilled).min(f64::from(size(self.rate).get()))
    }
}

fn limiter(rate: NonZeroU32, clock: &BootClock) -> Direct {
    let quota = Quota::per_second(rate).allow_burst(size(rate));
    RateLimiter::direct_with_clock(quota, clock.clone()).with_middleware()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::ManualClock;
    use proptest::prelude::*;

    fn bucket(rate: u32) -> (Bucket, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at_seconds(1_000));
        (Bucket::new(NonZeroU32::new(rate).unwrap(), Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn drain(bucket: &mut Bucket, priority: Priority) -> u32 {
        let mut taken = 0;
        while bucket.ready(priority).is_ok() {
            bucket.take();
            taken += 1;
        }
        taken
    }

    #[test]
    fn the_last_ones_are_kept_for_the_urgent() {
        let (mut bucket, _) = bucket(80);
        assert_eq!(drain(&mut bucket, Priority::Bulk), 6);
        assert_eq!(drain(&mut bucket, Priority::Normal), 2);
        assert_eq!(drain(&mut bucket, Priority::High), 0);
        assert_eq!(drain(&mut bucket, Priority::Otp), 2);
    }

    #[test]
    fn the_wait_is_told_exactly() {
        let (mut bucket, clock) = bucket(10);
        assert_eq!(drain(&mut bucket, Priority::Otp), 1);
        let wait = bucket.ready(Priority::Otp).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        clock.advance(wait);
        assert_eq!(bucket.ready(Priority::Otp), Ok(()));
    }

    #[test]
    fn what_was_received_counts_but_no_more_than_a_second_of_it() {
        let (mut bucket, clock) = bucket(10);
        bucket.received(1_000_000);
        assert!(bucket.ready(Priority::Otp).unwrap_err() <= Duration::from_millis(1_100));
        clock.advance(Duration::from_millis(1_100));
        for _ in 0..20 {
            let _ = bucket.ready(Priority::Otp);
            clock.advance(Duration::from_millis(100));
        }
        assert_eq!(bucket.ready(Priority::Otp), Ok(()));
    }

    #[test]
    fn another_rate_does_not_fill_the_bucket() {
        let (mut bucket, _) = bucket(80);
        drain(&mut bucket, Priority::Otp);
        bucket.set_rate(NonZeroU32::new(800).unwrap());
        assert!(bucket.ready(Priority::Otp).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_an_eighth(rate in 1_u32..1_000, steps in proptest::collection::vec(0_u32..300, 1..60)) {
            let (mut bucket, clock) = bucket(rate);
            let (mut taken, mut passed) = (0, 0);
            for step in steps {
                taken += drain(&mut bucket, Priority::Otp);
                clock.advance(Duration::from_millis(step.into()));
                passed += step;
            }
            let allowed = f64::from(rate / 8).max(1.0) + f64::from(rate) * f64::from(passed) / 1_000.0;
            prop_assert!(f64::from(taken) <= allowed + 0.001, "{taken} of {allowed}");
        }
    }
}
