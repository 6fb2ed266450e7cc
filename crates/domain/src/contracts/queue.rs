//! What a connection reads of its own messages to go on with them. They are written by
//! [`super::store::Outbox::commit`].
//!
//! No call answers more rows than it was asked for: a backlog stays in the store, and memory stays flat.

use async_trait::async_trait;

use super::store::{LaneKey, Result};
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, MessageId};
use crate::message::{Order, Priority};
use crate::outbox::{OnAmbiguous, OutboxState};
use crate::partition::Partition;

/// A message on its way, as far as deciding about it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Its place in the order of acceptance.
    pub seq: i64,
    pub id: MessageId,
    /// Who it is for.
    pub lane: LaneKey,
    pub state: OutboxState,
    pub priority: Priority,
    pub order: Order,
    pub on_ambiguous: OnAmbiguous,
    /// Not before.
    pub send_at: Option<Timestamp>,
    /// Never after.
    pub expires_at: Timestamp,
}

/// A message that was sent and holds its lane until it is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldMessage {
    pub id: MessageId,
    pub lane: LaneKey,
    pub sent_at: Timestamp,
}

/// What there is to read of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four questions, each answered for itself")]
pub struct Glance {
    pub claimed: bool,
    /// Of those that may go at any time.
    pub waiting: bool,
    /// Of those with a time of their own.
    pub scheduled: bool,
    pub held: bool,
}

/// *Waiting* means accepted or to be retried: a claim may still be taken.
#[async_trait]
pub trait Queue {
    /// Whether there is anything to read, in one call, since mostly there is nothing. Held: sent after `held_since`.
    async fn glance(&self, connection: ConnectionId, held_since: Timestamp) -> Result<Glance>;

    /// Messages that are being sent, or whose outcome is not known, in order of acceptance.
    async fn claimed(&self, connection: ConnectionId) -> Result<Vec<QueuedMessage>>;

    /// Waiting messages of one priority that may go at any time, in order of acceptance, behind `after_seq`.
    async fn waiting(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>>;

    /// Waiting messages of one priority whose time comes by `until`, in order of that time and then of acceptance,
    /// behind `after`.
    async fn scheduled(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after: (Timestamp, i64),
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>>;

    /// When the time of the next one behind `after` comes.
    async fn next_scheduled(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after: (Timestamp, i64),
    ) -> Result<Option<Timestamp>>;

    /// Waiting messages of one lane whose time has come by `due_by`, in order of acceptance, behind `after_seq`.
    /// Those that keep no order are not among them.
    async fn waiting_in_lane(
        &self,
        connection: ConnectionId,
        lane: LaneKey,
        after_seq: i64,
        due_by: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>>;

    /// Waiting messages whose time is over at `now`, oldest end first.
    async fn overdue(
        &self,
        connection: ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>>;

    /// When the time of a waiting message is over next.
    async fn next_expiry(&self, connection: ConnectionId) -> Result<Option<Timestamp>>;

    /// How many messages wait, at most `limit`.
    async fn backlog(&self, connection: ConnectionId, limit: u64) -> Result<u64>;

    /// Messages that were sent after `since` and whose order is [`Order::Delivered`].
    async fn held(&self, connection: ConnectionId, since: Timestamp) -> Result<Vec<HeldMessage>>;

    /// Connections in these partitions with a message that is claimed, or that waits and whose time comes by `soon`.
    /// For the start and for the sweep.
    async fn connections_with_work(
        &self,
        partitions: &[Partition],
        soon: Timestamp,
    ) -> Result<Vec<ConnectionId>>;
}
