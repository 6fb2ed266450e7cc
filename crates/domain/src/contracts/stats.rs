//! Counters per connection and hour, made from what is kept anyway.

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;
use crate::ids::{AccountKey, BusinessKey, ConnectionId};

/// What is counted; the numbers are stored and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Messages that were accepted.
    Accepted = 0,
    /// Reports of the provider.
    Sent = 1,
    Delivered = 2,
    Read = 3,
    /// Failed for good, as the provider reported or we decided.
    Failed = 4,
    Expired = 5,
    Cancelled = 6,
    /// Posts whose outcome nobody knew at first.
    Ambiguous = 7,
    /// Sent a second time, on proof that the first did not.
    Resent = 8,
    /// Tries that certainly did not send and were followed by another.
    Retried = 9,
    /// Messages of customers.
    Inbound = 10,
    /// Messages that the business wrote on its phone.
    Echoes = 11,
}

impl Counter {
    pub const ALL: [Self; 12] = [
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Ambiguous,
        Self::Resent,
        Self::Retried,
        Self::Inbound,
        Self::Echoes,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Ambiguous => "ambiguous",
            Self::Resent => "resent",
            Self::Retried => "retried",
            Self::Inbound => "inbound",
            Self::Echoes => "echoes",
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|counter| *counter as i64 == number)
    }
}

/// Rows that are counted, each kind in the order of its positions. That of a message is the millisecond in which it
/// was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Events = 0,
    Messages = 1,
    Timeline = 2,
}

impl Source {
    pub const ALL: [Self; 3] = [Self::Events, Self::Messages, Self::Timeline];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Hour,
    /// Days of UTC.
    Day,
    /// The Cloud API type of the message.
    Type,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsQuery {
    pub account: AccountKey,
    pub business: Option<BusinessKey>,
    pub connection: Option<ConnectionId>,
    /// Hours that begin at or after this …
    pub from: Timestamp,
    /// … and before this.
    pub to: Timestamp,
    pub group_by: GroupBy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// When the hour or day began; absent in groups of another kind.
    pub from: Option<Timestamp>,
    /// The type of message, in groups of types; empty where it is not known.
    pub kind: Option<String>,
    pub counter: Counter,
    pub total: u64,
}

#[async_trait]
pub trait Stats {
    /// Whether a position of this source is never seen before those in front of it. Where several write at once,
    /// positions may be given out in one order and become visible in another.
    fn is_in_order(&self, source: Source) -> bool;
    /// The newest position of a source.
    async fn newest(&self, source: Source) -> Result<i64>;
    /// Counts rows of `source` behind those counted before, up to and with `until`, about `limit` at most. Answers how
    /// far it came. However many nodes do so at once, every row is counted once.
    async fn count(&self, source: Source, until: i64, limit: u32) -> Result<i64>;
    async fn stats(&self, query: &StatsQuery) -> Result<Vec<Count>>;
}
