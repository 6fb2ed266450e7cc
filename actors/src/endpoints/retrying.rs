//! Events that failed before and are due again. They have a budget of their own, beside the stream's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::endpoint::{FailedDelivery, OrderKey};

use super::actor::{A_MOMENT, EndpointActor, Pending};
use super::keeping::Passing;
use super::order::{Order, key_before_new};
use super::reading::{ReadError, open_all};
use crate::apart::Apart as _;
use crate::services::Services;
use crate::stream::OpenedEvent;

#[derive(Debug)]
pub(super) struct Retrying {
    /// When to look for rows that are due; never, where there is none.
    due: Option<Timestamp>,
    /// When the time of some row may be over; never, where there is none.
    over_at: Option<Timestamp>,
    looking: bool,
    /// Events that are under way, so that none is under way twice.
    under_way: HashSet<i64>,
}

impl Retrying {
    pub(super) fn due_at(at: Timestamp) -> Self {
        Self { due: Some(at), over_at: Some(at), looking: false, under_way: HashSet::new() }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && !self.looking
    }

    pub(super) fn look_by(&mut self, at: Timestamp) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    pub(super) const fn over_at(&self) -> Option<Timestamp> {
        self.over_at
    }

    pub(super) fn over_by(&mut self, at: Timestamp) {
        self.over_at = Some(self.over_at.map_or(at, |over_at| over_at.min(at)));
    }

    /// Until [`Self::looked`] nothing else is looked for, so that no row is found twice.
    pub(super) const fn look_for_over(&mut self) {
        self.looking = true;
        self.over_at = None;
    }

    pub(super) const fn looked(&mut self) {
        self.looking = false;
    }

    pub(super) const fn is_looking(&self) -> bool {
        self.looking
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
        if room > 0 && self.may_look() {
            self.look(room, now, ctx);
        }
    }

    /// One look at a time, and none while rows are counted: what it finds is in hand from then on.
    pub(super) fn may_look(&self) -> bool {
        !self.retrying.looking && !self.order.as_ref().is_some_and(Order::is_counting)
    }

    pub(super) fn end_again(&mut self, seq: i64, key: Option<OrderKey>) {
        self.retrying.under_way.remove(&seq);
        if let Some(key) = key {
            self.put_down(key);
        }
    }

    /// True when the row was not in hand already.
    pub(super) fn begin_again(&mut self, row: &FailedDelivery) -> bool {
        let begins = self.retrying.under_way.insert(row.event_seq);
        if begins && let Some((order, key)) = self.order.as_mut().zip(key_before_new(row)) {
            order.in_hand(key);
        }
        begins
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
        ctx.spawn(looking.apart(self).map(move |found, this, ctx| {
            this.retrying.looked();
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
        if !self.begin_again(&row) {
            return;
        }
        let reason = match event {
            Some(event) if self.endpoint.format.tells_of(event.event_type, event.connection) => {
                let key = row.order_key;
                self.post(Pending { event, key }, Some(row), ctx);
                return;
            }
            // It had words for it when the row was written, or somebody asked for just this event.
            Some(_) => "not_in_format",
            None => "event_gone",
        };
        let row = row.given_up(reason);
        let passing = Passing::retried(&row);
        self.write_rows(vec![row.into()], passing, ctx);
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
