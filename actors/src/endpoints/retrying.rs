//! Events that failed before and are due again. They have a budget of their own, beside the stream's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::endpoint::FailedDelivery;

use super::actor::{A_MOMENT, EndpointActor, Pending};
use super::keeping::Passing;
use super::reading::{ReadError, open_all};
use crate::services::Services;
use crate::stream::OpenedEvent;

#[derive(Debug)]
pub(super) struct Retrying {
    /// When to look for rows that are due; never, where there is none.
    due: Option<Timestamp>,
    looking: bool,
    /// Events that are under way, so that none is under way twice.
    under_way: HashSet<i64>,
}

impl Retrying {
    pub(super) fn due_at(at: Timestamp) -> Self {
        Self { due: Some(at), looking: false, under_way: HashSet::new() }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && !self.looking
    }

    pub(super) fn look_by(&mut self, at: Timestamp) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    pub(super) fn ended(&mut self, seq: i64) {
        self.under_way.remove(&seq);
    }
}

impl EndpointActor {
    /// Goes on with what is due, as long as fewer than `most` are under way again.
    pub(super) fn retry(&mut self, most: usize, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(due) = self.retrying.due else { return };
        if due > now {
            self.wake_at(due, ctx);
            return;
        }
        let room = most.saturating_sub(self.retrying.under_way.len());
        if room > 0 && !self.retrying.looking {
            self.look(room, now, ctx);
        }
    }

    fn look(&mut self, room: usize, now: Timestamp, ctx: &mut Context<Self>) {
        self.retrying.looking = true;
        self.retrying.due = None;
        let (services, endpoint) = (self.services.clone(), self.endpoint.id);
        let under_way = self.retrying.under_way.clone();
        let looking = async move {
            let limit = u32::try_from(under_way.len() + room).unwrap_or(u32::MAX);
            let mut rows = services.store.due_deliveries(endpoint, now, limit).await?;
            let more = rows.len() == limit as usize;
            let next = services.store.next_delivery(endpoint, now).await?;
            rows.retain(|row| !under_way.contains(&row.event_seq));
            rows.truncate(room);
            Ok::<_, ReadError>((with_events(&services, rows).await?, if more { Some(now) } else { next }))
        };
        ctx.spawn(looking.into_actor(self).map(move |found, this, ctx| {
            this.retrying.looking = false;
            match found {
                Ok((rows, next)) => {
                    if let Some(next) = next {
                        this.retrying.look_by(next);
                    }
                    for (row, event) in rows {
                        this.go_again(row, event, ctx);
                    }
                }
                Err(error) => {
                    tracing::warn!(endpoint.id = %this.endpoint.id, %error, "failed deliveries cannot be read now");
                    this.retrying.look_by(now.plus(A_MOMENT));
                }
            }
            this.pump(ctx);
        }));
    }

    fn go_again(&mut self, row: FailedDelivery, event: Option<Arc<OpenedEvent>>, ctx: &mut Context<Self>) {
        let Some(event) = event else {
            let row = row.given_up("event_gone");
            let passing = Passing::retried(&row);
            self.write_rows(vec![row.into()], passing, ctx);
            return;
        };
        if self.retrying.under_way.insert(event.seq) {
            let key = row.order_key;
            self.post(Pending { event, key }, Some(row), ctx);
        }
    }
}

/// An event that is kept no longer is none.
async fn with_events(
    services: &Services,
    rows: Vec<FailedDelivery>,
) -> Result<Vec<(FailedDelivery, Option<Arc<OpenedEvent>>)>, ReadError> {
    let places: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
    let stored = services.store.events_by_seq(&places).await?;
    let opened = open_all(&services.keychain, stored).await?;
    let mut events: HashMap<i64, _> = opened.into_iter().map(|event| (event.seq, event)).collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let event = events.remove(&row.event_seq);
            (row, event)
        })
        .collect())
}
