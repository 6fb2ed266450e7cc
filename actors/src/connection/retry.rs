//! What the outcome of a post means for the message, its recipient, its number and the app. Plain decisions.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::provider::{Fault, ProviderError, SendError, ThrottleScope};
use domain::outbox::Happening;

use super::halt::Cause;

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
/// How long a number, or an app, rests after a complaint about its rate that named no time.
const REST: Duration = Duration::from_secs(1);
/// A message that failed because the app may not do this at all is tried once more, in case others fail so too and
/// the app is repaired.
const TRIES_OF_BROKEN_APP: u16 = 2;
/// The platform would not take the template, as it says or as we know.
pub const TEMPLATE_UNUSABLE: &str = "template_unusable";
/// The app may not do this at all.
const CAPABILITY: i64 = 3;

/// Whom an outcome concerns besides the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    Nobody,
    /// The provider could not be asked, or did not answer.
    Silence,
    /// This number to this person.
    Pair,
    /// The number sends too much. It rests so long.
    Number(Duration),
    /// The app sends too much. It rests so long.
    App(Duration),
    /// No message of the number may go; the provider says for how long, perhaps.
    Halt(Cause, Option<Duration>),
    /// The app may not do this at all.
    AppBroken,
}

/// What a failed post leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub happening: Happening,
    /// Stable word for the timeline.
    pub reason: &'static str,
    pub error: ProviderError,
    pub concern: Concern,
}

/// Decides. `jitter` is a random number from 0 to 1 that spreads retries by ±20 %.
pub fn judge(error: SendError, attempt: u16, now: Timestamp, jitter: f64) -> Verdict {
    let spread = |wait: Duration| wait.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0));
    let retry = |told: Option<Duration>| Happening::NotSent {
        due: now.plus(told.unwrap_or_else(|| spread(wait_after(attempt)))),
    };
    match error {
        SendError::NotSent { error, attempts: Some(most), .. } if attempt >= most => Verdict {
            happening: Happening::Rejected,
            reason: "attempts_exhausted",
            error,
            concern: Concern::Nobody,
        },
        SendError::NotSent { error, retry_after, .. } => {
            let concern = if error.code.is_some() { Concern::Nobody } else { Concern::Silence };
            Verdict { happening: retry(retry_after), reason: "not_sent", error, concern }
        }
        SendError::Throttled { scope: ThrottleScope::Pair, error, retry_after } => {
            let due = now.plus(retry_after.unwrap_or_else(|| spread(pair_wait_after(attempt))));
            let happening = Happening::NotSent { due };
            Verdict { happening, reason: "throttled", error, concern: Concern::Pair }
        }
        SendError::Throttled { scope, error, retry_after } => {
            let rest = retry_after.unwrap_or(REST);
            let concern = match scope {
                ThrottleScope::App => Concern::App(rest),
                ThrottleScope::Number | ThrottleScope::Waba | ThrottleScope::Pair => Concern::Number(rest),
            };
            Verdict { happening: retry(retry_after), reason: "throttled", error, concern }
        }
        SendError::Reauthenticate { error } => Verdict {
            happening: Happening::NotSentNotCounted { due: now },
            reason: "not_authorised",
            error,
            concern: Concern::Halt(Cause::Token, None),
        },
        SendError::Blocked { block, error, retry_after } => Verdict {
            happening: Happening::NotSentNotCounted { due: now },
            reason: "number_blocked",
            error,
            concern: Concern::Halt(Cause::Blocked(block), retry_after),
        },
        SendError::Rejected { fault: Fault::Configuration, error } if error.code == Some(CAPABILITY) => {
            let again = attempt < TRIES_OF_BROKEN_APP;
            let happening = if again { retry(None) } else { Happening::Rejected };
            Verdict { happening, reason: word(Fault::Configuration), error, concern: Concern::AppBroken }
        }
        SendError::Rejected { fault, error } => {
            Verdict { happening: Happening::Rejected, reason: word(fault), error, concern: Concern::Nobody }
        }
        SendError::OutcomeUnknown { error } => Verdict {
            happening: Happening::OutcomeUnknown,
            reason: "outcome_unknown",
            error,
            concern: Concern::Silence,
        },
    }
}

impl Verdict {
    /// While the app counts as broken, what it may not do at all is no fault of the message that tried it.
    pub fn of_a_broken_app(self, now: Timestamp) -> Self {
        match self.concern {
            Concern::AppBroken => Self { happening: Happening::NotSentNotCounted { due: now }, ..self },
            _ => self,
        }
    }
}

const fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Message => "rejected",
        Fault::Recipient => "recipient_unreachable",
        Fault::RecipientForNow => "withheld_from_recipient",
        Fault::Template => TEMPLATE_UNUSABLE,
        Fault::Configuration => "misconfigured",
    }
}

fn wait_after(attempt: u16) -> Duration {
    let index = usize::from(attempt.saturating_sub(1)).min(WAITS.len() - 1);
    WAITS[index]
}

/// What the platform advises: four to the power of the failures before.
fn pair_wait_after(attempt: u16) -> Duration {
    let failures = u32::from(attempt.saturating_sub(1)).min(6);
    Duration::from_secs(4_u64.pow(failures)).min(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::contracts::provider::Block;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn coded(code: i64) -> ProviderError {
        ProviderError { code: Some(code), ..ProviderError::default() }
    }

    fn throttled(scope: ThrottleScope, retry_after: Option<Duration>) -> SendError {
        SendError::Throttled { scope, error: ProviderError::default(), retry_after }
    }

    fn not_sent(attempts: Option<u16>) -> SendError {
        SendError::NotSent { error: ProviderError::default(), retry_after: None, attempts }
    }

    fn wait(error: SendError, attempt: u16, jitter: f64) -> Duration {
        match judge(error, attempt, NOW, jitter).happening {
            Happening::NotSent { due } => due.since(NOW),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wait_that_the_provider_names_is_kept_to_the_letter() {
        let told = Duration::from_secs(77);
        let verdict = judge(throttled(ThrottleScope::Number, Some(told)), 1, NOW, 0.9);
        assert_eq!(verdict.happening, Happening::NotSent { due: NOW.plus(told) });
        assert_eq!(verdict.concern, Concern::Number(told));
        assert_eq!(wait(throttled(ThrottleScope::Pair, Some(told)), 5, 0.9), told);
    }

    #[test]
    fn a_throttle_concerns_whom_it_names() {
        let concern = |scope| judge(throttled(scope, None), 1, NOW, 0.5).concern;
        assert_eq!(concern(ThrottleScope::Pair), Concern::Pair);
        assert_eq!(concern(ThrottleScope::Number), Concern::Number(REST));
        assert_eq!(concern(ThrottleScope::App), Concern::App(REST));
    }

    #[test]
    fn waits_grow_and_are_spread_by_a_fifth() {
        assert_eq!(wait(not_sent(None), 1, 0.5), Duration::from_secs(1));
        assert_eq!(wait(not_sent(None), 2, 0.0), Duration::from_millis(3_200));
        assert_eq!(wait(not_sent(None), 2, 1.0), Duration::from_millis(4_800));
        assert_eq!(wait(not_sent(None), 99, 0.5), Duration::from_hours(1));
    }

    #[test]
    fn a_person_who_got_too_many_is_left_alone_four_times_longer_each_time() {
        let seconds = [1, 2, 3, 4, 5, 6, 7, 99]
            .map(|attempt| wait(throttled(ThrottleScope::Pair, None), attempt, 0.5).as_secs());
        assert_eq!(seconds, [1, 4, 16, 64, 256, 1_024, 3_600, 3_600]);
    }

    #[test]
    fn an_error_that_allows_only_so_many_attempts_ends_the_message_at_the_last() {
        assert!(matches!(judge(not_sent(Some(3)), 2, NOW, 0.5).happening, Happening::NotSent { .. }));
        let last = judge(not_sent(Some(3)), 3, NOW, 0.5);
        assert_eq!((last.happening, last.reason), (Happening::Rejected, "attempts_exhausted"));
    }

    #[test]
    fn what_forbids_every_message_costs_this_one_no_attempt() {
        let dead = judge(SendError::Reauthenticate { error: coded(190) }, 3, NOW, 0.5);
        assert_eq!(dead.concern, Concern::Halt(Cause::Token, None));
        let told = Some(Duration::from_mins(1));
        let blocked = SendError::Blocked { block: Block::Billing, error: coded(131_042), retry_after: told };
        let blocked = judge(blocked, 3, NOW, 0.5);
        assert_eq!(blocked.concern, Concern::Halt(Cause::Blocked(Block::Billing), told));
        for verdict in [dead, blocked] {
            assert_eq!(verdict.happening, Happening::NotSentNotCounted { due: NOW });
        }
    }

    #[test]
    fn an_app_that_may_not_do_this_at_all_costs_a_message_no_more_than_one_try() {
        let broken = || SendError::Rejected { fault: Fault::Configuration, error: coded(3) };
        let first = judge(broken(), 1, NOW, 0.5);
        assert!(matches!(first.happening, Happening::NotSent { .. }));
        assert_eq!(first.concern, Concern::AppBroken);
        assert_eq!(judge(broken(), 2, NOW, 0.5).happening, Happening::Rejected);
    }

    #[test]
    fn what_tries_a_broken_app_pays_nothing_for_it() {
        let broken = SendError::Rejected { fault: Fault::Configuration, error: coded(3) };
        let tried = judge(broken, 2, NOW, 0.5).of_a_broken_app(NOW);
        assert_eq!(tried.happening, Happening::NotSentNotCounted { due: NOW });
        let own = SendError::Rejected { fault: Fault::Message, error: coded(131_009) };
        assert_eq!(judge(own, 2, NOW, 0.5).of_a_broken_app(NOW).happening, Happening::Rejected);
    }

    #[test]
    fn each_fault_has_a_word_and_ends_the_message() {
        let faults =
            [Fault::Message, Fault::Recipient, Fault::RecipientForNow, Fault::Template, Fault::Configuration];
        let mut words = Vec::new();
        for fault in faults {
            let verdict = judge(SendError::Rejected { fault, error: coded(131_000) }, 1, NOW, 0.5);
            assert_eq!((verdict.happening, verdict.concern), (Happening::Rejected, Concern::Nobody));
            words.push(verdict.reason);
        }
        words.dedup();
        assert_eq!(words.len(), faults.len());
    }
}
