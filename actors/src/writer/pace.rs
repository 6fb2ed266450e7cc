//! When the next commit begins.
//!
//! A commit costs much, a row in it little. So rows are gathered, but only where it is hardly noticed: an idle
//! gateway commits at once, and what nobody waits for goes along with what somebody does.

use std::time::Duration;

/// Between two commits, so that a busy gateway makes few of them. Longer when they take longer: they shall not take
/// more than half of the time.
const PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Rows that nobody waits for go by then at the latest.
const PATIENCE: Duration = Duration::from_millis(20);
/// So many rows wait for no more.
const ENOUGH: usize = 256;

/// What waits. Times are of the boot clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) rows: usize,
    /// Since when the oldest part waits, if any does.
    pub(super) since: Option<Duration>,
    /// Whether somebody waits for an answer.
    pub(super) urgent: bool,
}

/// The last commit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    pub(super) ended: Duration,
    pub(super) took: Duration,
}

/// `None` when there is nothing to commit.
pub(super) fn due(waiting: Waiting, last: Last) -> Option<Duration> {
    let since = waiting.since?;
    if waiting.rows >= ENOUGH {
        return Some(last.ended);
    }
    let rested = last.ended + last.took.clamp(PAUSE, LONGEST_PAUSE);
    let wanted = if waiting.urgent { since } else { since + PATIENCE };
    Some(rested.max(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAST: Last = Last { ended: Duration::from_secs(1), took: Duration::from_millis(2) };

    fn waiting(since: u64, urgent: bool) -> Waiting {
        Waiting { rows: 1, since: Some(Duration::from_millis(since)), urgent }
    }

    #[test]
    fn an_idle_gateway_commits_at_once() {
        assert_eq!(due(waiting(2_000, true), LAST), Some(Duration::from_secs(2)));
        assert_eq!(due(Waiting::default(), LAST), None);
    }

    #[test]
    fn what_nobody_waits_for_waits_a_little() {
        assert_eq!(due(waiting(2_000, false), LAST), Some(Duration::from_millis(2_020)));
    }

    #[test]
    fn enough_is_not_waited_for() {
        let many = Waiting { rows: ENOUGH, ..waiting(999, false) };
        assert_eq!(due(many, LAST), Some(LAST.ended));
    }

    proptest! {
        #[test]
        fn a_row_waits_at_most_for_the_longest_pause_behind_a_commit(
            since in 0_u64..3_000, urgent: bool, took in 0_u64..60_000
        ) {
            let last = Last { took: Duration::from_millis(took), ..LAST };
            let due = due(waiting(since, urgent), last).unwrap();
            let latest = Duration::from_millis(since).max(last.ended) + LONGEST_PAUSE;
            prop_assert!(due >= Duration::from_millis(since).min(last.ended));
            prop_assert!(due <= latest);
        }
    }
}
