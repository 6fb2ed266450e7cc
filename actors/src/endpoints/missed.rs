//! What an endpoint never got, because it is kept no longer: it was away, or took nothing, for longer than events are
//! kept. Plain decisions.
//!
//! An endpoint that takes nothing still asks from time to time, each time behind what went meanwhile. Its owner is told
//! once while that lasts, and once more when it is back, if still more went.

use domain::clock::Timestamp;
use domain::contracts::retention::EVENTS_KEPT_AT_LEAST;
use domain::endpoint::EndpointHealth;

#[derive(Debug)]
pub(crate) struct Missed {
    /// It had come to the end of the stream, or there was none of it yet: what followed happened since.
    at_end: Timestamp,
    /// Since when it took nothing, where that was seen.
    since: Option<Timestamp>,
    /// It takes events now.
    takes: bool,
    /// Its owner knows, and it has taken nothing since.
    told: bool,
}

/// The events from where it had come to before this one are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) since: Option<Timestamp>,
    /// The place of the oldest event that is kept, and when it happened.
    pub(crate) oldest: (i64, Timestamp),
    pub(crate) worth_an_alert: bool,
}

impl Missed {
    pub(crate) const fn of(created_at: Timestamp, health: EndpointHealth) -> Self {
        let since = health.since();
        Self { at_end: created_at, since, takes: since.is_none(), told: false }
    }

    pub(crate) const fn at_end(&mut self, now: Timestamp) {
        self.at_end = now;
    }

    /// Whether anything that concerns it can have gone already.
    pub(crate) fn is_possible(&self, now: Timestamp) -> bool {
        now.since(self.at_end) >= EVENTS_KEPT_AT_LEAST
    }

    pub(crate) fn fares(&mut self, health: EndpointHealth) {
        let since = health.since();
        if since.is_none() {
            self.told = false;
        } else if self.takes {
            self.since = since;
        }
        self.takes = since.is_none();
    }

    /// It goes on behind `read_to`, and `oldest` is the first event of the stream that is kept.
    pub(crate) fn reads_on(&mut self, read_to: i64, oldest: (i64, Timestamp)) -> Option<Gap> {
        let gap = (read_to + 1 < oldest.0).then_some(Gap {
            since: self.since,
            oldest,
            worth_an_alert: self.takes || !self.told,
        });
        if self.takes {
            self.since = None;
        } else if gap.is_some() {
            self.told = true;
        }
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const CREATED: Timestamp = Timestamp::from_seconds(0);
    const TAKING: EndpointHealth = EndpointHealth::Taking;

    fn day(day: u64) -> Timestamp {
        CREATED.plus(Duration::from_hours(24 * day))
    }

    fn gap(since: Option<Timestamp>, oldest: (i64, Timestamp), worth_an_alert: bool) -> Gap {
        Gap { since, oldest, worth_an_alert }
    }

    #[test]
    fn what_happened_since_it_was_at_the_end_is_kept_for_nine_days() {
        let mut missed = Missed::of(CREATED, TAKING);
        assert!(!missed.is_possible(day(8)), "before it was made nothing concerned it");
        assert!(missed.is_possible(day(9)));
        missed.at_end(day(9));
        assert!(!missed.is_possible(day(17)) && missed.is_possible(day(18)));
    }

    #[test]
    fn what_is_kept_was_not_missed() {
        let mut missed = Missed::of(CREATED, TAKING);
        assert_eq!(missed.reads_on(9, (10, day(1))), None);
        assert_eq!(missed.reads_on(30, (10, day(1))), None);
    }

    #[test]
    fn one_that_was_switched_off_for_long_is_told_of_once() {
        let mut missed = Missed::of(CREATED, TAKING);
        assert_eq!(missed.reads_on(8, (10, day(11))), Some(gap(None, (10, day(11)), true)));
        assert_eq!(missed.reads_on(10, (10, day(11))), None);
    }

    #[test]
    fn one_that_takes_nothing_is_told_of_once_and_once_more_when_it_is_back() {
        let mut missed = Missed::of(CREATED, TAKING);
        let (failing, parked) =
            (EndpointHealth::Failing { since: day(1) }, EndpointHealth::Parked { since: day(2) });
        missed.fares(failing);
        missed.fares(parked);
        let since = Some(day(1));
        assert_eq!(missed.reads_on(10, (20, day(2))), Some(gap(since, (20, day(2)), true)));
        assert_eq!(missed.reads_on(21, (30, day(3))), Some(gap(since, (30, day(3)), false)));
        missed.fares(TAKING);
        assert_eq!(missed.reads_on(31, (40, day(4))), Some(gap(since, (40, day(4)), true)));
        // The next time is another one.
        let failing = EndpointHealth::Failing { since: day(5) };
        missed.fares(failing);
        assert_eq!(missed.reads_on(50, (60, day(6))), Some(gap(Some(day(5)), (60, day(6)), true)));
    }

    #[test]
    fn one_that_takes_nothing_at_the_start_has_done_so_since() {
        let gone = EndpointHealth::Gone { since: day(3) };
        let mut missed = Missed::of(CREATED, gone);
        missed.fares(TAKING);
        assert_eq!(missed.reads_on(1, (5, day(4))), Some(gap(Some(day(3)), (5, day(4)), true)));
    }
}
