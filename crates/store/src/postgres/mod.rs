//! Postgres: one pool for what must be durable and one for reading.

mod at_once;
mod days;
mod durability;
mod traces;

use std::str::FromStr;

use domain::secret::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Postgres};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::error::{Failure, OpenError};

type Db = Postgres;

const BEGIN: &str = "BEGIN";
const LIFT_STATEMENT_TIMEOUT: Option<&str> = Some("SET statement_timeout = 0");

macro_rules! stream {
    () => {
        "7377010426"
    };
}
/// Taken before positions in the stream are given out and held until the commit, so that positions become
/// visible in their order: a reader that has seen one has seen all below it.
const LOCK_STREAM: Option<&str> = Some(concat!("SELECT pg_advisory_xact_lock(", stream!(), ")"));
const STREAM: &str = stream!();

/// Where the events begin whose ids are of this time or later. Every partition has its own order of positions.
const FIRST_KEPT_EVENT: Option<&str> = Some("SELECT MIN(seq) FROM events WHERE id >= $1");

macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}
macro_rules! for_update {
    () => {
        " FOR UPDATE"
    };
}
// Where rows are that are in no partition of their own day.
macro_rules! rest {
    ($table:literal) => {
        concat!($table, "_rest")
    };
}
// What finds a row again within one statement.
macro_rules! row_address {
    () => {
        "ctid"
    };
}

#[path = "../ops/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, compiled for both databases")]
mod ops;

pub(crate) async fn open(config: &Config) -> Result<ops::Database, OpenError> {
    let options = PgConnectOptions::from_str(config.url.expose_secret())
        .map_err(|error| OpenError::Address(Failure::of(&error)))?
        .application_name("whatsapp-gateway")
        .statement_cache_capacity(256)
        .options([
            ("statement_timeout", config.statement_timeout_ms.to_string()),
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms.to_string()),
            // Our statements are short; compiling one would cost more than running it.
            ("jit", "off".to_owned()),
            // Nor is one planned again for each of its values: with days as partitions that takes longer than most
            // take to run.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            // Planned while a table is small, it would be read from end to end, also when it has grown.
            ("enable_seqscan", "off".to_owned()),
        ])
        .disable_statement_logging();
    // The same of a batch that joins a table by its keys.
    let writing = options.clone().options([("enable_hashjoin", "off"), ("enable_mergejoin", "off")]);

    let unreachable = |error| OpenError::Unreachable(Failure::of(&error));
    let pool = PgPoolOptions::new().acquire_timeout(config.acquire_timeout());
    let write = pool
        .clone()
        .max_connections(config.write_connections)
        .connect_with(writing)
        .await
        .map_err(unreachable)?;
    let read =
        pool.max_connections(config.read_connections).connect_with(options).await.map_err(unreachable)?;
    durability::warn_of_losses(&read).await;
    let migrator = sqlx::migrate!("../../migrations/postgres");
    Ok(ops::Database::new(write, read, JoinSet::new(), migrator, config.commit_in_steps))
}
