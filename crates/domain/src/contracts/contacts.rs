//! What is kept about contacts. It is written by [`super::store::Outbox::commit`], together with the events that
//! taught it, and read here.

use std::time::Duration;

use async_trait::async_trait;

use super::store::{Page, Result};
use crate::clock::Timestamp;
use crate::contact::{Alias, Contact, ContactKey, Listening};
use crate::ids::{BusinessKey, ConnectionId};

#[async_trait]
pub trait Contacts {
    /// What is known under each of these keys, which may be those of any alias, in their order. `None`: a stranger.
    async fn contacts(&self, keys: &[(BusinessKey, ContactKey)]) -> Result<Vec<Option<Contact>>>;
    /// Those who do not want to be written to, in the order of their keys.
    async fn opted_out(&self, business: BusinessKey, page: Page<ContactKey>) -> Result<Vec<Contact>>;
    /// Every name that leads to these contacts, beside their canonical ones.
    async fn other_names(
        &self,
        business: BusinessKey,
        contacts: &[ContactKey],
    ) -> Result<Vec<(ContactKey, Alias)>>;
    /// Says that webhooks are heard at `now`. More than `tolerated` after it was said last, there was a gap.
    async fn heard(&self, now: Timestamp, tolerated: Duration) -> Result<()>;
    /// A connection was made, or made again: nobody knows what was written to it before.
    async fn hears_anew(&self, connection: ConnectionId, now: Timestamp) -> Result<()>;
    /// Since when nothing that is written to this connection was missed. `None` when there is no such connection.
    async fn listening(&self, connection: ConnectionId) -> Result<Option<Listening>>;
}
