//! A batch in one trip to the server: one statement, which is a transaction of its own.
//!
//! What it could not write as asked (a key that was used, a row that was not in the state expected, a partition that
//! is not ours any more) it leaves alone, and the commit in steps finds out why. So nothing is looked up here that is
//! only needed then.

mod arrays;
mod statement;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::contracts::store::{Batch, Result};
use domain::partition::{Epoch, Partition};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use crate::error::failed;
use crate::rows::{self, Value};
use crate::written::Written;
use arrays::Arrays;
use statement::{CURSOR, FENCE, OWNER, RANGE, STATEMENT, TOLD};

/// The rows that were written; the lists of a kind are in one order.
#[derive(FromRow)]
struct Answer {
    messages: Vec<Uuid>,
    message_places: Vec<i64>,
    moved: Vec<Uuid>,
    events: Vec<Uuid>,
    event_places: Vec<i64>,
}

pub(super) async fn commit(
    pool: &PgPool,
    epochs: &[(Partition, Epoch)],
    batch: &Batch,
) -> Result<Option<Written>> {
    let answer = given(epochs, batch)
        .into_iter()
        .fold(sqlx::query_as::<_, Answer>(STATEMENT.as_str()), |query, arrays| arrays.bind(query))
        .fetch_one(pool)
        .await
        .map_err(failed)?;
    let moved: HashSet<Uuid> = answer.moved.into_iter().collect();
    let placed = |ids: Vec<Uuid>, places: Vec<i64>| ids.into_iter().zip(places).collect::<HashMap<_, _>>();
    let messages = placed(answer.messages, answer.message_places);
    let mut events = placed(answer.events, answer.event_places);
    Ok(Some(Written {
        messages: batch.messages.iter().map(|message| messages.get(&message.id.uuid()).copied()).collect(),
        transitions: batch.transitions.iter().map(|move_| moved.contains(&move_.message.uuid())).collect(),
        // Of an event that the batch holds twice, the first is the new one.
        events: batch.events.iter().map(|event| events.remove(&event.id.uuid())).collect(),
    }))
}

/// In the order of [`statement::GIVEN`].
fn given<'a>(epochs: &[(Partition, Epoch)], batch: &'a Batch) -> [Arrays<'a>; 11] {
    let (messages, transitions, events) = (&batch.messages, &batch.transitions, &batch.events);
    let of_messages = messages.iter().map(|message| message.partition);
    let of_transitions = transitions.iter().map(|transition| transition.partition);
    let named: BTreeSet<Partition> = of_messages.chain(of_transitions).collect();
    let fence = epochs.iter().filter(|(partition, _)| named.contains(partition));

    let of_messages = messages.iter().map(|message| message.business.0);
    let owners: BTreeSet<i64> = of_messages.chain(events.iter().map(|event| event.business.0)).collect();

    let mut cursors: BTreeMap<Uuid, i64> = BTreeMap::new();
    for progress in &batch.progress {
        let furthest = cursors.entry(progress.endpoint.uuid()).or_insert(progress.cursor);
        *furthest = (*furthest).max(progress.cursor);
    }
    let keyed = messages.iter().filter_map(|message| Some((message, message.idempotency.as_ref()?)));
    let moved = transitions.iter().map(|move_| move_.message.uuid());
    let (least, greatest) = (moved.clone().min(), moved.max());
    let lines = transitions.iter().flat_map(|move_| move_.timeline.iter().map(move |line| (move_, line)));
    let told = events.iter().filter(|event| event.with_transition);
    [
        Arrays::of(FENCE, fence.map(|(partition, epoch)| [number(i64::from(partition.0)), number(epoch.0)])),
        Arrays::of(OWNER, owners.into_iter().map(|owner| [number(owner)])),
        Arrays::of(rows::MESSAGE, messages.iter().map(rows::message)),
        Arrays::of(rows::BODY, messages.iter().map(rows::body)),
        Arrays::of(rows::KEY, keyed.map(|(message, record)| rows::key(message, record))),
        Arrays::of(CURSOR, cursors.into_iter().map(|(endpoint, cursor)| [id(endpoint), number(cursor)])),
        Arrays::of(rows::MOVE, transitions.iter().map(rows::transition)),
        Arrays::of(RANGE, least.zip(greatest).into_iter().map(|(least, greatest)| [id(least), id(greatest)])),
        Arrays::of(rows::LINE, lines.map(|(move_, line)| rows::line(&move_.message, line))),
        Arrays::of(rows::EVENT, events.iter().map(rows::event)),
        Arrays::of(TOLD, told.map(|event| [id(event.id.uuid())])),
    ]
}

const fn number(value: i64) -> Value<'static> {
    Value::Number(Some(value))
}

const fn id(value: Uuid) -> Value<'static> {
    Value::Id(Some(value))
}
