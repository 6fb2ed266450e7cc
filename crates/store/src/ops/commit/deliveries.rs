//! How far endpoints have come, what they did not take, and webhooks that nobody claims.

use std::collections::{BTreeMap, HashMap};

use domain::contracts::deliveries::DeliveryWrite;
use domain::contracts::store::{Batch, DeliveryProgress, Quarantined, Result};
use domain::endpoint::DeliveryAttempt;
use domain::secret::Sealed;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db, push_list};
use crate::columns::text;
use crate::error::failed;
use crate::shapes;

/// Only so many of the newest are kept: nothing but an operator reads them.
const QUARANTINE_KEPT: i64 = 10_000;
/// Of the tries of one delivery the newest are kept.
const ATTEMPTS_KEPT: u32 = 20;

pub(super) async fn write(conn: &mut Conn, batch: &Batch) -> Result<()> {
    write_quarantine(conn, &batch.quarantine).await?;
    write_progress(conn, &batch.progress).await?;
    for round in rounds(&batch.failed_deliveries) {
        write_failures(conn, &round).await?;
    }
    Ok(())
}

async fn write_quarantine(conn: &mut Conn, webhooks: &[Quarantined]) -> Result<()> {
    for run in shapes::runs(webhooks) {
        let mut query =
            QueryBuilder::<Db>::new("INSERT INTO quarantine (id, provider, subject, received_at, body) ");
        query.push_values(run, |mut row, webhook| {
            row.push_bind(webhook.id)
                .push_bind(webhook.provider.as_str())
                .push_bind(text(&webhook.subject))
                .push_bind(webhook.received_at.as_micros())
                .push_bind(webhook.body.as_bytes());
        });
        query.push(" ON CONFLICT (id) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    if !webhooks.is_empty() {
        sqlx::query("DELETE FROM quarantine WHERE seq <= (SELECT MAX(seq) FROM quarantine) - $1")
            .bind(QUARANTINE_KEPT)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// A cursor only moves forward.
async fn write_progress(conn: &mut Conn, progress: &[DeliveryProgress]) -> Result<()> {
    let mut furthest: BTreeMap<Uuid, i64> = BTreeMap::new();
    for DeliveryProgress { endpoint, cursor } in progress {
        let known = furthest.entry(endpoint.uuid()).or_insert(*cursor);
        *known = (*known).max(*cursor);
    }
    let rows: Vec<_> = furthest.into_iter().collect();
    for run in shapes::runs(&rows) {
        let mut query = QueryBuilder::<Db>::new("WITH v (id, cursor) AS (");
        query.push_values(run, |mut row, (endpoint, cursor)| {
            row.push_bind(*endpoint).push_bind(*cursor);
        });
        query.push(
            ") UPDATE endpoints AS p SET cursor = v.cursor FROM v WHERE p.id = v.id AND p.cursor < v.cursor",
        );
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}

/// One statement writes a row once, so what the batch says of a delivery a second time waits for the second round.
/// In order of endpoint and event, so that two commits never wait for each other.
fn rounds(writes: &[DeliveryWrite]) -> Vec<Vec<&DeliveryWrite>> {
    let mut seen: HashMap<(Uuid, i64), usize> = HashMap::new();
    let mut rounds: Vec<BTreeMap<(Uuid, i64), &DeliveryWrite>> = Vec::new();
    for write in writes {
        let place = (write.delivery.endpoint.uuid(), write.delivery.event_seq);
        let round = seen.entry(place).or_default();
        if *round == rounds.len() {
            rounds.push(BTreeMap::new());
        }
        rounds[*round].insert(place, write);
        *round += 1;
    }
    rounds.into_iter().map(|round| round.into_values().collect()).collect()
}

/// Those of an endpoint that was deleted meanwhile fall out, and those that a row has left behind.
async fn write_failures(conn: &mut Conn, writes: &[&DeliveryWrite]) -> Result<()> {
    for run in shapes::runs(writes) {
        let mut query = QueryBuilder::<Db>::new(
            "WITH v (id, endpoint, event_seq, attempts, state, next_at, order_key, replayed, last_status,
                     last_error) AS (",
        );
        query.push_values(run, |mut row, write| {
            let delivery = &write.delivery;
            row.push_bind(delivery.id)
                .push_bind(delivery.endpoint.uuid())
                .push_bind(delivery.event_seq)
                .push_bind(i64::from(delivery.attempts))
                .push_bind(delivery.state as i64)
                .push_bind(delivery.next_at.as_micros())
                .push_bind(delivery.order_key.map(|key| key.0))
                .push_bind(delivery.replayed)
                .push_bind(delivery.last_status.map(i64::from))
                .push_bind(delivery.last_error.as_deref().map(text));
        });
        query.push(
            ") INSERT INTO failed_deliveries (id, endpoint, event_seq, attempts, state, next_at, order_key,
                                              replayed, last_status, last_error)
               SELECT v.id, v.endpoint, v.event_seq, v.attempts, v.state, v.next_at, v.order_key,
                      v.replayed, v.last_status, v.last_error
               FROM v WHERE EXISTS (SELECT 1 FROM endpoints p WHERE p.id = v.endpoint)
               ON CONFLICT (endpoint, event_seq) DO UPDATE SET attempts = excluded.attempts,
                   state = excluded.state, next_at = excluded.next_at, last_status = excluded.last_status,
                   last_error = excluded.last_error
               WHERE failed_deliveries.attempts = excluded.attempts - 1 AND failed_deliveries.state = 0
               RETURNING id, endpoint, event_seq",
        );
        let written: Vec<(Uuid, Uuid, i64)> =
            query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        let written: HashMap<(Uuid, i64), Uuid> =
            written.into_iter().map(|(id, endpoint, event)| ((endpoint, event), id)).collect();
        write_attempts(conn, run, &written).await?;
    }
    Ok(())
}

/// Only of rows that were written just now: they are locked, so nobody deletes them before their tries are there.
async fn write_attempts(
    conn: &mut Conn,
    writes: &[&DeliveryWrite],
    written: &HashMap<(Uuid, i64), Uuid>,
) -> Result<()> {
    let mut attempts: Vec<(Uuid, &DeliveryAttempt)> = Vec::with_capacity(writes.len());
    let mut many: Vec<Uuid> = Vec::new();
    for DeliveryWrite { delivery, attempt } in writes {
        let place = (delivery.endpoint.uuid(), delivery.event_seq);
        let (Some(attempt), Some(id)) = (attempt, written.get(&place)) else { continue };
        attempts.push((*id, attempt));
        if delivery.attempts > ATTEMPTS_KEPT {
            many.push(*id);
        }
    }
    for run in shapes::runs(&attempts) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO delivery_attempts (delivery, at, latency_ms, status, error, answer) ",
        );
        query.push_values(run, |mut row, (delivery, attempt)| {
            row.push_bind(*delivery)
                .push_bind(attempt.at.as_micros())
                .push_bind(i64::from(attempt.latency_ms))
                .push_bind(attempt.status.map(i64::from))
                .push_bind(attempt.error.as_deref().map(text))
                .push_bind(attempt.answer.as_ref().map(Sealed::as_bytes));
        });
        query.push(" ON CONFLICT (delivery, at) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    for list in shapes::lists(&many) {
        let mut query = QueryBuilder::<Db>::new(
            "DELETE FROM delivery_attempts WHERE at < (SELECT MIN(newest.at) FROM (
                 SELECT kept.at FROM delivery_attempts kept WHERE kept.delivery = delivery_attempts.delivery
                 ORDER BY kept.at DESC LIMIT ",
        );
        query.push_bind(i64::from(ATTEMPTS_KEPT)).push(") AS newest) AND delivery IN ");
        push_list(&mut query, list);
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
