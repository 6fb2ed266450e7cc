//! What a connection reads of its queue. Every condition on `state` is written as its index has it, so that both
//! databases find the index.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::queue::{Glance, HeldMessage, Queue, QueuedMessage};
use domain::contracts::store::{LaneKey, Result};
use domain::ids::{ConnectionId, MessageId};
use domain::message::{Order, Priority};
use domain::partition::{PARTITIONS, Partition};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Database, Db, push_list};
use crate::columns::{StateColumns, known, on_ambiguous, time};
use crate::error::failed;
use crate::shapes;

macro_rules! select_queued {
    ($condition:literal) => {
        concat!(
            "SELECT seq, id, lane, state, epoch, attempt, claimed_at, next_at, priority, ordering, on_ambiguous,
                    send_at, expires_at
             FROM outbox WHERE connection = $1 AND ",
            $condition
        )
    };
}

#[derive(FromRow)]
struct QueuedRow {
    seq: i64,
    id: Uuid,
    lane: i64,
    state: i64,
    epoch: i64,
    attempt: i64,
    claimed_at: Option<i64>,
    next_at: Option<i64>,
    priority: i64,
    ordering: i64,
    on_ambiguous: i64,
    send_at: Option<i64>,
    expires_at: i64,
}

impl QueuedRow {
    fn read(self) -> Result<QueuedMessage> {
        let state = StateColumns {
            state: self.state,
            epoch: Some(self.epoch),
            attempt: self.attempt,
            claimed_at: self.claimed_at,
            next_at: self.next_at,
        };
        Ok(QueuedMessage {
            seq: self.seq,
            id: MessageId::from_uuid(self.id),
            lane: LaneKey(self.lane),
            state: state.read()?,
            priority: known(Priority::from_number(self.priority), "priority of a message")?,
            order: known(Order::from_number(self.ordering), "order of a message")?,
            on_ambiguous: on_ambiguous(self.on_ambiguous)?,
            send_at: time(self.send_at),
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }

    fn read_all(rows: Vec<Self>) -> Result<Vec<QueuedMessage>> {
        rows.into_iter().map(Self::read).collect()
    }
}

#[derive(FromRow)]
struct HeldRow {
    id: Uuid,
    lane: i64,
    sent_at: i64,
}

/// 1 when there is such a row, 0 when there is none: a number, since the databases have different truths.
macro_rules! any {
    ($condition:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE connection = $1 AND ",
            $condition,
            " LIMIT 1) AS found)"
        )
    };
}

/// Goes from one connection to the next, however many rows each has. The order is that of the index that is meant.
macro_rules! each_connection {
    ($condition:literal, $order:literal) => {
        concat!(
            "WITH RECURSIVE found (id) AS (
                 SELECT * FROM (SELECT connection FROM outbox WHERE ",
            $condition,
            " ORDER BY connection, ",
            $order,
            " LIMIT 1) AS lowest
                 UNION ALL
                 SELECT (SELECT o.connection FROM outbox o WHERE ",
            $condition,
            " AND o.connection > found.id ORDER BY connection, ",
            $order,
            " LIMIT 1)
                 FROM found WHERE found.id IS NOT NULL
             )
             SELECT id FROM found WHERE id IS NOT NULL"
        )
    };
}

const EACH_CLAIMED: &str = each_connection!("state IN (1, 2)", "seq");
const EACH_WAITING: &str = each_connection!("state IN (0, 3) AND send_at IS NULL", "priority, seq");
const EACH_SCHEDULED: &str =
    each_connection!("state IN (0, 3) AND send_at IS NOT NULL", "priority, send_at, seq");

const PRIORITIES: [Priority; 4] = [Priority::Otp, Priority::High, Priority::Normal, Priority::Bulk];

#[async_trait]
impl Queue for Database {
    async fn glance(&self, connection: ConnectionId, held_since: Timestamp) -> Result<Glance> {
        let (claimed, waiting, scheduled, held): (i64, i64, i64, i64) = sqlx::query_as(concat!(
            "SELECT ",
            any!("state IN (1, 2)"),
            ", ",
            any!("state IN (0, 3) AND send_at IS NULL"),
            ", ",
            any!("state IN (0, 3) AND send_at IS NOT NULL"),
            ", ",
            any!("state = 4 AND ordering = 2 AND sent_at > $2"),
        ))
        .bind(connection.uuid())
        .bind(held_since.as_micros())
        .fetch_one(&self.read)
        .await
        .map_err(failed)?;
        Ok(Glance { claimed: claimed > 0, waiting: waiting > 0, scheduled: scheduled > 0, held: held > 0 })
    }

    async fn claimed(&self, connection: ConnectionId) -> Result<Vec<QueuedMessage>> {
        let rows: Vec<QueuedRow> = sqlx::query_as(select_queued!("state IN (1, 2) ORDER BY seq"))
            .bind(connection.uuid())
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        QueuedRow::read_all(rows)
    }

    async fn waiting(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>> {
        let rows: Vec<QueuedRow> = sqlx::query_as(select_queued!(
            "state IN (0, 3) AND send_at IS NULL AND priority = $2 AND seq > $3 ORDER BY seq LIMIT $4"
        ))
        .bind(connection.uuid())
        .bind(priority as i64)
        .bind(after_seq)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        QueuedRow::read_all(rows)
    }

    async fn scheduled(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after: (Timestamp, i64),
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>> {
        let rows: Vec<QueuedRow> = sqlx::query_as(select_queued!(
            "state IN (0, 3) AND send_at IS NOT NULL AND priority = $2 AND (send_at, seq) > ($3, $4)
             AND send_at <= $5 ORDER BY send_at, seq LIMIT $6"
        ))
        .bind(connection.uuid())
        .bind(priority as i64)
        .bind(after.0.as_micros())
        .bind(after.1)
        .bind(until.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        QueuedRow::read_all(rows)
    }

    async fn next_scheduled(
        &self,
        connection: ConnectionId,
        priority: Priority,
        after: (Timestamp, i64),
    ) -> Result<Option<Timestamp>> {
        let row: Option<(i64,)> = sqlx::query_as(
            "SELECT send_at FROM outbox
             WHERE connection = $1 AND state IN (0, 3) AND send_at IS NOT NULL AND priority = $2
               AND (send_at, seq) > ($3, $4) ORDER BY send_at, seq LIMIT 1",
        )
        .bind(connection.uuid())
        .bind(priority as i64)
        .bind(after.0.as_micros())
        .bind(after.1)
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        Ok(row.map(|(at,)| Timestamp::from_micros(at)))
    }

    async fn waiting_in_lane(
        &self,
        connection: ConnectionId,
        lane: LaneKey,
        after_seq: i64,
        due_by: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>> {
        let rows: Vec<QueuedRow> = sqlx::query_as(select_queued!(
            "state IN (0, 3) AND ordering <> 1 AND lane = $2 AND seq > $3
             AND (send_at IS NULL OR send_at <= $4) ORDER BY seq LIMIT $5"
        ))
        .bind(connection.uuid())
        .bind(lane.0)
        .bind(after_seq)
        .bind(due_by.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        QueuedRow::read_all(rows)
    }

    async fn overdue(
        &self,
        connection: ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>> {
        let rows: Vec<QueuedRow> = sqlx::query_as(select_queued!(
            "state IN (0, 3) AND expires_at <= $2 ORDER BY expires_at LIMIT $3"
        ))
        .bind(connection.uuid())
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        QueuedRow::read_all(rows)
    }

    async fn next_expiry(&self, connection: ConnectionId) -> Result<Option<Timestamp>> {
        let row: Option<(i64,)> = sqlx::query_as(
            "SELECT expires_at FROM outbox WHERE connection = $1 AND state IN (0, 3) ORDER BY expires_at LIMIT 1",
        )
        .bind(connection.uuid())
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        Ok(row.map(|(at,)| Timestamp::from_micros(at)))
    }

    async fn backlog(&self, connection: ConnectionId, limit: u64) -> Result<u64> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM (
                 SELECT expires_at FROM outbox WHERE connection = $1 AND state IN (0, 3) LIMIT $2
             ) AS counted",
        )
        .bind(connection.uuid())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_one(&self.read)
        .await
        .map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn held(&self, connection: ConnectionId, since: Timestamp) -> Result<Vec<HeldMessage>> {
        let rows: Vec<HeldRow> = sqlx::query_as(
            "SELECT id, lane, sent_at FROM outbox
             WHERE connection = $1 AND state = 4 AND ordering = 2 AND sent_at > $2 ORDER BY sent_at",
        )
        .bind(connection.uuid())
        .bind(since.as_micros())
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let held = rows.into_iter().map(|row| HeldMessage {
            id: MessageId::from_uuid(row.id),
            lane: LaneKey(row.lane),
            sent_at: Timestamp::from_micros(row.sent_at),
        });
        Ok(held.collect())
    }

    async fn connections_with_work(
        &self,
        partitions: &[Partition],
        soon: Timestamp,
    ) -> Result<Vec<ConnectionId>> {
        let mut found = self.each(EACH_CLAIMED).await?;
        found.extend(self.each(EACH_WAITING).await?);
        for connection in self.each(EACH_SCHEDULED).await? {
            if !found.contains(&connection) && self.comes_due(connection, soon).await? {
                found.insert(connection);
            }
        }
        let found: Vec<Uuid> = found.into_iter().collect();
        let here = if partitions.len() >= usize::from(PARTITIONS) {
            found
        } else {
            self.of(partitions, &found).await?
        };
        Ok(here.into_iter().map(ConnectionId::from_uuid).collect())
    }
}

impl Database {
    async fn each(&self, query: &'static str) -> Result<BTreeSet<Uuid>> {
        let rows: Vec<(Uuid,)> = sqlx::query_as(query).fetch_all(&self.read).await.map_err(failed)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn comes_due(&self, connection: Uuid, soon: Timestamp) -> Result<bool> {
        let first = (Timestamp::from_micros(i64::MIN), 0);
        for priority in PRIORITIES {
            let next = self.next_scheduled(ConnectionId::from_uuid(connection), priority, first).await?;
            if next.is_some_and(|at| at <= soon) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the connections whose business belongs to one of the partitions.
    async fn of(&self, partitions: &[Partition], connections: &[Uuid]) -> Result<Vec<Uuid>> {
        let mut here = Vec::new();
        for list in shapes::lists(connections) {
            let mut query = QueryBuilder::<Db>::new(
                "SELECT c.id, b.partition FROM connections c JOIN businesses b ON b.id = c.business WHERE c.id IN ",
            );
            push_list(&mut query, list);
            let rows: Vec<(Uuid, i64)> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            let held = |number: i64| partitions.iter().any(|partition| i64::from(partition.0) == number);
            here.extend(rows.into_iter().filter(|(_, number)| held(*number)).map(|(id, _)| id));
        }
        Ok(here)
    }
}
