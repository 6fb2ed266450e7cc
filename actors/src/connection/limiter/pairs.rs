//! How often one number writes to one person: one message every so many seconds, with bursts that borrow from the
//! future. Only people who were written to lately are remembered.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::contracts::store::LaneKey;
use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::bucket::BootClock;

/// Pairs remembered before the settled ones are looked for.
const FEW: usize = 256;

pub(super) struct Pairs {
    limiter: RateLimiter<i64, HashMapStateStore<i64>, BootClock, NoOpMiddleware<Nanos>>,
    clock: BootClock,
    /// What an earlier process sent is not known: until then a person new to us has half the burst left, so that a
    /// restart can never double it.
    half_until: Duration,
    half: Option<NonZeroU32>,
    look_at: usize,
}

impl Pairs {
    /// `None` when the platform has no such limit.
    pub(super) fn new(every: Duration, burst: u32, clock: Arc<dyn Clock>) -> Option<Self> {
        let burst = NonZeroU32::new(burst)?;
        let quota = Quota::with_period(every)?.allow_burst(burst);
        let horizon = every * burst.get();
        let half_until = clock.boottime() + horizon;
        let clock = BootClock(clock);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Some(Self { limiter, clock, half_until, half: NonZeroU32::new(burst.get() / 2), look_at: FEW })
    }

    /// Takes one message to this person, or answers how long until there may be one.
    pub(super) fn take(&mut self, recipient: LaneKey) -> Result<(), Duration> {
        let known = self.limiter.len();
        let now = self.clock.now();
        self.limiter.check_key(&recipient.0).map_err(|not_until| {
            let wait: Duration = not_until.earliest_possible().duration_since(now).into();
            wait.max(Duration::from_millis(1))
        })?;
        if self.limiter.len() > known
            && Duration::from(now) < self.half_until
            && let Some(half) = self.half
        {
            let _ = self.limiter.check_key_n(&recipient.0, half);
        }
        if self.limiter.len() >= self.look_at {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
            self.look_at = FEW.max(2 * self.limiter.len());
        }
        Ok(())
    }

    /// The platform says that this person got too many.
    pub(super) fn spend(&mut self, recipient: LaneKey) {
        while self.limiter.check_key(&recipient.0).is_ok() {}
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.limiter.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::ManualClock;

    const EVERY: Duration = Duration::from_secs(6);

    fn pairs() -> (Pairs, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at_seconds(1_000));
        (Pairs::new(EVERY, 45, Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock)
    }

    fn burst(pairs: &mut Pairs, recipient: i64) -> usize {
        std::iter::from_fn(|| pairs.take(LaneKey(recipient)).ok()).count()
    }

    #[test]
    fn a_burst_borrows_and_then_one_goes_every_six_seconds() {
        let (mut pairs, clock) = pairs();
        clock.advance(EVERY * 45);
        assert_eq!(burst(&mut pairs, 1), 45);
        assert_eq!(burst(&mut pairs, 2), 45, "another person is another pair");
        assert_eq!(pairs.take(LaneKey(1)).unwrap_err(), EVERY);
        clock.advance(EVERY);
        assert_eq!(burst(&mut pairs, 1), 1);
        clock.advance(EVERY * 45);
        assert_eq!(burst(&mut pairs, 1), 45);
    }

    #[test]
    fn after_a_start_a_burst_is_half_of_one() {
        let (mut pairs, _) = pairs();
        assert_eq!(burst(&mut pairs, 1), 23);
    }

    #[test]
    fn a_pair_that_was_refused_is_spent() {
        let (mut pairs, clock) = pairs();
        pairs.take(LaneKey(1)).unwrap();
        pairs.spend(LaneKey(1));
        assert!(pairs.take(LaneKey(1)).is_err());
        clock.advance(EVERY);
        assert_eq!(burst(&mut pairs, 1), 1);
    }

    #[test]
    fn only_people_written_to_lately_are_remembered() {
        let (mut pairs, clock) = pairs();
        clock.advance(EVERY * 45);
        for recipient in 0..100_000 {
            pairs.take(LaneKey(recipient)).unwrap();
            clock.advance(Duration::from_millis(12));
        }
        assert!(pairs.remembered() <= 4 * 500, "{}", pairs.remembered());
    }
}
