//! A message in memory, and where one that is accepted now stands.

use domain::clock::Timestamp;
use domain::contracts::queue::QueuedMessage;
use domain::contracts::store::{LaneKey, NewMessage};
use domain::ids::MessageId;
use domain::message::{Order, Priority};
use domain::outbox::{OnAmbiguous, OutboxState};

/// Greater than the place of any row: its row is not committed yet.
pub const UNCOMMITTED: i64 = i64::MAX;

/// A message on its way, as far as deciding needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: MessageId,
    /// Its place in the order of acceptance, or [`UNCOMMITTED`].
    pub seq: i64,
    /// Where it keeps its order.
    pub lane: LaneKey,
    /// Who it is for.
    pub recipient: LaneKey,
    pub priority: Priority,
    pub order: Order,
    pub on_ambiguous: OnAmbiguous,
    pub state: OutboxState,
    /// Never sent after.
    pub expires_at: Timestamp,
    /// A decision about it is being written: until that is done nothing else is decided.
    pub busy: bool,
    /// Its arrival was reported before the answer of its own post was written down.
    pub arrived: bool,
}

impl Entry {
    pub fn of_new(message: &NewMessage) -> Self {
        Self {
            id: message.id,
            seq: UNCOMMITTED,
            lane: lane(message.order, message.lane, message.id),
            recipient: message.lane,
            priority: message.priority,
            order: message.order,
            on_ambiguous: message.on_ambiguous,
            state: message.state,
            expires_at: message.expires_at,
            busy: false,
            arrived: false,
        }
    }

    pub fn of_row(row: &QueuedMessage) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            lane: lane(row.order, row.lane, row.id),
            recipient: row.lane,
            priority: row.priority,
            order: row.order,
            on_ambiguous: row.on_ambiguous,
            state: row.state,
            expires_at: row.expires_at,
            busy: false,
            arrived: false,
        }
    }

    pub const fn is_committed(&self) -> bool {
        self.seq != UNCOMMITTED
    }

    /// Its post is under way, or may have been carried out.
    pub const fn is_claimed(&self) -> bool {
        matches!(self.state, OutboxState::Sending(_) | OutboxState::Ambiguous(_))
    }
}

/// The lane that a message stands in: its recipient's, or one of its own when it keeps no order.
pub fn lane(order: Order, recipient: LaneKey, id: MessageId) -> LaneKey {
    match order {
        Order::Strict | Order::Delivered => recipient,
        Order::Relaxed => {
            let bytes = id.uuid().into_bytes();
            LaneKey(i64::from_be_bytes(std::array::from_fn(|i| bytes[8 + i])))
        }
    }
}

/// What happens to a message that is accepted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Nothing stands before it: it may be claimed in the commit that accepts it.
    Claim,
    /// It waits its turn in memory.
    Queue,
    /// It waits in the store until it is read.
    Store,
}
