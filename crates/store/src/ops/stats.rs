//! Counters, made by walking once over what is kept anyway.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::stats::{Count, Counter, GroupBy, Source, Stats, StatsQuery};
use domain::contracts::store::Result;
use domain::delivery_status::DeliveryStatus;
use domain::event::EventType;
use domain::message::MessageStatus;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Conn, Database, Db, LOCK_STREAM, Tx, push_list};
use crate::columns::known;
use crate::error::failed;
use crate::shapes;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Each takes what lies behind `$1` up to and with `$2`, and names what it counted by the words that stand in the
/// rows. A report or a line whose message is not there any more is of an unknown kind.
const EVENTS: &str = "
SELECT e.account, e.business, e.connection, e.occurred_at - e.occurred_at % $3 AS hour, COALESCE(o.kind, '') AS kind,
       e.event_type AS of_type, e.status AS word, CAST(NULL AS TEXT) AS reason, COUNT(*) AS total
FROM events e LEFT JOIN outbox o ON o.id = e.message AND o.business = e.business
WHERE e.seq > $1 AND e.seq <= $2 AND e.connection IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7";
const MESSAGES: &str = "
SELECT account, business, connection, accepted_at - accepted_at % $3 AS hour, kind, CAST(NULL AS BIGINT) AS of_type, 'accepted' AS word,
       CAST(NULL AS TEXT) AS reason, COUNT(*) AS total
FROM outbox WHERE id >= $1 AND id < $2
GROUP BY 1, 2, 3, 4, 5";
const TIMELINE: &str = "
SELECT o.account, o.business, o.connection, t.at - t.at % $3 AS hour, o.kind, CAST(NULL AS BIGINT) AS of_type, t.status AS word,
       t.reason AS reason, COUNT(*) AS total
FROM timeline t JOIN outbox o ON o.id = t.message
WHERE t.seq > $1 AND t.seq <= $2
GROUP BY 1, 2, 3, 4, 5, 7, 8";

#[derive(FromRow)]
struct CountedRow {
    account: i64,
    business: i64,
    connection: Uuid,
    hour: i64,
    kind: String,
    of_type: Option<i64>,
    word: Option<String>,
    reason: Option<String>,
    total: i64,
}

impl CountedRow {
    fn counter(&self, source: Source) -> Option<Counter> {
        let word = self.word.as_deref();
        match source {
            Source::Messages => Some(Counter::Accepted),
            Source::Events => {
                of_event(EventType::from_number(self.of_type?)?, word.and_then(|word| word.parse().ok()))
            }
            Source::Timeline => of_line(word?, self.reason.as_deref()),
        }
    }
}

fn of_event(event_type: EventType, status: Option<DeliveryStatus>) -> Option<Counter> {
    match (event_type, status) {
        (EventType::MessageReceived, _) => Some(Counter::Inbound),
        (EventType::MessageEcho, _) => Some(Counter::Echoes),
        (EventType::MessageStatus, Some(DeliveryStatus::Sent)) => Some(Counter::Sent),
        (EventType::MessageStatus, Some(DeliveryStatus::Delivered)) => Some(Counter::Delivered),
        (EventType::MessageStatus, Some(DeliveryStatus::Read)) => Some(Counter::Read),
        (EventType::MessageStatus, Some(DeliveryStatus::Failed)) => Some(Counter::Failed),
        _ => None,
    }
}

fn of_line(status: &str, reason: Option<&str>) -> Option<Counter> {
    let is = |known: MessageStatus| status == known.as_str();
    match reason {
        _ if is(MessageStatus::Failed) => Some(Counter::Failed),
        _ if is(MessageStatus::Expired) => Some(Counter::Expired),
        _ if is(MessageStatus::Cancelled) => Some(Counter::Cancelled),
        _ if is(MessageStatus::Ambiguous) => Some(Counter::Ambiguous),
        _ if is(MessageStatus::Retrying) => Some(Counter::Retried),
        Some("resent_on_proof") => Some(Counter::Resent),
        _ => None,
    }
}

/// The first id of a millisecond. Messages are found by their ids, which have an index anyway.
fn first_id(millisecond: i64) -> Uuid {
    Uuid::from_u128(u128::from(millisecond.unsigned_abs()) << 80)
}

fn millisecond_of(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}

/// One row of the table, without its total.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    business: i64,
    hour: i64,
    connection: Uuid,
    kind: String,
    counter: i64,
    account: i64,
}

#[derive(FromRow)]
struct StatsRow {
    bucket: i64,
    kind: String,
    counter: i64,
    total: i64,
}

#[async_trait]
impl Stats for Database {
    fn is_in_order(&self, source: Source) -> bool {
        // With no lock for the stream there is one writer, and so one order in everything.
        source == Source::Events || LOCK_STREAM.is_none()
    }

    async fn newest(&self, source: Source) -> Result<i64> {
        let statement = match source {
            Source::Messages => {
                let newest: Option<(Uuid,)> =
                    sqlx::query_as("SELECT id FROM outbox ORDER BY id DESC LIMIT 1")
                        .fetch_optional(&self.read)
                        .await
                        .map_err(failed)?;
                return Ok(newest.map_or(0, |(id,)| millisecond_of(id)));
            }
            Source::Events => "SELECT MAX(seq) FROM events",
            Source::Timeline => "SELECT MAX(seq) FROM timeline",
        };
        let (newest,): (Option<i64>,) =
            sqlx::query_as(statement).fetch_one(&self.read).await.map_err(failed)?;
        Ok(newest.unwrap_or(0))
    }

    async fn count(&self, source: Source, until: i64, limit: u32) -> Result<i64> {
        let (from,): (i64,) = sqlx::query_as("SELECT position FROM stats_progress WHERE source = $1")
            .bind(source as i64)
            .fetch_one(&self.write)
            .await
            .map_err(failed)?;
        if until <= from {
            return Ok(from);
        }
        // Outside the transaction: what is counted was committed, and does not change.
        let (until, rows) = match source {
            Source::Messages => self.messages_between(from, until, limit).await?,
            Source::Events => self.rows_between(EVENTS, from, until, limit).await?,
            Source::Timeline => self.rows_between(TIMELINE, from, until, limit).await?,
        };
        let mut totals: BTreeMap<Place, i64> = BTreeMap::new();
        for row in rows {
            let Some(counter) = row.counter(source) else { continue };
            let place = Place {
                business: row.business,
                hour: row.hour,
                connection: row.connection,
                kind: row.kind,
                counter: counter as i64,
                account: row.account,
            };
            *totals.entry(place).or_default() += row.total;
        }
        let mut tx = Tx::begin(&self.write).await?;
        let moved =
            sqlx::query("UPDATE stats_progress SET position = $3 WHERE source = $1 AND position = $2")
                .bind(source as i64)
                .bind(from)
                .bind(until)
                .execute(tx.connection())
                .await
                .map_err(failed)?;
        if moved.rows_affected() > 0 {
            add(tx.connection(), totals.into_iter().collect()).await?;
        }
        tx.commit().await?;
        // Another node counted these meanwhile: the next call goes on from there.
        Ok(until)
    }

    async fn stats(&self, query: &StatsQuery) -> Result<Vec<Count>> {
        let width = match query.group_by {
            GroupBy::Hour => HOUR,
            GroupBy::Day => DAY,
            GroupBy::Type => i64::MAX,
        };
        let by_type = query.group_by == GroupBy::Type;
        let mut sql = QueryBuilder::<Db>::new("SELECT hour - hour % ");
        sql.push_bind(width);
        sql.push(if by_type { " AS bucket, kind," } else { " AS bucket, '' AS kind," });
        sql.push(" counter, CAST(SUM(total) AS BIGINT) AS total FROM stats_hours WHERE account = ");
        sql.push_bind(query.account.0);
        sql.push(" AND hour >= ").push_bind(query.from.as_micros());
        sql.push(" AND hour < ").push_bind(query.to.as_micros());
        if let Some(business) = query.business {
            sql.push(" AND business = ").push_bind(business.0);
        }
        if let Some(connection) = query.connection {
            sql.push(" AND connection = ").push_bind(connection.uuid());
        }
        sql.push(" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
        let rows: Vec<StatsRow> = sql.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                Ok(Count {
                    from: (!by_type).then(|| Timestamp::from_micros(row.bucket)),
                    kind: by_type.then_some(row.kind),
                    counter: known(Counter::from_number(row.counter), "counter of the statistics")?,
                    total: row.total.unsigned_abs(),
                })
            })
            .collect()
    }
}

impl Database {
    async fn rows_between(
        &self,
        statement: &'static str,
        from: i64,
        until: i64,
        limit: u32,
    ) -> Result<(i64, Vec<CountedRow>)> {
        let until = until.min(from.saturating_add(i64::from(limit)));
        let rows = sqlx::query_as(statement).bind(from).bind(until).bind(HOUR).fetch_all(&self.read).await;
        Ok((until, rows.map_err(failed)?))
    }

    /// Whole milliseconds, so that none is counted in part.
    async fn messages_between(&self, from: i64, until: i64, limit: u32) -> Result<(i64, Vec<CountedRow>)> {
        let enough: Option<(Uuid,)> =
            sqlx::query_as("SELECT id FROM outbox WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3")
                .bind(first_id(from + 1))
                .bind(first_id(until + 1))
                .bind(i64::from(limit))
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        let until = enough.map_or(until, |(id,)| millisecond_of(id));
        let rows = sqlx::query_as(MESSAGES)
            .bind(first_id(from + 1))
            .bind(first_id(until + 1))
            .bind(HOUR)
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        Ok((until, rows))
    }
}

/// Those of businesses that live. Their rows are shared until the commit, so that an erasure finds what is added.
async fn add(conn: &mut Conn, totals: Vec<(Place, i64)>) -> Result<()> {
    let mut named: Vec<i64> = totals.iter().map(|(place, _)| place.business).collect();
    named.dedup();
    let mut living = HashSet::with_capacity(named.len());
    for list in shapes::lists(&named) {
        let mut query = QueryBuilder::<Db>::new("SELECT id FROM businesses WHERE NOT erased AND id IN ");
        push_list(&mut query, list);
        query.push(concat!(" ORDER BY id", for_share!()));
        let rows: Vec<(i64,)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        living.extend(rows.into_iter().map(|(id,)| id));
    }
    let totals: Vec<_> = totals.into_iter().filter(|(place, _)| living.contains(&place.business)).collect();
    for run in shapes::runs(&totals) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO stats_hours (account, business, connection, hour, kind, counter, total) ",
        );
        query.push_values(run, |mut row, (place, total)| {
            row.push_bind(place.account)
                .push_bind(place.business)
                .push_bind(place.connection)
                .push_bind(place.hour)
                .push_bind(&place.kind)
                .push_bind(place.counter)
                .push_bind(total);
        });
        query.push(
            " ON CONFLICT (business, hour, connection, kind, counter)
              DO UPDATE SET total = stats_hours.total + excluded.total",
        );
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
