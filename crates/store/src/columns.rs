//! How values of the domain stand in columns, in one place for writing and reading.

use std::borrow::Cow;

use domain::clock::Timestamp;
use domain::contracts::store::{Result, StoreError};
use domain::onboarding::Digest32;
use domain::outbox::{Claim, OnAmbiguous, OutboxState, StateCode};
use domain::partition::{Epoch, Partition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The columns that hold an [`OutboxState`]. `epoch` and `claimed_at` outlive their claim in the row: a state
/// without a claim leaves them as they are, and does not read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateColumns {
    pub(crate) state: i64,
    pub(crate) epoch: Option<i64>,
    pub(crate) attempt: i64,
    pub(crate) claimed_at: Option<i64>,
    pub(crate) next_at: Option<i64>,
}

impl From<OutboxState> for StateColumns {
    fn from(state: OutboxState) -> Self {
        let claim = state.claim();
        let next_at = match state {
            OutboxState::RetryWait { due, .. } => Some(due.as_micros()),
            _ => None,
        };
        Self {
            state: state.code() as i64,
            epoch: claim.map(|claim| claim.epoch.0),
            attempt: i64::from(state.attempts()),
            claimed_at: claim.map(|claim| claim.at.as_micros()),
            next_at,
        }
    }
}

impl StateColumns {
    pub(crate) fn read(self) -> Result<OutboxState> {
        const UNREADABLE: StoreError = StoreError::Unreadable { what: "state of a message" };
        let attempts = self.attempt.try_into().map_err(|_| UNREADABLE)?;
        let claim = || {
            let (Some(epoch), Some(at)) = (self.epoch, self.claimed_at) else { return Err(UNREADABLE) };
            Ok(Claim { epoch: Epoch(epoch), attempt: attempts, at: Timestamp::from_micros(at) })
        };
        Ok(match StateCode::from_number(self.state).ok_or(UNREADABLE)? {
            StateCode::Accepted => OutboxState::Accepted { attempts },
            StateCode::Sending => OutboxState::Sending(claim()?),
            StateCode::Ambiguous => OutboxState::Ambiguous(claim()?),
            StateCode::RetryWait => OutboxState::RetryWait {
                attempts,
                due: self.next_at.map(Timestamp::from_micros).ok_or(UNREADABLE)?,
            },
            StateCode::Sent => OutboxState::Sent { attempts },
            StateCode::Failed => OutboxState::Failed { attempts },
            StateCode::Expired => OutboxState::Expired { attempts },
            StateCode::Cancelled => OutboxState::Cancelled { attempts },
        })
    }
}

pub(crate) const fn on_ambiguous_number(policy: OnAmbiguous) -> i64 {
    match policy {
        OnAmbiguous::Resend => 0,
        OnAmbiguous::Fail => 1,
    }
}

pub(crate) fn on_ambiguous(number: i64) -> Result<OnAmbiguous> {
    match number {
        0 => Ok(OnAmbiguous::Resend),
        1 => Ok(OnAmbiguous::Fail),
        _ => Err(StoreError::Unreadable { what: "policy of a message" }),
    }
}

pub(crate) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

pub(crate) fn time(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

pub(crate) fn partition(number: i64) -> Result<Partition> {
    number_of(number, "partition").map(Partition)
}

/// A number that a column holds as 64 bits.
pub(crate) fn number_of<T: TryFrom<i64>>(number: i64, what: &'static str) -> Result<T> {
    number.try_into().map_err(|_| StoreError::Unreadable { what })
}

/// What a word or text means, where `None` is a word this version does not know.
pub(crate) fn known<T>(meaning: Option<T>, what: &'static str) -> Result<T> {
    meaning.ok_or(StoreError::Unreadable { what })
}

pub(crate) fn digest(bytes: &[u8]) -> Result<Digest32> {
    bytes.try_into().map_err(|_| StoreError::Unreadable { what: "hash" })
}

pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { what })
}

/// Text from outside, without the one character that Postgres refuses: it would fail the batch of everyone.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_what_was_written() {
        let at = Timestamp::from_seconds(7);
        let claim = Claim { epoch: Epoch(3), attempt: 2, at };
        for state in [
            OutboxState::NEW,
            OutboxState::Sending(claim),
            OutboxState::Ambiguous(claim),
            OutboxState::RetryWait { attempts: 1, due: at },
            OutboxState::Sent { attempts: 1 },
            OutboxState::Failed { attempts: 9 },
            OutboxState::Expired { attempts: 0 },
            OutboxState::Cancelled { attempts: 0 },
        ] {
            assert_eq!(StateColumns::from(state).read().unwrap(), state);
        }
    }

    #[test]
    fn a_claim_without_its_epoch_is_unreadable() {
        let mut columns = StateColumns::from(OutboxState::NEW);
        columns.state = StateCode::Sending as i64;
        assert!(matches!(columns.read(), Err(StoreError::Unreadable { .. })));
    }
}
