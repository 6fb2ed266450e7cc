//! What the rest of the program asks of media.

use std::sync::Arc;
use std::time::Duration;

use domain::connection::Connection;
use domain::contracts::media::{Cause, Incoming, MediaError};
use domain::contracts::store::StoreError;
use domain::ids::MediaId;
use domain::media::{MediaDirection, MediaRow, MediaStage, MediaState};

use super::streams::{TooLong, opened, sealed};
use crate::connection::credentials;
use crate::handle::Gateway;
use crate::keychain::{SealError, column};
use crate::services::Services;

/// How often media is looked at that is being fetched.
const LOOK: Duration = Duration::from_millis(200);

/// What a business wants to send.
#[derive(Debug, Clone)]
pub struct NewMedia {
    pub mime_type: String,
    pub file_name: Option<String>,
    pub at_most: u64,
}

/// Why content was not kept. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("the content is longer than {at_most} bytes")]
    TooLarge { at_most: u64 },
    #[error("the content broke off")]
    Broken(#[source] Cause),
    /// It is not what was announced.
    #[error("the content is another one than announced")]
    Different,
    #[error("the business was erased")]
    Erased,
    #[error("content cannot be kept now")]
    Unavailable(#[source] Cause),
}

impl From<SealError> for KeepError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Erased => Self::Erased,
            error => Self::Unavailable(error.into()),
        }
    }
}

impl From<StoreError> for KeepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Gone { .. } => Self::Erased,
            error => Self::Unavailable(error.into()),
        }
    }
}

/// Why content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Keys(#[from] SealError),
    #[error("the content is not what was kept")]
    Damaged,
}

/// Content in clear, and the name it came with.
pub struct Opened {
    pub file_name: Option<String>,
    pub content: Incoming,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

/// Puts the content of a row that is pending, and says so on the row.
pub(super) async fn keep(
    services: &Services,
    row: &MediaRow,
    plain: Incoming,
    at_most: u64,
) -> Result<MediaState, KeepError> {
    let sealer = services.keychain.seal_stream(row.business, row.id.uuid(), column::MEDIA_CONTENT).await?;
    let (content, told) = sealed(plain, sealer, at_most);
    let contents = &services.media.contents;
    let room = vault::sealed_length(at_most).unwrap_or(u64::MAX);
    contents.put(row.id, content, room).await.map_err(not_kept)?;
    let kept = told.await.map_err(|_| KeepError::Unavailable("the content was not counted".into()))?;
    let wanted = row.fetch.and_then(|fetch| fetch.sha256);
    let state = MediaState::Stored(kept);
    let stored = if wanted.is_some_and(|wanted| wanted != kept.sha256) {
        Err(KeepError::Different)
    } else {
        match services.store.move_media(row.id, MediaStage::Pending, &state).await {
            Ok(true) => Ok(state),
            Ok(false) => Err(KeepError::Erased),
            Err(error) => Err(error.into()),
        }
    };
    if stored.is_err()
        && let Err(error) = contents.delete(row.id).await
    {
        tracing::warn!(media.id = %row.id, %error, "content that no row names could not be deleted");
    }
    stored
}

fn not_kept(error: MediaError) -> KeepError {
    match error {
        MediaError::Broken(cause) => match cause.downcast::<TooLong>() {
            Ok(too_long) => KeepError::TooLarge { at_most: too_long.at_most },
            Err(cause) => KeepError::Broken(cause),
        },
        error => KeepError::Unavailable(error.into()),
    }
}

impl Gateway {
    /// Keeps what a business wants to send; when it answers, all of it is safe.
    pub async fn keep_media(
        &self,
        connection: &Connection,
        new: NewMedia,
        content: Incoming,
    ) -> Result<MediaRow, KeepError> {
        let services = &self.services;
        let (id, now) = (MediaId::from_uuid(services.ids.next()), services.clock.now());
        let file_name = match &new.file_name {
            Some(name) => {
                let name = name.as_bytes();
                let column = column::MEDIA_FILE_NAME;
                Some(services.keychain.seal(connection.business, id.uuid(), column, name).await?)
            }
            None => None,
        };
        let row = MediaRow {
            id,
            account: connection.account,
            business: connection.business,
            connection: connection.id,
            direction: MediaDirection::Out,
            provider_id: None,
            provider_until: None,
            fetch: None,
            mime_type: new.mime_type,
            file_name,
            state: MediaState::Pending,
            created_at: now,
            expires_at: now.plus(services.media.kept_for),
        };
        services.store.insert_media(&row).await?;
        match keep(services, &row, content, new.at_most).await {
            Ok(state) => Ok(MediaRow { state, ..row }),
            Err(error) => {
                // Left as it is, it would be looked for again when its time is over.
                let _ = services.store.move_media(id, MediaStage::Pending, &MediaState::Gone).await;
                Err(error)
            }
        }
    }

    /// The row once it is known whether its content can be had, or as it stands after `patience`.
    pub async fn fetched_media(&self, row: MediaRow, patience: Duration) -> Result<MediaRow, StoreError> {
        let services = &self.services;
        let until = services.clock.boottime() + patience;
        let mut row = row;
        while row.state == MediaState::Pending && services.clock.boottime() < until {
            services.clock.sleep(LOOK).await;
            match services.store.media(row.account, row.id).await? {
                Some(newer) => row = newer,
                None => break,
            }
        }
        Ok(row)
    }

    /// Content from its beginning.
    pub async fn read_media(&self, row: &MediaRow) -> Result<Opened, ReadError> {
        let Services { keychain, media, .. } = &self.services;
        let content = opened(&*media.contents, keychain, row.business, row.id).await?;
        let file_name = match &row.file_name {
            Some(sealed) => {
                let name =
                    keychain.open(row.business, row.id.uuid(), column::MEDIA_FILE_NAME, sealed).await?;
                String::from_utf8(name.to_vec()).ok()
            }
            None => None,
        };
        Ok(Opened { file_name, content })
    }

    /// Its content is gone afterwards, here and as far as it can be reached at the provider.
    pub async fn delete_media(&self, row: &MediaRow) -> Result<(), KeepError> {
        let services = &self.services;
        let contents = &services.media.contents;
        contents.delete(row.id).await.map_err(|error| KeepError::Unavailable(error.into()))?;
        services.store.move_media(row.id, row.state.stage(), &MediaState::Gone).await?;
        if let Some(provider_id) = row.provider_id.clone() {
            let (services, row) = (services.clone(), row.clone());
            tokio::spawn(async move {
                if let Err(error) = delete_there(&services, &row, &provider_id).await {
                    tracing::info!(media.id = %row.id, %error, "media was not deleted at the provider");
                }
            });
        }
        Ok(())
    }
}

async fn delete_there(services: &Services, row: &MediaRow, provider_id: &str) -> Result<(), Cause> {
    let opened = credentials::load(&*services.store, &services.keychain, row.connection).await?;
    let provider = services.providers.get(&opened.connection.provider);
    let media = provider.and_then(|provider| provider.media.as_ref().map(Arc::clone));
    let (Some(media), Some(token)) = (media, &opened.token) else { return Ok(()) };
    let graph_id = opened.connection.graph_id.clone().unwrap_or_default();
    Ok(media.delete(token, &graph_id, provider_id).await?)
}
