//! How fast one number may send: a bucket, and a pause when the provider complains.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use governor::clock::{Clock as GovernorClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Messages a second that one number sends at most. Meta allows 80 to start with.
    pub messages_per_second: NonZeroU32,
}

/// Our clock as governor reads it; boot time, so that a suspended machine refills its buckets.
#[derive(Clone)]
struct BootClock(Arc<dyn Clock>);

impl GovernorClock for BootClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.boottime().into()
    }
}

pub struct Limiter {
    bucket: RateLimiter<NotKeyed, InMemoryState, BootClock, NoOpMiddleware<Nanos>>,
    clock: Arc<dyn Clock>,
    paused_until: Option<Timestamp>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("paused_until", &self.paused_until).finish_non_exhaustive()
    }
}

impl Limiter {
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(config.messages_per_second);
        let bucket = RateLimiter::direct_with_clock(quota, BootClock(Arc::clone(&clock)));
        Self { bucket, clock, paused_until: None }
    }

    /// Takes one slot, or answers how long until there may be one.
    pub fn take(&mut self) -> Result<(), Duration> {
        if let Some(until) = self.paused_until {
            let left = until.since(self.clock.now());
            if left > Duration::ZERO {
                return Err(left);
            }
            self.paused_until = None;
        }
        let now: Nanos = self.clock.boottime().into();
        self.bucket.check().map_err(|not_until| {
            let ready = not_until.earliest_possible();
            Duration::from(ready.duration_since(now)).max(Duration::from_millis(1))
        })
    }

    /// The provider asked for a pause.
    pub fn pause(&mut self, duration: Duration) {
        let until = self.clock.now().plus(duration);
        self.paused_until = self.paused_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::ManualClock;

    fn limiter(rate: u32) -> (Limiter, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at_seconds(1_000));
        let config = Config { messages_per_second: NonZeroU32::new(rate).unwrap() };
        (Limiter::new(&config, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    #[test]
    fn never_more_than_the_rate_and_the_wait_is_told_exactly() {
        let (mut limiter, clock) = limiter(10);
        for _ in 0..10 {
            assert_eq!(limiter.take(), Ok(()));
        }
        let wait = limiter.take().unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        clock.advance(wait);
        assert_eq!(limiter.take(), Ok(()));
        assert!(limiter.take().is_err());
    }

    #[test]
    fn a_pause_holds_everything_and_then_ends() {
        let (mut limiter, clock) = limiter(10);
        limiter.pause(Duration::from_secs(4));
        assert_eq!(limiter.take(), Err(Duration::from_secs(4)));
        clock.advance(Duration::from_secs(4));
        assert_eq!(limiter.take(), Ok(()));
    }
}
