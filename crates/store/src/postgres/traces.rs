//! What was deleted stays in the files until PostgreSQL uses its space again: that is VACUUM's affair, and an
//! operator's where it must be at once (`VACUUM FULL` locks whole tables).

use domain::contracts::store::Result;
use sqlx::PgPool;

#[expect(clippy::unused_async, reason = "SQLite has something to wait for")]
pub(super) async fn remove(_pool: &PgPool) -> Result<()> {
    Ok(())
}
