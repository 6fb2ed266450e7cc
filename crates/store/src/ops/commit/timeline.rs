//! The lines of a message's history that its row does not tell.

use domain::contracts::store::{NewMessage, Result, Transition};
use domain::ids::MessageId;
use domain::message::TimelineEntry;

use super::{Conn, values};
use crate::error::failed;
use crate::rows::{self, LINE};
use crate::shapes;

/// For the transitions that this commit made. One that an earlier run of the batch made has its lines already.
pub(super) async fn of_transitions(conn: &mut Conn, moved: &[&Transition]) -> Result<()> {
    let lines = moved
        .iter()
        .flat_map(|transition| transition.timeline.iter().map(|line| (&transition.message, line)));
    write(conn, &lines.collect::<Vec<_>>()).await
}

/// For the messages that this commit inserted.
pub(super) async fn of_messages(conn: &mut Conn, new: &[&NewMessage]) -> Result<()> {
    let lines = new.iter().flat_map(|message| message.timeline.iter().map(|line| (&message.id, line)));
    write(conn, &lines.collect::<Vec<_>>()).await
}

async fn write(conn: &mut Conn, lines: &[(&MessageId, &TimelineEntry)]) -> Result<()> {
    for run in shapes::runs(lines) {
        let rows = run.iter().map(|(message, line)| rows::line(message, line));
        let mut query = values::insert("timeline", LINE, rows);
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
