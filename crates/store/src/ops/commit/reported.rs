//! Messages that must not move because the provider reported them after all.

use std::collections::HashSet;

use domain::contracts::store::{Batch, Result, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::report_id;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db, events, push_list};
use crate::error::failed;
use crate::shapes;

/// Which transitions are to be refused, by their place in the batch.
///
/// A report that is being written elsewhere is waited for by taking the stream's lock. The rows to move are locked
/// before it, since the stream is the last that any commit waits for.
pub(super) async fn among(conn: &mut Conn, batch: &Batch) -> Result<HashSet<usize>> {
    let guarded: Vec<(usize, [Uuid; 5])> = batch
        .transitions
        .iter()
        .enumerate()
        .filter(|(_, transition)| transition.unless_reported)
        .map(|(index, transition)| (index, reports_of(transition)))
        .collect();
    if guarded.is_empty() {
        return Ok(HashSet::new());
    }
    lock_rows(conn, &batch.transitions).await?;
    events::lock_stream(conn).await?;

    let mut known: HashSet<Uuid> = batch.events.iter().map(|event| event.id.uuid()).collect();
    let asked: Vec<Uuid> = guarded.iter().flat_map(|(_, reports)| *reports).collect();
    for list in shapes::lists(&asked) {
        let mut query = QueryBuilder::<Db>::new("SELECT id FROM events WHERE id IN ");
        push_list(&mut query, list);
        let rows: Vec<(Uuid,)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        known.extend(rows.into_iter().map(|(id,)| id));
    }
    let reported = |(_, reports): &(usize, [Uuid; 5])| reports.iter().any(|report| known.contains(report));
    Ok(guarded.into_iter().filter(reported).map(|(index, _)| index).collect())
}

/// Of the message as a whole: what is told of one member of a group proves nothing about the others.
fn reports_of(transition: &Transition) -> [Uuid; 5] {
    DeliveryStatus::ALL
        .map(|status| report_id(transition.connection, transition.message, status.as_str(), "").uuid())
}

async fn lock_rows(conn: &mut Conn, transitions: &[Transition]) -> Result<()> {
    let mut ids: Vec<Uuid> = transitions.iter().map(|transition| transition.message.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    for list in shapes::lists(&ids) {
        let mut query = QueryBuilder::<Db>::new("SELECT id FROM outbox WHERE id IN ");
        push_list(&mut query, list);
        query.push(concat!(" ORDER BY id", for_update!()));
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
