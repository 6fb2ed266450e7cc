//! An accepted message is only as durable as the server's own settings let it be.

use sqlx::PgPool;

pub(super) async fn warn_of_losses(pool: &PgPool) {
    let settings = sqlx::query_as::<_, (String, String)>(
        "SELECT name, setting FROM pg_settings
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'",
    );
    match settings.fetch_all(pool).await {
        Ok(lossy) => {
            for (setting, value) in lossy {
                tracing::warn!(
                    setting,
                    value,
                    "Postgres is configured to lose commits: accepted messages can vanish in a crash"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "the durability settings of Postgres could not be read"),
    }
}
