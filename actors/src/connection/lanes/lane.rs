//! One lane: the messages of one recipient that keep their order, as far as memory holds them.
//!
//! What stands in memory is always the beginning: nothing of the lane that stands before it waits in the store.
//! `tail` says that more may wait in the store behind it; then nothing joins in memory before that was read.

use domain::clock::Timestamp;
use domain::ids::MessageId;
use domain::message::Priority;
use domain::outbox::OutboxState;

use super::asked::Asked;
use super::entry::Entry;

/// Messages of one lane in memory.
pub const LANE: usize = 4;

/// Before any time that a row could name.
pub(super) const ALWAYS: Timestamp = Timestamp::from_micros(i64::MIN);

/// What is known of a claimed head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {
    InFlight,
    Unknown,
}

/// What of a lane is counted elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) class: Priority,
    /// Messages that take a place of the class.
    pub(super) waiting: usize,
    /// The head may be claimed; this is its place in the order of acceptance.
    pub(super) ready: Option<i64>,
    /// The lane sleeps until then.
    pub(super) asleep: Option<Timestamp>,
    pub(super) claim: Option<Claimed>,
    pub(super) wants_rows: bool,
    /// Somebody has to be told when a message of the lane arrives.
    pub(super) listens: bool,
}

impl Standing {
    pub(super) const NOTHING: Self = Self {
        class: Priority::Bulk,
        waiting: 0,
        ready: None,
        asleep: None,
        claim: None,
        wants_rows: false,
        listens: false,
    };
}

#[derive(Debug)]
pub(super) struct Lane {
    /// In the order of acceptance, except that a claimed message stands first.
    pub(super) queue: Vec<Entry>,
    pub(super) tail: bool,
    /// The most urgent that was seen of the tail.
    tail_urgency: Option<Priority>,
    /// In the store the tail begins behind this place.
    pub(super) known_to: i64,
    /// Rises with whatever a reading under way could miss.
    pub(super) changes: u32,
    /// Rows may wait in the store before the first one here; until that is known the lane rests.
    pub(super) front_unknown: bool,
    /// It came from a reading that went through many lanes: while others are not done, rows may wait in the store
    /// behind the last one here.
    pub(super) end_unknown: bool,
    pub(super) asked: Asked,
    /// Nothing goes before: the recipient gets no more for now.
    pub(super) not_before: Timestamp,
    /// A message that was sent holds the lane until it has arrived, at most until then.
    pub(super) held: Option<(MessageId, Timestamp)>,
    /// What sleeps no longer than this is awake.
    pub(super) woken_at: Timestamp,
    /// As it was counted last.
    pub(super) counted: Standing,
}

impl Lane {
    /// `tail`: something of it is in the store already.
    pub(super) fn new(tail: bool) -> Self {
        Self {
            queue: Vec::with_capacity(1),
            tail,
            tail_urgency: None,
            known_to: 0,
            changes: 0,
            front_unknown: false,
            end_unknown: false,
            asked: Asked::No,
            not_before: ALWAYS,
            held: None,
            woken_at: ALWAYS,
            counted: Standing::NOTHING,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let head = self.queue.first();
        let claimed = head.is_some_and(Entry::is_claimed);
        let asleep = if claimed { None } else { self.sleeps_until() };
        let claim = head.and_then(|head| match head.state {
            OutboxState::Sending(_) => Some(Claimed::InFlight),
            OutboxState::Ambiguous(_) => Some(Claimed::Unknown),
            _ => None,
        });
        let ambiguous = claim == Some(Claimed::Unknown);
        let ready = head.filter(|head| {
            head.is_committed() && !head.busy && !claimed && asleep.is_none() && !self.front_unknown
        });
        // Whatever stands before the first one is committed when that is.
        let front_is_readable = head.is_none_or(Entry::is_committed);
        let tail_is_wanted = self.tail && self.queue.len() <= 1 && asleep.is_none() && !ambiguous;
        let wants_rows = if self.front_unknown { front_is_readable } else { tail_is_wanted };
        let first_takes_no_place = claimed || asleep.is_some();
        Standing {
            class: self.urgency(),
            waiting: self.queue.len() - usize::from(first_takes_no_place && head.is_some()),
            ready: ready.map(|head| head.seq),
            asleep,
            claim,
            wants_rows: wants_rows && !self.asked.is_under_way(),
            listens: self.held.is_some()
                || head.is_some_and(|head| claimed && head.order == domain::message::Order::Delivered),
        }
    }

    /// That of its most urgent message, also of one in the store: whoever waits behind a slow one pulls it forward.
    pub(super) fn urgency(&self) -> Priority {
        let here = self.queue.iter().map(|entry| entry.priority);
        here.chain(self.tail_urgency).min().unwrap_or(Priority::Bulk)
    }

    fn sleeps_until(&self) -> Option<Timestamp> {
        let retry = match self.queue.first().map(|head| head.state) {
            Some(OutboxState::RetryWait { due, .. }) => due,
            _ => ALWAYS,
        };
        let held = self.held.map_or(ALWAYS, |(_, until)| until);
        Some(retry.max(self.not_before).max(held)).filter(|&until| until > self.woken_at)
    }

    /// Whether a message that is accepted now may stand in memory.
    pub(super) fn takes_more(&self, all_is_read: bool) -> bool {
        let ends_here = !self.tail && (all_is_read || !self.end_unknown);
        ends_here && !self.is_blocked() && self.queue.len() < LANE
    }

    /// Its head keeps everything behind it waiting for longer than a post takes.
    pub(super) fn is_blocked(&self) -> bool {
        self.held.is_some() || self.counted.asleep.is_some() || self.counted.claim == Some(Claimed::Unknown)
    }

    /// Nothing of it is left, here or in the store.
    pub(super) const fn is_over(&self) -> bool {
        self.queue.is_empty() && !self.tail && !self.asked.is_under_way() && self.held.is_none()
    }

    /// Keeps the order of acceptance behind a claimed head.
    pub(super) fn insert(&mut self, entry: Entry) {
        let from = if entry.is_claimed() { 0 } else { self.claimed() };
        let at = self.queue[from..].iter().position(|other| other.seq > entry.seq);
        self.queue.insert(at.map_or(self.queue.len(), |at| from + at), entry);
    }

    fn claimed(&self) -> usize {
        self.queue.iter().take_while(|entry| entry.is_claimed()).count()
    }

    /// More of it waits in the store from now on.
    pub(super) fn leave_behind(&mut self, urgency: Priority) {
        self.tail_urgency = Some(self.tail_urgency.map_or(urgency, |known| known.min(urgency)));
        self.tail = true;
        self.changes += 1;
    }

    /// The tail begins here at the latest. A reading under way did not see this as part of it.
    pub(super) fn begins_again_behind(&mut self, seq: i64) {
        self.known_to = self.known_to.min(seq);
        self.asked.spoil();
    }

    /// Gives the places of all but the first `keep` back; the store has them, or will have.
    pub(super) fn shed(&mut self, keep: usize) -> Vec<Entry> {
        if self.queue.len() <= keep {
            return Vec::new();
        }
        let shed = self.queue.split_off(keep);
        for entry in &shed {
            self.leave_behind(entry.priority);
            if entry.is_committed() {
                self.begins_again_behind(entry.seq - 1);
            }
        }
        shed
    }

    /// Rows of the store behind `known_to`. `complete`: there are no more, and none could be missed. Answers what has
    /// to give its place back, because rows that were not read stand before it.
    pub(super) fn join(
        &mut self,
        rows: impl Iterator<Item = Entry>,
        exhausted: bool,
        complete: bool,
    ) -> Vec<Entry> {
        self.front_unknown = false;
        self.end_unknown &= !(exhausted && complete);
        let mut last = self.known_to;
        for row in rows {
            last = last.max(row.seq);
            match self.queue.iter_mut().find(|entry| entry.id == row.id) {
                // Committed, and its commit was not heard of yet.
                Some(entry) => entry.seq = row.seq,
                None => self.insert(row),
            }
        }
        self.known_to = last;
        if exhausted {
            self.tail = !complete;
            self.tail_urgency = self.tail_urgency.filter(|_| !complete);
            return Vec::new();
        }
        self.tail = true;
        let claimed = self.claimed();
        let beyond = self.queue[claimed..].iter().position(|entry| entry.seq > last);
        beyond.map_or_else(Vec::new, |beyond| self.shed(claimed + beyond))
    }
}
