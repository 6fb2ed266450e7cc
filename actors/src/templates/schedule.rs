//! When an account's templates are listed next. A plain decision.

use std::collections::HashMap;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::templates::Waba;
use domain::ids::ConnectionId;

/// After a list that was read hints gather for so long, and longer where the list is.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
const TEMPLATES_A_SECOND: usize = 20;
const WHEN_UNAVAILABLE: Duration = Duration::from_mins(5);
/// Somebody has to do something first, and is told elsewhere.
const WHEN_REFUSED: Duration = Duration::from_hours(1);
const WHEN_THROTTLED: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// So many.
    Listed(usize),
    Unavailable,
    Throttled(Option<Duration>),
    Refused,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    wanted: HashMap<Waba, ConnectionId>,
    not_before: HashMap<Waba, Timestamp>,
}

impl Schedule {
    pub(super) fn want(&mut self, waba: Waba, connection: ConnectionId) {
        self.wanted.insert(waba, connection);
    }

    /// What is wanted and may be listed now; what is wanted and may not stays wanted.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<(Waba, ConnectionId)> {
        self.not_before.retain(|_, until| *until > now);
        let not_before = &self.not_before;
        self.wanted.extract_if(|waba, _| !not_before.contains_key(waba)).collect()
    }

    pub(super) fn done(&mut self, waba: Waba, outcome: Outcome, now: Timestamp) {
        let wait = match outcome {
            Outcome::Listed(count) => {
                let seconds = u64::try_from(count / TEMPLATES_A_SECOND).unwrap_or(u64::MAX);
                AT_MOST_EVERY.saturating_add(Duration::from_secs(seconds))
            }
            Outcome::Unavailable => WHEN_UNAVAILABLE,
            Outcome::Throttled(told) => told.unwrap_or(WHEN_THROTTLED),
            Outcome::Refused => WHEN_REFUSED,
        };
        self.not_before.insert(waba, now.plus(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::connection::ProviderName;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn waba(id: &str) -> Waba {
        Waba { provider: ProviderName::Meta, id: id.to_owned() }
    }

    fn due(schedule: &mut Schedule, after: Duration) -> usize {
        schedule.take_due(NOW.plus(after)).len()
    }

    #[test]
    fn what_is_wanted_often_is_listed_now_and_then_and_a_long_list_less_often() {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(1));
        let mut schedule = Schedule::default();
        schedule.want(waba("1"), connection);
        schedule.want(waba("1"), connection);
        schedule.want(waba("2"), connection);
        assert_eq!(due(&mut schedule, Duration::ZERO), 2);
        schedule.done(waba("1"), Outcome::Listed(7), NOW);
        schedule.want(waba("1"), connection);
        assert_eq!(due(&mut schedule, Duration::from_secs(9)), 0, "and stays wanted");
        assert_eq!(due(&mut schedule, Duration::from_secs(10)), 1);
        assert_eq!(due(&mut schedule, Duration::from_secs(10)), 0);
        schedule.done(waba("1"), Outcome::Listed(6_000), NOW);
        schedule.want(waba("1"), connection);
        assert_eq!(due(&mut schedule, Duration::from_secs(309)), 0);
        assert_eq!(due(&mut schedule, Duration::from_secs(310)), 1);
    }

    #[test]
    fn an_account_that_could_not_be_listed_waits_longer() {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(1));
        for (outcome, wait) in [
            (Outcome::Unavailable, Duration::from_mins(5)),
            (Outcome::Throttled(None), Duration::from_mins(10)),
            (Outcome::Throttled(Some(Duration::from_secs(90))), Duration::from_secs(90)),
            (Outcome::Refused, Duration::from_hours(1)),
        ] {
            let mut schedule = Schedule::default();
            schedule.done(waba("1"), outcome, NOW);
            schedule.want(waba("1"), connection);
            assert_eq!(due(&mut schedule, wait.mul_f64(0.99)), 0, "{outcome:?}");
            assert_eq!(due(&mut schedule, wait), 1, "{outcome:?}");
        }
    }
}
