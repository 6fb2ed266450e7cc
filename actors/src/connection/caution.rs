//! When post after post of a number brings nothing, one at a time goes on. Plain decisions.
//!
//! A provider that is away would otherwise turn a backlog into retries and unknown outcomes, message by message.

use std::time::Duration;

/// So many posts in a row without an answer about the message itself.
const TROUBLE: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caution {
    in_a_row: u32,
}

impl Caution {
    /// The provider said something about the message, good or bad.
    pub const fn answered(&mut self) {
        self.in_a_row = 0;
    }

    /// A post brought nothing. Answers how long the number waits before the next one.
    pub fn failed(&mut self) -> Option<Duration> {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let beyond = self.in_a_row.checked_sub(TROUBLE)?;
        Some(FIRST_WAIT.saturating_mul(1 << beyond.min(8)).min(LONGEST_WAIT))
    }

    /// Posts that may be under way at once, of so many otherwise.
    pub const fn at_once(self, most: usize) -> usize {
        if self.in_a_row >= TROUBLE { 1 } else { most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_is_away_is_asked_one_post_at_a_time_and_ever_less_often() {
        let mut caution = Caution::default();
        let waits: Vec<_> = (0..16).map(|_| caution.failed()).collect();
        assert_eq!(waits[6], None);
        assert_eq!(waits[7..10], [1, 2, 4].map(|seconds| Some(Duration::from_secs(seconds))));
        assert_eq!(waits[15], Some(LONGEST_WAIT));
        assert_eq!(caution.at_once(32), 1);
        caution.answered();
        assert_eq!((caution.at_once(32), caution.failed()), (32, None));
    }
}
