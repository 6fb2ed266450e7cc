//! Media: where each came from and how far its content has come. Where that is kept is not known here.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::media_rows::MediaRows;
use domain::contracts::store::{Result, StoreError};
use domain::ids::{AccountKey, BusinessKey, ConnectionId, MediaId};
use domain::media::{Fetch, MediaContent, MediaDirection, MediaRow, MediaStage, MediaState};
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Database, Db, push_list};
use crate::columns::{digest, known, number_of, text};
use crate::error::failed;
use crate::retention::first_id;
use crate::shapes;

macro_rules! select_media {
    () => {
        "SELECT id, account, business, connection, direction, provider_id, mime_type, file_name, size, sha256, state,
                created_at, expires_at, provider_until, fetch_attempts, fetch_due, fetch_sha256 FROM media"
    };
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    account: i64,
    business: i64,
    connection: Uuid,
    direction: String,
    provider_id: Option<String>,
    mime_type: String,
    file_name: Option<Vec<u8>>,
    size: Option<i64>,
    sha256: Option<Vec<u8>>,
    state: String,
    created_at: i64,
    expires_at: i64,
    provider_until: Option<i64>,
    fetch_attempts: i64,
    fetch_due: Option<i64>,
    fetch_sha256: Option<Vec<u8>>,
}

impl Row {
    fn read(self) -> Result<MediaRow> {
        Ok(MediaRow {
            state: self.state()?,
            fetch: self.fetch()?,
            provider_until: self.provider_until.map(Timestamp::from_micros),
            id: MediaId::from_uuid(self.id),
            account: AccountKey(self.account),
            business: BusinessKey(self.business),
            connection: ConnectionId::from_uuid(self.connection),
            direction: known(MediaDirection::from_word(&self.direction), "direction of media")?,
            provider_id: self.provider_id,
            mime_type: self.mime_type,
            file_name: self.file_name.map(Sealed::from_bytes),
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }

    fn fetch(&self) -> Result<Option<Fetch>> {
        let Some(due) = self.fetch_due else { return Ok(None) };
        Ok(Some(Fetch {
            attempts: number_of(self.fetch_attempts, "attempts to fetch media")?,
            due: Timestamp::from_micros(due),
            sha256: self.fetch_sha256.as_deref().map(digest).transpose()?,
        }))
    }

    fn state(&self) -> Result<MediaState> {
        const WHAT: &str = "state of media";
        Ok(match known(MediaStage::from_word(&self.state), WHAT)? {
            MediaStage::Pending => MediaState::Pending,
            MediaStage::Stored => MediaState::Stored(MediaContent {
                size: number_of(known(self.size, WHAT)?, WHAT)?,
                sha256: digest(known(self.sha256.as_deref(), WHAT)?)?,
            }),
            MediaStage::Failed => MediaState::Failed,
            MediaStage::Gone => MediaState::Gone,
        })
    }
}

/// The columns `size` and `sha256`.
fn content(state: &MediaState) -> Result<(Option<i64>, Option<Vec<u8>>)> {
    let Some(content) = state.content() else { return Ok((None, None)) };
    let size = content.size.try_into().map_err(|error| StoreError::Refused(Box::new(error)))?;
    Ok((Some(size), Some(content.sha256.to_vec())))
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<MediaId> {
    rows.into_iter().map(|(id,)| MediaId::from_uuid(id)).collect()
}

#[async_trait]
impl MediaRows for Database {
    async fn insert_media(&self, row: &MediaRow) -> Result<()> {
        let (size, sha256) = content(&row.state)?;
        let inserted = sqlx::query(concat!(
            "INSERT INTO media (id, account, business, connection, direction, provider_id, mime_type, file_name,
                                size, sha256, state, created_at, expires_at, provider_until, fetch_attempts,
                                fetch_due, fetch_sha256)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
             WHERE EXISTS (SELECT 1 FROM businesses WHERE id = $3 AND NOT erased",
            for_share!(),
            ") ON CONFLICT (id) DO NOTHING"
        ))
        .bind(row.id.uuid())
        .bind(row.account.0)
        .bind(row.business.0)
        .bind(row.connection.uuid())
        .bind(row.direction.as_str())
        .bind(row.provider_id.as_deref().map(text))
        .bind(text(&row.mime_type))
        .bind(row.file_name.as_ref().map(Sealed::as_bytes))
        .bind(size)
        .bind(sha256)
        .bind(row.state.stage().as_str())
        .bind(row.created_at.as_micros())
        .bind(row.expires_at.as_micros())
        .bind(row.provider_until.map(Timestamp::as_micros))
        .bind(row.fetch.map_or(0, |fetch| i64::from(fetch.attempts)))
        .bind(row.fetch.map(|fetch| fetch.due.as_micros()))
        .bind(row.fetch.and_then(|fetch| fetch.sha256).map(|sha256| sha256.to_vec()))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        if inserted.rows_affected() > 0 || self.is_there(row.id).await? {
            return Ok(());
        }
        Err(StoreError::Gone { what: "the business" })
    }

    async fn media(&self, account: AccountKey, id: MediaId) -> Result<Option<MediaRow>> {
        let row: Option<Row> = sqlx::query_as(concat!(select_media!(), " WHERE id = $1 AND account = $2"))
            .bind(id.uuid())
            .bind(account.0)
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(Row::read).transpose()
    }

    async fn media_by_provider_id(
        &self,
        connection: ConnectionId,
        provider_id: &str,
    ) -> Result<Option<MediaRow>> {
        let row: Option<Row> =
            sqlx::query_as(concat!(select_media!(), " WHERE connection = $1 AND provider_id = $2"))
                .bind(connection.uuid())
                .bind(text(provider_id))
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        row.map(Row::read).transpose()
    }

    async fn media_known_as(&self, account: AccountKey, provider_id: &str) -> Result<Vec<MediaRow>> {
        let rows: Vec<Row> =
            sqlx::query_as(concat!(select_media!(), " WHERE provider_id = $1 AND account = $2 ORDER BY id"))
                .bind(text(provider_id))
                .bind(account.0)
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn name_media(&self, id: MediaId, provider_id: &str, until: Timestamp) -> Result<bool> {
        let named = sqlx::query(
            "UPDATE media SET provider_id = $2, provider_until = $3 WHERE id = $1 AND state = 'stored'",
        );
        let named = named.bind(id.uuid()).bind(text(provider_id)).bind(until.as_micros());
        Ok(named.execute(&self.write).await.map_err(failed)?.rows_affected() > 0)
    }

    async fn media_to_fetch(&self, now: Timestamp, limit: u32) -> Result<Vec<MediaRow>> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            select_media!(),
            " WHERE state = 'pending' AND fetch_due <= $1 ORDER BY fetch_due, id LIMIT $2"
        ))
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn put_off_media(&self, id: MediaId, attempts: u16, due: Timestamp) -> Result<()> {
        let later = sqlx::query(
            "UPDATE media SET fetch_attempts = $2, fetch_due = $3 WHERE id = $1 AND state = 'pending'",
        );
        let later = later.bind(id.uuid()).bind(i64::from(attempts)).bind(due.as_micros());
        later.execute(&self.write).await.map(drop).map_err(failed)
    }

    async fn move_media(&self, id: MediaId, from: MediaStage, to: &MediaState) -> Result<bool> {
        if !from.may_become(to.stage()) {
            return Ok(false);
        }
        let (size, sha256) = content(to)?;
        let moved =
            sqlx::query("UPDATE media SET state = $3, size = $4, sha256 = $5 WHERE id = $1 AND state = $2")
                .bind(id.uuid())
                .bind(from.as_str())
                .bind(to.stage().as_str())
                .bind(size)
                .bind(sha256)
                .execute(&self.write)
                .await
                .map_err(failed)?;
        Ok(moved.rows_affected() > 0)
    }

    async fn expired_media(&self, now: Timestamp, limit: u32) -> Result<Vec<MediaId>> {
        let due = sqlx::query_as(
            "SELECT id FROM media WHERE state <> 'gone' AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
        );
        let due = due.bind(now.as_micros()).bind(i64::from(limit));
        due.fetch_all(&self.read).await.map(ids).map_err(failed)
    }

    async fn erased_media(&self, before: Timestamp, limit: u32) -> Result<Vec<MediaId>> {
        let left = sqlx::query_as("SELECT id FROM erased_media WHERE id < $1 ORDER BY id LIMIT $2");
        let left = left.bind(first_id(before)).bind(i64::from(limit));
        left.fetch_all(&self.read).await.map(ids).map_err(failed)
    }

    async fn forget_erased_media(&self, ids: &[MediaId]) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        for list in shapes::lists(&ids) {
            let mut query = QueryBuilder::<Db>::new("DELETE FROM erased_media WHERE id IN ");
            push_list(&mut query, list);
            query.build().execute(&self.write).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Database {
    async fn is_there(&self, id: MediaId) -> Result<bool> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT created_at FROM media WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(&self.write)
            .await
            .map_err(failed)?;
        Ok(row.is_some())
    }
}
