//! Appending to the stream of events, each once however often it is heard.

use std::collections::{HashMap, HashSet};

use domain::contracts::store::Result;
use domain::event::NewEvent;
use domain::ids::MessageId;
use uuid::Uuid;

use super::{Conn, LOCK_STREAM, fence, values};
use crate::error::failed;
use crate::rows::{self, EVENT};
use crate::shapes;

/// Makes this commit the only one that appends, until it ends.
pub(super) async fn lock_stream(conn: &mut Conn) -> Result<()> {
    if let Some(lock) = LOCK_STREAM {
        sqlx::query(lock).execute(conn).await.map_err(failed)?;
    }
    Ok(())
}

/// In the batch's order: the place of an event that is new. One of an erased business is not written, and has none.
/// Nor is one that tells of a transition which was not among the `moved`.
pub(super) async fn append(
    conn: &mut Conn,
    events: &[NewEvent],
    moved: &HashSet<MessageId>,
) -> Result<Vec<Option<i64>>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    lock_stream(conn).await?;
    let living = fence::living(conn, events.iter().map(|event| event.business)).await?;
    let mut seen = HashSet::with_capacity(events.len());
    let wanted: Vec<&NewEvent> = events
        .iter()
        .filter(|event| {
            !event.with_transition || event.message.is_some_and(|message| moved.contains(&message))
        })
        .filter(|event| living.contains_key(&event.business) && seen.insert(event.id.uuid()))
        .collect();

    let mut new: HashMap<Uuid, i64> = HashMap::with_capacity(wanted.len());
    for run in shapes::runs(&wanted) {
        let mut query = values::insert("events", EVENT, run.iter().map(|event| rows::event(event)));
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
        let placed: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        new.extend(placed);
    }
    // Of an event that the batch holds twice, the first is the new one.
    Ok(events.iter().map(|event| new.remove(&event.id.uuid())).collect())
}
