//! Appending to the stream of events, each once however often it is heard.

use std::collections::HashSet;

use domain::contracts::store::Result;
use domain::event::NewEvent;
use domain::ids::MessageId;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db, LOCK_STREAM, fence};
use crate::error::failed;
use crate::shapes;

/// In the batch's order: whether the event is new. One of an erased business is not written, and not new.
/// Nor is one that tells of a transition which was not among the `moved`.
pub(super) async fn append(
    conn: &mut Conn,
    events: &[NewEvent],
    moved: &HashSet<MessageId>,
) -> Result<Vec<bool>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(lock) = LOCK_STREAM {
        sqlx::query(lock).execute(&mut *conn).await.map_err(failed)?;
    }
    let living = fence::living(conn, events.iter().map(|event| event.business)).await?;
    let mut seen = HashSet::with_capacity(events.len());
    let wanted: Vec<&NewEvent> = events
        .iter()
        .filter(|event| {
            !event.with_transition || event.message.is_some_and(|message| moved.contains(&message))
        })
        .filter(|event| living.contains_key(&event.business) && seen.insert(event.id.uuid()))
        .collect();

    let mut new: HashSet<Uuid> = HashSet::with_capacity(wanted.len());
    for run in shapes::runs(&wanted) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO events (id, event_type, account, business, connection, message, status, occurred_at, body) ",
        );
        query.push_values(run, |mut row, event| {
            row.push_bind(event.id.uuid())
                .push_bind(event.event_type as i64)
                .push_bind(event.account.0)
                .push_bind(event.business.0)
                .push_bind(event.connection.map(domain::ids::ConnectionId::uuid))
                .push_bind(event.message.map(domain::ids::MessageId::uuid))
                .push_bind(event.status.map(domain::delivery_status::DeliveryStatus::as_str))
                .push_bind(event.occurred_at.as_micros())
                .push_bind(event.body.as_bytes());
        });
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id");
        let rows: Vec<(Uuid,)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        new.extend(rows.into_iter().map(|(id,)| id));
    }
    // Of an event that the batch holds twice, the first is the new one.
    Ok(events.iter().map(|event| new.remove(&event.id.uuid())).collect())
}
