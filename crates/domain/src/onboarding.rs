//! An onboarding session: one attempt of an owner to connect a number, kept on the server; the page is a view of it.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::Timestamp;
use crate::connection::ProviderName;
use crate::ids::{AccountKey, BusinessRef, ConnectionId, OnboardingSessionId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// The link was made and not opened yet.
    Pending,
    /// Opened in a browser, which it is bound to from then on.
    Opened,
    /// The provider's window is open; we wait for its answer.
    Authorizing,
    /// The answer came; the steps on our side run.
    Verifying,
    Connected,
    /// A step failed; the owner can try again.
    Failed,
    Cancelled,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {from:?} cannot become {to:?}")]
pub struct InvalidSessionTransition {
    pub from: SessionStatus,
    pub to: SessionStatus,
}

impl SessionStatus {
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Opened,
        Self::Authorizing,
        Self::Verifying,
        Self::Connected,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Opened => "opened",
            Self::Authorizing => "authorizing",
            Self::Verifying => "verifying",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Nothing follows.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Connected | Self::Cancelled | Self::Expired)
    }

    pub fn to(self, to: Self) -> Result<Self, InvalidSessionTransition> {
        use SessionStatus::{Authorizing, Cancelled, Connected, Expired, Failed, Opened, Pending, Verifying};
        let allowed = match (self, to) {
            (from, _) if from.is_over() => false,
            (_, Cancelled | Expired) => true,
            (Pending | Opened, Opened) => true,
            (Opened | Authorizing | Failed, Authorizing | Failed) => true,
            (Authorizing, Opened | Verifying) => true,
            (Verifying, Connected | Failed) => true,
            _ => false,
        };
        if allowed { Ok(to) } else { Err(InvalidSessionTransition { from: self, to }) }
    }
}

/// Which way the owner was asked to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportChoice {
    /// The owner chooses on the page.
    #[default]
    Choose,
    Official,
    Unofficial,
}

impl TransportChoice {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Choose => "choose",
            Self::Official => "official",
            Self::Unofficial => "unofficial",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Choose, Self::Official, Self::Unofficial].into_iter().find(|choice| choice.as_str() == word)
    }
}

/// A step on our side after the provider's window closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    ExchangeCode,
    InspectToken,
    ChooseNumber,
    Subscribe,
    Register,
    Connect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    Done,
    Skipped,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: StepName,
    pub outcome: StepOutcome,
    pub at: Timestamp,
    /// Stable code of what went wrong, such as `code_expired`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The provider's own words and numbers, without anything secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider_error: Option<serde_json::Value>,
}

pub type Digest32 = [u8; 32];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnboardingSession {
    pub id: OnboardingSessionId,
    pub account: AccountKey,
    pub business: BusinessRef,
    pub transport: TransportChoice,
    pub provider: Option<ProviderName>,
    pub return_url: Option<Url>,
    pub app_return_uri: Option<String>,
    pub locale: String,
    pub phone_hint: Option<String>,
    pub replace_connection: Option<ConnectionId>,
    pub status: SessionStatus,
    /// Stable code of why it failed or was cancelled.
    pub problem: Option<String>,
    pub steps: Vec<Step>,
    pub connection: Option<ConnectionId>,
    /// SHA-256 of the secret in the link.
    pub link_hash: Digest32,
    /// SHA-256 of the cookie of the first browser that opened the link.
    pub browser_hash: Option<Digest32>,
    /// SHA-256 of the `state` value of the provider window that is open; used once.
    pub state_hash: Option<Digest32>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Rises with each change; a writer that saw an older one loses.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over_and_only_a_verified_session_connects() {
        for from in SessionStatus::ALL {
            for to in SessionStatus::ALL {
                if from.is_over() {
                    assert!(from.to(to).is_err());
                }
            }
            assert_eq!(from.to(SessionStatus::Connected).is_ok(), from == SessionStatus::Verifying);
        }
    }

    #[test]
    fn a_failed_session_can_be_tried_again() {
        assert!(SessionStatus::Failed.to(SessionStatus::Authorizing).is_ok());
    }
}
