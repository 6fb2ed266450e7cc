//! Deliveries that have a row: read, and asked for once more. They are written by `commit`.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::deliveries::{Deliveries, DeliveryFilter, Reference};
use domain::contracts::store::{Page, Result};
use domain::endpoint::{DeliveryAttempt, DeliveryState, EndpointHealth, FailedDelivery, OrderKey};
use domain::ids::{AccountKey, BusinessKey, EndpointId, MessageId};
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Database, Db, push_list};
use crate::columns::{known, number_of, time};
use crate::error::failed;
use crate::shapes;

macro_rules! select_deliveries {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.endpoint, f.event_seq, f.attempts, f.state, f.next_at, f.order_key, f.replayed,
                    f.last_status, f.last_error
             FROM failed_deliveries f ",
            $rest
        )
    };
}

/// No earlier one of the same contact is to be retried. What is replayed keeps its own order: events that were new
/// at the time went on without it.
macro_rules! first_of_its_key {
    () => {
        " AND (f.order_key IS NULL OR NOT EXISTS (
              SELECT 1 FROM failed_deliveries g
              WHERE g.state = 0 AND g.endpoint = f.endpoint AND g.order_key = f.order_key
                AND g.replayed = f.replayed AND g.event_seq < f.event_seq))"
    };
}

#[derive(FromRow)]
struct DeliveryRow {
    id: Uuid,
    endpoint: Uuid,
    event_seq: i64,
    attempts: i64,
    state: i64,
    next_at: i64,
    order_key: Option<i64>,
    replayed: bool,
    last_status: Option<i64>,
    last_error: Option<String>,
}

impl DeliveryRow {
    fn read(self) -> Result<FailedDelivery> {
        Ok(FailedDelivery {
            id: self.id,
            endpoint: EndpointId::from_uuid(self.endpoint),
            event_seq: self.event_seq,
            attempts: number_of(self.attempts, "attempts of a delivery")?,
            state: known(DeliveryState::from_number(self.state), "state of a delivery")?,
            next_at: Timestamp::from_micros(self.next_at),
            order_key: self.order_key.map(OrderKey),
            replayed: self.replayed,
            last_status: self.last_status.map(status).transpose()?,
            last_error: self.last_error,
        })
    }

    fn read_all(rows: Vec<Self>) -> Result<Vec<FailedDelivery>> {
        rows.into_iter().map(Self::read).collect()
    }
}

fn status(number: i64) -> Result<u16> {
    number_of(number, "answer of a delivery")
}

#[derive(FromRow)]
struct AttemptRow {
    at: i64,
    latency_ms: i64,
    status: Option<i64>,
    error: Option<String>,
    answer: Option<Vec<u8>>,
}

impl AttemptRow {
    fn read(self) -> Result<DeliveryAttempt> {
        Ok(DeliveryAttempt {
            at: Timestamp::from_micros(self.at),
            latency_ms: number_of(self.latency_ms, "latency of a delivery")?,
            status: self.status.map(status).transpose()?,
            error: self.error,
            answer: self.answer.map(Sealed::from_bytes),
        })
    }
}

#[derive(FromRow)]
struct ReferenceRow {
    id: Uuid,
    business: i64,
    client_ref: Option<String>,
    opaque: Option<String>,
}

#[async_trait]
impl Deliveries for Database {
    async fn due_deliveries(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<FailedDelivery>> {
        let rows: Vec<DeliveryRow> = sqlx::query_as(concat!(
            select_deliveries!("WHERE f.state = 0 AND f.endpoint = $1 AND f.next_at <= $2"),
            first_of_its_key!(),
            " ORDER BY f.next_at, f.event_seq LIMIT $3"
        ))
        .bind(endpoint.uuid())
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        DeliveryRow::read_all(rows)
    }

    async fn next_delivery(&self, endpoint: EndpointId, after: Timestamp) -> Result<Option<Timestamp>> {
        let next: Option<(i64,)> = sqlx::query_as(concat!(
            "SELECT f.next_at FROM failed_deliveries f
             WHERE f.state = 0 AND f.endpoint = $1 AND f.next_at > $2",
            first_of_its_key!(),
            " ORDER BY f.next_at LIMIT 1"
        ))
        .bind(endpoint.uuid())
        .bind(after.as_micros())
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        Ok(time(next.map(|(at,)| at)))
    }

    async fn deliveries_behind(&self, endpoint: EndpointId, after: i64) -> Result<Vec<i64>> {
        let rows: Vec<(i64,)> = sqlx::query_as(
            "SELECT event_seq FROM failed_deliveries WHERE endpoint = $1 AND event_seq > $2 ORDER BY event_seq",
        )
        .bind(endpoint.uuid())
        .bind(after)
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        Ok(rows.into_iter().map(|(seq,)| seq).collect())
    }

    async fn waiting_deliveries(&self, endpoint: EndpointId) -> Result<Vec<(OrderKey, u64)>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT order_key, COUNT(*) FROM failed_deliveries
             WHERE state = 0 AND order_key IS NOT NULL AND endpoint = $1 AND NOT replayed
             GROUP BY order_key ORDER BY order_key",
        )
        .bind(endpoint.uuid())
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter()
            .map(|(key, count)| Ok((OrderKey(key), number_of(count, "number of deliveries")?)))
            .collect()
    }

    async fn make_due(&self, endpoint: EndpointId, now: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE failed_deliveries SET next_at = $2 WHERE state = 0 AND endpoint = $1 AND next_at > $2",
        )
        .bind(endpoint.uuid())
        .bind(now.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn save_health(&self, endpoint: EndpointId, health: EndpointHealth) -> Result<()> {
        sqlx::query("UPDATE endpoints SET health = $2, health_since = $3 WHERE id = $1")
            .bind(endpoint.uuid())
            .bind(health.number())
            .bind(health.since().map(Timestamp::as_micros))
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn deliveries(
        &self,
        account: AccountKey,
        filter: &DeliveryFilter,
        page: Page<Uuid>,
    ) -> Result<Vec<FailedDelivery>> {
        let mut query = QueryBuilder::<Db>::new(select_deliveries!(
            "WHERE f.endpoint IN (SELECT id FROM endpoints WHERE account = "
        ));
        query.push_bind(account.0).push(")");
        if let Some(endpoint) = filter.endpoint {
            query.push(" AND f.endpoint = ").push_bind(endpoint.uuid());
        }
        if let Some(state) = filter.state {
            query.push(" AND f.state = ").push_bind(state as i64);
        }
        if let Some(after) = page.after {
            query.push(" AND f.id < ").push_bind(after);
        }
        query.push(" ORDER BY f.id DESC LIMIT ").push_bind(i64::from(page.limit));
        let rows: Vec<DeliveryRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        DeliveryRow::read_all(rows)
    }

    async fn delivery(&self, account: AccountKey, id: Uuid) -> Result<Option<FailedDelivery>> {
        let row: Option<DeliveryRow> = sqlx::query_as(select_deliveries!(
            "WHERE f.id = $1 AND f.endpoint IN (SELECT id FROM endpoints WHERE account = $2)"
        ))
        .bind(id)
        .bind(account.0)
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        row.map(DeliveryRow::read).transpose()
    }

    async fn delivery_attempts(&self, delivery: Uuid) -> Result<Vec<DeliveryAttempt>> {
        let rows: Vec<AttemptRow> = sqlx::query_as(
            "SELECT at, latency_ms, status, error, answer FROM delivery_attempts WHERE delivery = $1 ORDER BY at",
        )
        .bind(delivery)
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(AttemptRow::read).collect()
    }

    async fn replay_delivery(
        &self,
        account: AccountKey,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Option<FailedDelivery>> {
        let row: Option<DeliveryRow> = sqlx::query_as(
            "UPDATE failed_deliveries SET state = 0, attempts = 0, next_at = $3, replayed = (replayed OR state <> 0)
             WHERE id = $1 AND endpoint IN (SELECT p.id FROM endpoints p WHERE p.account = $2)
             RETURNING id, endpoint, event_seq, attempts, state, next_at, order_key, replayed, last_status,
                       last_error",
        )
        .bind(id)
        .bind(account.0)
        .bind(now.as_micros())
        .fetch_optional(&self.write)
        .await
        .map_err(failed)?;
        row.map(DeliveryRow::read).transpose()
    }

    async fn replay_deliveries(&self, deliveries: &[FailedDelivery]) -> Result<u64> {
        let mut again = 0;
        for run in shapes::runs(deliveries) {
            let mut query =
                QueryBuilder::<Db>::new("WITH v (id, endpoint, event_seq, next_at, order_key) AS (");
            query.push_values(run, |mut row, delivery| {
                row.push_bind(delivery.id)
                    .push_bind(delivery.endpoint.uuid())
                    .push_bind(delivery.event_seq)
                    .push_bind(delivery.next_at.as_micros())
                    .push_bind(delivery.order_key.map(|key| key.0));
            });
            query.push(concat!(
                ") INSERT INTO failed_deliveries
                       (id, endpoint, event_seq, attempts, state, next_at, order_key, replayed)
                   SELECT v.id, v.endpoint, v.event_seq, 0, 0, v.next_at, v.order_key, TRUE
                   FROM v WHERE EXISTS (SELECT 1 FROM endpoints p WHERE p.id = v.endpoint",
                for_share!(),
                ")
                   ON CONFLICT (endpoint, event_seq) DO UPDATE SET attempts = 0, state = 0,
                       next_at = excluded.next_at, replayed = TRUE
                   WHERE failed_deliveries.state <> 0"
            ));
            let written = query.build().execute(&self.write).await.map_err(failed)?;
            again += written.rows_affected();
        }
        Ok(again)
    }

    async fn parked_deliveries(
        &self,
        endpoint: EndpointId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<FailedDelivery>> {
        let rows: Vec<DeliveryRow> = sqlx::query_as(select_deliveries!(
            "WHERE f.endpoint = $1 AND f.event_seq > $2 AND f.state = 2 ORDER BY f.event_seq LIMIT $3"
        ))
        .bind(endpoint.uuid())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        DeliveryRow::read_all(rows)
    }

    async fn oldest_event(&self) -> Result<Option<(i64, Timestamp)>> {
        let oldest: Option<(i64, i64)> =
            sqlx::query_as("SELECT seq, occurred_at FROM events ORDER BY seq LIMIT 1")
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        Ok(oldest.map(|(seq, at)| (seq, Timestamp::from_micros(at))))
    }

    /// Never one behind the cursor: by it a restart knows what was delivered.
    async fn trim_deliveries(&self, endpoint: EndpointId, kept: u32) -> Result<()> {
        sqlx::query(
            "DELETE FROM failed_deliveries WHERE endpoint = $1 AND state = 1
             AND event_seq <= (SELECT cursor FROM endpoints WHERE id = $1)
             AND id <= (SELECT id FROM failed_deliveries WHERE endpoint = $1 AND state = 1
                        ORDER BY id DESC LIMIT 1 OFFSET $2)",
        )
        .bind(endpoint.uuid())
        .bind(i64::from(kept))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn references(&self, messages: &[MessageId]) -> Result<Vec<Reference>> {
        let ids: Vec<Uuid> = messages.iter().map(|message| message.uuid()).collect();
        let mut references = Vec::with_capacity(ids.len());
        for list in shapes::lists(&ids) {
            let mut query = QueryBuilder::<Db>::new(
                "SELECT id, business, client_ref, opaque FROM outbox
                 WHERE (client_ref IS NOT NULL OR opaque IS NOT NULL) AND id IN ",
            );
            push_list(&mut query, list);
            let rows: Vec<ReferenceRow> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            references.extend(rows.into_iter().map(|row| Reference {
                message: MessageId::from_uuid(row.id),
                business: BusinessKey(row.business),
                client_ref: row.client_ref,
                opaque: row.opaque,
            }));
        }
        Ok(references)
    }
}
