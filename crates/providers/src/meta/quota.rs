//! How many calls that manage one account are made in an hour. Source: Cloud API, rate limits.
//!
//! Meta allows 200 an hour for an account without a registered number and 5000 for one with, and turns us away for a
//! while beyond that. A third of an allowance may be used at once and a third more comes back over the hour, so that
//! even with a restart in between nobody makes more than the whole in any hour.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use domain::contracts::provider::ProviderError;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::cloud_api::error_of_failure;
use crate::http::Failure;

/// What Meta answers when an account was called too often.
const TOO_MANY_CALLS: i64 = 80_007;
/// Accounts that are remembered before those are dropped whose buckets are full again.
const MOST_REMEMBERED: usize = 10_000;

/// Why a call about an account got no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was not made; there may be one after this long.
    HeldBack(Duration),
    Failed(Failure),
}

impl Unanswered {
    /// How long until there may be a call, where none was made.
    pub(crate) const fn held_back(&self) -> Option<Duration> {
        match self {
            Self::HeldBack(wait) => Some(*wait),
            Self::Failed(_) => None,
        }
    }

    /// Fit for logs and answers. Held back is told by Meta's own code for it.
    pub(crate) fn error(self) -> ProviderError {
        match self {
            Self::HeldBack(wait) => ProviderError {
                code: Some(TOO_MANY_CALLS),
                message: format!(
                    "not called: the calls of an hour about this account are used up for {} s",
                    wait.as_secs().saturating_add(1)
                ),
                ..ProviderError::default()
            },
            Self::Failed(failure) => error_of_failure(failure),
        }
    }
}

/// Whether a number of the account works already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Being connected: the smaller allowance, and out of the larger one too.
    Onboarding,
    Connected,
}

type Buckets<C> = RateLimiter<String, DashMapStateStore<String>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A bucket per account and stage.
pub(crate) struct Allowance<C: Clock = DefaultClock> {
    onboarding: Buckets<C>,
    all: Buckets<C>,
    clock: C,
}

impl<C: Clock> fmt::Debug for Allowance<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allowance").field("accounts", &self.all.len()).finish_non_exhaustive()
    }
}

impl<C: Clock + Clone> Allowance<C> {
    pub(crate) fn new(onboarding: NonZeroU32, connected: NonZeroU32, clock: C) -> Self {
        let third = |hourly: NonZeroU32| NonZeroU32::new(hourly.get() / 3).unwrap_or(NonZeroU32::MIN);
        let buckets = |hourly| RateLimiter::dashmap_with_clock(Quota::per_hour(third(hourly)), clock.clone());
        Self { onboarding: buckets(onboarding), all: buckets(connected), clock }
    }

    /// Takes one call about an account, or answers how long until there may be one.
    pub(crate) fn take(&self, waba_id: &str, stage: Stage) -> Result<(), Duration> {
        let waba_id = waba_id.to_owned();
        let buckets = [&self.onboarding, &self.all];
        let wanted = if stage == Stage::Onboarding { &buckets[..] } else { &buckets[1..] };
        for bucket in wanted {
            bucket.check_key(&waba_id).map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))?;
        }
        for bucket in buckets.into_iter().filter(|bucket| bucket.len() > MOST_REMEMBERED) {
            bucket.retain_recent();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    fn allowance(clock: &FakeRelativeClock) -> Allowance<FakeRelativeClock> {
        let hourly = |calls| NonZeroU32::new(calls).unwrap();
        Allowance::new(hourly(9), hourly(30), clock.clone())
    }

    fn taken(allowance: &Allowance<FakeRelativeClock>, waba_id: &str, stage: Stage) -> usize {
        (0..100).take_while(|_| allowance.take(waba_id, stage).is_ok()).count()
    }

    #[test]
    fn an_account_gets_a_third_at_once_and_another_over_the_hour() {
        let clock = FakeRelativeClock::default();
        let allowance = allowance(&clock);
        assert_eq!(taken(&allowance, "1", Stage::Connected), 10);
        assert_eq!(allowance.take("1", Stage::Connected), Err(Duration::from_mins(6)));
        let mut within_the_hour = 0;
        for _ in 0..60 {
            clock.advance(Duration::from_mins(1));
            within_the_hour += taken(&allowance, "1", Stage::Connected);
        }
        assert_eq!(within_the_hour, 10);
    }

    #[test]
    fn accounts_do_not_share_and_one_that_is_being_connected_gets_less() {
        let allowance = allowance(&FakeRelativeClock::default());
        assert_eq!(taken(&allowance, "1", Stage::Onboarding), 3);
        assert_eq!(taken(&allowance, "1", Stage::Connected), 7, "the calls of both stages count");
        assert_eq!(taken(&allowance, "2", Stage::Connected), 10);
    }
}
