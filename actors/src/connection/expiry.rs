//! Ends what waited too long, in memory or in the store.

use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::connection::Connection as Row;
use domain::outbox::{Happening, OutboxState};
use futures_util::future::join_all;

use super::actor::Connection;
use super::lanes::Entry;
use super::settle::{end, transition};
use crate::apart::Apart as _;
use crate::services::Services;
use crate::writer::WriteError;

/// Messages ended at a time.
const AT_ONCE: u32 = 128;

impl Connection {
    pub(super) fn expire(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        if self.expiring || self.tally.next_expiry().is_none_or(|at| at > now) {
            return;
        }
        self.expiring = true;
        self.tally.expiring();
        let (store, id) = (Arc::clone(&self.services.store), self.id);
        let reading = async move { store.overdue(id, now, AT_ONCE).await };
        ctx.spawn(reading.apart(self).map(move |rows, this, ctx| match rows {
            Ok(rows) => {
                let overdue = rows.iter().map(Entry::of_row).filter(|entry| {
                    let here = this.lanes.get(entry.lane, entry.id);
                    // One that is being decided just now is found again if it comes back.
                    here.is_none_or(|here| !here.busy && !here.is_claimed())
                });
                let overdue = overdue.collect();
                this.end_overdue(overdue, now, ctx);
            }
            Err(_) => this.start_over(ctx),
        }));
    }

    fn end_overdue(&mut self, overdue: Vec<Entry>, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(opened) = &self.opened else { return };
        let (services, connection) = (self.services.clone(), Arc::clone(&opened.connection));
        for entry in &overdue {
            self.lanes.busy(entry.lane, entry.id);
        }
        let id = self.id;
        let ending = async move {
            let endings = overdue.into_iter().map(|entry| end_one(&services, &connection, entry, now));
            let ended = join_all(endings).await.into_iter().collect::<Result<Vec<_>, _>>()?;
            let next = services.store.next_expiry(id).await.map_err(|_| WriteError::Unavailable)?;
            Ok::<_, WriteError>((ended, next))
        };
        ctx.spawn(ending.apart(self).map(|ended, this, ctx| {
            this.expiring = false;
            let Ok((ended, next)) = ended else {
                this.start_over(ctx);
                return;
            };
            this.tally.expires_next(next);
            for (entry, state) in ended {
                match state {
                    Some(state) => this.moved(&entry, state),
                    // Somebody was faster. In memory it has to learn what became of it.
                    None if this.lanes.get(entry.lane, entry.id).is_some() => this.reread(entry, ctx),
                    None => {}
                }
            }
            this.expire(this.now(), ctx);
            this.pump(ctx);
        }));
    }
}

async fn end_one(
    services: &Services,
    connection: &Arc<Row>,
    entry: Entry,
    now: Timestamp,
) -> Result<(Entry, Option<OutboxState>), WriteError> {
    let Ok(next) = entry.state.after(Happening::Expired) else { return Ok((entry, None)) };
    let transition = transition(connection, &entry, next, now, "expired", None);
    let ended = end(services.clone(), Arc::clone(connection), transition, "expired", None).await?;
    Ok((entry, ended.then_some(next)))
}
