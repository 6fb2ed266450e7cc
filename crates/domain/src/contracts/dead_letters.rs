//! What did not arrive: why, and what took its place.

use async_trait::async_trait;

use super::store::Result;
use crate::ids::{ConnectionId, EventId, MessageId};
use crate::secret::Sealed;

/// The reason of a message that the provider took, and reported to have failed afterwards. It stands in no timeline.
pub const REPORTED_FAILED: &str = "reported_failed";

#[async_trait]
pub trait DeadLetters {
    /// The provider's report that the message failed, as it was kept.
    async fn failed_report(
        &self,
        connection: ConnectionId,
        message: MessageId,
    ) -> Result<Option<(EventId, Sealed)>>;
    /// Which of these messages have another in their place: the old one, then the new one.
    async fn replays(&self, messages: &[MessageId]) -> Result<Vec<(MessageId, MessageId)>>;
}
