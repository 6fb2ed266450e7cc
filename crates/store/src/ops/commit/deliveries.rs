//! How far endpoints have come, what they did not take, and webhooks that nobody claims.

use std::collections::BTreeMap;

use domain::contracts::store::{Batch, DeliveryProgress, Quarantined, Result};
use domain::endpoint::FailedDelivery;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db};
use crate::columns::text;
use crate::error::failed;
use crate::shapes;

/// Only so many of the newest are kept: nothing but an operator reads them.
const QUARANTINE_KEPT: i64 = 10_000;

pub(super) async fn write(conn: &mut Conn, batch: &Batch) -> Result<()> {
    write_quarantine(conn, &batch.quarantine).await?;
    write_progress(conn, &batch.progress).await?;
    write_failures(conn, &batch.failed_deliveries).await
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

/// Inserted or replaced; those of an endpoint that was deleted meanwhile fall out.
async fn write_failures(conn: &mut Conn, failures: &[FailedDelivery]) -> Result<()> {
    let last: BTreeMap<Uuid, &FailedDelivery> =
        failures.iter().map(|failure| (failure.id, failure)).collect();
    let rows: Vec<_> = last.into_values().collect();
    for run in shapes::runs(&rows) {
        let mut query = QueryBuilder::<Db>::new(
            "WITH v (id, endpoint, event_seq, attempts, state, next_at, last_status, last_error) AS (",
        );
        query.push_values(run, |mut row, failure| {
            row.push_bind(failure.id)
                .push_bind(failure.endpoint.uuid())
                .push_bind(failure.event_seq)
                .push_bind(i64::from(failure.attempts))
                .push_bind(failure.state as i64)
                .push_bind(failure.next_at.as_micros())
                .push_bind(failure.last_status.map(i64::from))
                .push_bind(failure.last_error.as_deref().map(text));
        });
        query.push(
            ") INSERT INTO failed_deliveries
                   (id, endpoint, event_seq, attempts, state, next_at, last_status, last_error)
               SELECT v.id, v.endpoint, v.event_seq, v.attempts, v.state, v.next_at, v.last_status, v.last_error
               FROM v WHERE EXISTS (SELECT 1 FROM endpoints p WHERE p.id = v.endpoint)
               ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, state = excluded.state,
                   next_at = excluded.next_at, last_status = excluded.last_status, last_error = excluded.last_error",
        );
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
