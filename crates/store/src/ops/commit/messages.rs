//! Accepting messages: the row, its body, and the caller's key, or the reason why not.

use std::collections::{HashMap, HashSet};

use domain::contracts::store::{Accepted, NewMessage, Result};
use domain::partition::Partition;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Db, fence, keys, push_list};
use crate::columns::{StateColumns, micros, on_ambiguous_number, text};
use crate::error::{failed, vanished};
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
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO outbox (id, partition, account, business, connection, recipient, lane, kind, state, epoch,
                 attempt, priority, on_ambiguous, client_ref, opaque, accepted_at, claimed_at, next_at, send_at,
                 expires_at) ",
        );
        query.push_values(run, |mut row, message| {
            let state = StateColumns::from(message.state);
            row.push_bind(message.id.uuid())
                .push_bind(i64::from(message.partition.0))
                .push_bind(message.account.0)
                .push_bind(message.business.0)
                .push_bind(message.connection.uuid())
                .push_bind(text(&message.recipient))
                .push_bind(message.lane.0)
                .push_bind(text(&message.kind))
                .push_bind(state.state)
                .push_bind(state.epoch.unwrap_or(0))
                .push_bind(state.attempt)
                .push_bind(message.priority as i64)
                .push_bind(on_ambiguous_number(message.on_ambiguous))
                .push_bind(message.client_ref.as_deref().map(text))
                .push_bind(message.opaque.as_deref().map(text))
                .push_bind(message.accepted_at.as_micros())
                .push_bind(state.claimed_at)
                .push_bind(state.next_at)
                .push_bind(micros(message.send_at))
                .push_bind(message.expires_at.as_micros());
        });
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
        let rows: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        places.extend(rows);
    }
    let (new, known): (Vec<&NewMessage>, Vec<&NewMessage>) =
        messages.iter().partition(|message| places.contains_key(&message.id.uuid()));
    insert_bodies(conn, &new).await?;

    let known: Vec<Uuid> = known.into_iter().map(|message| message.id.uuid()).collect();
    for list in shapes::lists(&known) {
        let mut query = QueryBuilder::<Db>::new("SELECT id, seq FROM outbox WHERE id IN ");
        push_list(&mut query, list);
        let rows: Vec<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        places.extend(rows);
    }
    Ok(places)
}

async fn insert_bodies(conn: &mut Conn, messages: &[&NewMessage]) -> Result<()> {
    for run in shapes::runs(messages) {
        let mut query = QueryBuilder::<Db>::new("INSERT INTO outbox_body (id, body) ");
        query.push_values(run, |mut row, message| {
            row.push_bind(message.id.uuid()).push_bind(message.body.as_bytes());
        });
        query.push(" ON CONFLICT (id) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
