//! What endpoints did not take at the first try, and a sample of what they took. Written by
//! [`super::store::Outbox::commit`]; read, and asked for once more, here.

use async_trait::async_trait;
use uuid::Uuid;

use super::store::{Page, Result};
use crate::clock::Timestamp;
use crate::endpoint::{DeliveryAttempt, DeliveryState, EndpointHealth, FailedDelivery, OrderKey};
use crate::ids::{AccountKey, BusinessKey, EndpointId, MessageId};

/// One line in the life of a delivery.
///
/// Its row is made when there is none for the endpoint and event. It is replaced when it has one attempt less and is
/// still to be retried; otherwise nothing is written, since another process, a replay or an earlier run was first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryWrite {
    pub delivery: FailedDelivery,
    /// The try that led to it.
    pub attempt: Option<DeliveryAttempt>,
}

impl From<FailedDelivery> for DeliveryWrite {
    fn from(delivery: FailedDelivery) -> Self {
        Self { delivery, attempt: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeliveryFilter {
    pub endpoint: Option<EndpointId>,
    pub state: Option<DeliveryState>,
}

/// What the caller said about a message when it was accepted, and hears with every status of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub message: MessageId,
    /// Whose message it is: no other business hears of it.
    pub business: BusinessKey,
    pub client_ref: Option<String>,
    /// The caller's own `biz_opaque_callback_data`.
    pub opaque: Option<String>,
}

#[async_trait]
pub trait Deliveries {
    /// Deliveries to retry that are due by `now`, oldest first; of one order key the first alone.
    async fn due_deliveries(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<FailedDelivery>>;
    /// When the next delivery behind `after` is due.
    async fn next_delivery(&self, endpoint: EndpointId, after: Timestamp) -> Result<Option<Timestamp>>;
    /// Events behind `after` that have a row for this endpoint.
    async fn deliveries_behind(&self, endpoint: EndpointId, after: i64) -> Result<Vec<i64>>;
    /// How many deliveries of each order key new events have to wait for.
    async fn waiting_deliveries(&self, endpoint: EndpointId) -> Result<Vec<(OrderKey, u64)>>;
    /// Everything that is to be retried is due now.
    async fn make_due(&self, endpoint: EndpointId, now: Timestamp) -> Result<()>;
    async fn save_health(&self, endpoint: EndpointId, health: EndpointHealth) -> Result<()>;

    /// Newest first.
    async fn deliveries(
        &self,
        account: AccountKey,
        filter: &DeliveryFilter,
        page: Page<Uuid>,
    ) -> Result<Vec<FailedDelivery>>;
    async fn delivery(&self, account: AccountKey, id: Uuid) -> Result<Option<FailedDelivery>>;
    /// The tries that are kept, oldest first.
    async fn delivery_attempts(&self, delivery: Uuid) -> Result<Vec<DeliveryAttempt>>;

    /// Once more, now, and counted from the start. `None` when there is none.
    async fn replay_delivery(
        &self,
        account: AccountKey,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Option<FailedDelivery>>;
    /// The same for rows that may not exist yet; answers how many were not on their way already. Nothing is written
    /// for an endpoint that is gone.
    async fn replay_deliveries(&self, deliveries: &[FailedDelivery]) -> Result<u64>;
    /// Parked deliveries of an endpoint behind this event, by event, oldest first.
    async fn parked_deliveries(
        &self,
        endpoint: EndpointId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<FailedDelivery>>;

    /// The oldest event that is kept, whosever it is: its place in the stream, and when it happened.
    async fn oldest_event(&self) -> Result<Option<(i64, Timestamp)>>;

    /// Keeps so many of the endpoint's newest delivered rows.
    async fn trim_deliveries(&self, endpoint: EndpointId, kept: u32) -> Result<()>;

    /// What was said about these messages, where anything was.
    async fn references(&self, messages: &[MessageId]) -> Result<Vec<Reference>>;
}
