//! When each request is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

/// No run sends more, whatever was asked for: all of it is remembered, here and in the sandbox.
pub const MOST: u64 = 1_000_000;

#[derive(Debug, Clone)]
pub enum Pace {
    /// Open loop: so many a second, however slow the answers are.
    PerSecond(u32),
    /// Closed loop: as fast as answers come, with so many permits for what is not finished yet.
    Closed(Arc<Semaphore>),
}

/// Hands out turns to whoever asks for the next one.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    start: Instant,
    end: Instant,
    next: AtomicU64,
    /// Permits that one turn takes.
    weight: u32,
    stopped: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub index: u64,
    /// Latency counts from here, also when nobody was free to take the turn in time.
    pub due: Instant,
}

impl Schedule {
    pub fn new(pace: Pace, length: Duration, weight: u32) -> Self {
        let start = Instant::now();
        let (next, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { pace, start, end: start + length, next, weight, stopped }
    }

    /// Before its time is over: who waits for a turn gets none.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub const fn start(&self) -> Instant {
        self.start
    }

    /// Waits for the next turn; nothing once the time is over.
    pub async fn next(&self) -> Option<Turn> {
        match &self.pace {
            Pace::PerSecond(rate) => {
                let index = self.index()?;
                let due = self.start + Duration::from_nanos(index * 1_000_000_000 / u64::from(*rate));
                if due >= self.end {
                    return None;
                }
                sleep_until(due).await;
                (!self.stopped.load(Ordering::Relaxed)).then_some(Turn { index, due })
            }
            Pace::Closed(unfinished) => {
                let permits = timeout_at(self.end, unfinished.acquire_many(self.weight)).await;
                permits.ok()?.ok()?.forget();
                let due = Instant::now();
                if due >= self.end {
                    return None;
                }
                Some(Turn { index: self.index()?, due })
            }
        }
    }

    fn index(&self) -> Option<u64> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < MOST / u64::from(self.weight)).then_some(index)
    }

    /// A turn that led to nothing: there is nothing to wait for.
    pub fn give_back(&self) {
        if let Pace::Closed(unfinished) = &self.pace {
            unfinished.add_permits(self.weight as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_of_an_open_loop_are_due_by_the_clock_and_not_by_the_answers() {
        let schedule = Schedule::new(Pace::PerSecond(10), Duration::from_secs(1), 1);
        let first = schedule.next().await.unwrap();
        // An answer that takes half a second: the turns in between stay due when they were.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let second = schedule.next().await.unwrap();
        assert_eq!(second.due - first.due, Duration::from_millis(100));
        assert_eq!(Instant::now() - second.due, Duration::from_millis(400));
        let mut count = 2;
        while schedule.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_schedule_that_is_stopped_hands_out_no_more_turns() {
        let schedule = Schedule::new(Pace::PerSecond(10), Duration::from_secs(100), 1);
        assert!(schedule.next().await.is_some());
        schedule.stop();
        assert_eq!(schedule.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_waits_for_what_is_unfinished_and_ends_in_time() {
        let unfinished = Arc::new(Semaphore::new(2));
        let schedule = Schedule::new(Pace::Closed(unfinished), Duration::from_secs(1), 1);
        assert_eq!(schedule.next().await.unwrap().index, 0);
        assert_eq!(schedule.next().await.unwrap().index, 1);
        schedule.give_back();
        assert_eq!(schedule.next().await.unwrap().index, 2);
        let waiting = Instant::now();
        assert_eq!(schedule.next().await, None);
        assert_eq!(waiting.elapsed(), Duration::from_secs(1));
    }
}
