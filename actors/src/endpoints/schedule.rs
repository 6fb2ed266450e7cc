//! When what was not taken is tried again. Plain decisions on the table of waits in the settings.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::endpoint::{DeliveryState, FailedDelivery};
use serde::Deserialize;

/// Section `actors.deliveries` of the settings. Times in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Waits between the tries of one event; the last one is repeated.
    pub retry_s: Vec<u64>,
    /// Waits of about this length in all, and the event is parked.
    pub give_up_after_s: u64,
    /// What an endpoint may ask for with Retry-After at most.
    pub retry_after_cap_s: u64,
    /// So many tries in a row without one that is taken, and the endpoint is failing: no longer are all events tried.
    pub failing_after: u32,
    /// Waits between the events that ask a failing endpoint whether it is back; the last one is repeated.
    pub probe_s: Vec<u64>,
    /// An endpoint that failed for so long is parked.
    pub park_after_s: u64,
    /// Wait between the events that ask a parked endpoint.
    pub parked_probe_s: u64,
}

/// As the settings have it.
#[cfg(test)]
impl Default for Config {
    fn default() -> Self {
        Self {
            retry_s: vec![5, 30, 120, 600, 1_800, 3_600],
            give_up_after_s: 3 * 86_400,
            retry_after_cap_s: 3_600,
            failing_after: 16,
            probe_s: vec![5, 15, 60, 300],
            park_after_s: 86_400,
            parked_probe_s: 3_600,
        }
    }
}

/// A wait is made shorter or longer by up to so much of itself.
const JITTER: f64 = 0.2;

/// The wait behind the `number`-th try, counted from 1, without jitter.
fn wait(table: &[u64], number: u32) -> Duration {
    let index = (number.saturating_sub(1) as usize).min(table.len().saturating_sub(1));
    // An empty table is a table of one second: never a loop without a wait.
    Duration::from_secs(table.get(index).copied().unwrap_or(1).max(1))
}

/// `luck` is from 0 to 1.
pub(super) fn jittered(wait: Duration, luck: f64) -> Duration {
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * luck.clamp(0.0, 1.0))
}

/// How often an event was tried since it was last asked for, and when first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tries {
    pub(super) count: u32,
    pub(super) first: Timestamp,
}

impl Config {
    /// How many tries an event gets.
    fn most_attempts(&self) -> u32 {
        let last = wait(&self.retry_s, u32::MAX).as_secs();
        let table: u64 = self.retry_s.iter().map(|wait| (*wait).max(1)).sum();
        let listed = u32::try_from(self.retry_s.len()).unwrap_or(u32::MAX);
        if table >= self.give_up_after_s {
            // As many of the table as fit.
            let mut left = self.give_up_after_s;
            let fits = self.retry_s.iter().take_while(|wait| {
                let fits = left > 0;
                left = left.saturating_sub((**wait).max(1));
                fits
            });
            return 1 + u32::try_from(fits.count()).unwrap_or(u32::MAX);
        }
        let more = (self.give_up_after_s - table).div_ceil(last);
        1 + listed + u32::try_from(more).unwrap_or(u32::MAX)
    }

    /// The waits behind these tries, counted from 1, without jitter.
    fn waits(&self, first: u32, last: u32) -> Duration {
        // Those of the table, and its last one as often as it takes.
        let listed = u32::try_from(self.retry_s.len()).unwrap_or(u32::MAX).min(last);
        let sum: Duration = (first..=listed).map(|number| wait(&self.retry_s, number)).sum();
        let repeated = last.saturating_sub(listed.max(first.saturating_sub(1)));
        sum.saturating_add(wait(&self.retry_s, u32::MAX).saturating_mul(repeated))
    }

    /// What follows a try of an event, which was not taken.
    pub(super) fn after_failure(
        &self,
        tries: Tries,
        now: Timestamp,
        retry_after: Option<Duration>,
        luck: f64,
    ) -> (DeliveryState, Timestamp) {
        let most = self.most_attempts();
        // A fifth more than all its waits: chance alone never makes it so long, waiting for its turn does.
        let all = self.waits(1, most);
        if tries.count >= most || now.since(tries.first) >= all.saturating_add(all / 5) {
            return (DeliveryState::Parked, now);
        }
        let wait = jittered(wait(&self.retry_s, tries.count), luck);
        (DeliveryState::Retrying, now.plus(wait.max(retry_after.unwrap_or_default())))
    }

    /// When the time of a row is over that was not taken yet, should nobody try it again until then: when all the waits
    /// that are left to it have passed, and one more, so that its last try comes first where it may. Never, where it was
    /// not tried yet: it waits for others, or for its replay, as an event waits in the stream.
    pub(super) fn over_at(&self, row: &FailedDelivery) -> Option<Timestamp> {
        if row.state != DeliveryState::Retrying || row.attempts == 0 {
            return None;
        }
        let next = row.attempts + 1;
        Some(row.next_at.plus(self.waits(next, self.most_attempts().max(next))))
    }

    /// How long the endpoint is left alone that asks for this.
    pub(super) fn capped(&self, retry_after: Duration) -> Duration {
        retry_after.min(Duration::from_secs(self.retry_after_cap_s))
    }

    /// How long a failing endpoint is not asked, after so many that asked in vain.
    pub(super) fn probe_wait(&self, probes: u32, luck: f64) -> Duration {
        jittered(wait(&self.probe_s, probes + 1), luck)
    }

    pub(super) const fn park_after(&self) -> Duration {
        Duration::from_secs(self.park_after_s)
    }

    pub(super) fn parked_probe_wait(&self, luck: f64) -> Duration {
        jittered(Duration::from_secs(self.parked_probe_s.max(1)), luck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days_of_trying(config: &Config, luck: f64) -> (f64, u32) {
        let start = Timestamp::from_seconds(0);
        let (mut now, mut attempts) = (start, 1);
        loop {
            let tries = Tries { count: attempts, first: start };
            let (state, next) = config.after_failure(tries, now, None, luck);
            if state == DeliveryState::Parked {
                return (now.since(start).as_secs_f64() / 86_400.0, attempts);
            }
            assert!(next > now);
            now = next;
            attempts += 1;
        }
    }

    #[test]
    fn trying_lasts_three_days_and_then_the_event_is_parked() {
        let (days, attempts) = days_of_trying(&Config::default(), 0.5);
        assert!((3.0..3.05).contains(&days), "{days} days");
        assert_eq!(attempts, 78);
        let (shortest, _) = days_of_trying(&Config::default(), 0.0);
        let (longest, _) = days_of_trying(&Config::default(), 1.0);
        assert!((2.3..2.5).contains(&shortest) && (3.5..3.7).contains(&longest), "{shortest} {longest}");
    }

    #[test]
    fn a_table_that_is_longer_than_the_time_is_cut() {
        let config = Config { retry_s: vec![1, 2, 4, 8], give_up_after_s: 3, ..Config::default() };
        assert_eq!(config.most_attempts(), 3);
        let config = Config { retry_s: Vec::new(), give_up_after_s: 2, ..Config::default() };
        assert_eq!(config.most_attempts(), 3);
        let config = Config { retry_s: vec![0], give_up_after_s: 0, ..Config::default() };
        assert_eq!(config.most_attempts(), 1, "tried once");
    }

    fn row(attempts: u32, next_at: Timestamp) -> FailedDelivery {
        FailedDelivery {
            id: uuid::Uuid::nil(),
            endpoint: domain::EndpointId::from_uuid(uuid::Uuid::nil()),
            event_seq: 1,
            attempts,
            state: DeliveryState::Retrying,
            next_at,
            order_key: None,
            replayed: false,
            last_status: Some(503),
            last_error: None,
        }
    }

    #[test]
    fn a_row_that_comes_to_its_turn_too_seldom_is_parked_by_the_time_alone() {
        let (config, first) = (Config::default(), Timestamp::from_seconds(0));
        let after = |days: u64| {
            config
                .after_failure(
                    Tries { count: 9, first },
                    first.plus(Duration::from_hours(24 * days)),
                    None,
                    0.5,
                )
                .0
        };
        assert_eq!((after(3), after(4)), (DeliveryState::Retrying, DeliveryState::Parked));
    }

    #[test]
    fn what_nobody_tries_again_is_over_when_trying_would_have_been() {
        let (config, start) = (Config::default(), Timestamp::from_seconds(0));
        let days =
            |row: &FailedDelivery| config.over_at(row).map(|at| at.since(start).as_secs_f64() / 86_400.0);
        let first = days(&row(1, start.plus(Duration::from_secs(5)))).unwrap();
        assert!((3.0..3.1).contains(&first), "{first} days");
        assert_eq!(days(&row(0, start)), None, "not tried yet");
        assert_eq!(days(&FailedDelivery { state: DeliveryState::Parked, ..row(1, start) }), None);
    }

    proptest! {
        #[test]
        fn a_row_that_is_tried_in_time_is_never_over_before_its_last_try(
            retry_s in proptest::collection::vec(0_u64..5_000, 0..6),
            give_up_after_s in 0_u64..20_000,
        ) {
            let config = Config { retry_s, give_up_after_s, ..Config::default() };
            let (mut now, mut attempts) = (Timestamp::from_seconds(0), 1);
            let mut over = None;
            loop {
                let tries = Tries { count: attempts, first: Timestamp::from_seconds(0) };
                let (state, next_at) = config.after_failure(tries, now, None, 0.5);
                if state == DeliveryState::Parked {
                    break;
                }
                let over_at = config.over_at(&row(attempts, next_at)).unwrap();
                prop_assert!(over_at > next_at);
                prop_assert!(over.is_none_or(|over| over == over_at), "whichever try it is seen after");
                over = Some(over_at);
                now = next_at;
                attempts += 1;
            }
        }
    }

    #[test]
    fn a_wait_that_the_endpoint_asks_for_is_kept_where_it_is_the_longer() {
        let (config, now) = (Config::default(), Timestamp::from_seconds(0));
        let tries = Tries { count: 1, first: now };
        let next = |retry_after| config.after_failure(tries, now, Some(retry_after), 0.5).1;
        assert_eq!(next(Duration::from_secs(90)), now.plus(Duration::from_secs(90)));
        assert_eq!(next(Duration::from_secs(1)), now.plus(Duration::from_secs(5)));
        assert_eq!(config.capped(Duration::from_hours(25)), Duration::from_hours(1));
    }
}
