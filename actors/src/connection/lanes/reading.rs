//! What memory wants of the store, and what becomes of the answer.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::queue::{Glance, HeldMessage, QueuedMessage};
use domain::contracts::store::LaneKey;
use domain::message::{Order, Priority};

use super::asked::Asked;
use super::lane::LANE;
use super::{Entry, Lanes};

const PRIORITIES: [Priority; 4] = [Priority::Otp, Priority::High, Priority::Normal, Priority::Bulk];

/// One reading of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Messages of one priority, in the order of acceptance.
    Waiting { priority: Priority, after: i64, limit: usize },
    /// Messages of one priority whose time has come, in the order of their times.
    Scheduled { priority: Priority, after: (Timestamp, i64), until: Timestamp, limit: usize },
    /// One lane, in the order of acceptance.
    Lane { lane: LaneKey, after: i64, limit: usize, changes: u32 },
}

impl Lanes {
    /// At the start: what is claimed stands in memory whatever else does, and the rest is in the store.
    pub fn begin(
        &mut self,
        claimed: &[QueuedMessage],
        held: &[HeldMessage],
        hold_for: Duration,
        seen: Glance,
    ) {
        for class in &mut self.classes {
            if seen.waiting {
                class.cursor.rewind();
            }
            if seen.scheduled {
                class.schedule.rewind();
            }
        }
        for row in claimed {
            let entry = Entry::of_row(row);
            self.touch(entry.lane, |lane| {
                lane.insert(entry);
                lane.tail = entry.order != Order::Relaxed;
            });
        }
        for message in held {
            self.hold(message.lane, message.id, message.sent_at.plus(hold_for));
        }
    }

    /// The number sends again: what waits in the store may be read.
    pub fn open(&mut self) {
        self.closed = false;
    }

    /// The number does not send: all that waits gives its place back.
    pub fn close(&mut self) {
        if self.closed {
            return;
        }
        self.closed = true;
        let mut any_left = !self.classes.iter().all(|class| class.cursor.is_complete());
        let keys: Vec<LaneKey> = self.by_key.keys().copied().collect();
        for key in keys {
            let mut shed = Vec::new();
            self.touch(key, |lane| {
                let keep = lane.queue.iter().take_while(|entry| entry.is_claimed()).count();
                shed = lane.shed(keep);
                any_left |= lane.tail;
                lane.front_unknown = false;
            });
            self.give_back(shed);
            // A lane that only says "more waits in the store" says nothing that the rewound cursors do not.
            if self.by_key.get(&key).is_some_and(|lane| lane.queue.is_empty()) {
                self.touch(key, |lane| lane.tail = lane.held.is_some() || lane.asked.is_under_way());
            }
        }
        for class in &mut self.classes {
            if any_left {
                class.cursor.rewind();
                class.schedule.rewind();
            }
        }
    }

    /// What should be read now, at most `most` readings; each is under way until its rows, or its failure, are told.
    pub fn wishes(&mut self, now: Timestamp, most: usize) -> Vec<Reading> {
        let mut wishes = Vec::new();
        if self.closed {
            return wishes;
        }
        for priority in PRIORITIES {
            let class = &mut self.classes[priority as usize];
            if class.schedule.next.is_some_and(|at| at <= now)
                && !class.schedule.asked.is_under_way()
                && class.wants_many()
            {
                class.schedule.begin();
                let (after, limit) = (class.schedule.read_to, class.room());
                wishes.push(Reading::Scheduled { priority, after, until: now, limit });
            } else if class.cursor.is_behind() && !class.cursor.asked.is_under_way() && class.wants_many() {
                class.cursor.begin();
                let (after, limit) = (class.cursor.read_to, class.room());
                wishes.push(Reading::Waiting { priority, after, limit });
            }
        }
        while wishes.len() < most
            && let Some((priority, key)) = self.wanting.first().copied()
        {
            let (key, room) = (LaneKey(key), self.class(priority).room());
            self.touch(key, |lane| {
                lane.asked = Asked::Yes;
                // What stands here may be answered again.
                let limit = room.clamp(1, LANE) + lane.queue.len();
                wishes.push(Reading::Lane { lane: key, after: lane.known_to, limit, changes: lane.changes });
            });
        }
        wishes
    }

    pub fn read_waiting(&mut self, priority: Priority, rows: &[QueuedMessage], limit: usize) {
        let last = rows.last().map(|row| row.seq);
        if self.closed {
            self.classes[priority as usize].cursor.rewind();
        }
        if self.classes[priority as usize].cursor.asked.end() {
            for row in rows {
                self.take(row);
            }
            self.classes[priority as usize].cursor.end(last, rows.len() < limit);
        }
    }

    /// `next`: when the one behind these comes, where these were all.
    pub fn read_scheduled(
        &mut self,
        priority: Priority,
        rows: &[QueuedMessage],
        limit: usize,
        next: Option<Timestamp>,
    ) {
        let last = rows.last().and_then(|row| Some((row.send_at?, row.seq)));
        if self.closed {
            self.classes[priority as usize].schedule.rewind();
        }
        if self.classes[priority as usize].schedule.asked.end() {
            for row in rows {
                self.take(row);
            }
            // More of what is due is there now.
            let next = if rows.len() < limit { next } else { last.map(|(at, _)| at) };
            self.classes[priority as usize].schedule.end(last, next);
        }
    }

    pub fn read_lane(&mut self, key: LaneKey, rows: &[QueuedMessage], limit: usize, changes: u32) {
        let (closed, pending) = (self.closed, self.pending.contains_key(&key));
        let mut shed = Vec::new();
        self.touch(key, |lane| {
            let of_use = lane.asked.end();
            if closed {
                lane.tail = !lane.queue.is_empty() || lane.held.is_some();
                return;
            }
            if !of_use {
                return;
            }
            let complete = lane.changes == changes && !pending;
            shed = lane.join(rows.iter().map(Entry::of_row), rows.len() < limit, complete);
        });
        self.give_back(shed);
        self.clear_blocked(key);
    }

    /// One row of a reading that went through many lanes.
    fn take(&mut self, row: &QueuedMessage) {
        let entry = Entry::of_row(row);
        if self.left.contains_key(&entry.id) || self.get(entry.lane, entry.id).is_some() {
            return;
        }
        if self.by_key.contains_key(&entry.lane) {
            // Its lane reads for itself, and in order. That it is here and not there means that there is more to read.
            self.touch(entry.lane, |lane| {
                lane.begins_again_behind(entry.seq - 1);
                lane.leave_behind(entry.priority);
            });
            return;
        }
        let others_may_stand_before = self.classes.iter().enumerate().any(|(number, class)| {
            number != entry.priority as usize && class.cursor.is_behind() && class.cursor.read_to < entry.seq
        });
        let front_unknown =
            entry.order != Order::Relaxed && (others_may_stand_before || row.send_at.is_some());
        self.touch(entry.lane, |lane| {
            lane.insert(entry);
            lane.front_unknown = front_unknown;
            lane.end_unknown = true;
        });
        self.clear_blocked(entry.lane);
    }
}
