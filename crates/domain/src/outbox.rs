//! The life of one message in the outbox, as a pure machine.
//!
//! A message is claimed before it is posted, and one claim allows at most one POST. When the outcome of that
//! POST is not known the message is *ambiguous*: only a report of the provider, or the resend rule, moves it on.
//! What happens after *sent* (delivered, read) lives in the reports; see [`crate::delivery_status`].

use std::time::Duration;

use crate::clock::Timestamp;
use crate::delivery_status::DeliveryStatus;
use crate::partition::Epoch;

/// The permission to post once: which owner took it, and which attempt it is (the first is 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub epoch: Epoch,
    pub attempt: u16,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// Committed, not yet claimed. `attempts` were made before, all of them settled as not sent.
    Accepted {
        attempts: u16,
    },
    /// Claimed: the POST is about to happen, is happening, or happened and is not yet written down.
    Sending(Claim),
    /// The POST may or may not have reached the provider.
    Ambiguous(Claim),
    /// Certainly not sent; due again at `due`.
    RetryWait {
        attempts: u16,
        due: Timestamp,
    },
    /// The provider has it.
    Sent {
        attempts: u16,
    },
    Failed {
        attempts: u16,
    },
    Expired {
        attempts: u16,
    },
    Cancelled {
        attempts: u16,
    },
}

/// How a state is stored; the numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateCode {
    Accepted = 0,
    Sending = 1,
    Ambiguous = 2,
    RetryWait = 3,
    Sent = 4,
    Failed = 5,
    Expired = 6,
    Cancelled = 7,
}

impl StateCode {
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Sending,
        Self::Ambiguous,
        Self::RetryWait,
        Self::Sent,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i64 == number)
    }

    /// No POST will ever follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Expired | Self::Cancelled)
    }
}

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The owner takes the next attempt.
    Claimed {
        epoch: Epoch,
        at: Timestamp,
    },
    /// The provider answered that it has the message.
    ProviderAccepted,
    /// The attempt certainly did not send; try again at `due`.
    NotSent {
        due: Timestamp,
    },
    /// The attempt certainly did not send, and was not the message's fault (a dead token): it does not count.
    NotSentNotCounted {
        due: Timestamp,
    },
    /// The provider refused the message for good, or the limit of attempts is reached.
    Rejected,
    /// Nobody knows whether the attempt sent.
    OutcomeUnknown,
    /// The process that held the claim is gone.
    ClaimOrphaned,
    /// The provider reported a status for this message.
    Reported(DeliveryStatus),
    /// The resend rule is satisfied: proof that the earlier attempt did not send.
    ProvenUnsent,
    /// Waiting for proof has an end.
    ProofTimedOut,
    Expired,
    CancelRequested,
}

/// The state does not allow this; nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is {state:?} and does not take {happening:?}")]
pub struct Refused {
    pub state: OutboxState,
    pub happening: Happening,
}

impl OutboxState {
    pub const NEW: Self = Self::Accepted { attempts: 0 };

    pub const fn code(self) -> StateCode {
        match self {
            Self::Accepted { .. } => StateCode::Accepted,
            Self::Sending(_) => StateCode::Sending,
            Self::Ambiguous(_) => StateCode::Ambiguous,
            Self::RetryWait { .. } => StateCode::RetryWait,
            Self::Sent { .. } => StateCode::Sent,
            Self::Failed { .. } => StateCode::Failed,
            Self::Expired { .. } => StateCode::Expired,
            Self::Cancelled { .. } => StateCode::Cancelled,
        }
    }

    /// How many times a claim was taken.
    pub const fn attempts(self) -> u16 {
        match self {
            Self::Sending(claim) | Self::Ambiguous(claim) => claim.attempt,
            Self::Accepted { attempts }
            | Self::RetryWait { attempts, .. }
            | Self::Sent { attempts }
            | Self::Failed { attempts }
            | Self::Expired { attempts }
            | Self::Cancelled { attempts } => attempts,
        }
    }

    pub const fn claim(self) -> Option<Claim> {
        match self {
            Self::Sending(claim) | Self::Ambiguous(claim) => Some(claim),
            _ => None,
        }
    }

    /// The state after `happening`, or the refusal that leaves it as it is.
    pub fn after(self, happening: Happening) -> Result<Self, Refused> {
        use Happening as H;
        let attempts = self.attempts();
        Ok(match (self, happening) {
            (Self::Accepted { .. } | Self::RetryWait { .. }, H::Claimed { epoch, at }) => {
                Self::Sending(Claim { epoch, attempt: attempts.saturating_add(1), at })
            }
            (Self::Accepted { .. } | Self::RetryWait { .. }, H::Expired) => Self::Expired { attempts },
            (Self::Accepted { .. } | Self::RetryWait { .. }, H::CancelRequested) => {
                Self::Cancelled { attempts }
            }

            (Self::Sending(_), H::ProviderAccepted) => Self::Sent { attempts },
            (Self::Sending(_), H::NotSent { due }) => Self::RetryWait { attempts, due },
            (Self::Sending(_), H::NotSentNotCounted { due }) => {
                Self::RetryWait { attempts: attempts.saturating_sub(1), due }
            }
            (Self::Sending(_), H::Rejected) => Self::Failed { attempts },
            (Self::Sending(claim), H::OutcomeUnknown | H::ClaimOrphaned) => Self::Ambiguous(claim),

            // A report is proof that the provider has the message, however its own answer got lost, and also when
            // silence was taken for proof of the contrary and the next attempt was not made yet.
            (Self::Sending(_) | Self::Ambiguous(_), H::Reported(_)) => Self::Sent { attempts },
            (Self::Accepted { attempts: 1.. } | Self::RetryWait { attempts: 1.., .. }, H::Reported(_)) => {
                Self::Sent { attempts }
            }
            // The answer of a POST that was already given up: it settles as it would have.
            (Self::Ambiguous(_), H::ProviderAccepted) => Self::Sent { attempts },
            (Self::Ambiguous(_), H::ProvenUnsent) => Self::Accepted { attempts },
            (Self::Ambiguous(_), H::ProofTimedOut) => Self::Failed { attempts },

            // A report after the end changes the delivery status, never the outbox; except that a message
            // which failed for lack of proof turns out to have been sent.
            (Self::Failed { .. }, H::Reported(_)) => Self::Sent { attempts },
            (Self::Sent { .. }, H::Reported(_)) => self,
            (state, happening) => return Err(Refused { state, happening }),
        })
    }
}

/// What to do when proof arrives that an ambiguous message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAmbiguous {
    Resend,
    Fail,
}

/// How long to wait for proof, from the claim or from when reports are heard again. Defaults: 60 s and 10 min.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguityTimers {
    /// No decision before this long.
    pub settle: Duration,
    /// Without proof by then the message fails as `outcome_unknown`.
    pub limit: Duration,
}

/// What is known about an ambiguous message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The provider reported some status for this very message.
    pub reported: Option<DeliveryStatus>,
    /// Time, by the provider's clock, of the latest status of any message of the same number.
    /// Later than the claim, and than the moment we began to listen, it proves that reports do flow. Absent as long as
    /// the platform was not asked whether it still sends them to us.
    pub watermark: Option<Timestamp>,
    /// Since when every report that was delivered to us was kept. What the provider could not deliver before comes
    /// late and in no order, so silence from before proves nothing.
    pub listening_since: Timestamp,
    /// Since when this process is there to hear anything.
    pub running_since: Timestamp,
}

/// Decides an ambiguous message; `None` means wait longer.
pub fn settle(
    claim: Claim,
    policy: OnAmbiguous,
    evidence: Evidence,
    timers: AmbiguityTimers,
    now: Timestamp,
) -> Option<Happening> {
    if let Some(status) = evidence.reported {
        return Some(Happening::Reported(status));
    }
    let silent_since = claim.at.max(evidence.listening_since);
    // Whoever floods us with webhooks that are turned away may put off the proof, and never the end.
    let waited_in_all = now.since(claim.at.max(evidence.running_since));
    // A status carries whole seconds, so "later" is asked of the second that follows.
    let reports_flow = evidence.watermark.is_some_and(|at| at.as_seconds() > silent_since.as_seconds());
    match policy {
        OnAmbiguous::Resend if now.since(silent_since) >= timers.settle && reports_flow => {
            Some(Happening::ProvenUnsent)
        }
        _ if waited_in_all >= timers.limit => Some(Happening::ProofTimedOut),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMERS: AmbiguityTimers =
        AmbiguityTimers { settle: Duration::from_mins(1), limit: Duration::from_mins(10) };

    fn any_happening() -> impl Strategy<Value = Happening> {
        let at = Timestamp::from_seconds(1_000);
        let due = at;
        prop_oneof![
            Just(Happening::Claimed { epoch: Epoch(1), at }),
            Just(Happening::ProviderAccepted),
            Just(Happening::NotSent { due }),
            Just(Happening::NotSentNotCounted { due }),
            Just(Happening::Rejected),
            Just(Happening::OutcomeUnknown),
            Just(Happening::ClaimOrphaned),
            proptest::sample::select(DeliveryStatus::ALL.to_vec()).prop_map(Happening::Reported),
            Just(Happening::ProvenUnsent),
            Just(Happening::ProofTimedOut),
            Just(Happening::Expired),
            Just(Happening::CancelRequested),
        ]
    }

    proptest! {
        #[test]
        fn after_any_history_a_post_needs_a_claim_of_its_own(history in proptest::collection::vec(any_happening(), 0..40)) {
            let mut state = OutboxState::NEW;
            let mut claims = 0_u32;
            for happening in history {
                let before = state;
                state = state.after(happening).unwrap_or(state);
                if !matches!(before, OutboxState::Sending(_)) && matches!(state, OutboxState::Sending(_)) {
                    let is_claim = matches!(happening, Happening::Claimed { .. });
                    prop_assert!(is_claim);
                    claims += 1;
                }
            }
            prop_assert!(u32::from(state.attempts()) <= claims);
        }

        #[test]
        fn what_is_over_stays_over(history in proptest::collection::vec(any_happening(), 0..40)) {
            let mut state = OutboxState::NEW;
            for happening in history {
                let before = state;
                state = state.after(happening).unwrap_or(state);
                if before.code().is_final() {
                    let turned_out_sent =
                        before.code() == StateCode::Failed && state.code() == StateCode::Sent;
                    prop_assert!(state == before || turned_out_sent);
                }
            }
        }

        #[test]
        fn an_ambiguous_message_is_claimed_again_only_after_proof(history in proptest::collection::vec(any_happening(), 0..40)) {
            let mut state = OutboxState::NEW;
            for happening in history {
                let before = state;
                state = state.after(happening).unwrap_or(state);
                if matches!(before, OutboxState::Ambiguous(_)) && !matches!(state, OutboxState::Ambiguous(_)) {
                    let known = matches!(happening, Happening::ProvenUnsent | Happening::ProofTimedOut | Happening::Reported(_) | Happening::ProviderAccepted);
                    prop_assert!(known, "{:?}", happening);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn once_reported_no_further_post_is_allowed(
            history in proptest::collection::vec(any_happening(), 0..40),
            rest in proptest::collection::vec(any_happening(), 0..40),
        ) {
            let after = |state: OutboxState, happening| state.after(happening).unwrap_or(state);
            let state = history.into_iter().fold(OutboxState::NEW, after);
            // Of what was never claimed nothing can be reported, and what is over stays so.
            prop_assume!(state.attempts() > 0);
            let mut state = after(state, Happening::Reported(DeliveryStatus::Sent));
            prop_assert!(state.code().is_final());
            for happening in rest {
                state = after(state, happening);
                prop_assert!(state.code().is_final());
            }
        }
    }

    fn claim() -> Claim {
        Claim { epoch: Epoch(3), attempt: 1, at: Timestamp::from_seconds(1_000) }
    }

    const NOTHING: Evidence = Evidence {
        reported: None,
        watermark: None,
        listening_since: Timestamp::from_seconds(0),
        running_since: Timestamp::from_seconds(0),
    };

    #[test]
    fn what_was_turned_away_puts_off_the_proof_and_not_the_end() {
        let turned_away = Timestamp::from_seconds(1_590);
        let heard = Some(Timestamp::from_seconds(1_595));
        let evidence = Evidence { watermark: heard, listening_since: turned_away, ..NOTHING };
        let decide =
            |now| settle(claim(), OnAmbiguous::Resend, evidence, TIMERS, Timestamp::from_seconds(now));
        assert_eq!(decide(1_599), None);
        assert_eq!(decide(1_600), Some(Happening::ProofTimedOut));
    }

    #[test]
    fn silence_while_nobody_listened_is_no_proof() {
        let restarted = Timestamp::from_seconds(2_000);
        let just_heard = Timestamp::from_seconds(2_001);
        let heard = Evidence {
            watermark: Some(just_heard),
            listening_since: restarted,
            running_since: restarted,
            ..NOTHING
        };
        assert_eq!(settle(claim(), OnAmbiguous::Resend, heard, TIMERS, just_heard), None);
        let a_minute_later = Timestamp::from_seconds(2_060);
        assert_eq!(
            settle(claim(), OnAmbiguous::Resend, heard, TIMERS, a_minute_later),
            Some(Happening::ProvenUnsent)
        );
        let from_before = Evidence { watermark: Some(Timestamp::from_seconds(1_999)), ..heard };
        assert_eq!(settle(claim(), OnAmbiguous::Resend, from_before, TIMERS, a_minute_later), None);
    }

    #[test]
    fn silence_alone_never_resends() {
        let silent = Evidence { watermark: Some(Timestamp::from_seconds(999)), ..NOTHING };
        let now = Timestamp::from_seconds(1_400);
        assert_eq!(settle(claim(), OnAmbiguous::Resend, silent, TIMERS, now), None);
        let at_the_limit = Timestamp::from_seconds(1_600);
        assert_eq!(
            settle(claim(), OnAmbiguous::Resend, silent, TIMERS, at_the_limit),
            Some(Happening::ProofTimedOut)
        );
    }

    #[test]
    fn a_later_status_of_the_same_number_is_the_proof_but_not_before_the_wait_is_over() {
        let proof = Evidence { watermark: Some(Timestamp::from_seconds(1_030)), ..NOTHING };
        let early = Timestamp::from_seconds(1_059);
        assert_eq!(settle(claim(), OnAmbiguous::Resend, proof, TIMERS, early), None);
        let late = Timestamp::from_seconds(1_060);
        assert_eq!(settle(claim(), OnAmbiguous::Resend, proof, TIMERS, late), Some(Happening::ProvenUnsent));
        assert_eq!(settle(claim(), OnAmbiguous::Fail, proof, TIMERS, late), None);
    }

    #[test]
    fn any_report_settles_at_once() {
        let echoed = Evidence { reported: Some(DeliveryStatus::Failed), ..NOTHING };
        assert_eq!(
            settle(claim(), OnAmbiguous::Fail, echoed, TIMERS, claim().at),
            Some(Happening::Reported(DeliveryStatus::Failed))
        );
    }
}
