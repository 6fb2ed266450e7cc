//! What must survive, in SQLite or in Postgres: the implementation of [`domain::contracts::store`].
//!
//! There is one text of every query. The files under `ops/` are ordinary code against a driver named `Db`;
//! `sqlite/` and `postgres/` each name their driver and what truly differs (pools, locks), and compile `ops/`
//! once for themselves. The conformance suite holds both to the same claims.

mod columns;
mod config;
mod error;
pub mod metrics;
mod postgres;
mod retention;
mod rows;
mod shapes;
mod sqlite;
mod written;

use std::sync::Arc;

use domain::contracts::store::Store;
use domain::secret::ExposeSecret;

pub use config::Config;
pub use error::OpenError;

/// Opens the database that [`Config::url`] names. The schema is not touched: see [`Store::migrate`].
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, OpenError> {
    config.check()?;
    match config.url.expose_secret().split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => Ok(Arc::new(sqlite::open(config).await?)),
        Some("postgres" | "postgresql") => Ok(Arc::new(postgres::open(config).await?)),
        _ => Err(OpenError::Scheme),
    }
}
