//! An endpoint: where a caller wants to hear of events.

use sha2::{Digest, Sha256};
use url::Url;

use crate::clock::Timestamp;
use crate::event::EventType;
use crate::ids::{AccountKey, BusinessKey, BusinessRef, ConnectionId, EndpointId};
use crate::secret::Sealed;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointFormat {
    /// Our event object, signed as Standard Webhooks says.
    #[default]
    Standard,
    /// Meta's webhook envelope, signed as Meta signs.
    CloudApi,
}

impl EndpointFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::CloudApi => "cloud_api",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Standard, Self::CloudApi].into_iter().find(|format| format.as_str() == word)
    }

    /// Whether it has words for such an event. Meta's webhooks tell of numbers alone, and nothing of what is only here:
    /// connections, onboarding, what is known of contacts, and endpoints.
    pub const fn tells_of(self, event_type: EventType, connection: Option<ConnectionId>) -> bool {
        match (self, event_type) {
            (Self::Standard, _) => true,
            (Self::CloudApi, EventType::ConnectionStatus | EventType::OnboardingUpdated) => false,
            (Self::CloudApi, EventType::ContactUpdated) => false,
            (Self::CloudApi, _) => connection.is_some(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub account: AccountKey,
    /// Hears only of this business; of all businesses of the account when absent.
    pub business: Option<(BusinessKey, BusinessRef)>,
    pub url: Url,
    /// Types it wants; all when empty.
    pub events: Vec<EventType>,
    pub format: EndpointFormat,
    /// As its owner wants it.
    pub enabled: bool,
    /// Events about one contact go one after the other; see [`OrderKey`].
    pub ordered: bool,
    /// Sealed under its business, or the installation when it has none; see [`Endpoint::key_owner`].
    pub secret: Sealed,
    /// Signs beside `secret` until the overlap of a rotation is over.
    pub previous_secret: Option<PreviousSecret>,
    /// As we find it.
    pub health: EndpointHealth,
    /// Everything up to here was delivered or has a failure row of its own.
    pub cursor: i64,
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Whose data key seals the signing secret.
    pub fn key_owner(&self) -> BusinessKey {
        self.business.as_ref().map_or(BusinessKey::INSTALLATION, |(key, _)| *key)
    }

    /// Whether it is to hear of what happened to this business.
    pub fn wants(&self, account: AccountKey, business: BusinessKey, event_type: EventType) -> bool {
        self.account == account
            && self.business.as_ref().is_none_or(|(key, _)| *key == business)
            && (self.events.is_empty() || self.events.contains(&event_type))
    }
}

/// The signing secret before the last rotation, sealed as the present one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    pub sealed: Sealed,
    pub until: Timestamp,
}

/// Whether an endpoint takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EndpointHealth {
    #[default]
    Taking,
    /// Nothing was taken since: one event from time to time asks whether that is over, the others wait in the stream.
    Failing { since: Timestamp },
    /// It failed for so long that it is asked seldom; its owner was told.
    Parked { since: Timestamp },
    /// It answered 410 and is asked no more, until its owner says so.
    Gone { since: Timestamp },
}

impl EndpointHealth {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taking => "active",
            Self::Failing { .. } => "failing",
            Self::Parked { .. } => "parked",
            Self::Gone { .. } => "gone",
        }
    }

    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::Taking => None,
            Self::Failing { since } | Self::Parked { since } | Self::Gone { since } => Some(since),
        }
    }

    /// How it is stored; the numbers never change.
    pub const fn number(self) -> i64 {
        match self {
            Self::Taking => 0,
            Self::Failing { .. } => 1,
            Self::Parked { .. } => 2,
            Self::Gone { .. } => 3,
        }
    }

    pub const fn from_number(number: i64, since: Option<Timestamp>) -> Option<Self> {
        match (number, since) {
            (0, _) => Some(Self::Taking),
            (1, Some(since)) => Some(Self::Failing { since }),
            (2, Some(since)) => Some(Self::Parked { since }),
            (3, Some(since)) => Some(Self::Gone { since }),
            _ => None,
        }
    }
}

/// Deliveries of one endpoint with the same key go one after the other: a hash of connection and contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderKey(pub i64);

impl OrderKey {
    /// `contact`: as the platform names it, with or without a plus.
    pub fn of(connection: ConnectionId, contact: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(connection.uuid().as_bytes())
            .chain_update(contact.trim_start_matches('+'))
            .finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Self(i64::from_be_bytes(first))
    }
}

/// One event for one endpoint, where that is more than a try that was taken: there is one row at most for each
/// endpoint and event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    pub id: uuid::Uuid,
    pub endpoint: EndpointId,
    pub event_seq: i64,
    /// How many times it was tried. None yet: it waits for an earlier one of its contact, or for its replay.
    pub attempts: u32,
    pub state: DeliveryState,
    pub next_at: Timestamp,
    /// Where the endpoint keeps an order: it waits for earlier rows of this key.
    pub order_key: Option<OrderKey>,
    /// Somebody asked for it once more. Events that are new do not wait for it.
    pub replayed: bool,
    /// HTTP status of the last try; absent when there was no answer.
    pub last_status: Option<u16>,
    /// Short stable word for the last try without an answer, such as `timeout`.
    pub last_error: Option<String>,
}

impl FailedDelivery {
    /// Without another try, for this reason.
    #[must_use]
    pub fn given_up(self, reason: &str) -> Self {
        Self {
            attempts: self.attempts + 1,
            state: DeliveryState::Parked,
            last_status: None,
            last_error: Some(reason.to_owned()),
            ..self
        }
    }
}

/// What one try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    pub at: Timestamp,
    pub latency_ms: u32,
    /// HTTP status; absent when there was no answer.
    pub status: Option<u16>,
    /// Short stable word for a try without an answer, such as `timeout`.
    pub error: Option<String>,
    /// How the answer began, sealed under the event's business and the delivery's id: it may hold personal data.
    pub answer: Option<Sealed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    Retrying = 0,
    Delivered = 1,
    /// Given up; replayable.
    Parked = 2,
}

impl DeliveryState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }

    const ALL: [Self; 3] = [Self::Retrying, Self::Delivered, Self::Parked];

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i64 == number)
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_api_has_no_words_for_what_is_only_here() {
        let number = Some(ConnectionId::from_uuid(uuid::Uuid::nil()));
        let told = |connection| {
            let told = EventType::ALL.into_iter();
            told.filter(|event| EndpointFormat::CloudApi.tells_of(*event, connection)).collect::<Vec<_>>()
        };
        let known = [
            EventType::MessageReceived,
            EventType::MessageStatus,
            EventType::MessageEcho,
            EventType::TemplateStatus,
            EventType::AccountAlert,
        ];
        assert_eq!(told(number), known);
        assert!(told(None).is_empty(), "an alert about an endpoint is about no number");
        assert!(EventType::ALL.into_iter().all(|event| EndpointFormat::Standard.tells_of(event, None)));
    }
}
