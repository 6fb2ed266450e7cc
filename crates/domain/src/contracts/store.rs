//! What must survive: one contract per aggregate, all implemented by each database and held to one
//! conformance suite.
//!
//! Reads and rare writes are plain calls. The hot path is [`Outbox::commit`]: everything the writer gathered,
//! in one transaction, refused row by row where the partition is no longer ours.

use async_trait::async_trait;
use uuid::Uuid;

use crate::business::{Business, NewBusiness};
use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionStatus, ProviderName, SendingChange};
use crate::contact::ContactChange;
use crate::contracts::api_keys::ApiKeys;
use crate::contracts::contacts::Contacts;
use crate::contracts::dead_letters::DeadLetters;
use crate::contracts::deliveries::{Deliveries, DeliveryWrite};
use crate::contracts::leases::Leases;
use crate::contracts::media_rows::MediaRows;
use crate::contracts::portfolios::Portfolios;
use crate::contracts::queue::Queue;
use crate::contracts::retention::Retention;
use crate::contracts::stats::Stats;
use crate::contracts::templates::TemplateRegistry;
use crate::delivery_status::DeliveryStatus;
use crate::endpoint::Endpoint;
use crate::event::{EventType, NewEvent, StoredEvent};
use crate::ids::{
    AccountKey, BusinessKey, BusinessRef, ConnectionId, EndpointId, MessageId, OnboardingSessionId,
};
use crate::message::{Order, Priority, TimelineEntry};
use crate::onboarding::{Digest32, OnboardingSession};
use crate::outbox::{OnAmbiguous, OutboxState, StateCode};
use crate::partition::{Epoch, Partition};
use crate::secret::{Sealed, WrappedDataKey};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is known to have been written; trying again is safe for every call of this contract.
    #[error("the database did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database does not take what it was given, and would not the next time. Nothing was written.
    #[error("the database refuses what it was given")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that this version cannot read.
    #[error("unreadable {what} in the database")]
    Unreadable { what: &'static str },
    /// Another row holds what must be unique.
    #[error("{what} is already taken")]
    Taken { what: &'static str },
    /// What the row belongs to does not exist any more: its business was erased.
    #[error("{what} does not exist any more")]
    Gone { what: &'static str },
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Where a listing goes on; at most `limit` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<C> {
    /// Rows behind this one; from the start when absent.
    pub after: Option<C>,
    pub limit: u32,
}

#[async_trait]
pub trait Store:
    ApiKeys
    + Businesses
    + Connections
    + Outbox
    + Events
    + Endpoints
    + OnboardingSessions
    + Idempotency
    + Leases
    + Contacts
    + DeadLetters
    + Portfolios
    + Deliveries
    + MediaRows
    + Queue
    + Retention
    + Stats
    + TemplateRegistry
    + Send
    + Sync
{
    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<()>;

    /// Whether the schema is the one this binary was built for.
    async fn ready(&self) -> Result<bool>;
}

// ---- Businesses -----------------------------------------------------------------------------------------------

#[async_trait]
pub trait Businesses {
    /// Makes the business, or answers the one that has this reference already; true when it is new.
    async fn ensure_business(
        &self,
        account: AccountKey,
        new: &NewBusiness,
        now: Timestamp,
    ) -> Result<(Business, bool)>;
    /// Writes name, country, locale and routing.
    async fn update_business(&self, business: &Business) -> Result<()>;
    async fn business(&self, account: AccountKey, reference: &BusinessRef) -> Result<Option<Business>>;
    async fn business_by_key(&self, key: BusinessKey) -> Result<Option<Business>>;
    async fn businesses(&self, account: AccountKey, page: Page<BusinessRef>) -> Result<Vec<Business>>;
    /// Drops its data keys, so that nothing sealed for it can be opened again, and everything that names it.
    /// What an erasure that was cut short has left is dropped by the next one, and by [`Retention::delete_old`].
    async fn erase_business(&self, key: BusinessKey) -> Result<()>;
    /// Oldest generation first.
    async fn data_keys(&self, owner: BusinessKey) -> Result<Vec<WrappedDataKey>>;
    /// Adds a generation; the first writer wins and the row in force is answered. `None` when the owner was erased.
    async fn insert_data_key(
        &self,
        owner: BusinessKey,
        key: &WrappedDataKey,
    ) -> Result<Option<WrappedDataKey>>;
    /// For rotation: keys not wrapped under this master key, at most `limit`.
    async fn data_keys_not_under(
        &self,
        master_key_id: &str,
        limit: u32,
    ) -> Result<Vec<(BusinessKey, WrappedDataKey)>>;
    /// Replaces the wrapping of one generation.
    async fn rewrap_data_key(&self, owner: BusinessKey, key: &WrappedDataKey) -> Result<()>;
}

// ---- Connections ----------------------------------------------------------------------------------------------

/// Everything that lets us act through an official number; sealed members under [`Connection::business`] and the
/// connection's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub connection: ConnectionId,
    pub waba_id: String,
    pub phone_number_id: Option<String>,
    pub app_id: String,
    pub provider: ProviderName,
    pub access_token: Sealed,
    pub pin: Option<Sealed>,
    pub token_expires_at: Option<Timestamp>,
    pub scopes: Vec<String>,
}

#[async_trait]
pub trait Connections {
    /// Writes the connection and its credential in one commit; an existing connection of the same id is replaced,
    /// except that it keeps its pace and what it learnt about its rate.
    /// [`StoreError::Taken`] when another connection holds the number.
    async fn save_connection(&self, connection: &Connection, credential: Option<&Credential>) -> Result<()>;
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>>;
    async fn connection_by_graph_id(&self, graph_id: &str) -> Result<Option<Connection>>;
    /// Every connection of a WABA, oldest first.
    async fn connections_of_waba(&self, waba_id: &str) -> Result<Vec<Connection>>;
    async fn connections(
        &self,
        account: AccountKey,
        business: Option<BusinessKey>,
        page: Page<ConnectionId>,
    ) -> Result<Vec<Connection>>;
    /// Moves status and reason, on the credential too; false when the connection is not `from` any more.
    async fn move_connection(
        &self,
        id: ConnectionId,
        from: ConnectionStatus,
        to: ConnectionStatus,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<bool>;
    /// Changes one member of how it sends.
    async fn change_sending(&self, id: ConnectionId, change: SendingChange, now: Timestamp) -> Result<()>;
    async fn credential(&self, id: ConnectionId) -> Result<Option<Credential>>;
    async fn save_credential(&self, credential: &Credential) -> Result<()>;
}

// ---- Outbox ---------------------------------------------------------------------------------------------------

/// Orders messages of one connection to one recipient: a hash of the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneKey(pub i64);

/// Written with what it answers to, so that the same request has the same answer for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    pub account: AccountKey,
    /// SHA-256 of the caller's key.
    pub key_hash: Digest32,
    /// Route template, such as `POST /v1/messages`.
    pub route: String,
    /// SHA-256 of the request body.
    pub body_hash: Digest32,
    pub answer_status: u16,
    /// JSON of the answer; holds no secret in clear. What is sealed for a business ends in [`Self::ending`].
    pub answer: String,
    pub created_at: Timestamp,
}

impl IdempotencyRecord {
    /// How an answer ends that is sealed under a business's key, so that its erasure finds it: the record of an answer
    /// that is not a message's names nobody otherwise.
    pub fn ending(owner: BusinessKey) -> String {
        format!(",\"owner\":{}}}", owner.0)
    }
}

#[async_trait]
pub trait Idempotency {
    async fn remembered(&self, account: AccountKey, key_hash: &Digest32)
    -> Result<Option<IdempotencyRecord>>;
    /// For answers that are not a message's; the first writer wins and the record in force is answered.
    async fn remember(&self, record: &IdempotencyRecord) -> Result<IdempotencyRecord>;
    /// Deletes records made before `before`, at most `limit`; answers how many.
    async fn forget_before(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub id: MessageId,
    pub partition: Partition,
    pub account: AccountKey,
    pub business: BusinessKey,
    pub connection: ConnectionId,
    /// As [`crate::recipient::Recipient`] prints it.
    pub recipient: String,
    pub lane: LaneKey,
    pub order: Order,
    /// Cloud API `type`.
    pub kind: String,
    /// [`OutboxState::Accepted`], or [`OutboxState::Sending`] when accepted and claimed in one commit.
    pub state: OutboxState,
    pub priority: Priority,
    pub on_ambiguous: OnAmbiguous,
    pub client_ref: Option<String>,
    /// The caller's own `biz_opaque_callback_data`.
    pub opaque: Option<String>,
    pub accepted_at: Timestamp,
    pub send_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    /// The message object, sealed under the business and the message's id.
    pub body: Sealed,
    pub idempotency: Option<IdempotencyRecord>,
    /// The message in whose place it is sent.
    pub replay_of: Option<MessageId>,
    /// What is to be said of its acceptance that the row does not tell.
    pub timeline: Vec<TimelineEntry>,
}

/// A compare-and-set on one outbox row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub message: MessageId,
    pub connection: ConnectionId,
    pub partition: Partition,
    pub from: OutboxState,
    pub to: OutboxState,
    /// Set with [`OutboxState::Sent`].
    pub provider_id: Option<String>,
    /// The provider's error, as JSON; replaces the last one.
    pub error: Option<String>,
    pub at: Timestamp,
    /// Refused when the provider reported any status of the message on its connection, looked up so that no report
    /// can be written between the look and the move. For sending again on proof.
    pub unless_reported: bool,
    /// Lines of the timeline that cannot be read off the row itself.
    pub timeline: Vec<TimelineEntry>,
}

/// A webhook that verified, and is about no connection of ours or of a time that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub id: Uuid,
    pub provider: ProviderName,
    /// The number or account it names.
    pub subject: String,
    pub received_at: Timestamp,
    /// Sealed under its id and the business whose number or account it was about when it came; where that was nobody's,
    /// under [`BusinessKey::INSTALLATION`].
    pub body: Sealed,
}

/// How far an endpoint has come, and what it did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryProgress {
    pub endpoint: EndpointId,
    pub cursor: i64,
}

/// What the writer commits together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub messages: Vec<NewMessage>,
    pub transitions: Vec<Transition>,
    pub events: Vec<NewEvent>,
    pub quarantine: Vec<Quarantined>,
    pub progress: Vec<DeliveryProgress>,
    pub failed_deliveries: Vec<DeliveryWrite>,
    /// What the events of the batch teach about people.
    pub contacts: Vec<ContactChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Committed, with its place in the order of accepts.
    Committed { seq: i64 },
    /// The idempotency key was used before; nothing was written.
    Replayed(IdempotencyRecord),
    /// The partition is not ours any more; nothing was written.
    Fenced,
    /// The business was erased; nothing was written.
    Erased,
}

/// What became of each row of a batch, in the batch's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    pub messages: Vec<Accepted>,
    /// False: the row was not in the state expected, or the partition is not ours.
    pub transitions: Vec<bool>,
    /// The place in the stream of a new event. `None`: known already, or not written.
    pub events: Vec<Option<i64>>,
}

/// A message as the API shows it and as its connection continues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    pub seq: i64,
    pub id: MessageId,
    pub account: AccountKey,
    pub business: BusinessKey,
    pub business_reference: BusinessRef,
    pub connection: ConnectionId,
    pub recipient: String,
    pub lane: LaneKey,
    pub order: Order,
    pub kind: String,
    pub state: OutboxState,
    pub priority: Priority,
    pub on_ambiguous: OnAmbiguous,
    pub client_ref: Option<String>,
    /// The caller's own `biz_opaque_callback_data`.
    pub opaque: Option<String>,
    /// The message in whose place it is sent.
    pub replay_of: Option<MessageId>,
    pub provider_id: Option<String>,
    /// JSON of the last provider error.
    pub error: Option<String>,
    pub accepted_at: Timestamp,
    pub claimed_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub send_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

/// A status that the provider reported for one of our messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    pub message: MessageId,
    pub status: DeliveryStatus,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    pub business: Option<BusinessKey>,
    pub connection: Option<ConnectionId>,
    pub client_ref: Option<String>,
    pub state: Option<StateCode>,
    /// Failed for good, as we decided or the provider reported; a later arrival may have corrected it.
    pub failed: bool,
    /// Accepted at or after this …
    pub from: Option<Timestamp>,
    /// … and before this.
    pub to: Option<Timestamp>,
    /// The word for why it ended, as its timeline has it.
    pub reason: Option<String>,
}

#[async_trait]
pub trait Outbox {
    /// One transaction, fenced by `epochs` for every partition that `messages` and `transitions` name.
    /// Replaying the same batch after an unknown outcome writes nothing twice.
    async fn commit(&self, epochs: &[(Partition, Epoch)], batch: &Batch) -> Result<Committed>;
    async fn message(&self, account: AccountKey, id: MessageId) -> Result<Option<StoredMessage>>;
    /// Newest first.
    async fn messages(
        &self,
        account: AccountKey,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<StoredMessage>>;
    async fn message_body(&self, id: MessageId) -> Result<Option<Sealed>>;
    /// Only the lines that were written; the happy path is read off the row and the reports.
    async fn timeline(&self, id: MessageId) -> Result<Vec<TimelineEntry>>;
    /// Which message of this connection the provider knows under each of these ids.
    async fn messages_by_provider_id(
        &self,
        connection: ConnectionId,
        provider_ids: &[String],
    ) -> Result<Vec<(String, MessageId)>>;
}

// ---- Events and endpoints -------------------------------------------------------------------------------------

/// Which events of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub business: Option<BusinessKey>,
    /// All types when empty.
    pub types: Vec<EventType>,
    /// Happened at or after this …
    pub from: Option<Timestamp>,
    /// … and before this.
    pub to: Option<Timestamp>,
    /// Not behind this place in the stream.
    pub last: Option<i64>,
}

#[async_trait]
pub trait Events {
    /// What was reported for these messages on their own connections, in no particular order. Group participants are
    /// not in it, nor is what another connection claimed about a message that is not its own.
    async fn reports(&self, messages: &[(ConnectionId, MessageId)]) -> Result<Vec<Report>>;
    /// Time, by the provider's clock, of the latest status of any message of the connection among its newest events.
    async fn status_watermark(
        &self,
        business: BusinessKey,
        connection: ConnectionId,
    ) -> Result<Option<Timestamp>>;
    /// The stream behind `after`, oldest first.
    async fn events_after(
        &self,
        account: AccountKey,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>>;
    /// Those of these places in the stream that are kept, in its order.
    async fn events_by_seq(&self, places: &[i64]) -> Result<Vec<StoredEvent>>;
    /// The end of the stream.
    async fn last_event(&self) -> Result<i64>;
    async fn quarantined(&self) -> Result<u64>;
}

#[async_trait]
pub trait Endpoints {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<()>;
    /// Writes url, events, format, enabled and order. The secrets stay as they are: who changes the others has read
    /// them before, and they may have been rotated since.
    async fn update_endpoint(&self, endpoint: &Endpoint) -> Result<()>;
    /// Signs with this secret from now on, and beside it with the one so far until then, where a time is given. False
    /// when there is no such endpoint.
    async fn rotate_secret(
        &self,
        account: AccountKey,
        id: EndpointId,
        secret: &Sealed,
        previous_until: Option<Timestamp>,
    ) -> Result<bool>;
    /// False when there is none.
    async fn delete_endpoint(&self, account: AccountKey, id: EndpointId) -> Result<bool>;
    async fn endpoint(&self, account: AccountKey, id: EndpointId) -> Result<Option<Endpoint>>;
    async fn endpoints(&self, account: AccountKey, page: Page<EndpointId>) -> Result<Vec<Endpoint>>;
    /// Every enabled endpoint of every account.
    async fn all_endpoints(&self) -> Result<Vec<Endpoint>>;
}

// ---- Onboarding -----------------------------------------------------------------------------------------------

#[async_trait]
pub trait OnboardingSessions {
    async fn insert_session(&self, session: &OnboardingSession) -> Result<()>;
    async fn session(&self, id: OnboardingSessionId) -> Result<Option<OnboardingSession>>;
    async fn session_by_link(&self, hash: &Digest32) -> Result<Option<OnboardingSession>>;
    async fn session_by_browser(&self, hash: &Digest32) -> Result<Option<OnboardingSession>>;
    async fn session_by_state(&self, hash: &Digest32) -> Result<Option<OnboardingSession>>;
    /// Writes every member where the stored version is still `session.version`, and raises it; false when it is not.
    async fn update_session(&self, session: &OnboardingSession) -> Result<bool>;
}
