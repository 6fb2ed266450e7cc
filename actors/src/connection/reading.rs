//! Reading the queue: what is on its way at the start, and more whenever memory has room.

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::queue::{Glance, HeldMessage, QueuedMessage};
use domain::contracts::store::StoreError;
use domain::ids::ConnectionId;
use domain::outbox::{Happening, StateCode};

use super::actor::Connection;
use super::lanes::{Entry, Reading};
use super::review::has_arrived;
use super::tally::Tally;
use crate::apart::Apart as _;
use crate::services::Services;

/// Readings of one number under way at once.
const AT_ONCE: usize = 8;

/// What the store says of a number when its actor starts.
pub(super) struct Begun {
    glance: Glance,
    claimed: Vec<QueuedMessage>,
    held: Vec<HeldMessage>,
    tally: Tally,
}

impl Begun {
    pub(super) async fn read(services: &Services, id: ConnectionId) -> Result<Self, StoreError> {
        let store = &services.store;
        let since = services.clock.now().minus(services.config.delivered_order_timeout());
        let glance = store.glance(id, since).await?;
        let claimed = if glance.claimed { store.claimed(id).await? } else { Vec::new() };
        let held = if glance.held { not_arrived(services, id, since).await? } else { Vec::new() };
        let tally = if glance.waiting || glance.scheduled {
            let waiting = store.backlog(id, services.config.backlog_per_connection).await?;
            Tally::new(waiting, store.next_expiry(id).await?)
        } else {
            Tally::default()
        };
        Ok(Self { glance, claimed, held, tally })
    }
}

/// Messages that still hold their lane, as far as the reports say.
async fn not_arrived(
    services: &Services,
    id: ConnectionId,
    since: Timestamp,
) -> Result<Vec<HeldMessage>, StoreError> {
    let held = services.store.held(id, since).await?;
    let asked: Vec<_> = held.iter().map(|message| (id, message.id)).collect();
    let reports = services.store.reports(&asked).await?;
    let arrived = |message: &HeldMessage| {
        reports.iter().any(|report| report.message == message.id && has_arrived(report.status))
    };
    Ok(held.into_iter().filter(|message| !arrived(message)).collect())
}

/// The answer to a [`Reading`].
struct Answer {
    rows: Vec<QueuedMessage>,
    /// Of scheduled messages: when the next one comes.
    next: Option<Timestamp>,
}

impl Connection {
    /// Takes over what is on its way. A claim that no post of this actor belongs to is an orphan: its process is gone,
    /// and nobody knows whether it posted.
    pub(super) fn begin(&mut self, begun: Begun, ctx: &mut Context<Self>) {
        let Begun { glance, claimed, held, tally } = begun;
        self.tally = tally;
        let hold_for = self.services.config.delivered_order_timeout();
        self.lanes.begin(&claimed, &held, hold_for, glance);
        for row in claimed.iter().filter(|row| row.state.code() == StateCode::Sending) {
            let entry = Entry::of_row(row);
            self.settle(entry, Happening::ClaimOrphaned, "process_ended", None, ctx);
        }
        self.review(ctx);
    }

    /// Whether what waits should stand in memory: the number sends, or tries whether it may.
    pub(super) fn wants_rows(&self, now: Timestamp) -> bool {
        let Some(opened) = &self.opened else { return false };
        let tries = self.halt.is_trying() || (self.halt.tries() && self.halt.waits_until(now).is_none());
        opened.token.is_some() && (opened.connection.status.sends() || tries)
    }

    pub(super) fn read_on(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        if !self.wants_rows(now) {
            self.lanes.close();
            return;
        }
        self.lanes.open();
        for reading in self.lanes.wishes(now, AT_ONCE.saturating_sub(self.readings)) {
            self.readings += 1;
            let asking = ask(self.services.clone(), self.id, reading, now);
            ctx.spawn(asking.apart(self).map(move |answer, this, ctx| {
                this.readings -= 1;
                match answer {
                    Ok(answer) => {
                        this.take(reading, &answer);
                        this.pump(ctx);
                    }
                    Err(error) => {
                        tracing::warn!(connection.id = %this.id, %error, "the queue cannot be read");
                        this.start_over(ctx);
                    }
                }
            }));
        }
    }

    fn take(&mut self, reading: Reading, answer: &Answer) {
        match reading {
            Reading::Waiting { priority, limit, .. } => {
                self.lanes.read_waiting(priority, &answer.rows, limit);
            }
            Reading::Scheduled { priority, limit, .. } => {
                self.lanes.read_scheduled(priority, &answer.rows, limit, answer.next);
            }
            Reading::Lane { lane, limit, changes, .. } => {
                self.lanes.read_lane(lane, &answer.rows, limit, changes);
            }
        }
    }
}

async fn ask(
    services: Services,
    id: ConnectionId,
    reading: Reading,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let store = &services.store;
    let most = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let rows = match reading {
        Reading::Waiting { priority, after, limit } => {
            store.waiting(id, priority, after, most(limit)).await?
        }
        Reading::Lane { lane, after, limit, .. } => {
            store.waiting_in_lane(id, lane, after, now, most(limit)).await?
        }
        Reading::Scheduled { priority, after, until, limit } => {
            let rows = store.scheduled(id, priority, after, until, most(limit)).await?;
            let last = rows.last().and_then(|row| Some((row.send_at?, row.seq))).unwrap_or(after);
            let next =
                if rows.len() < limit { store.next_scheduled(id, priority, last).await? } else { None };
            return Ok(Answer { rows, next });
        }
    };
    Ok(Answer { rows, next: None })
}
