//! The end of an erasure: what was deleted is in none of the files any more.
//!
//! Deleting overwrites (`secure_delete`). That leaves the log, which holds pages as they were, and copies that SQLite
//! made when it moved rows between pages: the room that they leave behind is not overwritten. Those are few, and go when
//! their page is used again; in a small file they go at once.

use std::time::Duration;

use domain::contracts::store::{Result, StoreError};
use sqlx::SqlitePool;

use crate::error::failed;

/// A file of no more pages is written anew as a whole. These are 32 MB, which takes less than half a second, and nobody
/// can write meanwhile; a large file would hold up everybody because one business leaves.
const WRITTEN_ANEW: i64 = 8_192;
/// The task that carries the log over, and readers, are in the way for a moment only.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn remove(pool: &SqlitePool) -> Result<()> {
    let mut writer = pool.acquire().await.map_err(failed)?;
    let (pages,): (i64,) =
        sqlx::query_as("PRAGMA page_count").fetch_one(&mut *writer).await.map_err(failed)?;
    if pages <= WRITTEN_ANEW {
        sqlx::query("VACUUM").execute(&mut *writer).await.map_err(failed)?;
    }
    for _ in 0..TRIES {
        let (is_busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *writer)
            .await
            .map_err(failed)?;
        if is_busy == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::Unavailable(
        "the write-ahead log could not be emptied: it is being read all the time".into(),
    ))
}
