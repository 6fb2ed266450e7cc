//! One priority: how many of its messages stand in memory, and how far the store was read for it.
//!
//! Each priority is read for itself, so that a hundred thousand messages of one never hide a later one of another.

use std::collections::BTreeSet;

use domain::clock::Timestamp;

use super::asked::Asked;
use super::lane::ALWAYS;

/// Waiting messages of one priority in memory; four times as many of a number.
pub const SHARE: usize = 64;
/// Messages in the store that one accepted now may go before, if they are of other lanes.
const LITTLE: usize = 16;
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

    /// Whether a message that is accepted now may stand in memory. While others of the priority wait in the store,
    /// half of the places is left to them.
    pub(super) fn takes_new(&self) -> bool {
        match self.cursor.rest {
            Rest::Nothing => self.room() > 0,
            Rest::Little(_) => self.room() > self.share / 2,
            Rest::Unknown => false,
        }
    }

    /// Reading pays only when there is room for many.
    pub(super) const fn wants_many(&self) -> bool {
        self.room() >= self.share / 2
    }
}

/// What the store may hold behind what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The last reading found the end; so many were committed behind it since, and perhaps those being committed.
    Little(usize),
    Unknown,
}

/// How far the messages that may go at any time were read, in the order of acceptance.
#[derive(Debug)]
pub(super) struct Cursor {
    rest: Rest,
    pub(super) read_to: i64,
    /// Left to the store and not committed yet.
    pending: usize,
    pub(super) asked: Asked,
    /// Something was left to the store, or committed there, since the reading under way began.
    disturbed: bool,
    lowest_noted: i64,
}

impl Cursor {
    const CAUGHT_UP: Self = Self {
        rest: Rest::Nothing,
        read_to: 0,
        pending: 0,
        asked: Asked::No,
        disturbed: false,
        lowest_noted: i64::MAX,
    };

    /// Nothing is known of the store.
    pub(super) const fn rewind(&mut self) {
        self.rest = Rest::Unknown;
        self.read_to = 0;
        self.asked.spoil();
    }

    pub(super) fn is_behind(&self) -> bool {
        self.rest != Rest::Nothing
    }

    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.rest, Rest::Nothing) && self.pending == 0
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
        self.rest = match self.rest {
            Rest::Nothing => Rest::Little(1),
            Rest::Little(few) if few < LITTLE => Rest::Little(few + 1),
            Rest::Little(_) | Rest::Unknown => Rest::Unknown,
        };
        self.disturbed = true;
        if seq <= self.read_to {
            // The reading under way goes on from behind it: what it answers may belong behind it too.
            self.asked.spoil();
        }
        self.read_to = self.read_to.min(seq - 1);
        self.lowest_noted = self.lowest_noted.min(seq);
    }

    /// A message that stands in memory is committed at this place.
    pub(super) fn pass(&mut self, seq: i64) {
        if self.rest == Rest::Nothing {
            self.read_to = self.read_to.max(seq);
        }
    }

    pub(super) const fn begin(&mut self) {
        self.asked = Asked::Yes;
        self.disturbed = self.pending > 0;
        self.lowest_noted = i64::MAX;
    }

    /// The reading is answered, with this as its last row.
    pub(super) fn end(&mut self, last: Option<i64>, exhausted: bool) {
        if let Some(last) = last {
            self.read_to = self.read_to.max(last.min(self.lowest_noted.saturating_sub(1)));
        }
        self.rest = match (exhausted, self.disturbed) {
            (true, false) => Rest::Nothing,
            (true, true) => Rest::Little(0),
            (false, _) => Rest::Unknown,
        };
    }
}

/// How far messages with a time of their own were read, in the order of their times.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) read_to: (Timestamp, i64),
    /// When the next one comes; in the past until the store was asked.
    pub(super) next: Option<Timestamp>,
    pub(super) asked: Asked,
    lowest_noted: Option<(Timestamp, i64)>,
}

impl Schedule {
    const EMPTY: Self = Self { read_to: (ALWAYS, 0), next: None, asked: Asked::No, lowest_noted: None };

    pub(super) const fn rewind(&mut self) {
        self.read_to = (ALWAYS, 0);
        self.next = Some(ALWAYS);
        self.asked.spoil();
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.asked.is_under_way() || self.next.is_some_and(|at| at <= now)
    }

    /// A message with a time of its own is committed in the store.
    pub(super) fn note(&mut self, at: Timestamp, seq: i64) {
        self.read_to = self.read_to.min((at, seq - 1));
        self.lowest_noted = Some(self.lowest_noted.map_or((at, seq), |lowest| lowest.min((at, seq))));
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub(super) const fn begin(&mut self) {
        self.asked = Asked::Yes;
        self.next = None;
        self.lowest_noted = None;
    }

    pub(super) fn end(&mut self, last: Option<(Timestamp, i64)>, next: Option<Timestamp>) {
        if let Some(last) = last {
            let before_noted = self.lowest_noted.map(|(at, seq)| (at, seq - 1));
            self.read_to = self.read_to.max(before_noted.map_or(last, |noted| noted.min(last)));
        }
        self.next = self.next.into_iter().chain(next).min();
    }
}
