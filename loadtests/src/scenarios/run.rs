//! What both scenarios do alike: warm up, drive, wait for the last event, count.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep};

use crate::drive::{Driven, Shots, drive};
use crate::options::Load;
use crate::pace::{Pace, Schedule};
use crate::process::{Usage, Watch, Watched};
use crate::receiver::{Inbox, Receiver};
use crate::report::{self, Faults, Lives, Run, per_second};

/// How often it is looked whether everything has arrived. When it did is known exactly.
const LOOK: Duration = Duration::from_millis(20);
/// With this share of requests not taken there is nothing to measure.
const MOST_REFUSED: f64 = 0.5;

#[derive(Debug)]
pub struct Driver<'a> {
    pub address: SocketAddr,
    pub load: &'a Load,
    /// Messages in one request.
    pub weight: u32,
    pub processes: &'a [Watched],
    /// Without it nothing is followed further than the answer.
    pub receiver: Option<&'a Receiver>,
}

/// One run, before what a scenario itself looks for is added.
#[derive(Debug)]
pub struct Measured {
    pub run: Run,
    pub ids: Vec<String>,
}

impl Driver<'_> {
    pub async fn warm_up(&self, shots: Arc<impl Shots>) -> Result<()> {
        if self.load.warm_up_seconds > 0 {
            let (driven, lives, _) = self.once(shots, self.load.warm_up_seconds).await?;
            report::tell(&format!("warm-up: {} taken, {} to the end", driven.ids.len(), lives.finished));
        }
        Ok(())
    }

    pub async fn measure(&self, shots: Arc<impl Shots>) -> Result<Measured> {
        let watch = Watch::start(self.processes)?;
        let before = self.receiver.map(|receiver| (receiver.inbox.standing(), receiver.signatures.counts()));
        let (driven, lives, last) = self.once(shots, self.load.seconds).await?;
        let processes: std::collections::BTreeMap<&'static str, Usage> =
            watch.usage(driven.requests_taken())?;
        let mut faults = Faults::default();
        if let (Some(receiver), Some((before, signatures))) = (self.receiver, before) {
            let after = receiver.inbox.standing();
            faults.events_repeated = after.repeated - before.repeated;
            faults.events_unreadable = after.unreadable - before.unreadable;
            faults.signatures_wrong = receiver.signatures.counts().1 - signatures.1;
            let heard = receiver.inbox.heard(&driven.ids);
            faults.events_lost = heard.iter().map(|heard| u64::from(heard.missing())).sum();
            faults.messages_failed = heard.iter().filter(|heard| heard.has_failed()).count() as u64;
        }
        report::tell(&format!("measured; the last event came {last:.2} s after the first request"));
        Ok(Measured { run: Run { answers: driven.answers(), lives, faults, processes }, ids: driven.ids })
    }

    async fn once(&self, shots: Arc<impl Shots>, seconds: u32) -> Result<(Driven, Lives, f64)> {
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
        let schedule = Schedule::new(pace, Duration::from_secs(u64::from(seconds)), self.weight);
        let start = schedule.start();
        let driven = drive(self.address, self.load.workers, schedule, shots).await;
        let answered = Instant::now();
        ensure!(
            driven.refused_share() < MOST_REFUSED,
            "most requests were not taken: {}",
            serde_json::to_string(&driven.answers())?
        );
        let (finished, last) = match self.receiver {
            Some(receiver) => self.drain(&receiver.inbox, &driven.ids).await,
            None => (driven.ids.len() as u64, answered),
        };
        if let Some(receiver) = self.receiver {
            receiver.inbox.release_to(None);
        }
        let last = last.max(start);
        let seconds = (last - start).as_secs_f64();
        let drain_s = last.saturating_duration_since(answered).as_secs_f64();
        let lives = Lives { finished, seconds, per_s: per_second(finished, seconds), drain_s };
        Ok((driven, lives, seconds))
    }

    /// How many are finished, and when the last of them was; after the time for it, whatever is missing.
    async fn drain(&self, inbox: &Inbox, ids: &[String]) -> (u64, Instant) {
        let patience = Duration::from_secs(u64::from(self.load.drain_seconds));
        let begin = Instant::now();
        let mut missing = ids.to_vec();
        loop {
            let heard = inbox.heard(&missing);
            let mut still = heard.iter().map(|heard| heard.missing() > 0);
            missing.retain(|_| still.next().unwrap_or(true));
            let last = inbox.standing().last_news.unwrap_or(begin);
            if missing.is_empty() || begin.elapsed() > patience {
                return ((ids.len() - missing.len()) as u64, last);
            }
            sleep(LOOK).await;
        }
    }
}

/// Everything about the runs, for programs.
pub fn result(scenario: &str, target: &str, options: &Value, runs: &[Run]) -> Result<Value> {
    let runs = runs.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "scenario": scenario,
        "target": target,
        "options": options,
        "machine": report::machine(),
        "median": report::median(&runs),
        "runs": runs,
    }))
}
