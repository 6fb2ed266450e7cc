//! How soon a connection that failed is started again. Plain decisions.

use std::time::Duration;

use domain::clock::Timestamp;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// After running so long without failing, the past is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_mins(1);

/// The failures of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    failures: u32,
    last: Option<Timestamp>,
}

impl History {
    /// Counts a failure and answers how long to wait before starting again: doubling from 100 ms to 30 s.
    pub fn failed(&mut self, now: Timestamp) -> Duration {
        if self.last.is_some_and(|last| now.since(last) >= FORGIVEN_AFTER) {
            self.failures = 0;
        }
        self.last = Some(now);
        let wait = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_a_quiet_minute_forgives() {
        let mut history = History::default();
        let mut now = Timestamp::from_seconds(1_000);
        let waits: Vec<_> = (0..12)
            .map(|_| {
                now = now.plus(Duration::from_secs(1));
                history.failed(now)
            })
            .collect();
        assert_eq!(waits[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert_eq!(waits[11], LONGEST);
        assert_eq!(history.failed(now.plus(FORGIVEN_AFTER)), FIRST);
    }
}
