//! What the outcome of a post means for the message and its number. Plain decisions.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::provider::{ProviderError, SendError, ThrottleScope};
use domain::outbox::Happening;

/// After these many attempts a message that is certainly not sent waits this long; then hourly.
const WAITS: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::from_secs(64),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// What a failed post leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub happening: Happening,
    /// Stable word for the timeline.
    pub reason: &'static str,
    pub error: ProviderError,
    /// The number sends nothing for so long.
    pub pause_number: Option<Duration>,
    /// The number's token or permission is gone.
    pub token_dead: bool,
}

/// Decides. `jitter` is a random number from 0 to 1 that spreads retries by ±20 %.
pub fn judge(error: SendError, attempt: u16, now: Timestamp, jitter: f64) -> Verdict {
    let wait = |told: Option<Duration>| {
        told.unwrap_or_else(|| wait_after(attempt).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0)))
    };
    match error {
        SendError::NotSent { error, retry_after } => Verdict {
            happening: Happening::NotSent { due: now.plus(wait(retry_after)) },
            reason: "not_sent",
            error,
            pause_number: None,
            token_dead: false,
        },
        SendError::Throttled { scope, error, retry_after } => {
            let wait = wait(retry_after);
            Verdict {
                happening: Happening::NotSent { due: now.plus(wait) },
                reason: "throttled",
                error,
                pause_number: (scope != ThrottleScope::Pair).then_some(wait),
                token_dead: false,
            }
        }
        SendError::Reauthenticate { error } => Verdict {
            happening: Happening::NotSentNotCounted { due: now },
            reason: "not_authorised",
            error,
            pause_number: None,
            token_dead: true,
        },
        SendError::Rejected { error } => Verdict {
            happening: Happening::Rejected,
            reason: "rejected",
            error,
            pause_number: None,
            token_dead: false,
        },
        SendError::OutcomeUnknown { error } => Verdict {
            happening: Happening::OutcomeUnknown,
            reason: "outcome_unknown",
            error,
            pause_number: None,
            token_dead: false,
        },
    }
}

fn wait_after(attempt: u16) -> Duration {
    let index = usize::from(attempt.saturating_sub(1)).min(WAITS.len() - 1);
    WAITS[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn throttled(scope: ThrottleScope, retry_after: Option<Duration>) -> SendError {
        SendError::Throttled { scope, error: ProviderError::default(), retry_after }
    }

    #[test]
    fn a_wait_that_the_provider_names_is_kept_to_the_letter() {
        let told = Duration::from_secs(77);
        let verdict = judge(throttled(ThrottleScope::Number, Some(told)), 1, NOW, 0.9);
        assert_eq!(verdict.happening, Happening::NotSent { due: NOW.plus(told) });
        assert_eq!(verdict.pause_number, Some(told));
    }

    #[test]
    fn a_pair_limit_delays_one_recipient_and_not_the_number() {
        assert_eq!(judge(throttled(ThrottleScope::Pair, None), 1, NOW, 0.5).pause_number, None);
    }

    #[test]
    fn waits_grow_and_are_spread_by_a_fifth() {
        let due = |attempt, jitter| match judge(
            SendError::NotSent { error: ProviderError::default(), retry_after: None },
            attempt,
            NOW,
            jitter,
        )
        .happening
        {
            Happening::NotSent { due } => due.since(NOW),
            other => panic!("{other:?}"),
        };
        assert_eq!(due(1, 0.5), Duration::from_secs(1));
        assert_eq!(due(2, 0.0), Duration::from_millis(3_200));
        assert_eq!(due(2, 1.0), Duration::from_millis(4_800));
        assert_eq!(due(99, 0.5), Duration::from_hours(1));
    }

    #[test]
    fn a_dead_token_costs_the_message_no_attempt() {
        let verdict = judge(SendError::Reauthenticate { error: ProviderError::default() }, 3, NOW, 0.5);
        assert!(verdict.token_dead);
        assert!(matches!(verdict.happening, Happening::NotSentNotCounted { .. }));
    }
}
