//! Which message goes next: one lane a recipient, one post in flight a lane, first in first out.
//!
//! Plain data, no I/O. Only the first [`WINDOW`] waiting messages stand in memory; the rest waits in the store
//! and is read when there is room. A message takes its place when it is admitted, before its row is committed,
//! so that a later one can never slip past it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use domain::clock::Timestamp;
use domain::contracts::store::LaneKey;
use domain::ids::MessageId;
use domain::outbox::{Claim, OutboxState};

/// Waiting messages kept in memory for one number.
pub const WINDOW: usize = 256;

/// A message on its way, as far as deciding needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: MessageId,
    pub lane: LaneKey,
    pub state: OutboxState,
    /// Not before.
    pub send_at: Option<Timestamp>,
    /// Never after.
    pub expires_at: Timestamp,
    /// Its row is committed; until then it only keeps its place.
    pub committed: bool,
}

impl Entry {
    /// When it may be claimed, as far as the message itself is concerned.
    fn due(&self) -> Option<Timestamp> {
        match self.state {
            OutboxState::Accepted { .. } => Some(self.send_at.unwrap_or(Timestamp::from_micros(i64::MIN))),
            OutboxState::RetryWait { due, .. } => Some(due),
            _ => None,
        }
    }
}

/// What happens to a message that is admitted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Nothing stands before it: it may be claimed in the commit that accepts it.
    Claim,
    /// It waits its turn in memory.
    Queue,
    /// Its time has not come: it stands aside.
    Schedule,
    /// Memory is full: it waits in the store.
    Overflow,
}

/// How many overflows were committed before a reading began; nothing while some were still being committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot(Option<u64>);

#[derive(Debug, Default)]
pub struct Lanes {
    queues: HashMap<LaneKey, VecDeque<Entry>>,
    /// Lanes whose head may be claimed, by when, then by arrival. Derived from `queues`.
    heads: BTreeMap<(Timestamp, u64), LaneKey>,
    head_of: HashMap<LaneKey, (Timestamp, u64)>,
    lane_of: HashMap<MessageId, LaneKey>,
    /// Messages whose time has not come: they stand in no lane and hold up nobody.
    scheduled: BTreeMap<(Timestamp, MessageId), Entry>,
    scheduled_at: HashMap<MessageId, Timestamp>,
    arrivals: u64,
    /// Heads that are being posted.
    in_flight: usize,
    /// Heads whose outcome is not known.
    ambiguous: usize,
    /// Messages beyond the window stand in the store, behind `read_to`.
    overflowed: bool,
    /// Admitted as overflow and not yet committed: reading the store now could miss them.
    overflow_uncommitted: usize,
    /// Admitted as overflow, ever.
    overflows: u64,
    /// Every unfinished row up to here was read.
    read_to: i64,
}

impl Lanes {
    /// Messages in memory, in whatever state.
    pub fn len(&self) -> usize {
        self.lane_of.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lane_of.is_empty()
            && self.scheduled.is_empty()
            && !self.overflowed
            && self.overflow_uncommitted == 0
    }

    /// Anything to do, now or later; zero exactly when [`Self::is_empty`].
    pub fn work(&self) -> usize {
        self.len() + self.scheduled.len() + usize::from(self.overflowed) + self.overflow_uncommitted
    }

    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub const fn ambiguous_count(&self) -> usize {
        self.ambiguous
    }

    /// Messages whose outcome is not known, and on which no decision is being written.
    pub fn ambiguous(&self) -> Vec<(MessageId, Claim)> {
        if self.ambiguous == 0 {
            return Vec::new();
        }
        self.queues
            .values()
            .filter_map(|lane| match lane.front()? {
                Entry { id, state: OutboxState::Ambiguous(claim), committed: true, .. } => {
                    Some((*id, *claim))
                }
                _ => None,
            })
            .collect()
    }

    /// Where a message admitted now would stand. `may_claim`: everything outside the lanes allows a post now.
    pub fn admission(
        &self,
        lane: LaneKey,
        send_at: Option<Timestamp>,
        now: Timestamp,
        may_claim: bool,
    ) -> Admission {
        if self.overflowed || self.len() >= WINDOW + self.in_flight {
            return Admission::Overflow;
        }
        if send_at.is_some_and(|at| at > now) {
            return Admission::Schedule;
        }
        let free = !self.queues.contains_key(&lane);
        if free && may_claim { Admission::Claim } else { Admission::Queue }
    }

    /// Takes the place that [`Self::admission`] offered.
    pub fn admit(&mut self, entry: Entry, admission: Admission) {
        match admission {
            Admission::Overflow => {
                self.overflowed = true;
                self.overflow_uncommitted += 1;
                self.overflows += 1;
            }
            Admission::Schedule => self.schedule(entry),
            Admission::Claim | Admission::Queue => self.push(entry),
        }
    }

    /// The row of an admitted message is committed, at this place in the order of accepts.
    pub fn committed(&mut self, id: MessageId, admission: Admission, seq: i64) {
        if admission == Admission::Overflow {
            self.overflow_uncommitted -= 1;
            return;
        }
        self.read_to = self.read_to.max(seq);
        self.change(id, |entry| entry.committed = true);
    }

    /// The row of an admitted message was not written: it gives its place up.
    pub fn rejected(&mut self, id: MessageId, admission: Admission) {
        if admission == Admission::Overflow {
            self.overflow_uncommitted -= 1;
        } else {
            self.remove(id);
        }
    }

    /// Where to read on in the store, when there is room and something to read.
    pub fn wants_rows_after(&self) -> Option<i64> {
        (self.overflowed && self.len() <= WINDOW / 2).then_some(self.read_to)
    }

    /// At the start nothing is known of the store.
    pub fn must_read(&mut self) {
        self.overflowed = true;
    }

    /// Rows read from the store behind [`Self::wants_rows_after`]; `complete` when there were no more. `begun` is
    /// what [`Self::snapshot`] said when the reading began: whatever overflowed since may have been missed.
    pub fn read(&mut self, rows: impl IntoIterator<Item = (i64, Entry)>, complete: bool, begun: Snapshot) {
        for (seq, entry) in rows {
            self.read_to = self.read_to.max(seq);
            if self.get(entry.id).is_some() {
                continue;
            }
            match (entry.state, entry.send_at) {
                (OutboxState::Accepted { attempts: 0 }, Some(_)) => self.schedule(entry),
                _ => self.push(entry),
            }
        }
        if complete && begun.0 == Some(self.overflows) {
            self.overflowed = false;
        }
    }

    /// What a reading of the store that begins now will certainly see.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot((self.overflow_uncommitted == 0).then_some(self.overflows))
    }

    pub fn get(&self, id: MessageId) -> Option<&Entry> {
        if let Some(&at) = self.scheduled_at.get(&id) {
            return self.scheduled.get(&(at, id));
        }
        self.queues.get(self.lane_of.get(&id)?)?.iter().find(|entry| entry.id == id)
    }

    /// The message is in this state now; one that is final leaves its lane, and the next may go.
    pub fn moved(&mut self, id: MessageId, state: OutboxState) {
        if state.code().is_final() {
            self.remove(id);
        } else {
            self.change(id, |entry| {
                entry.state = state;
                entry.committed = true;
            });
        }
    }

    /// A decision on the message is being written: until [`Self::moved`] nothing else is decided about it.
    pub fn held(&mut self, id: MessageId) {
        self.change(id, |entry| entry.committed = false);
    }

    /// Messages whose time has come take their place, behind whoever waits for the same recipient.
    pub fn join_due(&mut self, now: Timestamp) {
        while let Some(first) = self.scheduled.first_entry() {
            if first.key().0 > now || !first.get().committed {
                break;
            }
            let entry = first.remove();
            self.scheduled_at.remove(&entry.id);
            self.push(entry);
        }
    }

    /// The head that may be claimed now: due, committed, first of its lane. Oldest due first.
    pub fn next_due(&self, now: Timestamp) -> Option<Entry> {
        let (&(due, _), lane) = self.heads.first_key_value()?;
        if due > now {
            return None;
        }
        self.queues.get(lane)?.front().copied()
    }

    /// When [`Self::next_due`] will have something, as far as is known now.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        let head = self.heads.first_key_value().map(|(&(due, _), _)| due);
        let scheduled = self.scheduled.first_key_value().map(|(&(at, _), _)| at);
        head.into_iter().chain(scheduled).min()
    }

    /// Messages that have not been claimed and whose time is over.
    pub fn expired(&self, now: Timestamp) -> Vec<Entry> {
        self.queues
            .values()
            .flatten()
            .chain(self.scheduled.values())
            .filter(|entry| entry.committed && entry.expires_at <= now && entry.due().is_some())
            .copied()
            .collect()
    }

    fn schedule(&mut self, entry: Entry) {
        let at = entry.send_at.unwrap_or(Timestamp::from_micros(i64::MIN));
        self.scheduled_at.insert(entry.id, at);
        self.scheduled.insert((at, entry.id), entry);
    }

    fn push(&mut self, entry: Entry) {
        self.lane_of.insert(entry.id, entry.lane);
        self.count(entry.state, true);
        self.queues.entry(entry.lane).or_default().push_back(entry);
        self.refresh(entry.lane);
    }

    fn change(&mut self, id: MessageId, change: impl FnOnce(&mut Entry)) {
        if let Some(&at) = self.scheduled_at.get(&id) {
            self.scheduled.entry((at, id)).and_modify(change);
            return;
        }
        let Some(&key) = self.lane_of.get(&id) else { return };
        let Some(entry) = self.queues.get_mut(&key).and_then(|lane| lane.iter_mut().find(|e| e.id == id))
        else {
            return;
        };
        let before = entry.state;
        change(entry);
        let after = entry.state;
        self.count(before, false);
        self.count(after, true);
        self.refresh(key);
    }

    fn remove(&mut self, id: MessageId) {
        if let Some(at) = self.scheduled_at.remove(&id) {
            self.scheduled.remove(&(at, id));
            return;
        }
        let Some(key) = self.lane_of.remove(&id) else { return };
        let Some(lane) = self.queues.get_mut(&key) else { return };
        let removed = lane.iter().position(|entry| entry.id == id).and_then(|at| lane.remove(at));
        if lane.is_empty() {
            self.queues.remove(&key);
        }
        if let Some(removed) = removed {
            self.count(removed.state, false);
        }
        self.refresh(key);
    }

    fn count(&mut self, state: OutboxState, entering: bool) {
        let counter = match state {
            OutboxState::Sending(_) => &mut self.in_flight,
            OutboxState::Ambiguous(_) => &mut self.ambiguous,
            _ => return,
        };
        *counter = if entering { *counter + 1 } else { *counter - 1 };
    }

    /// Keeps `heads` what it is derived from.
    fn refresh(&mut self, key: LaneKey) {
        let due = self
            .queues
            .get(&key)
            .and_then(VecDeque::front)
            .filter(|head| head.committed)
            .and_then(Entry::due);
        match (due, self.head_of.get(&key).copied()) {
            (Some(due), Some((at, _))) if due == at => {}
            (due, known) => {
                if let Some(place) = known {
                    self.heads.remove(&place);
                    self.head_of.remove(&key);
                }
                if let Some(due) = due {
                    self.arrivals += 1;
                    self.heads.insert((due, self.arrivals), key);
                    self.head_of.insert(key, (due, self.arrivals));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
