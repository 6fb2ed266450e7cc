//! One priority: how many of its messages stand in memory, and how far the store was read for it.
//!
//! Each priority is read for itself, so that a hundred thousand messages of one never hide a later one of another.

use std::collections::BTreeSet;

use domain::clock::Timestamp;

use super::lane::ALWAYS;

/// Waiting messages of one priority in memory; four times as many of a number.
pub const SHARE: usize = 64;
/// So many times its share of lanes of one priority may sleep in memory before no more is read: whatever is wrong then
/// is not one recipient.
const ASLEEP: usize = 4;

#[derive(Debug)]
pub(super) struct Class {
    share: usize,
    pub(super) places: usize,
    pub(super) asleep: usize,
    /// Lanes whose head may be claimed, oldest first.
    pub(super) ready: BTreeSet<(i64, i64)>,
    pub(super) cursor: Cursor,
    pub(super) schedule: Schedule,
}

impl Class {
    pub(super) const fn new(share: usize) -> Self {
        Self {
            share,
            places: 0,
            asleep: 0,
            ready: BTreeSet::new(),
            cursor: Cursor::CAUGHT_UP,
            schedule: Schedule::EMPTY,
        }
    }

    pub(super) const fn room(&self) -> usize {
        if self.asleep < ASLEEP * self.share { self.share.saturating_sub(self.places) } else { 0 }
    }

    /// Reading pays only when there is room for many.
    pub(super) const fn wants_many(&self) -> bool {
        self.room() >= self.share / 2
    }
}

/// How far the messages that may go at any time were read, in the order of acceptance.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Messages may wait in the store behind `read_to`.
    pub(super) behind: bool,
    /// The last reading found the end; only what was accepted meanwhile may be missing.
    pub(super) near_end: bool,
    pub(super) read_to: i64,
    /// Left to the store and not committed yet.
    pub(super) pending: usize,
    pub(super) reading: bool,
    /// Something was left to the store, or committed there, since the reading under way began.
    disturbed: bool,
    lowest_noted: i64,
    /// What the reading under way answers is of no use: memory forgot what it goes on from.
    void: bool,
}

impl Cursor {
    const CAUGHT_UP: Self = Self {
        behind: false,
        near_end: true,
        read_to: 0,
        pending: 0,
        reading: false,
        disturbed: false,
        lowest_noted: i64::MAX,
        void: false,
    };

    /// Nothing is known of the store.
    pub(super) const fn rewind(&mut self) {
        self.behind = true;
        self.near_end = false;
        self.read_to = 0;
        self.void = self.reading;
    }

    pub(super) const fn is_complete(&self) -> bool {
        !self.behind && self.pending == 0
    }

    /// A message is left to the store.
    pub(super) const fn leave(&mut self) {
        self.pending += 1;
        self.disturbed = true;
    }

    /// It is committed, or never will be.
    pub(super) const fn withdraw(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// A message is committed in the store alone, at this place.
    pub(super) fn note(&mut self, seq: i64) {
        self.behind = true;
        self.disturbed = true;
        // The reading under way goes on from behind it: what it answers may belong behind it too.
        self.void |= self.reading && seq <= self.read_to;
        self.read_to = self.read_to.min(seq - 1);
        self.lowest_noted = self.lowest_noted.min(seq);
    }

    /// A message that stands in memory is committed at this place.
    pub(super) fn pass(&mut self, seq: i64) {
        if !self.behind {
            self.read_to = self.read_to.max(seq);
        }
    }

    pub(super) const fn begin(&mut self) {
        self.reading = true;
        self.disturbed = self.pending > 0;
        self.lowest_noted = i64::MAX;
    }

    /// Whether the reading that is over may be used.
    pub(super) const fn is_valid(&self) -> bool {
        !self.void
    }

    pub(super) fn end(&mut self, last: Option<i64>, exhausted: bool) {
        self.reading = false;
        if std::mem::take(&mut self.void) {
            return;
        }
        if let Some(last) = last {
            self.read_to = self.read_to.max(last.min(self.lowest_noted.saturating_sub(1)));
        }
        self.near_end = exhausted;
        if exhausted && !self.disturbed {
            self.behind = false;
        }
    }
}

/// How far messages with a time of their own were read, in the order of their times.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) read_to: (Timestamp, i64),
    /// When the next one comes; in the past until the store was asked.
    pub(super) next: Option<Timestamp>,
    pub(super) reading: bool,
    lowest_noted: Option<(Timestamp, i64)>,
    void: bool,
}

impl Schedule {
    const EMPTY: Self =
        Self { read_to: (ALWAYS, 0), next: None, reading: false, lowest_noted: None, void: false };

    pub(super) const fn rewind(&mut self) {
        self.read_to = (ALWAYS, 0);
        self.next = Some(ALWAYS);
        self.void = self.reading;
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.reading || self.next.is_some_and(|at| at <= now)
    }

    /// A message with a time of its own is committed in the store.
    pub(super) fn note(&mut self, at: Timestamp, seq: i64) {
        self.read_to = self.read_to.min((at, seq - 1));
        self.lowest_noted = Some(self.lowest_noted.map_or((at, seq), |lowest| lowest.min((at, seq))));
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub(super) const fn begin(&mut self) {
        self.reading = true;
        self.next = None;
        self.lowest_noted = None;
    }

    pub(super) const fn is_valid(&self) -> bool {
        !self.void
    }

    pub(super) fn end(&mut self, last: Option<(Timestamp, i64)>, next: Option<Timestamp>) {
        self.reading = false;
        if std::mem::take(&mut self.void) {
            return;
        }
        if let Some(last) = last {
            let before_noted = self.lowest_noted.map(|(at, seq)| (at, seq - 1));
            self.read_to = self.read_to.max(before_noted.map_or(last, |noted| noted.min(last)));
        }
        self.next = self.next.into_iter().chain(next).min();
    }
}
