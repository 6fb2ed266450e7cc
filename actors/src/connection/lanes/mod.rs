//! Which message goes next: one lane a recipient, one post in flight a lane, first in first out, the most urgent
//! lanes first.
//!
//! Plain data, no I/O. A window of waiting messages stands in memory, for each priority one of its own; the rest
//! waits in the store and is read when there is room. A message takes its place when it is admitted, before its row is
//! committed, so that a later one can never slip past it; and one whose lane may have earlier rows in the store rests
//! until they were read.

mod asked;
mod class;
mod entry;
mod lane;
mod reading;

use std::collections::{BTreeSet, HashMap};

use domain::clock::Timestamp;
use domain::contracts::store::LaneKey;
use domain::ids::MessageId;
use domain::message::{Order, Priority};
use domain::outbox::OutboxState;

use class::{Class, SHARE};
pub use entry::{Admission, Entry, lane};
use lane::{Claimed, Lane, Standing};
pub use reading::Reading;

/// Left to the store and not committed yet.
#[derive(Debug, Clone, Copy)]
struct Left {
    lane: LaneKey,
    priority: Priority,
    /// Its own time has not come: it stands in no lane.
    later: bool,
}

#[derive(Debug)]
pub struct Lanes {
    by_key: HashMap<LaneKey, Lane>,
    classes: [Class; 4],
    asleep: BTreeSet<(Timestamp, i64)>,
    /// Lanes that want to be read, most urgent first.
    wanting: BTreeSet<(Priority, i64)>,
    left: HashMap<MessageId, Left>,
    /// How many of them each lane has.
    pending: HashMap<LaneKey, u32>,
    /// Of each priority, lanes whose head is being posted.
    in_flight: [usize; 4],
    ambiguous: usize,
    listening: usize,
    /// Everything waits in the store: the number does not send.
    closed: bool,
}

impl Default for Lanes {
    fn default() -> Self {
        Self::with_share(SHARE)
    }
}

impl Lanes {
    /// With so many waiting messages of each priority in memory.
    fn with_share(share: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            classes: std::array::from_fn(|_| Class::new(share)),
            asleep: BTreeSet::new(),
            wanting: BTreeSet::new(),
            left: HashMap::new(),
            pending: HashMap::new(),
            in_flight: [0; 4],
            ambiguous: 0,
            listening: 0,
            closed: false,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.iter().sum()
    }

    pub const fn in_flight_by_priority(&self) -> [usize; 4] {
        self.in_flight
    }

    pub const fn ambiguous_count(&self) -> usize {
        self.ambiguous
    }

    /// How many lanes want to hear that a message has arrived.
    pub const fn listening(&self) -> usize {
        self.listening
    }

    /// Messages in memory that wait.
    pub fn waiting(&self) -> usize {
        self.classes.iter().map(|class| class.places + class.asleep).sum()
    }

    /// Nothing to do before `soon`, here or in the store.
    pub fn is_idle(&self, soon: Timestamp) -> bool {
        self.by_key.is_empty()
            && self.left.is_empty()
            && self.classes.iter().all(|class| class.cursor.is_complete() && !class.schedule.is_due(soon))
    }

    /// Where a message admitted now would stand. `may_claim`: everything outside the lanes allows a post now.
    pub fn admission(
        &self,
        entry: &Entry,
        send_at: Option<Timestamp>,
        now: Timestamp,
        may_claim: bool,
    ) -> Admission {
        if self.closed || send_at.is_some_and(|at| at > now) {
            return Admission::Store;
        }
        let class = self.class(entry.priority);
        if let Some(lane) = self.by_key.get(&entry.lane) {
            let room = self.class(lane.urgency().min(entry.priority)).room() > 0;
            return if lane.takes_more(self.holds_everything(now)) && room {
                Admission::Queue
            } else {
                Admission::Store
            };
        }
        // Something before it is being committed, and not here.
        if self.pending.contains_key(&entry.lane) {
            return Admission::Store;
        }
        if !class.takes_new() {
            return Admission::Store;
        }
        let overtakes = self.classes[..=entry.priority as usize].iter().any(|class| !class.ready.is_empty());
        let first = entry.order == Order::Relaxed || self.holds_everything(now);
        if may_claim && !overtakes && first { Admission::Claim } else { Admission::Queue }
    }

    /// Takes the place that [`Self::admission`] offered.
    pub fn admit(&mut self, entry: Entry, send_at: Option<Timestamp>, now: Timestamp, admission: Admission) {
        if admission == Admission::Store {
            self.leave(&entry, send_at.is_some_and(|at| at > now));
            return;
        }
        let front_unknown = entry.order != Order::Relaxed && !self.holds_everything(now);
        self.touch(entry.lane, |lane| {
            lane.front_unknown |= lane.queue.is_empty() && front_unknown;
            // Behind all that is there: it is the last to have been admitted.
            lane.queue.push(entry);
        });
    }

    /// The row of an admitted message is committed, at this place in the order of acceptance.
    pub fn committed(&mut self, entry: &Entry, send_at: Option<Timestamp>, seq: i64) {
        if let Some(left) = self.settle_left(entry.id) {
            let class = &mut self.classes[entry.priority as usize];
            match send_at {
                Some(at) => class.schedule.note(at, seq),
                // Its lane reads it when its turn comes.
                None if self.by_key.contains_key(&left.lane) => {
                    self.touch(left.lane, |lane| lane.leave_behind(left.priority));
                }
                None => class.cursor.note(seq),
            }
            return;
        }
        if send_at.is_none() {
            self.classes[entry.priority as usize].cursor.pass(seq);
        }
        self.change(entry.lane, entry.id, |entry| entry.seq = seq);
    }

    /// The row of an admitted message was not written: it gives its place up.
    pub fn rejected(&mut self, entry: &Entry) {
        if self.settle_left(entry.id).is_none() {
            self.remove(entry.lane, entry.id);
        }
    }

    pub fn get(&self, lane: LaneKey, id: MessageId) -> Option<&Entry> {
        self.by_key.get(&lane)?.queue.iter().find(|entry| entry.id == id)
    }

    /// The message is in this state now; one that is final leaves its lane, and the next may go.
    pub fn moved(&mut self, lane: LaneKey, id: MessageId, state: OutboxState) {
        if state.code().is_final() {
            self.remove(lane, id);
            return;
        }
        self.change(lane, id, |entry| {
            entry.state = state;
            entry.busy = false;
        });
        self.clear_blocked(lane);
    }

    /// A decision on the message is being written: until [`Self::moved`] nothing else is decided about it.
    pub fn busy(&mut self, lane: LaneKey, id: MessageId) {
        self.change(lane, id, |entry| entry.busy = true);
    }

    /// Nothing of this lane goes before `until`.
    pub fn sleep(&mut self, lane: LaneKey, until: Timestamp) {
        if self.by_key.contains_key(&lane) {
            self.touch(lane, |lane| lane.not_before = lane.not_before.max(until));
            self.clear_blocked(lane);
        }
    }

    /// The lane waits until this message of it, which is sent, has arrived; at most until then.
    pub fn hold(&mut self, lane: LaneKey, id: MessageId, until: Timestamp) {
        self.touch(lane, |lane| {
            lane.held = Some((id, until));
            // Whoever holds it may be all that memory knows of it.
            lane.leave_behind(Priority::Bulk);
        });
        self.clear_blocked(lane);
    }

    /// The message has arrived, or never will: who waited for that goes on.
    pub fn arrived(&mut self, id: MessageId) {
        let of_it = |lane: &Lane| {
            lane.held.is_some_and(|(held, _)| held == id)
                || lane.queue.first().is_some_and(|head| head.id == id && head.is_claimed())
        };
        let Some(key) = self.by_key.iter().find(|(_, lane)| of_it(lane)).map(|(key, _)| *key) else { return };
        self.touch(key, |lane| {
            lane.held = None;
            if let Some(head) = lane.queue.first_mut().filter(|head| head.id == id) {
                head.arrived = true;
            }
        });
    }

    /// Lanes whose time has come may go on.
    pub fn wake(&mut self, now: Timestamp) {
        while let Some(&(until, key)) = self.asleep.first()
            && until <= now
        {
            self.touch(LaneKey(key), |lane| {
                lane.woken_at = now;
                lane.held = lane.held.filter(|&(_, until)| until > now);
            });
        }
    }

    /// The message of this priority that may be claimed now: first of its lane, oldest first.
    pub fn next(&self, priority: Priority) -> Option<&Entry> {
        let &(_, key) = self.class(priority).ready.first()?;
        self.by_key.get(&LaneKey(key))?.queue.first()
    }

    /// When something here wakes by itself.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let scheduled = self.classes.iter().filter(|class| !self.closed && class.wants_many());
        let scheduled = scheduled.filter_map(|class| class.schedule.next);
        self.asleep.first().map(|&(until, _)| until).into_iter().chain(scheduled).min()
    }

    /// Messages whose outcome is not known, and on which no decision is being written.
    pub fn ambiguous(&self) -> Vec<Entry> {
        if self.ambiguous == 0 {
            return Vec::new();
        }
        let heads = self.by_key.values().filter_map(|lane| lane.queue.first());
        let open = heads.filter(|head| matches!(head.state, OutboxState::Ambiguous(_)) && !head.busy);
        open.copied().collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_key.values().map(|lane| lane.queue.len()).sum()
    }

    const fn class(&self, priority: Priority) -> &Class {
        &self.classes[priority as usize]
    }

    /// Whatever waits is in memory, or behind something in memory that says so.
    fn holds_everything(&self, now: Timestamp) -> bool {
        self.classes.iter().all(|class| class.cursor.is_complete() && !class.schedule.is_due(now))
    }

    fn leave(&mut self, entry: &Entry, later: bool) {
        self.left.insert(entry.id, Left { lane: entry.lane, priority: entry.priority, later });
        if later {
            return;
        }
        self.classes[entry.priority as usize].cursor.leave();
        *self.pending.entry(entry.lane).or_default() += 1;
        if self.by_key.contains_key(&entry.lane) {
            self.touch(entry.lane, |lane| lane.leave_behind(entry.priority));
        }
    }

    fn settle_left(&mut self, id: MessageId) -> Option<Left> {
        let left = self.left.remove(&id)?;
        if !left.later {
            self.classes[left.priority as usize].cursor.withdraw();
            if let Some(pending) = self.pending.get_mut(&left.lane) {
                *pending -= 1;
                if *pending == 0 {
                    self.pending.remove(&left.lane);
                }
            }
        }
        Some(left)
    }

    /// What waits behind a blocked head gives its places to others.
    fn clear_blocked(&mut self, key: LaneKey) {
        let Some(lane) = self.by_key.get(&key).filter(|lane| lane.is_blocked()) else { return };
        let keep = usize::from(lane.held.is_none());
        let mut shed = Vec::new();
        self.touch(key, |lane| shed = lane.shed(keep));
        self.give_back(shed);
    }

    /// Those that are not committed yet are left to the store.
    fn give_back(&mut self, shed: Vec<Entry>) {
        for entry in shed.into_iter().filter(|entry| !entry.is_committed()) {
            self.leave(&entry, false);
        }
    }

    fn change(&mut self, key: LaneKey, id: MessageId, change: impl FnOnce(&mut Entry)) {
        if self.get(key, id).is_some() {
            self.touch(key, |lane| {
                if let Some(entry) = lane.queue.iter_mut().find(|entry| entry.id == id) {
                    change(entry);
                }
            });
        }
    }

    fn remove(&mut self, key: LaneKey, id: MessageId) {
        if self.get(key, id).is_some() {
            self.touch(key, |lane| {
                lane.queue.retain(|entry| entry.id != id);
                // With nobody left whose place is unknown, the front is.
                lane.front_unknown &= !lane.queue.is_empty();
            });
        }
    }

    /// Changes a lane, made when there is none, and keeps what is derived from it.
    fn touch(&mut self, key: LaneKey, change: impl FnOnce(&mut Lane)) {
        let pending = self.pending.contains_key(&key);
        let lane = self.by_key.entry(key).or_insert_with(|| Lane::new(pending));
        let before = lane.counted;
        change(lane);
        let over = lane.is_over();
        let after = if over { Standing::NOTHING } else { lane.standing() };
        lane.counted = after;
        if over {
            self.by_key.remove(&key);
        }
        if before != after {
            self.count(key, before, false);
            self.count(key, after, true);
        }
    }

    fn count(&mut self, key: LaneKey, standing: Standing, entering: bool) {
        let step = |count: &mut usize, by: usize| *count = if entering { *count + by } else { *count - by };
        let class = &mut self.classes[standing.class as usize];
        step(&mut class.places, standing.waiting);
        step(&mut class.asleep, usize::from(standing.asleep.is_some()));
        let in_flight = usize::from(standing.claim == Some(Claimed::InFlight));
        step(&mut self.in_flight[standing.class as usize], in_flight);
        step(&mut self.ambiguous, usize::from(standing.claim == Some(Claimed::Unknown)));
        step(&mut self.listening, usize::from(standing.listens));
        let place = |set: &mut BTreeSet<(i64, i64)>, seq| {
            if entering { set.insert((seq, key.0)) } else { set.remove(&(seq, key.0)) }
        };
        if let Some(seq) = standing.ready {
            place(&mut class.ready, seq);
        }
        if let Some(until) = standing.asleep {
            if entering {
                self.asleep.insert((until, key.0))
            } else {
                self.asleep.remove(&(until, key.0))
            };
        }
        if standing.wants_rows {
            let wish = (standing.class, key.0);
            if entering {
                self.wanting.insert(wish)
            } else {
                self.wanting.remove(&wish)
            };
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
