//! Reading the outbox. It is written by `commit` alone.

use domain::clock::Timestamp;
use domain::contracts::dead_letters::REPORTED_FAILED;
use domain::contracts::store::{LaneKey, MessageFilter, Page, Result, StoredMessage};
use domain::ids::{AccountKey, BusinessKey, ConnectionId, MessageId};
use domain::message::{Order, Priority, TimelineEntry};
use domain::outbox::StateCode;
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::businesses::reference;
use super::{Database, Db, push_list};
use crate::columns::{StateColumns, from_json, known, number_of, on_ambiguous, time};
use crate::error::failed;
use crate::shapes;

macro_rules! select_messages {
    () => {
        "SELECT o.seq, o.id, o.account, o.business, b.reference, o.connection, o.recipient, o.lane, o.kind, o.state,
                o.epoch, o.attempt, o.claimed_at, o.next_at, o.priority, o.ordering, o.on_ambiguous, o.client_ref,
                o.opaque, o.replay_of, o.provider_id, o.error, o.accepted_at, o.sent_at, o.send_at, o.expires_at
         FROM outbox o JOIN businesses b ON b.id = o.business WHERE NOT b.erased"
    };
}

#[derive(FromRow)]
struct MessageRow {
    seq: i64,
    id: Uuid,
    account: i64,
    business: i64,
    reference: String,
    connection: Uuid,
    recipient: String,
    lane: i64,
    kind: String,
    state: i64,
    epoch: i64,
    attempt: i64,
    claimed_at: Option<i64>,
    next_at: Option<i64>,
    priority: i64,
    ordering: i64,
    on_ambiguous: i64,
    client_ref: Option<String>,
    opaque: Option<String>,
    replay_of: Option<Uuid>,
    provider_id: Option<String>,
    error: Option<String>,
    accepted_at: i64,
    sent_at: Option<i64>,
    send_at: Option<i64>,
    expires_at: i64,
}

impl MessageRow {
    fn read(self) -> Result<StoredMessage> {
        let state = StateColumns {
            state: self.state,
            epoch: Some(self.epoch),
            attempt: self.attempt,
            claimed_at: self.claimed_at,
            next_at: self.next_at,
        };
        Ok(StoredMessage {
            seq: self.seq,
            id: MessageId::from_uuid(self.id),
            account: AccountKey(self.account),
            business: BusinessKey(self.business),
            business_reference: reference(&self.reference)?,
            connection: ConnectionId::from_uuid(self.connection),
            recipient: self.recipient,
            lane: LaneKey(self.lane),
            kind: self.kind,
            state: state.read()?,
            priority: known(Priority::from_number(self.priority), "priority of a message")?,
            order: known(Order::from_number(self.ordering), "order of a message")?,
            on_ambiguous: on_ambiguous(self.on_ambiguous)?,
            client_ref: self.client_ref,
            opaque: self.opaque,
            replay_of: self.replay_of.map(MessageId::from_uuid),
            provider_id: self.provider_id,
            error: self.error,
            accepted_at: Timestamp::from_micros(self.accepted_at),
            claimed_at: time(self.claimed_at),
            sent_at: time(self.sent_at),
            send_at: time(self.send_at),
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }
}

#[derive(FromRow)]
struct TimelineRow {
    at: i64,
    status: String,
    attempt: Option<i64>,
    reason: Option<String>,
    error: Option<String>,
}

impl TimelineRow {
    fn read(self) -> Result<TimelineEntry> {
        const WHAT: &str = "timeline of a message";
        Ok(TimelineEntry {
            at: Timestamp::from_micros(self.at),
            status: from_json(&format!("\"{}\"", self.status), WHAT)?,
            attempt: self.attempt.map(|attempt| number_of(attempt, WHAT)).transpose()?,
            reason: self.reason,
            error: self.error.map(|error| from_json(&error, WHAT)).transpose()?,
        })
    }
}

impl Database {
    pub(super) async fn read_message(
        &self,
        account: AccountKey,
        id: MessageId,
    ) -> Result<Option<StoredMessage>> {
        let row: Option<MessageRow> =
            sqlx::query_as(concat!(select_messages!(), " AND o.id = $1 AND o.account = $2"))
                .bind(id.uuid())
                .bind(account.0)
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        row.map(MessageRow::read).transpose()
    }

    pub(super) async fn list_messages(
        &self,
        account: AccountKey,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<StoredMessage>> {
        let mut query = QueryBuilder::<Db>::new(concat!(select_messages!(), " AND o.account = "));
        query.push_bind(account.0);
        if let Some(business) = filter.business {
            // A plus sign keeps the database from walking through everything that did not fail.
            query.push(if filter.failed { " AND +o.business = " } else { " AND o.business = " });
            query.push_bind(business.0);
        }
        if let Some(connection) = filter.connection {
            // Through its business, whose messages have an index in the order of the listing.
            query.push(" AND o.business = (SELECT business FROM connections WHERE id = ");
            query.push_bind(connection.uuid()).push(") AND o.connection = ").push_bind(connection.uuid());
        }
        if let Some(client_ref) = &filter.client_ref {
            query.push(" AND o.client_ref = ").push_bind(client_ref);
        }
        if let Some(state) = filter.state {
            // Written out, so that a partial index is seen to hold the rows.
            query.push(match state {
                StateCode::Sending => " AND o.state IN (1, 2)",
                StateCode::Sent => "",
                _ => " AND o.state NOT IN (1, 4)",
            });
            query.push(" AND o.state = ").push(state as i64);
        }
        narrow(&mut query, filter);
        if let Some(after) = page.after {
            query.push(" AND o.id < ").push_bind(after.uuid());
        }
        query.push(" ORDER BY o.id DESC LIMIT ").push_bind(i64::from(page.limit));
        let rows: Vec<MessageRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        rows.into_iter().map(MessageRow::read).collect()
    }

    pub(super) async fn read_body(&self, id: MessageId) -> Result<Option<Sealed>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as("SELECT body FROM outbox_body WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        Ok(row.map(|(body,)| Sealed::from_bytes(body)))
    }

    pub(super) async fn read_timeline(&self, id: MessageId) -> Result<Vec<TimelineEntry>> {
        let rows: Vec<TimelineRow> = sqlx::query_as(
            "SELECT at, status, attempt, reason, error FROM timeline WHERE message = $1 ORDER BY at, seq",
        )
        .bind(id.uuid())
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(TimelineRow::read).collect()
    }

    pub(super) async fn find_by_provider_id(
        &self,
        connection: ConnectionId,
        provider_ids: &[String],
    ) -> Result<Vec<(String, MessageId)>> {
        let mut found = Vec::new();
        for list in shapes::lists(provider_ids) {
            let mut query = QueryBuilder::<Db>::new("SELECT provider_id, id FROM outbox WHERE connection = ");
            query.push_bind(connection.uuid()).push(" AND provider_id IN ");
            push_list(&mut query, list);
            let rows: Vec<(String, Uuid)> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            found.extend(rows.into_iter().map(|(provider_id, id)| (provider_id, MessageId::from_uuid(id))));
        }
        Ok(found)
    }
}

/// What only messages that did not arrive have, and when they were accepted.
fn narrow(query: &mut QueryBuilder<Db>, filter: &MessageFilter) {
    if filter.failed {
        // Both parts have an index of their own: a few failures among millions are found without a walk.
        query.push(" AND o.id IN (SELECT id FROM outbox WHERE state > 4 AND state = 5");
        of_business(query, filter);
        query.push(" UNION SELECT message FROM events WHERE message IS NOT NULL AND status = 'failed'");
        of_business(query, filter);
        query.push(")");
    }
    if filter.reason.as_deref() == Some(REPORTED_FAILED) {
        query.push(" AND o.state <> 5 AND o.id IN (SELECT message FROM events WHERE message IS NOT NULL");
        query.push(" AND status = 'failed'");
        of_business(query, filter);
        query.push(")");
    } else if let Some(reason) = &filter.reason {
        query.push(" AND EXISTS (SELECT 1 FROM timeline t WHERE t.message = o.id AND t.reason = ");
        query.push_bind(reason.clone()).push(")");
    }
    if let Some(from) = filter.from {
        query.push(" AND o.accepted_at >= ").push_bind(from.as_micros());
    }
    if let Some(to) = filter.to {
        query.push(" AND o.accepted_at < ").push_bind(to.as_micros());
    }
}

fn of_business(query: &mut QueryBuilder<Db>, filter: &MessageFilter) {
    if let Some(business) = filter.business {
        query.push(" AND business = ").push_bind(business.0);
    }
}
