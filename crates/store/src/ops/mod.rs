//! Every query, against a driver named `Db`. Compiled under `sqlite` and again under `postgres`, which also
//! define `BEGIN`, `LOCK_STREAM`, `at_once`, `days`, `traces`, `for_share!`, `for_update!`, `rest!` and `row_address!`.

mod api_keys;
mod businesses;
mod commit;
mod connections;
mod contacts;
mod dead_letters;
mod deliveries;
mod endpoints;
mod erasure;
mod events;
mod idempotency;
mod leases;
mod media;
mod messages;
mod onboarding;
mod portfolios;
mod queue;
mod retention;
mod schema;
mod stats;
mod templates;
mod transaction;

use domain::contracts::store::Store;
use sqlx::migrate::Migrator;
use sqlx::{Encode, Pool, QueryBuilder, Type};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::{BEGIN, Db, FIRST_KEPT_EVENT, LIFT_STATEMENT_TIMEOUT, LOCK_STREAM, at_once, days, traces};
pub(super) use transaction::Tx;

type Conn = <Db as sqlx::Database>::Connection;

pub(crate) struct Database {
    write: Pool<Db>,
    read: Pool<Db>,
    migrator: Migrator,
    in_steps: bool,
    passed: Mutex<retention::Passed>,
    /// Held while erasures are finished, which whoever erases and retention do.
    finishing: Mutex<()>,
    /// Ended with the database.
    _background: JoinSet<()>,
}

impl Database {
    pub(super) fn new(
        write: Pool<Db>,
        read: Pool<Db>,
        background: JoinSet<()>,
        mut migrator: Migrator,
        in_steps: bool,
    ) -> Self {
        // A newer binary may have migrated already; what it added does not disturb this one.
        migrator.set_ignore_missing(true);
        Self {
            write,
            read,
            migrator,
            in_steps,
            passed: Mutex::default(),
            finishing: Mutex::default(),
            _background: background,
        }
    }
}

#[async_trait::async_trait]
impl Store for Database {
    async fn migrate(&self) -> domain::contracts::store::Result<()> {
        self.apply_migrations().await
    }

    async fn ready(&self) -> domain::contracts::store::Result<bool> {
        self.has_every_migration().await
    }
}

/// `(…, …)`, with a placeholder for each value.
pub(super) fn push_list<'q, T>(query: &mut QueryBuilder<Db>, values: impl IntoIterator<Item = T>)
where
    T: Encode<'q, Db> + Type<Db>,
{
    query.push("(");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}
