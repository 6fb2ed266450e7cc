//! SQLite: one file, one writer, any number of readers beside it.

mod at_once;
mod checkpoint;
mod days;
mod traces;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use domain::secret::ExposeSecret;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::error::{Failure, OpenError};

type Db = Sqlite;

/// Takes the write lock at once: a transaction that began by reading could not always become a writer.
const BEGIN: &str = "BEGIN IMMEDIATE";
const LIFT_STATEMENT_TIMEOUT: Option<&str> = None;
const LOCK_STREAM: Option<&str> = None;
/// Not looked for: all events are in one table, and reading it in its order meets them.
const FIRST_KEPT_EVENT: Option<&str> = None;

// There is one writer, so a row that was read in a transaction stays as it was read.
macro_rules! for_share {
    () => {
        ""
    };
}
macro_rules! for_update {
    () => {
        ""
    };
}
// Where rows are that are in no partition of their own day.
macro_rules! rest {
    ($table:literal) => {
        $table
    };
}
// What finds a row again within one statement.
macro_rules! row_address {
    () => {
        "rowid"
    };
}

#[path = "../ops/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, compiled for both databases")]
mod ops;

/// Frames of the log after which a commit carries them over by itself, in case the task does not keep up.
const CHECKPOINT_BACKSTOP_PAGES: &str = "16384";
const LOG_BYTES_KEPT: &str = "67108864";
/// What is deleted is overwritten. `FAST` would leave pages that become free as a whole as they were, and of what is
/// erased or has become old most is on such pages; it costs one more write of each of them.
const OVERWRITE: &str = "ON";
/// Bytes of a page: what SQLite takes by itself, said because a limit is counted in pages.
const PAGE: u32 = 4096;

pub(crate) async fn open(config: &Config) -> Result<ops::Database, OpenError> {
    let options = SqliteConnectOptions::from_str(config.url.expose_secret())
        .map_err(|error| OpenError::Address(Failure::of(&error)))?;
    make_file(options.get_filename())?;
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_millis(config.busy_timeout_ms))
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", CHECKPOINT_BACKSTOP_PAGES)
        .pragma("journal_size_limit", LOG_BYTES_KEPT)
        .page_size(PAGE)
        .statement_cache_capacity(256)
        .disable_statement_logging();

    let unreachable = |error| OpenError::Unreachable(Failure::of(&error));
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(config.acquire_timeout())
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None);
    let write = pool
        .clone()
        .max_connections(1)
        .connect_with(
            limited(options.clone(), config.max_size_mb)
                .pragma("cache_size", "-16384")
                .pragma("secure_delete", OVERWRITE),
        )
        .await
        .map_err(unreachable)?;
    let read = pool
        .max_connections(config.read_connections)
        .connect_with(options.clone().pragma("query_only", "ON"))
        .await
        .map_err(unreachable)?;

    let mut background = JoinSet::new();
    let every = Duration::from_millis(config.checkpoint_interval_ms);
    let connection = options.connect().await.map_err(unreachable)?;
    background.spawn(checkpoint::run(connection, every));
    let migrator = sqlx::migrate!("../../migrations/sqlite");
    Ok(ops::Database::new(write, read, background, migrator, config.commit_in_steps))
}

/// The limit is a property of the connection, and only one of them makes the file grow.
fn limited(options: SqliteConnectOptions, max_size_mb: u64) -> SqliteConnectOptions {
    if max_size_mb == 0 {
        return options;
    }
    let pages = max_size_mb.saturating_mul(1 << 20) / u64::from(PAGE);
    options.pragma("max_page_count", pages.to_string())
}

/// Makes the file readable by its owner only; SQLite gives its log and shared memory the same mode.
fn make_file(path: &Path) -> Result<(), OpenError> {
    // The driver turns a database in memory into a URI: it would be another one for each connection.
    if path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        return Err(OpenError::NotAFile);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(OpenError::File)?;
    }
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(OpenError::File)
}
