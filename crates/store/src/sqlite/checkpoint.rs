//! Carries the write-ahead log over into the database file, so that commits do not have to.

use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::time::MissedTickBehavior;

/// A passive checkpoint never waits for anyone: what a reader still needs is left for the next round.
pub(super) async fn run(mut connection: SqliteConnection, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await {
            tracing::warn!(%error, "the write-ahead log could not be carried over; it grows until it can");
        }
    }
}
