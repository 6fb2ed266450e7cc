//! How long things are kept, and how they go.

use std::time::Duration;

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;

/// For so long at least an event is kept, so that news that a provider repeats is known: Meta repeats for seven days.
/// News that is older than this when it comes is not taken for new.
pub const EVENTS_KEPT_AT_LEAST: Duration = Duration::from_hours(9 * 24);

/// Since when things are kept. What is older may go, except what is said of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// By when they were heard: a report that comes late, of a message that is old, is kept as long as any other.
    /// News that found no place is kept as long.
    pub events: Timestamp,
    /// Rows of messages and their timelines, and of media. What is not final stays.
    pub messages: Timestamp,
    /// Sealed contents of messages. They stay as long as the message may be sent, or sent again by hand.
    pub bodies: Timestamp,
}

#[async_trait]
pub trait Retention {
    /// Makes room for the days to come, where the database keeps days apart. Nothing depends on it but speed.
    async fn prepare_days(&self, now: Timestamp) -> Result<()>;
    /// Drops whole days that are over, where the database keeps days apart.
    async fn drop_days(&self, kept: &Kept) -> Result<()>;
    /// Deletes a few rows of what is old; true when there is more. At the end it finishes what erasures have left.
    async fn delete_old(&self, kept: &Kept) -> Result<bool>;
}
