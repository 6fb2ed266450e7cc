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
    /// Memory is full: it waits in the store.
    Overflow,
}

#[derive(Debug, Default)]
pub struct Lanes {
    queues: HashMap<LaneKey, VecDeque<Entry>>,
    /// Lanes whose head may be claimed, by when, then by arrival. Derived from `queues`.
    heads: BTreeMap<(Timestamp, u64), LaneKey>,
    head_of: HashMap<LaneKey, (Timestamp, u64)>,
    lane_of: HashMap<MessageId, LaneKey>,
    arrivals: u64,
    /// Heads that are being posted.
    in_flight: usize,
    /// Heads whose outcome is not known.
    ambiguous: usize,
    /// Messages beyond the window stand in the store, behind `read_to`.
    overflowed: bool,
    /// Admitted as overflow and not yet committed: reading the store now could miss them.
    overflow_uncommitted: usize,
    /// Every unfinished row up to here was read.
    read_to: i64,
}

impl Lanes {
    /// Messages in memory, in whatever state.
    pub fn len(&self) -> usize {
        self.lane_of.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lane_of.is_empty() && !self.overflowed && self.overflow_uncommitted == 0
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
        let due = send_at.is_none_or(|at| at <= now);
        let free = !self.queues.contains_key(&lane);
        if free && due && may_claim { Admission::Claim } else { Admission::Queue }
    }

    /// Takes the place that [`Self::admission`] offered.
    pub fn admit(&mut self, entry: Entry, admission: Admission) {
        match admission {
            Admission::Overflow => {
                self.overflowed = true;
                self.overflow_uncommitted += 1;
            }
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

    /// Rows read from the store behind [`Self::wants_rows_after`]; `complete` when there were no more. `quiet`
    /// tells that no overflow was uncommitted when the reading began, so that none was missed.
    pub fn read(&mut self, rows: impl IntoIterator<Item = (i64, Entry)>, complete: bool, quiet: bool) {
        for (seq, entry) in rows {
            self.read_to = self.read_to.max(seq);
            if !self.lane_of.contains_key(&entry.id) {
                self.push(entry);
            }
        }
        if complete && quiet && self.overflow_uncommitted == 0 {
            self.overflowed = false;
        }
    }

    pub const fn is_quiet(&self) -> bool {
        self.overflow_uncommitted == 0
    }

    pub fn get(&self, id: MessageId) -> Option<&Entry> {
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
        self.heads.first_key_value().map(|(&(due, _), _)| due)
    }

    /// Messages that have not been claimed and whose time is over.
    pub fn expired(&self, now: Timestamp) -> Vec<Entry> {
        self.queues
            .values()
            .flatten()
            .filter(|entry| entry.committed && entry.expires_at <= now && entry.due().is_some())
            .copied()
            .collect()
    }

    fn push(&mut self, entry: Entry) {
        self.lane_of.insert(entry.id, entry.lane);
        self.count(entry.state, true);
        self.queues.entry(entry.lane).or_default().push_back(entry);
        self.refresh(entry.lane);
    }

    fn change(&mut self, id: MessageId, change: impl FnOnce(&mut Entry)) {
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
mod tests {
    use super::*;
    use domain::partition::Epoch;
    use proptest::prelude::*;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn entry(id: u128, lane: i64) -> Entry {
        Entry {
            id: MessageId::from_uuid(Uuid::from_u128(id)),
            lane: LaneKey(lane),
            state: OutboxState::NEW,
            send_at: None,
            expires_at: Timestamp::from_seconds(9_000),
            committed: false,
        }
    }

    fn sending(attempt: u16) -> OutboxState {
        OutboxState::Sending(Claim { epoch: Epoch(1), attempt, at: NOW })
    }

    #[test]
    fn a_message_never_slips_past_one_that_is_still_being_committed() {
        let mut lanes = Lanes::default();
        let first = Entry { state: sending(1), ..entry(1, 7) };
        assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Claim);
        lanes.admit(first, Admission::Claim);
        let second = entry(2, 7);
        assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Queue);
        lanes.admit(second, Admission::Queue);
        lanes.committed(first.id, Admission::Claim, 1);
        lanes.moved(first.id, OutboxState::Sent { attempts: 1 });
        assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Queue, "the second is before it");
        assert_eq!(lanes.next_due(NOW), None, "and is not committed yet");
        lanes.committed(second.id, Admission::Queue, 2);
        assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(second.id));
    }

    #[test]
    fn an_ambiguous_head_blocks_its_own_lane_and_no_other() {
        let mut lanes = Lanes::default();
        for (id, lane) in [(1, 7), (2, 7), (3, 8)] {
            lanes.admit(entry(id, lane), Admission::Queue);
            lanes.committed(entry(id, lane).id, Admission::Queue, i64::try_from(id).unwrap());
        }
        lanes.moved(entry(1, 7).id, OutboxState::Ambiguous(sending(1).claim().unwrap()));
        assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(entry(3, 8).id));
        lanes.moved(entry(3, 8).id, sending(1));
        assert_eq!(lanes.next_due(NOW), None);
        assert_eq!(lanes.ambiguous().len(), 1);
    }

    #[test]
    fn a_retry_waits_until_it_is_due_and_keeps_its_place() {
        let mut lanes = Lanes::default();
        for id in [1, 2] {
            lanes.admit(entry(id, 7), Admission::Queue);
            lanes.committed(entry(id, 7).id, Admission::Queue, i64::try_from(id).unwrap());
        }
        let due = Timestamp::from_seconds(1_004);
        lanes.moved(entry(1, 7).id, OutboxState::RetryWait { attempts: 1, due });
        assert_eq!((lanes.next_due(NOW), lanes.next_due_at()), (None, Some(due)));
        assert_eq!(lanes.next_due(due).map(|e| e.id), Some(entry(1, 7).id));
    }

    #[test]
    fn beyond_the_window_messages_wait_in_the_store_and_come_back_in_order() {
        let mut lanes = Lanes::default();
        for id in 0..WINDOW as u128 {
            lanes.admit(entry(id, 7), Admission::Queue);
            lanes.committed(entry(id, 7).id, Admission::Queue, i64::try_from(id).unwrap());
        }
        assert_eq!(lanes.admission(LaneKey(9), None, NOW, true), Admission::Overflow);
        lanes.admit(entry(1_000, 7), Admission::Overflow);
        assert!(!lanes.is_quiet());
        lanes.committed(entry(1_000, 7).id, Admission::Overflow, 1_000);
        assert_eq!(lanes.wants_rows_after(), None, "there is no room yet");
        for id in 0..WINDOW as u128 {
            lanes.moved(entry(id, 7).id, OutboxState::Sent { attempts: 1 });
        }
        assert_eq!(lanes.wants_rows_after(), Some(i64::try_from(WINDOW).unwrap() - 1));
        lanes.read([(1_000, Entry { committed: true, ..entry(1_000, 7) })], true, true);
        assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(entry(1_000, 7).id));
        assert_eq!(lanes.wants_rows_after(), None);
    }

    proptest! {
        /// Posts, commits and settles in any order: within a lane, messages are taken in the order of admission.
        #[test]
        fn order_within_a_lane_holds_whatever_happens(
            steps in proptest::collection::vec((0_u8..4, 0_i64..3, any::<prop::sample::Index>()), 1..200)
        ) {
            let mut lanes = Lanes::default();
            let mut next = 0_u128;
            let mut uncommitted: Vec<Entry> = Vec::new();
            let mut posting: Vec<Entry> = Vec::new();
            let mut taken: HashMap<LaneKey, Vec<MessageId>> = HashMap::new();
            for (step, lane, pick) in steps {
                match step {
                    0 => {
                        next += 1;
                        let new = entry(next, lane);
                        lanes.admit(new, Admission::Queue);
                        uncommitted.push(new);
                    }
                    1 if !uncommitted.is_empty() => {
                        let done = uncommitted.remove(pick.index(uncommitted.len()));
                        lanes.committed(done.id, Admission::Queue, 1);
                    }
                    2 => if let Some(head) = lanes.next_due(NOW) {
                        lanes.moved(head.id, sending(1));
                        taken.entry(head.lane).or_default().push(head.id);
                        posting.push(head);
                    },
                    3 if !posting.is_empty() => {
                        let done = posting.remove(pick.index(posting.len()));
                        lanes.moved(done.id, OutboxState::Sent { attempts: 1 });
                    }
                    _ => {}
                }
                prop_assert_eq!(lanes.in_flight(), posting.len());
            }
            for order in taken.values() {
                prop_assert!(order.is_sorted());
            }
        }
    }
}
