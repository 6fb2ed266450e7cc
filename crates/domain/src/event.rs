//! What happened, as it is kept and as endpoints hear of it.

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::delivery_status::DeliveryStatus;
use crate::ids::{AccountKey, BusinessKey, ConnectionId, EventId, MessageId};
use crate::secret::Sealed;

/// The types that endpoints can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    MessageReceived = 0,
    MessageStatus = 1,
    MessageEcho = 2,
    ConnectionStatus = 3,
    OnboardingUpdated = 4,
    TemplateStatus = 5,
    AccountAlert = 6,
    ContactUpdated = 7,
}

impl EventType {
    pub const ALL: [Self; 8] = [
        Self::MessageReceived,
        Self::MessageStatus,
        Self::MessageEcho,
        Self::ConnectionStatus,
        Self::OnboardingUpdated,
        Self::TemplateStatus,
        Self::AccountAlert,
        Self::ContactUpdated,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageReceived => "message.received",
            Self::MessageStatus => "message.status",
            Self::MessageEcho => "message.echo",
            Self::ConnectionStatus => "connection.status",
            Self::OnboardingUpdated => "onboarding.updated",
            Self::TemplateStatus => "template.status",
            Self::AccountAlert => "account.alert",
            Self::ContactUpdated => "contact.updated",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event_type| event_type.as_str() == word)
    }

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|event_type| *event_type as i64 == number)
    }
}

/// An event about to be committed. Its id is derived from what it tells, so that hearing the same thing
/// twice, however late, makes one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub id: EventId,
    pub event_type: EventType,
    pub account: AccountKey,
    pub business: BusinessKey,
    pub connection: Option<ConnectionId>,
    pub message: Option<MessageId>,
    /// Set on [`EventType::MessageStatus`] when the word is a known one.
    pub status: Option<DeliveryStatus>,
    /// Tells of the transition of `message` in the same batch: written only if that one was applied.
    pub with_transition: bool,
    /// By the provider's clock where it told one.
    pub occurred_at: Timestamp,
    /// JSON members of `data`, as an object, sealed under the business and the id.
    pub body: Sealed,
}

/// The id of the report of `status` for one message of ours, heard on one connection. `participant` is the member of
/// a group it is about, empty otherwise.
///
/// The connection is part of it because the echo that names the message comes from outside: a business that echoes
/// another one's message id must not be able to take the place of that message's true report.
pub fn report_id(connection: ConnectionId, message: MessageId, status: &str, participant: &str) -> EventId {
    let mut time = [0; 6];
    time.copy_from_slice(&message.uuid().as_bytes()[..6]);
    derive(time, &["report", &connection.to_string(), &message.to_string(), status, participant])
}

/// The id of anything else a provider told us: from the time it names, the number or account it is about,
/// and the provider's own key for it.
pub fn update_id(at: Timestamp, about: &str, key: &str) -> EventId {
    let millis = u64::try_from(at.as_micros().div_euclid(1_000)).unwrap_or(0).to_be_bytes();
    let mut time = [0; 6];
    time.copy_from_slice(&millis[2..]);
    derive(time, &["update", about, key])
}

/// A UUIDv8 that begins with milliseconds as version 7 does, so that events of a day lie together.
fn derive(time: [u8; 6], parts: &[&str]) -> EventId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time);
    bytes[6..].copy_from_slice(&hash.finalize()[..10]);
    EventId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// An event as an endpoint's reader needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Position in the one stream of this installation; cursors point into it.
    pub seq: i64,
    pub id: EventId,
    pub event_type: EventType,
    pub account: AccountKey,
    pub business: BusinessKey,
    pub business_reference: crate::ids::BusinessRef,
    pub connection: Option<ConnectionId>,
    pub message: Option<MessageId>,
    /// The caller's own reference of the message that a status is about.
    pub client_ref: Option<String>,
    /// The caller's own `biz_opaque_callback_data` of that message.
    pub opaque: Option<String>,
    pub occurred_at: Timestamp,
    pub body: Sealed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_same_news_has_the_same_id_and_other_news_another() {
        let message = MessageId::from_uuid(Uuid::from_u128(9));
        let (here, there) =
            (ConnectionId::from_uuid(Uuid::from_u128(1)), ConnectionId::from_uuid(Uuid::from_u128(2)));
        assert_eq!(report_id(here, message, "read", ""), report_id(here, message, "read", ""));
        assert_ne!(report_id(here, message, "read", ""), report_id(here, message, "sent", ""));
        assert_ne!(report_id(here, message, "read", "a"), report_id(here, message, "read", "b"));
        assert_ne!(report_id(here, message, "read", ""), report_id(there, message, "read", ""));
        let at = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(update_id(at, "106", "wamid.A"), update_id(at, "106", "wamid.A"));
        assert_ne!(update_id(at, "106", "wamid.A"), update_id(at, "10", "6wamid.A"));
    }
}
