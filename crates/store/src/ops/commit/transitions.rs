//! Moving messages on: a compare-and-set for each, many in one statement.

use std::collections::{HashMap, HashSet};

use domain::contracts::store::{Batch, Result, Transition};
use domain::outbox::OutboxState;
use domain::partition::Partition;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Conn, Db, push_list, reported, timeline, values};
use crate::columns::StateColumns;
use crate::error::failed;
use crate::rows::{self, MOVE, MOVE_ROWS, names};
use crate::shapes;

/// In the batch's order: whether the row is now where the transition leads.
pub(super) async fn apply(conn: &mut Conn, held: &HashSet<Partition>, batch: &Batch) -> Result<Vec<bool>> {
    let transitions = &batch.transitions[..];
    let reported = reported::among(conn, batch).await?;
    let mut applied = vec![false; transitions.len()];
    let mut moved = Vec::with_capacity(transitions.len());
    for round in rounds(held, transitions) {
        let mut unmoved: HashMap<Uuid, usize> =
            round.iter().map(|&index| (transitions[index].message.uuid(), index)).collect();
        let open: Vec<usize> = round.into_iter().filter(|index| !reported.contains(index)).collect();
        for run in shapes::runs(&open) {
            for id in move_rows(conn, run.iter().map(|&index| &transitions[index])).await? {
                moved.extend(unmoved.remove(&id));
            }
        }
        for index in arrived(conn, transitions, unmoved).await? {
            applied[index] = true;
        }
    }
    moved.sort_unstable();
    for &index in &moved {
        applied[index] = true;
    }
    let moved: Vec<&Transition> = moved.into_iter().map(|index| &transitions[index]).collect();
    timeline::of_transitions(conn, &moved).await?;
    if applied.contains(&false) {
        passed_through(transitions, &mut applied);
    }
    Ok(applied)
}

/// One statement moves a row once, so the second transition of a message waits for the second round.
fn rounds(held: &HashSet<Partition>, transitions: &[Transition]) -> Vec<Vec<usize>> {
    let mut seen: HashMap<Uuid, usize> = HashMap::with_capacity(transitions.len());
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (index, transition) in transitions.iter().enumerate() {
        if !held.contains(&transition.partition) {
            continue;
        }
        let round = seen.entry(transition.message.uuid()).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(index);
        *round += 1;
    }
    rounds
}

async fn move_rows(conn: &mut Conn, rows: impl Iterator<Item = &Transition>) -> Result<Vec<Uuid>> {
    let mut query = QueryBuilder::<Db>::new(format!("WITH v ({}) AS (", names(MOVE)));
    values::push_rows(&mut query, rows.map(rows::transition));
    query.push(") ").push(MOVE_ROWS).push(" RETURNING outbox.id");
    let moved: Vec<(Uuid,)> = query.build_query_as().fetch_all(conn).await.map_err(failed)?;
    Ok(moved.into_iter().map(|(id,)| id).collect())
}

#[derive(FromRow)]
struct StateRow {
    id: Uuid,
    state: i64,
    epoch: i64,
    attempt: i64,
    claimed_at: Option<i64>,
    next_at: Option<i64>,
    provider_id: Option<String>,
}

impl StateRow {
    fn state(&self) -> Result<OutboxState> {
        let columns = StateColumns {
            state: self.state,
            epoch: Some(self.epoch),
            attempt: self.attempt,
            claimed_at: self.claimed_at,
            next_at: self.next_at,
        };
        columns.read()
    }
}

/// Those of the transitions that an earlier run of this batch made: the row is exactly where they lead. A claim
/// that someone else took differs at least in its time.
async fn arrived(
    conn: &mut Conn,
    transitions: &[Transition],
    unmoved: HashMap<Uuid, usize>,
) -> Result<Vec<usize>> {
    let ids: Vec<Uuid> = unmoved.keys().copied().collect();
    let mut arrived = Vec::new();
    for list in shapes::lists(&ids) {
        let mut query = QueryBuilder::<Db>::new(
            "SELECT id, state, epoch, attempt, claimed_at, next_at, provider_id FROM outbox WHERE id IN ",
        );
        push_list(&mut query, list);
        let rows: Vec<StateRow> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for row in rows {
            let Some(&index) = unmoved.get(&row.id) else { continue };
            let transition = &transitions[index];
            let same_provider_id =
                transition.provider_id.is_none() || transition.provider_id == row.provider_id;
            if row.state()? == transition.to && same_provider_id {
                arrived.push(index);
            }
        }
    }
    Ok(arrived)
}

/// A transition that was refused because the row is further on already, by a later transition of the same batch,
/// was made in an earlier run.
fn passed_through(transitions: &[Transition], applied: &mut [bool]) {
    let mut left: HashMap<Uuid, Vec<OutboxState>> = HashMap::new();
    for (transition, applied) in transitions.iter().zip(applied).rev() {
        let left = left.entry(transition.message.uuid()).or_default();
        *applied |= left.contains(&transition.to);
        if *applied {
            left.push(transition.from);
        }
    }
}
