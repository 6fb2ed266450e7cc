//! Bringing the schema up to date, and telling whether it is.

use domain::contracts::store::Result;

use super::{Database, LIFT_STATEMENT_TIMEOUT};
use crate::error::{failed, not_migrated};

impl Database {
    pub(super) async fn apply_migrations(&self) -> Result<()> {
        let mut connection = self.write.acquire().await.map_err(failed)?;
        if let Some(lift) = LIFT_STATEMENT_TIMEOUT {
            connection.close_on_drop();
            sqlx::query(lift).execute(&mut *connection).await.map_err(failed)?;
        }
        self.migrator.run_direct(None, &mut *connection, false).await.map_err(|error| not_migrated(&error))
    }

    pub(super) async fn has_every_migration(&self) -> Result<bool> {
        let applied = sqlx::query_as::<_, (i64, Vec<u8>)>(
            "SELECT version, checksum FROM _sqlx_migrations WHERE success",
        )
        .fetch_all(&self.read)
        .await;
        match applied {
            Ok(applied) => Ok(self.migrator.iter().all(|known| {
                applied
                    .iter()
                    .any(|(version, checksum)| *version == known.version && **checksum == *known.checksum)
            })),
            // There is no such table: nothing was ever applied.
            Err(sqlx::Error::Database(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
