//! A few messages a second, each with the moment at which it was due.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio::time::Duration;

use super::Schedule;
use crate::drive::{Driven, Shots, drive};
use crate::pace::Pace;
use crate::scenarios::texts::Texts;
use crate::target::Target;
use crate::wire::Request;

/// Far more than a few messages a second need: none of them waits for another's answer.
const WORKERS: u32 = 16;
/// Longer than any flood: the stream is stopped.
const LONGEST: Duration = Duration::from_hours(3);

/// A message of the stream that was accepted. Microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub id: String,
    pub due_us: i64,
    /// When the request was made: later than it was due, where this program was busy.
    pub made_us: i64,
}

#[derive(Debug)]
pub struct Stream {
    pub name: &'static str,
    pub rate: u32,
    schedule: Arc<Schedule>,
    timed: Arc<Timed>,
    driving: JoinHandle<Driven>,
}

#[derive(Debug)]
struct Timed {
    texts: Texts,
    start_us: i64,
    rate: u32,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    made_us: HashMap<u64, i64>,
    asked: Vec<Asked>,
}

impl Timed {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due_us(&self, index: u64) -> i64 {
        let after = index * 1_000_000 / u64::from(self.rate);
        self.start_us.saturating_add(i64::try_from(after).unwrap_or(i64::MAX))
    }
}

impl Shots for Timed {
    fn request(&self, index: u64) -> Request {
        self.log().made_us.insert(index, now_us());
        self.texts.request(index)
    }

    fn taken(&self, index: u64, status: u16, body: &[u8]) -> Option<Vec<String>> {
        let ids = self.texts.taken(index, status, body)?;
        let mut log = self.log();
        let made_us = log.made_us.remove(&index).unwrap_or_default();
        let due_us = self.due_us(index);
        log.asked.extend(ids.iter().map(|id| Asked { id: id.clone(), due_us, made_us }));
        Some(ids)
    }
}

pub fn now_us() -> i64 {
    i64::try_from(crate::wall_clock().as_micros()).unwrap_or(i64::MAX)
}

impl Stream {
    pub fn start(name: &'static str, rate: u32, target: &Target, texts: Texts) -> Self {
        let schedule = Arc::new(Schedule::new(Pace::PerSecond(rate), LONGEST, 1));
        let timed = Arc::new(Timed { texts, start_us: now_us(), rate, log: Mutex::default() });
        let driving = tokio::spawn(drive(target.address, WORKERS, Arc::clone(&schedule), Arc::clone(&timed)));
        Self { name, rate, schedule, timed, driving }
    }

    /// No more of it. Answers what was accepted, and how everything was answered.
    pub async fn stop(self) -> anyhow::Result<(Vec<Asked>, Driven)> {
        self.schedule.stop();
        let driven = self.driving.await?;
        let asked = std::mem::take(&mut self.timed.log().asked);
        Ok((asked, driven))
    }
}
