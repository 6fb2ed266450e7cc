//! A message as a business sees it: what it asked for, and how far it has come.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::delivery_status::DeliveryStatus;
use crate::ids::MessageId;
use crate::outbox::StateCode;

/// The ten statuses an API client can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    Accepted,
    Sending,
    Ambiguous,
    Retrying,
    Sent,
    Delivered,
    Read,
    Failed,
    Expired,
    Cancelled,
}

impl MessageStatus {
    /// The outbox knows how far sending came, the provider's reports what followed.
    pub fn of(state: StateCode, reported: Option<DeliveryStatus>) -> Self {
        match (state, reported) {
            (_, Some(DeliveryStatus::Read | DeliveryStatus::Played)) => Self::Read,
            (_, Some(DeliveryStatus::Delivered)) => Self::Delivered,
            (_, Some(DeliveryStatus::Failed)) => Self::Failed,
            (StateCode::Sent, _) | (_, Some(DeliveryStatus::Sent)) => Self::Sent,
            (StateCode::Accepted, None) => Self::Accepted,
            (StateCode::Sending, None) => Self::Sending,
            (StateCode::Ambiguous, None) => Self::Ambiguous,
            (StateCode::RetryWait, None) => Self::Retrying,
            (StateCode::Failed, None) => Self::Failed,
            (StateCode::Expired, None) => Self::Expired,
            (StateCode::Cancelled, None) => Self::Cancelled,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sending => "sending",
            Self::Ambiguous => "ambiguous",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for MessageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who goes first when a number cannot send everything at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// One-time codes: first, and never sent a second time.
    Otp = 0,
    High = 1,
    #[default]
    Normal = 2,
    Bulk = 3,
}

impl Priority {
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Otp, Self::High, Self::Normal, Self::Bulk].into_iter().find(|p| *p as i64 == number)
    }
}

/// Which order a message keeps with others of the same connection to the same recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Posted when the provider has accepted everything before it.
    #[default]
    Strict = 0,
    /// Waits for nobody, and nobody waits for it.
    Relaxed = 1,
    /// As strict, and what follows waits until it is delivered, for a limited time.
    Delivered = 2,
}

impl Order {
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Strict, Self::Relaxed, Self::Delivered].into_iter().find(|order| *order as i64 == number)
    }
}

/// What we put into `biz_opaque_callback_data`, echoed by every status of the message: `v1.<id>.<attempt>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    pub message: MessageId,
    pub attempt: u16,
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}.{}", self.message, self.attempt)
    }
}

/// The opaque data is not ours: another program sends through the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the opaque data was not written by this gateway")]
pub struct ForeignEcho;

impl FromStr for Echo {
    type Err = ForeignEcho;

    fn from_str(text: &str) -> Result<Self, ForeignEcho> {
        let mut parts = text.split('.');
        let (Some("v1"), Some(message), Some(attempt), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ForeignEcho);
        };
        Ok(Self {
            message: message.parse().map_err(|_| ForeignEcho)?,
            attempt: attempt.parse().map_err(|_| ForeignEcho)?,
        })
    }
}

/// One line of a message's history, oldest first in `timeline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub status: MessageStatus,
    /// Which attempt this is about, from 1; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<u16>,
    /// Stable word for why, such as `throttled`, `resent_on_proof` or `outcome_unknown`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The provider's error object, without anything secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_echo_reads_back_and_a_foreign_one_is_told_apart() {
        let echo = Echo { message: MessageId::from_uuid(Uuid::from_u128(7)), attempt: 2 };
        assert_eq!(echo.to_string().parse(), Ok(echo));
        assert!(echo.to_string().len() < 64, "the platform allows 512 characters, we promise fewer than 64");
        for foreign in ["", "order-42", "v1.x.1", "v2.msg_00000000000000000000000000000007.1"] {
            assert_eq!(foreign.parse::<Echo>(), Err(ForeignEcho));
        }
    }

    #[test]
    fn an_arrival_outranks_whatever_the_outbox_believed() {
        assert_eq!(MessageStatus::of(StateCode::Failed, Some(DeliveryStatus::Read)), MessageStatus::Read);
        assert_eq!(MessageStatus::of(StateCode::Ambiguous, Some(DeliveryStatus::Sent)), MessageStatus::Sent);
        assert_eq!(MessageStatus::of(StateCode::Sent, Some(DeliveryStatus::Failed)), MessageStatus::Failed);
        assert_eq!(MessageStatus::of(StateCode::Sent, None), MessageStatus::Sent);
    }
}
