//! What is known of each image, voice note and document. Their content is kept elsewhere ([`super::media`]), so a row
//! is written before its content and outlives it: what has no row is never looked for.

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;
use crate::ids::{AccountKey, ConnectionId, MediaId};
use crate::media::{MediaRow, MediaStage, MediaState};

#[async_trait]
pub trait MediaRows {
    /// Writing the same row again is fine. [`StoreError::Taken`] when the connection has another under the provider's
    /// id, [`StoreError::Gone`] when the business was erased.
    ///
    /// [`StoreError::Taken`]: super::store::StoreError::Taken
    /// [`StoreError::Gone`]: super::store::StoreError::Gone
    async fn insert_media(&self, row: &MediaRow) -> Result<()>;
    async fn media(&self, account: AccountKey, id: MediaId) -> Result<Option<MediaRow>>;
    async fn media_by_provider_id(
        &self,
        connection: ConnectionId,
        provider_id: &str,
    ) -> Result<Option<MediaRow>>;
    /// Those of the account that any of its connections knows under the provider's id.
    async fn media_known_as(&self, account: AccountKey, provider_id: &str) -> Result<Vec<MediaRow>>;
    /// The provider has the content, and knows it under this id until then. False when it is not stored any more.
    async fn name_media(&self, id: MediaId, provider_id: &str, until: Timestamp) -> Result<bool>;
    /// What is to be fetched from a provider by now, longest due first.
    async fn media_to_fetch(&self, now: Timestamp, limit: u32) -> Result<Vec<MediaRow>>;
    /// It was tried so often, and is to be tried again then. Nothing changes where it is not pending any more.
    async fn put_off_media(&self, id: MediaId, attempts: u16, due: Timestamp) -> Result<()>;
    /// False when it is not `from` any more, may not become `to`, or was erased: content that was put for it is then to be
    /// deleted again.
    async fn move_media(&self, id: MediaId, from: MediaStage, to: &MediaState) -> Result<bool>;
    /// Those whose content is to go and has not, longest due first.
    async fn expired_media(&self, now: Timestamp, limit: u32) -> Result<Vec<MediaId>>;
    /// Whose content is to be deleted although nothing else is known of them any more: their business was erased. Only
    /// those made before `before`, an instant after which no put that began earlier can still be running.
    async fn erased_media(&self, before: Timestamp, limit: u32) -> Result<Vec<MediaId>>;
    /// Their content is deleted.
    async fn forget_erased_media(&self, ids: &[MediaId]) -> Result<()>;
}
