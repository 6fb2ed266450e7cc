//! One table holds all days: rows are deleted and none are apart.

use domain::clock::Timestamp;
use domain::contracts::retention::Kept;
use domain::contracts::store::Result;
use sqlx::SqlitePool;

#[expect(clippy::unused_async, reason = "Postgres has something to wait for")]
pub(super) async fn prepare(_pool: &SqlitePool, _now: Timestamp) -> Result<()> {
    Ok(())
}

#[expect(clippy::unused_async, reason = "Postgres has something to wait for")]
pub(super) async fn drop_old(_pool: &SqlitePool, _kept: &Kept) -> Result<()> {
    Ok(())
}
