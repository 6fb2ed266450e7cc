use std::time::Duration;

use domain::secret::SecretString;
use serde::Deserialize;

use crate::error::OpenError;

/// Section `store` of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `sqlite:///path/file.db` (the file and its folder are made when missing) or
    /// `postgres://user:password@host:port/database`. May hold a password, so it is never printed.
    pub url: SecretString,
    /// Connections that only read.
    pub read_connections: u32,
    /// Connections that write. Postgres only: SQLite has exactly one.
    pub write_connections: u32,
    /// How long a call waits for a free connection before it fails.
    pub acquire_timeout_ms: u64,
    /// After this long Postgres ends a statement; migrations are exempt. 0: never.
    pub statement_timeout_ms: u64,
    /// After this long Postgres ends a transaction in which nothing happens. 0: never.
    pub idle_in_transaction_timeout_ms: u64,
    /// How long SQLite waits for another process that holds the file.
    pub busy_timeout_ms: u64,
    /// How often the write-ahead log of SQLite is carried over into its database file.
    pub checkpoint_interval_ms: u64,
    /// How large the database of SQLite may grow. 0: as large as its disk.
    pub max_size_mb: u64,
    /// Commits every batch in steps, as only the unordinary ones need it. For tests that hold the two ways of
    /// committing against each other; not a setting.
    #[serde(skip)]
    pub commit_in_steps: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: SecretString::from("sqlite://data/gateway.db"),
            read_connections: 4,
            write_connections: 4,
            acquire_timeout_ms: 5_000,
            statement_timeout_ms: 30_000,
            idle_in_transaction_timeout_ms: 10_000,
            busy_timeout_ms: 5_000,
            checkpoint_interval_ms: 1_000,
            max_size_mb: 0,
            commit_in_steps: false,
        }
    }
}

impl Config {
    /// The defaults, with this database.
    pub fn with_url(url: impl Into<String>) -> Self {
        Self { url: SecretString::from(url.into()), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let positive = [
            ("read_connections", u64::from(self.read_connections)),
            ("write_connections", u64::from(self.write_connections)),
            ("acquire_timeout_ms", self.acquire_timeout_ms),
            ("checkpoint_interval_ms", self.checkpoint_interval_ms),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(OpenError::Zero { key }),
            None => Ok(()),
        }
    }

    pub(crate) const fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_in_what_debug_prints() {
        let config = Config::with_url("postgres://gateway:planted@localhost/gateway");
        assert!(!format!("{config:?}").contains("planted"));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let config = Config { read_connections: 0, ..Config::default() };
        assert_eq!(config.check().unwrap_err().to_string(), "store.read_connections must be at least 1");
    }
}
