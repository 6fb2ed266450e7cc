//! Days, and weeks of the outbox, as partitions: made ahead, and dropped in one piece. What of an old day is still needed moves to the default
//! partition first, so that one message with a long life does not keep millions of others.

use domain::clock::Timestamp;
use domain::contracts::retention::Kept;
use domain::contracts::store::{Result, StoreError};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use super::ops::Tx;
use crate::error::failed;
use crate::retention::{body_is_needed, first_id};

const MICROS_OF_A_DAY: i64 = 86_400_000_000;
/// Days that are ready before they begin, so that a gateway may stand still for so long.
const AHEAD: i64 = 7;
/// Days in a partition. Rows of the outbox are looked for in all of its partitions, so those are few; to the others
/// rows are only added.
const TABLES: [(&str, i64); 3] = [("outbox", 7), ("outbox_body", 1), ("events", 1)];

/// For changes of partitions one node at a time; a lock that traffic holds is not waited for long, because traffic
/// would wait behind us.
const ALONE: [&str; 3] = [
    "SET LOCAL lock_timeout = '2s'",
    "SET LOCAL statement_timeout = 0",
    "SELECT pg_advisory_xact_lock(7377010427)",
];

/// A partition of a table, with the ids it holds: from the first to before the second.
struct Day {
    name: String,
    from: Uuid,
    to: Uuid,
}

pub(super) async fn prepare(pool: &PgPool, now: Timestamp) -> Result<()> {
    let today = now.as_micros().div_euclid(MICROS_OF_A_DAY);
    for (table, length) in TABLES {
        let mut day = today.div_euclid(length) * length;
        while day <= today + AHEAD {
            let mut connection = pool.acquire().await.map_err(failed)?;
            let known = days(&mut connection, table).await?;
            drop(connection);
            if missing(&known, day, day + length).is_some() {
                make(pool, table, day, day + length).await?;
            }
            day += length;
        }
    }
    Ok(())
}

/// What of these days is in no partition: all of them, or those behind the partition in which they begin.
fn missing(known: &[Day], from: i64, to: i64) -> Option<(Uuid, Uuid)> {
    let [mut from, to] = [from, to].map(|day| first_id(Timestamp::from_micros(day * MICROS_OF_A_DAY)));
    if let Some(known) = known.iter().find(|known| known.from <= from && from < known.to) {
        from = known.to;
    }
    (from < to && !known.iter().any(|known| known.from < to && from < known.to)).then_some((from, to))
}

/// Where another node was faster, or the default partition has rows of these days already, it stays as it is.
async fn make(pool: &PgPool, table: &str, from: i64, to: i64) -> Result<()> {
    let mut tx = alone(pool).await?;
    let connection = tx.connection();
    let Some((first, end)) = missing(&days(connection, table).await?, from, to) else {
        return tx.commit().await;
    };
    let in_default = format!("SELECT EXISTS (SELECT 1 FROM {table}_rest WHERE id >= $1 AND id < $2)");
    let (in_default,): (bool,) = sqlx::query_as(AssertSqlSafe(in_default))
        .bind(first)
        .bind(end)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if in_default {
        return tx.commit().await;
    }
    let (date,): (String,) = sqlx::query_as("SELECT to_char(DATE 'epoch' + $1::bigint::integer, 'YYYYMMDD')")
        .bind(from)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    for statement in [
        format!("CREATE TABLE {table}_{date} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"),
        format!(
            "ALTER TABLE {table} ATTACH PARTITION {table}_{date} FOR VALUES FROM ('{first}') TO ('{end}')"
        ),
    ] {
        run(connection, statement).await?;
    }
    tx.commit().await
}

pub(super) async fn drop_old(pool: &PgPool, kept: &Kept) -> Result<()> {
    for ((table, _), before) in TABLES.into_iter().zip([kept.messages, kept.bodies, kept.events]) {
        let mut connection = pool.acquire().await.map_err(failed)?;
        let known = days(&mut connection, table).await?;
        drop(connection);
        for day in known.into_iter().filter(|day| day.to <= first_id(before)) {
            drop_day(pool, table, &day, kept).await?;
        }
    }
    Ok(())
}

async fn drop_day(pool: &PgPool, table: &str, day: &Day, kept: &Kept) -> Result<()> {
    let Day { name, from, to } = day;
    let mut tx = alone(pool).await?;
    let connection = tx.connection();
    if !days(connection, table).await?.iter().any(|known| known.name == *name) {
        return tx.commit().await;
    }
    let needed = match table {
        "outbox" => {
            "SELECT * FROM {name} WHERE state IN (1, 2) UNION ALL SELECT * FROM {name} WHERE state IN (0, 3)"
                .replace("{name}", name)
        }
        "outbox_body" => {
            // Looked for before the day is locked. None is added later: a message that is over stays so.
            let ids = format!(
                "CREATE TEMPORARY TABLE needed ON COMMIT DROP AS SELECT o.id FROM outbox o
                 WHERE o.id >= '{from}' AND o.id < '{to}' AND ({})",
                body_is_needed(kept.bodies)
            );
            run(connection, ids).await?;
            format!("SELECT body.* FROM needed JOIN {name} AS body ON body.id = needed.id")
        }
        // Those that were heard since, whatever the time of their ids.
        _ => {
            let (first,): (Option<i64>,) = sqlx::query_as("SELECT MIN(seq) FROM events WHERE id >= $1")
                .bind(first_id(kept.events))
                .fetch_one(&mut *connection)
                .await
                .map_err(failed)?;
            match first {
                Some(first) => format!("SELECT * FROM {name} WHERE seq > {first}"),
                None => format!("SELECT * FROM {name} WHERE occurred_at >= {}", kept.events.as_micros()),
            }
        }
    };
    for statement in [
        format!("ALTER TABLE {table} DETACH PARTITION {name}"),
        format!("INSERT INTO {table} {needed}"),
        format!("DROP TABLE {name}"),
    ] {
        run(connection, statement).await?;
    }
    tx.commit().await?;
    tracing::info!(partition = %name, "a day that is over was dropped");
    Ok(())
}

async fn alone(pool: &PgPool) -> Result<Tx> {
    let mut tx = Tx::begin(pool).await?;
    for statement in ALONE {
        sqlx::query(statement).execute(tx.connection()).await.map_err(failed)?;
    }
    Ok(tx)
}

/// The partitions of a table, except the default one.
async fn days(connection: &mut PgConnection, table: &str) -> Result<Vec<Day>> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
         JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = $1::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' ORDER BY c.relname",
    )
    .bind(table)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    found.into_iter().map(|(name, bounds)| Day::read(name, &bounds)).collect()
}

impl Day {
    /// `FOR VALUES FROM (MINVALUE) TO ('…')`
    fn read(name: String, bounds: &str) -> Result<Self> {
        const UNREADABLE: StoreError = StoreError::Unreadable { what: "partition" };
        let (from, to) = bounds
            .strip_prefix("FOR VALUES FROM (")
            .and_then(|bounds| bounds.strip_suffix(')')?.split_once(") TO ("))
            .ok_or(UNREADABLE)?;
        let id = |bound: &str| bound.trim_matches('\'').parse::<Uuid>().map_err(|_| UNREADABLE);
        let from = if from == "MINVALUE" { Uuid::nil() } else { id(from)? };
        let to = if to == "MAXVALUE" { Uuid::max() } else { id(to)? };
        Ok(Self { name, from, to })
    }
}

async fn run(connection: &mut PgConnection, statement: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(connection).await.map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(from: i64, to: i64) -> Day {
        let [from, to] = [from, to].map(|day| first_id(Timestamp::from_micros(day * MICROS_OF_A_DAY)));
        Day { name: "day".to_owned(), from, to }
    }

    #[test]
    fn a_week_begins_where_another_partition_ends() {
        let expected = |from, to| Some(day(from, to)).map(|day| (day.from, day.to));
        let before = Day { from: Uuid::nil(), ..day(0, 10) };
        assert_eq!(missing(&[], 7, 14), expected(7, 14));
        assert_eq!(missing(&[before], 7, 14), expected(10, 14));
        assert_eq!(missing(&[day(0, 20)], 7, 14), None);
        assert_eq!(missing(&[day(8, 9)], 7, 14), None, "it would overlap");
    }

    #[test]
    fn the_bounds_of_a_partition_are_read_as_postgres_prints_them() {
        let bound = "0199aa00-0000-0000-0000-000000000000";
        let read = |text: &str| Day::read("day".to_owned(), text).map(|day| (day.from, day.to));
        let day = read(&format!("FOR VALUES FROM (MINVALUE) TO ('{bound}')")).unwrap();
        assert_eq!(day, (Uuid::nil(), bound.parse().unwrap()));
        assert!(read("FOR VALUES IN ('a')").is_err());
    }
}
