//! Claims what may go now: the most urgent first, as far as the number, its recipients, the node and the app allow.

use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::store::Batch;
use domain::message::Priority;
use domain::outbox::{Happening, OutboxState};

use super::actor::Connection;
use super::lanes::Entry;
use super::settle::{applied, transition};
use super::turns::{PRIORITIES, fits};
use crate::breaker::state::Gate;
use crate::permits::Permit;
use crate::permits::pool::Applicant;

/// With so many unknown outcomes of one number, no further one is risked before some are known.
const MOST_UNKNOWN: usize = 256;
/// While an app is broken its numbers ask again after so long at the latest.
const APP_LOOK: Duration = Duration::from_secs(5);

impl Connection {
    /// How many posts may be under way now.
    fn most_at_once(&self, now: Timestamp) -> usize {
        let Some(opened) = &self.opened else { return 0 };
        let may = !self.is_draining()
            && self.wants_rows(now)
            && self.halt.waits_until(now).is_none()
            && !self.halt.is_trying()
            && self.lanes.ambiguous_count() < MOST_UNKNOWN
            && self.services.holdings.may_act(opened.connection.partition, &*self.services.clock);
        let most = self.caution.at_once(self.services.config.posts_in_flight.get() as usize);
        match (may, self.halt.tries()) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => most,
        }
    }

    /// Whether a message that is accepted now may be claimed in the same commit, as far as the number goes.
    pub(super) fn may_claim_at_once(&self, now: Timestamp) -> bool {
        !self.halt.tries() && self.lanes.in_flight() < self.most_at_once(now)
    }

    /// Everything that a post of this message needs, or nothing: then it waits its turn.
    pub(super) fn permit_at_once(&mut self, entry: &Entry, ctx: &mut Context<Self>) -> Option<Permit> {
        let now = self.now();
        if !self.has_room(entry.priority, self.most_at_once(now)) {
            return None;
        }
        self.count_received();
        if let Err(wait) = self.limiter.ready(entry.priority) {
            self.wake_at(now.plus(wait), ctx);
            return None;
        }
        let permit = self.permit(entry.priority)?;
        // A try is left to those who wait.
        if !self.app_is_fine() {
            return None;
        }
        self.limiter.take(entry.recipient, self.services.jitter()).ok()?;
        Some(permit)
    }

    /// A part of what may be under way is kept for what is more urgent.
    fn has_room(&self, priority: Priority, most: usize) -> bool {
        most > 0 && fits(priority, self.lanes.in_flight_by_priority(), most)
    }

    fn count_received(&mut self) {
        let received = self.take_received();
        if received > 0 {
            self.limiter.received(received);
        }
    }

    fn permit(&mut self, priority: Priority) -> Option<Permit> {
        if let Some(at) = self.granted.iter().position(|permit| permit.priority() == priority) {
            return Some(self.granted.swap_remove(at));
        }
        let business = self.opened.as_ref()?.connection.business;
        if self.applied[priority as usize] {
            return None;
        }
        let permit = self.services.permits.take(Applicant { business, connection: self.id, priority });
        self.applied[priority as usize] = permit.is_none();
        permit
    }

    fn app_is_fine(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| !self.services.breakers.holds(&opened.app, self.now()))
    }

    /// Claims whatever may go now.
    pub(super) fn dispatch(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        self.lanes.wake(now);
        let most = self.most_at_once(now);
        let mut open = [most > self.lanes.in_flight(); 4];
        let mut gate = None;
        loop {
            let waiting =
                PRIORITIES.map(|priority| open[priority as usize] && self.lanes.next(priority).is_some());
            let Some(priority) = self.turns.next(waiting) else { break };
            let Some(&entry) = self.lanes.next(priority) else { break };
            if entry.expires_at <= now {
                self.finish(entry, Happening::Expired, "expired", None, ctx);
                continue;
            }
            self.count_received();
            let ready = self.limiter.ready(priority);
            if let Err(wait) = ready {
                self.wake_at(now.plus(wait), ctx);
            }
            if ready.is_err() || !self.has_room(priority, most) {
                open[priority as usize] = false;
                continue;
            }
            let Some(permit) = self.permit(priority) else {
                open[priority as usize] = false;
                continue;
            };
            let Some(opened) = &self.opened else { break };
            let gate = *gate.get_or_insert_with(|| self.services.breakers.gate(&opened.app, now));
            if let Gate::Wait(until) = gate {
                self.wake_at(until.min(now.plus(APP_LOOK)), ctx);
                break;
            }
            if let Err(wait) = self.limiter.take(entry.recipient, self.services.jitter()) {
                self.lanes.sleep(entry.lane, now.plus(wait));
                self.granted.push(permit);
                continue;
            }
            self.turns.taken(priority, waiting);
            self.claim(entry, now, permit, ctx);
            if gate == Gate::Try || self.halt.is_trying() {
                break;
            }
        }
        // What was called out for this number and is not needed goes to the next.
        self.granted.clear();
    }

    fn claim(&mut self, entry: Entry, now: Timestamp, permit: Permit, ctx: &mut Context<Self>) {
        let Some(opened) = &self.opened else { return };
        let Some(epoch) = self.services.holdings.epoch(opened.connection.partition) else { return };
        let Ok(claimed) = entry.state.after(Happening::Claimed { epoch, at: now }) else { return };
        let OutboxState::Sending(claim) = claimed else { return };
        let mut transition = transition(&opened.connection, &entry, claimed, now, "claimed", None);
        // An earlier attempt may have arrived after all, and its report come late.
        transition.unless_reported = entry.state.attempts() > 0;
        // In memory at once, so that nobody else takes it; posted only once the store has it.
        self.halt.posts();
        self.lanes.moved(entry.lane, entry.id, claimed);
        let waited = entry;
        let entry = Entry { state: claimed, ..entry };
        let written = self.services.writer.write(Batch { transitions: vec![transition], ..Batch::default() });
        ctx.spawn(written.into_actor(self).map(move |written, this, ctx| match applied(&written) {
            Some(true) => {
                this.tally.moved(waited.state, claimed, entry.expires_at);
                this.post(&entry, claim, None, permit, ctx);
            }
            Some(false) => {
                this.halt.gives_up();
                this.reread(waited, ctx);
            }
            None => this.start_over(ctx),
        }));
    }
}
