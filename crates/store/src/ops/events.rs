//! Reading the stream of events. It is appended to by `commit` alone.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::store::{EventFilter, Events, Report, Result};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, StoredEvent, report_id};
use domain::ids::{AccountKey, BusinessKey, ConnectionId, EventId, MessageId};
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::businesses::reference;
use super::{Database, Db, push_list};
use crate::columns::known;
use crate::error::failed;
use crate::shapes;

/// How many of a business's newest events the watermark is looked for in.
const WATERMARK_DEPTH: i64 = 1_000;

// The message of a report is named by what came from outside: only one of the same business lends its references.
macro_rules! select_events {
    () => {
        "SELECT e.seq, e.id, e.event_type, e.account, e.business, b.reference, e.connection, e.message, o.client_ref,
                o.opaque, e.occurred_at, e.body
         FROM events e JOIN businesses b ON b.id = e.business
              LEFT JOIN outbox o ON o.id = e.message AND o.business = e.business
         WHERE NOT b.erased"
    };
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    id: Uuid,
    event_type: i64,
    account: i64,
    business: i64,
    reference: String,
    connection: Option<Uuid>,
    message: Option<Uuid>,
    client_ref: Option<String>,
    opaque: Option<String>,
    occurred_at: i64,
    body: Vec<u8>,
}

impl EventRow {
    fn read(self) -> Result<StoredEvent> {
        Ok(StoredEvent {
            seq: self.seq,
            id: EventId::from_uuid(self.id),
            event_type: known(EventType::from_number(self.event_type), "type of an event")?,
            account: AccountKey(self.account),
            business: BusinessKey(self.business),
            business_reference: reference(&self.reference)?,
            connection: self.connection.map(ConnectionId::from_uuid),
            message: self.message.map(MessageId::from_uuid),
            client_ref: self.client_ref,
            opaque: self.opaque,
            occurred_at: Timestamp::from_micros(self.occurred_at),
            body: Sealed::from_bytes(self.body),
        })
    }
}

#[async_trait]
impl Events for Database {
    /// Found by the ids that reports have, which spares an index of events by message.
    async fn reports(&self, messages: &[(ConnectionId, MessageId)]) -> Result<Vec<Report>> {
        let ids: Vec<Uuid> = messages
            .iter()
            .flat_map(|&(connection, message)| {
                DeliveryStatus::ALL.map(|status| report_id(connection, message, status.as_str(), "").uuid())
            })
            .collect();
        let mut reports = Vec::new();
        for list in shapes::lists(&ids) {
            let mut query = QueryBuilder::<Db>::new(
                "SELECT message, status, occurred_at FROM events
                 WHERE message IS NOT NULL AND status IS NOT NULL AND id IN ",
            );
            push_list(&mut query, list);
            let rows: Vec<(Uuid, String, i64)> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            for (message, status, at) in rows {
                reports.push(Report {
                    message: MessageId::from_uuid(message),
                    status: known(status.parse().ok(), "status of an event")?,
                    at: Timestamp::from_micros(at),
                });
            }
        }
        Ok(reports)
    }

    async fn status_watermark(
        &self,
        business: BusinessKey,
        connection: ConnectionId,
    ) -> Result<Option<Timestamp>> {
        let (latest,): (Option<i64>,) = sqlx::query_as(
            "SELECT MAX(occurred_at) FROM (
                 SELECT occurred_at, connection, status FROM events WHERE business = $1 ORDER BY seq DESC LIMIT $3
             ) AS newest WHERE connection = $2 AND status IS NOT NULL",
        )
        .bind(business.0)
        .bind(connection.uuid())
        .bind(WATERMARK_DEPTH)
        .fetch_one(&self.read)
        .await
        .map_err(failed)?;
        Ok(latest.map(Timestamp::from_micros))
    }

    async fn events_after(
        &self,
        account: AccountKey,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        let mut query = QueryBuilder::<Db>::new(concat!(select_events!(), " AND e.account = "));
        query.push_bind(account.0).push(" AND e.seq > ").push_bind(after);
        if let Some(last) = filter.last {
            query.push(" AND e.seq <= ").push_bind(last);
        }
        if let Some(business) = filter.business {
            query.push(" AND e.business = ").push_bind(business.0);
        }
        if !filter.types.is_empty() {
            query.push(" AND e.event_type IN ");
            push_list(&mut query, filter.types.iter().map(|event_type| *event_type as i64));
        }
        if let Some(from) = filter.from {
            query.push(" AND e.occurred_at >= ").push_bind(from.as_micros());
        }
        if let Some(to) = filter.to {
            query.push(" AND e.occurred_at < ").push_bind(to.as_micros());
        }
        query.push(" ORDER BY e.seq LIMIT ").push_bind(i64::from(limit));
        let rows: Vec<EventRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        rows.into_iter().map(EventRow::read).collect()
    }

    async fn events_by_seq(&self, places: &[i64]) -> Result<Vec<StoredEvent>> {
        let mut events = Vec::with_capacity(places.len());
        for list in shapes::lists(places) {
            let mut query = QueryBuilder::<Db>::new(concat!(select_events!(), " AND e.seq IN "));
            push_list(&mut query, list);
            let rows: Vec<EventRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            for row in rows {
                events.push(row.read()?);
            }
        }
        events.sort_unstable_by_key(|event| event.seq);
        Ok(events)
    }

    async fn last_event(&self) -> Result<i64> {
        let (last,): (Option<i64>,) =
            sqlx::query_as("SELECT MAX(seq) FROM events").fetch_one(&self.read).await.map_err(failed)?;
        Ok(last.unwrap_or(0))
    }

    async fn quarantined(&self) -> Result<u64> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM quarantine").fetch_one(&self.read).await.map_err(failed)?;
        Ok(count.unsigned_abs())
    }
}
