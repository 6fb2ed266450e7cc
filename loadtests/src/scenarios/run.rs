//! What both scenarios do alike: warm up, drive, wait for the last event, count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep};

use crate::drive::{Driven, Shots, drive};
use crate::options::Load;
use crate::pace::{Pace, Schedule};
use crate::process::{Watch, Watched};
use crate::receiver::{Inbox, Receiver};
use crate::report::{self, Faults, Lives, Run, per_second, ratio, rounded};

/// How often it is looked whether everything has arrived. When it did is known exactly.
const LOOK: Duration = Duration::from_millis(20);
/// After the start, before memory is looked at.
const REST: Duration = Duration::from_secs(2);
/// With this share of requests not taken there is nothing to measure.
const MOST_REFUSED: f64 = 0.5;

#[derive(Debug)]
pub struct Driver<'a> {
    pub address: SocketAddr,
    pub load: &'a Load,
    /// Messages in one request.
    pub weight: u32,
    /// Events that one message leads to.
    pub events_each: u32,
    pub processes: &'a [Watched],
    /// Without it nothing is followed further than the answer.
    pub receiver: Option<&'a Receiver>,
}

/// Resident memory of each process before any load, in MB.
pub type AtRest = BTreeMap<&'static str, f64>;

/// One run, before what a scenario itself looks for is added.
#[derive(Debug)]
pub struct Measured {
    pub run: Run,
    pub ids: Vec<String>,
}

impl Driver<'_> {
    pub async fn at_rest(&self) -> Result<AtRest> {
        sleep(REST).await;
        let resident = |process: &Watched| Ok((process.name, ratio(process.mark()?.resident_kb, 1024)));
        self.processes.iter().map(resident).collect()
    }

    pub async fn warm_up(&self, shots: Arc<impl Shots>) -> Result<()> {
        if self.load.warm_up_seconds > 0 {
            let (driven, lives) = self.once(shots, self.load.warm_up_seconds).await?;
            report::tell(&format!("warm-up: {} taken, {} to the end", driven.ids.len(), lives.finished));
        }
        Ok(())
    }

    pub async fn measure(&self, shots: Arc<impl Shots>) -> Result<Measured> {
        let watch = Watch::start(self.processes)?;
        let before = self.receiver.map(|receiver| (receiver.inbox.standing(), receiver.signatures.counts()));
        let (driven, lives) = self.once(shots, self.load.seconds).await?;
        let processes = watch.usage(driven.requests_taken())?;
        let mut faults = Faults::default();
        if let (Some(receiver), Some((before, signatures))) = (self.receiver, before) {
            let after = receiver.inbox.standing();
            faults.events_repeated = after.repeated - before.repeated;
            faults.events_unreadable = after.unreadable - before.unreadable;
            faults.signatures_wrong = receiver.signatures.counts().1 - signatures.1;
            let heard = receiver.inbox.heard(&driven.ids);
            faults.events_lost =
                heard.iter().map(|heard| u64::from(heard.missing().min(self.events_each))).sum();
            faults.messages_failed = heard.iter().filter(|heard| heard.has_failed()).count() as u64;
        }
        Ok(Measured { run: Run { answers: driven.answers(), lives, faults, processes }, ids: driven.ids })
    }

    async fn once(&self, shots: Arc<impl Shots>, seconds: u32) -> Result<(Driven, Lives)> {
        let pace = if self.load.closed {
            let unfinished = Arc::new(Semaphore::new(self.load.unfinished.max(self.weight) as usize));
            if let Some(receiver) = self.receiver {
                receiver.inbox.release_to(Some(Arc::clone(&unfinished)));
            } else {
                // Nothing says when a message is finished, so that the answers alone set the pace.
                unfinished.add_permits(Semaphore::MAX_PERMITS / 2);
            }
            Pace::Closed(unfinished)
        } else {
            Pace::PerSecond(self.load.rate)
        };
        let whole_before = self.receiver.map_or(0, |receiver| receiver.inbox.standing().whole);
        let schedule = Schedule::new(pace, Duration::from_secs(u64::from(seconds)), self.weight);
        let start = schedule.start();
        let driven = drive(self.address, self.load.workers, Arc::new(schedule), shots).await;
        let answered = Instant::now();
        ensure!(
            driven.refused_share() < MOST_REFUSED,
            "most requests were not taken: {}",
            serde_json::to_string(&driven.answers())?
        );
        let (finished, last) = match self.receiver {
            Some(receiver) => self.drain(&receiver.inbox, whole_before, &driven.ids).await,
            None => (driven.ids.len() as u64, answered),
        };
        if let Some(receiver) = self.receiver {
            receiver.inbox.release_to(None);
        }
        let last = last.max(start);
        let seconds = rounded((last - start).as_secs_f64());
        let drain_s = rounded(last.saturating_duration_since(answered).as_secs_f64());
        let lives = Lives { finished, seconds, per_s: per_second(finished, seconds), drain_s };
        Ok((driven, lives))
    }

    /// How many are finished, and when the last of them was; after the time for it, whatever is missing.
    async fn drain(&self, inbox: &Inbox, whole_before: u64, ids: &[String]) -> (u64, Instant) {
        let patience = Duration::from_secs(u64::from(self.load.drain_seconds));
        let begin = Instant::now();
        loop {
            let standing = inbox.standing();
            let last = standing.last_news.unwrap_or(begin);
            let too_late = begin.elapsed() > patience;
            // Only once there are enough is it worth while to look for each, which keeps the receiver waiting.
            if standing.whole - whole_before >= ids.len() as u64 || too_late {
                let heard = inbox.heard(ids);
                let finished = heard.iter().filter(|heard| heard.missing() == 0).count();
                if finished == ids.len() || too_late {
                    return (finished as u64, last);
                }
            }
            sleep(LOOK).await;
        }
    }
}

/// Everything about a measurement, for programs.
#[derive(Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub target: String,
    pub options: Value,
    pub machine: Value,
    pub resident_mb_at_rest: AtRest,
    pub runs: Vec<Run>,
}

impl Report {
    /// Prints it, with the medians of its runs. True when nothing was lost.
    pub fn print(&self) -> Result<bool> {
        let runs = self.runs.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let mut value = serde_json::to_value(self)?;
        let clean = self.runs.iter().all(|run| run.faults.is_clean());
        value["median"] = report::median(&runs);
        value["clean"] = clean.into();
        report::print_json(&value)?;
        Ok(clean)
    }
}
