//! Accepting messages: the row, its body, and the caller's key, or the reason why not.

use std::collections::{HashMap, HashSet};

use domain::contracts::store::{Accepted, NewMessage, Result};
use domain::partition::Partition;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db, fence, keys, push_list, timeline, values};
use crate::error::{failed, vanished};
use crate::rows::{self, BODY, MESSAGE};
use crate::shapes;

pub(super) async fn insert(
    conn: &mut Conn,
    held: &HashSet<Partition>,
    messages: &[NewMessage],
) -> Result<Vec<Accepted>> {
    let living = fence::living(conn, messages.iter().map(|message| message.business)).await?;
    let refusal = |message: &NewMessage| {
        if !held.contains(&message.partition) {
            return Some(Accepted::Fenced);
        }
        match living.get(&message.business) {
            None => Some(Accepted::Erased),
            // It moved: the fence guarded the wrong partition.
            Some(partition) if *partition != message.partition => Some(Accepted::Fenced),
            Some(_) => None,
        }
    };
    let mut wanted: Vec<(usize, &NewMessage)> =
        messages.iter().enumerate().filter(|(_, message)| refusal(message).is_none()).collect();
    let mut taken = keys::taken(conn, &wanted).await?;
    wanted.retain(|(number, _)| !taken.contains_key(number));
    let wanted: Vec<&NewMessage> = wanted.into_iter().map(|(_, message)| message).collect();
    let places = insert_rows(conn, &wanted).await?;

    let answer = |(number, message)| {
        if let Some(refused) = refusal(message) {
            return Ok(refused);
        }
        if let Some(record) = taken.remove(&number) {
            return Ok(Accepted::Replayed(record));
        }
        let seq = places.get(&message.id.uuid()).copied();
        seq.map(|seq| Accepted::Committed { seq }).ok_or_else(|| vanished("a message"))
    };
    messages.iter().enumerate().map(answer).collect()
}

/// Where each message stands in the order of accepts, also those that an earlier run of this batch inserted.
async fn insert_rows(conn: &mut Conn, messages: &[&NewMessage]) -> Result<HashMap<Uuid, i64>> {
    let mut places = HashMap::with_capacity(messages.len());
    for run in shapes::runs(messages) {
        let mut query = values::insert("outbox", MESSAGE, run.iter().map(|message| rows::message(message)));
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
        let found: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        places.extend(found);
    }
    let (new, known): (Vec<&NewMessage>, Vec<&NewMessage>) =
        messages.iter().partition(|message| places.contains_key(&message.id.uuid()));
    insert_bodies(conn, &new).await?;
    timeline::of_messages(conn, &new).await?;

    let known: Vec<Uuid> = known.into_iter().map(|message| message.id.uuid()).collect();
    for list in shapes::lists(&known) {
        let mut query = QueryBuilder::<Db>::new("SELECT id, seq FROM outbox WHERE id IN ");
        push_list(&mut query, list);
        let found: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        places.extend(found);
    }
    Ok(places)
}

async fn insert_bodies(conn: &mut Conn, messages: &[&NewMessage]) -> Result<()> {
    for run in shapes::runs(messages) {
        let mut query = values::insert("outbox_body", BODY, run.iter().map(|message| rows::body(message)));
        query.push(" ON CONFLICT (id) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
