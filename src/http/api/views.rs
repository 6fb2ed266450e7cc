//! Rows as the API shows them.

use domain::connection::{ConnectionStatus, ProviderName, Transport};
use domain::contracts::store::StoredMessage;
use domain::ids::{ConnectionId, MessageId};
use domain::message::{MessageStatus, TimelineEntry};
use domain::{Business, Connection, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::messages::{Again, Why};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Business)]
pub struct BusinessView {
    /// The caller's own reference.
    #[schema(value_type = String, max_length = 64)]
    id: String,
    name: Option<String>,
    /// ISO 3166-1: whose dialling rules apply to numbers without a country code.
    #[schema(example = "TZ")]
    country: String,
    /// Language of its pages.
    #[schema(example = "sw")]
    locale: String,
    /// Which transport its messages take.
    #[schema(example = "official")]
    routing: &'static str,
    /// Whether customers opt out by writing STOP, ACHA or SITISHA.
    opt_out_keywords: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Business> for BusinessView {
    fn from(business: Business) -> Self {
        Self {
            id: business.reference.as_str().to_owned(),
            name: business.name,
            country: business.country.as_str().to_owned(),
            locale: business.locale,
            routing: business.routing.as_str(),
            opt_out_keywords: business.opt_out_keywords,
            created_at: business.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionView {
    #[schema(value_type = String)]
    id: ConnectionId,
    business_id: String,
    #[schema(value_type = String, example = "official")]
    transport: Transport,
    #[schema(value_type = String, example = "meta")]
    provider: ProviderName,
    /// `pending`, `verifying`, `connected`, `degraded`, `disconnected` or `suspended`.
    #[schema(value_type = String, example = "connected")]
    status: ConnectionStatus,
    /// A stable word for why the status is what it is.
    reason: Option<String>,
    /// What the owner can do about it: `finish_onboarding`, `wait`, `check_account`, `reconnect` or `contact_provider`.
    user_action: Option<&'static str>,
    /// E.164.
    phone_number: Option<String>,
    verified_name: Option<String>,
    quality_rating: Option<String>,
    /// The number's id for Cloud API clients.
    phone_number_id: Option<String>,
    waba_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Connection> for ConnectionView {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            business_id: connection.business_reference.as_str().to_owned(),
            transport: connection.transport(),
            provider: connection.provider,
            status: connection.status,
            user_action: user_action(connection.status),
            reason: connection.reason,
            phone_number: connection.phone_number,
            verified_name: connection.verified_name,
            quality_rating: connection.quality_rating,
            phone_number_id: connection.graph_id,
            waba_id: connection.waba_id,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}

const fn user_action(status: ConnectionStatus) -> Option<&'static str> {
    match status {
        ConnectionStatus::Connected => None,
        ConnectionStatus::Pending => Some("finish_onboarding"),
        ConnectionStatus::Verifying => Some("wait"),
        ConnectionStatus::Degraded => Some("check_account"),
        ConnectionStatus::Disconnected => Some("reconnect"),
        ConnectionStatus::Suspended => Some("contact_provider"),
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    #[schema(value_type = String)]
    id: MessageId,
    /// `accepted`, `sending`, `ambiguous`, `retrying`, `sent`, `delivered`, `read`, `failed`, `expired` or `cancelled`.
    #[schema(value_type = String, example = "delivered")]
    status: MessageStatus,
    business_id: String,
    #[schema(value_type = String)]
    connection_id: ConnectionId,
    /// E.164 for a phone number.
    #[schema(example = "+255712345678")]
    to: String,
    /// Cloud API `type`.
    #[schema(example = "text")]
    r#type: String,
    client_ref: Option<String>,
    /// The provider's id of it.
    provider_message_id: Option<String>,
    /// The provider's last error.
    #[schema(value_type = Option<Object>)]
    error: Option<Box<RawValue>>,
    /// Of a message that failed, expired or was cancelled: a stable word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of such a message: whether replaying it may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    /// The message in whose place it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    replay_of: Option<MessageId>,
    /// The message that was sent in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    replayed_as: Option<MessageId>,
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// It is not sent after this.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Everything that happened, oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<TimelineLine>>)]
    timeline: Option<Vec<TimelineEntry>>,
}

impl MessageView {
    pub fn new(
        message: StoredMessage,
        status: MessageStatus,
        why: Option<Why>,
        replayed_as: Option<MessageId>,
    ) -> Self {
        let retryable = why.as_ref().map(|why| why.again != Again::Useless);
        let (reason, told) = why.map_or((None, None), |why| (why.reason, why.error));
        let error = told.map(|error| error.to_string()).or(message.error);
        Self {
            id: message.id,
            status,
            business_id: message.business_reference.as_str().to_owned(),
            connection_id: message.connection,
            to: message.recipient,
            r#type: message.kind,
            client_ref: message.client_ref,
            provider_message_id: message.provider_id,
            error: error.and_then(|json| RawValue::from_string(json).ok()),
            reason,
            retryable,
            replay_of: message.replay_of,
            replayed_as,
            accepted_at: message.accepted_at,
            send_at: message.send_at,
            expires_at: message.expires_at,
            timeline: None,
        }
    }

    #[must_use]
    pub fn with_timeline(self, timeline: Vec<TimelineEntry>) -> Self {
        Self { timeline: Some(timeline), ..self }
    }
}

/// One line of a message's history, for the description of the API; what is sent is [`TimelineEntry`].
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is serialised elsewhere")]
pub struct TimelineLine {
    #[schema(format = DateTime)]
    at: String,
    #[schema(example = "sent")]
    status: String,
    /// From 1; absent where the line is about no attempt.
    attempt: Option<u16>,
    /// A stable word for why.
    reason: Option<String>,
    #[schema(value_type = Option<Object>)]
    error: Option<String>,
}
