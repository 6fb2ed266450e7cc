//! The lines of a message's history that its row does not tell.

use domain::contracts::store::{Result, Transition};
use domain::message::TimelineEntry;
use sqlx::QueryBuilder;

use super::{Conn, Db};
use crate::columns::{json, text};
use crate::error::failed;
use crate::shapes;

/// A replayed transition meets its own lines: they are known by the transition's time, where it led, and their number.
pub(super) async fn write(conn: &mut Conn, moved: &[&Transition]) -> Result<()> {
    let lines: Vec<(&Transition, i64, &TimelineEntry)> = moved
        .iter()
        .flat_map(|transition| (0..).zip(&transition.timeline).map(|(number, line)| (*transition, number, line)))
        .collect();
    for run in shapes::runs(&lines) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO timeline (message, moved_at, state, line, at, status, attempt, reason, error) ",
        );
        query.push_values(run, |mut row, (transition, number, line)| {
            row.push_bind(transition.message.uuid())
                .push_bind(transition.at.as_micros())
                .push_bind(transition.to.code() as i64)
                .push_bind(*number)
                .push_bind(line.at.as_micros())
                .push_bind(line.status.as_str())
                .push_bind(line.attempt.map(i64::from))
                .push_bind(line.reason.as_deref().map(text))
                .push_bind(line.error.as_ref().map(json));
        });
        query.push(" ON CONFLICT (message, moved_at, state, line) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
