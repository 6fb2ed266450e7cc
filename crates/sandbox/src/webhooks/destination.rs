//! What is known about one callback address: whether it can be reached, and what waits until it can.

use super::deliver::Item;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// While an address is down one delivery at a time tries it, however much waits: a gateway that restarts gets
/// everything within a second, and one that stays away costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Gate {
    down: Option<Down>,
    parked: VecDeque<Item>,
}

#[derive(Debug)]
struct Down {
    try_at: Instant,
    pause: Duration,
    trying: bool,
}

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        self.down.is_none()
    }

    pub(super) fn park(&mut self, item: Item) {
        self.parked.push_back(item);
    }

    /// When the next attempt is due, if there is something to try with.
    pub(super) fn try_at(&self) -> Option<Instant> {
        let down = self.down.as_ref().filter(|down| !down.trying && !self.parked.is_empty())?;
        Some(down.try_at)
    }

    /// The one delivery that may try an address that was down.
    pub(super) fn attempt(&mut self, now: Instant) -> Option<Item> {
        let down = self.down.as_mut().filter(|down| !down.trying && down.try_at <= now)?;
        let item = self.parked.pop_front()?;
        down.trying = true;
        Some(item)
    }

    /// It could not be reached; `item` will be the first to try again.
    pub(super) fn close(&mut self, now: Instant, item: Option<Item>) {
        let pause = match &self.down {
            Some(down) if down.trying => (down.pause * 2).min(LONGEST_PAUSE),
            Some(down) => down.pause,
            None => FIRST_PAUSE,
        };
        self.down = Some(Down { try_at: now + pause, pause, trying: false });
        if let Some(item) = item {
            self.parked.push_front(item);
        }
    }

    /// It answered; what waited may go.
    pub(super) fn open(&mut self) -> VecDeque<Item> {
        self.down = None;
        std::mem::take(&mut self.parked)
    }

    /// As many as have been taken out by [`Gate::attempt`] but cannot be sent after all.
    pub(super) fn give_up_attempt(&mut self) {
        if let Some(down) = &mut self.down {
            down.trying = false;
        }
    }
}
