//! The lines of a message's history that its row does not tell.

use domain::contracts::store::{Result, Transition};
use domain::message::TimelineEntry;
use sqlx::QueryBuilder;

use super::{Conn, Db};
use crate::columns::{json, text};
use crate::error::failed;
use crate::shapes;

/// For the transitions that this commit made. One that an earlier run of the batch made has its lines already.
pub(super) async fn write(conn: &mut Conn, moved: &[&Transition]) -> Result<()> {
    let lines: Vec<(&Transition, &TimelineEntry)> = moved
        .iter()
        .flat_map(|transition| transition.timeline.iter().map(|line| (*transition, line)))
        .collect();
    for run in shapes::runs(&lines) {
        let mut query =
            QueryBuilder::<Db>::new("INSERT INTO timeline (message, at, status, attempt, reason, error) ");
        query.push_values(run, |mut row, (transition, line)| {
            row.push_bind(transition.message.uuid())
                .push_bind(line.at.as_micros())
                .push_bind(line.status.as_str())
                .push_bind(line.attempt.map(i64::from))
                .push_bind(line.reason.as_deref().map(text))
                .push_bind(line.error.as_ref().map(json));
        });
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
