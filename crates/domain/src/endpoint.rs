//! An endpoint: where a caller wants to hear of events.

use url::Url;

use crate::clock::Timestamp;
use crate::event::{EventType, StoredEvent};
use crate::ids::{AccountKey, BusinessKey, BusinessRef, EndpointId};
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
    pub enabled: bool,
    /// Sealed under its business, or the installation when it has none; see [`Endpoint::key_owner`].
    pub secret: Sealed,
    /// Everything up to here was delivered or has a failure row of its own.
    pub cursor: i64,
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Whose data key seals the signing secret.
    pub fn key_owner(&self) -> BusinessKey {
        self.business.as_ref().map_or(BusinessKey::INSTALLATION, |(key, _)| *key)
    }

    pub fn wants(&self, event: &StoredEvent) -> bool {
        self.enabled
            && self.account == event.account
            && self.business.as_ref().is_none_or(|(key, _)| *key == event.business)
            && (self.events.is_empty() || self.events.contains(&event.event_type))
    }
}

/// One event that an endpoint did not take yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    pub id: uuid::Uuid,
    pub endpoint: EndpointId,
    pub event_seq: i64,
    /// How many times it was tried.
    pub attempts: u32,
    pub state: DeliveryState,
    pub next_at: Timestamp,
    /// HTTP status of the last try; absent when there was no answer.
    pub last_status: Option<u16>,
    /// Short stable word for the last try without an answer, such as `timeout`.
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    Retrying = 0,
    Delivered = 1,
    /// Given up after three days; replayable.
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

    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Retrying, Self::Delivered, Self::Parked].into_iter().find(|state| *state as i64 == number)
    }
}
