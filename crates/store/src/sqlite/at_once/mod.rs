//! A batch in one text of several statements, which the thread of the database runs without asking back.
//!
//! A batch that cannot be written exactly as asked (a key that was used, a row that was not in the state expected, a
//! partition that is not ours any more) ends with an error and writes nothing; the commit in steps then finds out
//! what can. Events alone may be known already.

mod text;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::contracts::store::{Batch, Result};
use domain::event::NewEvent;
use domain::ids::MessageId;
use domain::partition::{Epoch, Partition};
use serde_json::{Value as Json, json};
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use super::ops::{Tx, push_list};
use crate::error::{failed, is_refusal};
use crate::rows::{self, BODY, Column, EVENT, KEY, MESSAGE, MOVE, Value};
use crate::shapes;
use crate::written::Written;
use text::Shape;

/// How many events were added, and the last places in the outbox and in the stream.
type Places = (i64, Option<i64>, Option<i64>);
type Query<'q> = QueryAs<'q, Sqlite, Places, SqliteArguments>;

pub(super) async fn commit(
    pool: &SqlitePool,
    epochs: &[(Partition, Epoch)],
    batch: &Batch,
) -> Result<Option<Written>> {
    let events = wanted_events(batch);
    let Some(shape) = shape(batch, events.len()) else { return Ok(None) };
    let query = given(shape, epochs, batch, &events);
    let mut tx = Tx::of_its_own(pool).await?;
    // All of them, though there is one: whoever asks for one leaves before the end of the text.
    let answered = query.fetch_all(tx.connection()).await;
    if answered.as_ref().is_err_and(is_refusal) {
        // It fails where the text has rolled back by itself; either way nothing is open then.
        let _ = sqlx::query("ROLLBACK").execute(tx.connection()).await;
        tx.finished();
        return Ok(None);
    }
    let places = answered.map_err(failed)?;
    tx.finished();
    let (added, last_message, last_event) = places.first().copied().unwrap_or_default();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id.uuid()).collect();
    let mut event_places: HashMap<Uuid, i64> = match usize::try_from(added) {
        Ok(added) if added < ids.len() => added_events(pool, &ids, added).await?,
        _ => ids.into_iter().zip(in_a_row(last_event, events.len())).collect(),
    };
    Ok(Some(Written {
        messages: in_a_row(last_message, batch.messages.len()).map(Some).collect(),
        transitions: vec![true; batch.transitions.len()],
        // Of an event that the batch holds twice, the first is the new one.
        events: batch.events.iter().map(|event| event_places.remove(&event.id.uuid())).collect(),
    }))
}

/// One statement gives its rows one place after the other, since nobody else writes.
fn in_a_row(last: Option<i64>, rows: usize) -> impl Iterator<Item = i64> {
    let (last, rows) = (last.unwrap_or(0), i64::try_from(rows).unwrap_or(0));
    last - rows + 1..=last
}

/// Those of the events that were not known before: they have the greatest places.
async fn added_events(pool: &SqlitePool, ids: &[Uuid], added: usize) -> Result<HashMap<Uuid, i64>> {
    let mut known: Vec<(Uuid, i64)> = Vec::with_capacity(ids.len());
    for list in shapes::lists(ids) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id, seq FROM events WHERE id IN ");
        push_list(&mut query, list);
        let found: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(pool).await.map_err(failed)?;
        known.extend(found);
    }
    known.sort_unstable_by_key(|(_, place)| Reverse(*place));
    known.truncate(added);
    Ok(known.into_iter().collect())
}

/// Each once, and those that tell of a transition only with it.
fn wanted_events(batch: &Batch) -> Vec<&NewEvent> {
    let moved: HashSet<MessageId> = batch.transitions.iter().map(|transition| transition.message).collect();
    let mut seen = HashSet::with_capacity(batch.events.len());
    batch
        .events
        .iter()
        .filter(|event| {
            !event.with_transition || event.message.is_some_and(|message| moved.contains(&message))
        })
        .filter(|event| seen.insert(event.id))
        .collect()
}

fn shape(batch: &Batch, events: usize) -> Option<Shape> {
    Some(Shape {
        messages: text::length(batch.messages.len())?,
        keys: text::length(batch.messages.iter().filter(|message| message.idempotency.is_some()).count())?,
        moves: text::length(batch.transitions.len())?,
        lines: batch.transitions.iter().any(|transition| !transition.timeline.is_empty()),
        cursors: !batch.progress.is_empty(),
        events: text::length(events)?,
    })
}

/// The text and its values, in the order of its parts.
fn given<'q>(
    shape: Shape,
    epochs: &[(Partition, Epoch)],
    batch: &'q Batch,
    events: &[&'q NewEvent],
) -> Query<'q> {
    let (messages, transitions) = (&batch.messages, &batch.transitions);
    let query = sqlx::query_as(AssertSqlSafe(text::of(shape)));
    let mut query = query.bind(fence(epochs, batch)).bind(owners(batch, events));
    let keyed = messages.iter().filter_map(|message| Some(rows::key(message, message.idempotency.as_ref()?)));
    query = bind_rows(query, KEY, shape.keys, keyed);
    query = bind_rows(query, MESSAGE, shape.messages, messages.iter().map(rows::message));
    query = bind_rows(query, BODY, shape.messages, messages.iter().map(rows::body));
    if shape.moves > 0 {
        query = bind_rows(query, MOVE, shape.moves, transitions.iter().map(rows::transition));
        query = query.bind(i64::try_from(transitions.len()).unwrap_or(i64::MAX));
    }
    if shape.lines {
        let lines = transitions.iter().flat_map(|move_| move_.timeline.iter().map(move |line| (move_, line)));
        query = query.bind(json_of(lines.map(|(move_, line)| rows::line(&move_.message, line))));
    }
    if shape.cursors {
        query = query.bind(cursors(batch));
    }
    bind_rows(query, EVENT, shape.events, events.iter().copied().map(rows::event))
}

fn bind_rows<'q, R>(
    mut query: Query<'q>,
    columns: &[Column],
    length: usize,
    rows: impl Iterator<Item = R>,
) -> Query<'q>
where
    R: IntoIterator<Item = Value<'q>>,
{
    let mut left = length * columns.len();
    for value in rows.flatten() {
        left -= 1;
        query = match value {
            Value::Id(id) => query.bind(id),
            Value::Number(number) => query.bind(number),
            Value::Words(words) => query.bind(words),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    (0..left).fold(query, |query, _| query.bind(None::<i64>))
}

/// The partitions that the batch names, each with the epoch it is held under, if it is.
fn fence(epochs: &[(Partition, Epoch)], batch: &Batch) -> String {
    let of_messages = batch.messages.iter().map(|message| message.partition);
    let of_transitions = batch.transitions.iter().map(|transition| transition.partition);
    let named: BTreeSet<Partition> = of_messages.chain(of_transitions).collect();
    let held: HashMap<Partition, Epoch> =
        epochs.iter().copied().filter(|(partition, _)| named.contains(partition)).collect();
    let with_epoch = |partition: Partition| json!([partition.0, held.get(&partition).map(|epoch| epoch.0)]);
    Json::Array(named.into_iter().map(with_epoch).collect()).to_string()
}

/// The businesses that the batch names, each with the partition that its messages name.
fn owners(batch: &Batch, events: &[&NewEvent]) -> String {
    let of_events = events.iter().map(|event| (event.business.0, None));
    let of_messages = batch.messages.iter().map(|message| (message.business.0, Some(message.partition.0)));
    let named: BTreeSet<(i64, Option<u16>)> = of_events.chain(of_messages).collect();
    json!(named).to_string()
}

/// How far each endpoint has come.
fn cursors(batch: &Batch) -> String {
    let mut furthest: BTreeMap<Uuid, i64> = BTreeMap::new();
    for progress in &batch.progress {
        let known = furthest.entry(progress.endpoint.uuid()).or_insert(progress.cursor);
        *known = (*known).max(progress.cursor);
    }
    json_of(
        furthest
            .into_iter()
            .map(|(endpoint, cursor)| [Value::Id(Some(endpoint)), Value::Number(Some(cursor))]),
    )
}

fn json_of<'a, R>(rows: impl Iterator<Item = R>) -> String
where
    R: IntoIterator<Item = Value<'a>>,
{
    let value = |value| match value {
        Value::Id(id) => json!(id.map(Uuid::simple)),
        Value::Number(number) => json!(number),
        Value::Words(words) => json!(words),
        Value::Bytes(bytes) => json!(bytes),
    };
    Json::Array(rows.map(|row| row.into_iter().map(value).collect()).collect()).to_string()
}
