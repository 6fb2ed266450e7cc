//! Memory with very many queued messages, divided by memory without. Every comparison is of like with like: after the
//! same kind of load, after a start, and while messages are being sent.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use super::endpoint::Endpoint;
use super::memory;
use super::texts::{People, Texts};
use crate::api::{Api, ON_ITS_WAY};
use crate::drive::{Answers, drive};
use crate::fill::{Filling, fill};
use crate::options::Backlog;
use crate::pace::{Pace, Schedule};
use crate::process::{Usage, Watch};
use crate::report::{self, per_second, ratio};
use crate::sent::{self, Cursor};
use crate::target::{LIMIT, Target};

/// So fast a number sends before the backlog, so that nothing is left over …
const UNHINDERED: u32 = 1_000;
/// … and so slowly while it is queued.
const HELD_BACK: u32 = 1;
/// For what is sent before the backlog to arrive everywhere.
const PATIENCE: Duration = Duration::from_mins(10);
/// Messages asked for by id at the end.
const SAMPLE: usize = 500;

/// Resident memory of the gateway, in MB.
#[derive(Debug, Serialize)]
struct Memory {
    /// After a start, with nothing queued: each number is given, second by second, what it may send.
    started_without: f64,
    /// At most, while messages were accepted and sent and left nothing behind.
    sending_without: f64,
    /// At rest, after that.
    rested_without: f64,
    /// At most, while the backlog was accepted.
    accepting: f64,
    /// At rest, with the backlog.
    rested_with: f64,
    /// After a start, with the backlog, of which each number sends what it may.
    started_with: f64,
    /// At most, while the backlog is sent as fast as the platform allows.
    draining: f64,
}

/// With the backlog, divided by without.
#[derive(Debug, Serialize)]
struct Ratios {
    at_rest: f64,
    after_a_start: f64,
    while_sending: f64,
}

#[derive(Debug, Serialize)]
struct Measured {
    queued: u64,
    accepted: Answers,
    resident_mb: Memory,
    ratios: Ratios,
    start_without_s: f64,
    start_with_s: f64,
    drained_per_s: f64,
    lost: u64,
    sent_twice: u64,
    /// While the backlog was accepted.
    processes_accepting: HashMap<&'static str, Usage>,
    processes_draining: HashMap<&'static str, Usage>,
}

pub async fn run(options: &Backlog) -> Result<bool> {
    let mut target = Target::onboarded(&options.gateway, options.numbers, &limit(UNHINDERED)).await?;
    let endpoint = Endpoint::register(&target.gateway).await?;
    report::tell(&format!("backlog against {}", target.kind));
    let measured = measure(options, &mut target, &endpoint).await;
    // The gateway may be down after an error: the first error is the one to tell.
    let removed = endpoint.remove(&target.gateway).await;
    let target = target.stop().await;
    let measured = measured?;
    removed?;
    report::tell(&in_words(&measured));
    let clean = measured.lost + measured.sent_twice == 0;
    report::print_json(&json!({
        "scenario": "backlog", "clean": clean, "target": target, "machine": report::machine(),
        "options": {
            "messages": options.messages, "numbers": options.numbers, "recipients": options.recipients,
            "before": options.before, "rest_seconds": options.rest_seconds, "seconds": options.seconds,
            "workers": options.workers, "settings": options.gateway.setting,
        },
        "measured": measured,
    }))?;
    Ok(clean)
}

fn limit(messages_per_second: u32) -> [(&'static str, String); 1] {
    [(LIMIT, messages_per_second.to_string())]
}

async fn measure(options: &Backlog, target: &mut Target, endpoint: &Endpoint) -> Result<Measured> {
    let rest = Duration::from_secs(u64::from(options.rest_seconds));
    let people = People { first: 0, count: options.recipients };
    let filling = |count: u32| Filling {
        count: u64::from(count),
        workers: options.workers,
        at_most: Duration::from_secs(u64::from(options.accept_seconds)),
    };

    let watch = Watch::start(&target.processes)?;
    let texts = Arc::new(Texts::new(target, &target.numbers, people));
    let before = fill(target.address, filling(options.before), texts).await;
    endpoint.hear_all_of(&before.ids, PATIENCE).await?;
    let sending_without = watch.usage(before.requests_taken())?["gateway"].resident_mb_peak;
    let rested_without = at_rest(target, rest).await?;
    report::tell(&format!("without: {sending_without:.1} MB at most, {rested_without:.1} MB at rest"));

    let start_without_s = target.restart(&limit(HELD_BACK)).await?.as_secs_f64();
    let started_without = sending_a_little(target, people, rest).await?;
    let mut cursor = Cursor::default();
    cursor.read(&target.sandbox).await?;

    let watch = Watch::start(&target.processes)?;
    let texts = Arc::new(Texts::new(target, &target.numbers, people));
    let backlog = fill(target.address, filling(options.messages), texts).await;
    ensure!(!backlog.ids.is_empty(), "nothing was accepted: {}", serde_json::to_string(&backlog.answers())?);
    let accepting = watch.usage(backlog.requests_taken())?;
    let rested_with = at_rest(target, rest).await?;
    report::tell(&format!("{} queued: {rested_with:.1} MB at rest", backlog.ids.len()));

    let start_with_s = target.restart(&limit(HELD_BACK)).await?.as_secs_f64();
    let started_with = at_rest(target, rest).await?;
    target.restart(&[]).await?;
    let sent_before = cursor.read(&target.sandbox).await?;
    let watch = Watch::start(&target.processes)?;
    let began = Instant::now();
    sleep(Duration::from_secs(u64::from(options.seconds))).await;
    let sent_draining = cursor.read(&target.sandbox).await?;
    let drained_per_s = per_second(sent_draining.len() as u64, began.elapsed().as_secs_f64());
    let draining = watch.usage(sent_draining.len() as u64)?;

    let arrivals = [sent_before, sent_draining].concat();
    let times = sent::times(&arrivals);
    let unsent: Vec<&String> = backlog.ids.iter().filter(|id| !times.contains_key(id.as_str())).collect();
    let sample: Vec<&String> = unsent.iter().step_by((unsent.len() / SAMPLE).max(1)).copied().collect();
    let resident_mb = Memory {
        started_without,
        sending_without,
        rested_without,
        accepting: accepting["gateway"].resident_mb_peak,
        rested_with,
        started_with,
        draining: draining["gateway"].resident_mb_peak,
    };
    Ok(Measured {
        queued: unsent.len() as u64,
        accepted: backlog.answers(),
        ratios: ratios(&resident_mb),
        resident_mb,
        start_without_s,
        start_with_s,
        drained_per_s,
        lost: gone(&target.gateway, &sample).await?,
        sent_twice: times.values().filter(|times| **times > 1).count() as u64,
        processes_accepting: accepting.into_iter().collect(),
        processes_draining: draining.into_iter().collect(),
    })
}

async fn at_rest(target: &Target, rest: Duration) -> Result<f64> {
    Ok(ratio(memory::at_rest(target.process("gateway")?, rest).await?, 1024))
}

/// What numbers that are held back send with a backlog, without one: a message each a second.
async fn sending_a_little(target: &Target, people: People, rest: Duration) -> Result<f64> {
    let each_second = HELD_BACK * u32::try_from(target.numbers.len())?;
    let schedule = Arc::new(Schedule::new(Pace::PerSecond(each_second), rest + memory::LOOKING, 1));
    let texts = Arc::new(Texts::new(target, &target.numbers, people));
    let (_, resident) = tokio::join!(drive(target.address, 1, schedule, texts), at_rest(target, rest));
    resident
}

fn ratios(memory: &Memory) -> Ratios {
    let of = |with: f64, without: f64| if without > 0.0 { report::rounded(with / without) } else { 0.0 };
    Ratios {
        at_rest: of(memory.rested_with, memory.rested_without),
        after_a_start: of(memory.started_with, memory.started_without),
        while_sending: of(memory.draining, memory.sending_without),
    }
}

/// How many of these are not on their way any more although they never reached the platform. A few may have reached it
/// since the log was read.
async fn gone(gateway: &Api, ids: &[&String]) -> Result<u64> {
    let mut gone = 0;
    for id in ids {
        let message = gateway.get(&format!("v1/messages/{id}")).await?;
        let status = message["status"].as_str().unwrap_or_default();
        gone += u64::from(!ON_ITS_WAY.contains(&status) && !["sent", "delivered", "read"].contains(&status));
    }
    Ok(gone)
}

fn in_words(measured: &Measured) -> String {
    let Measured { queued, accepted, resident_mb: mb, ratios, .. } = measured;
    format!(
        "  accepted {} in {:.0} s = {:.0}/s; {queued} queued at the end\n  at rest {:.1} / {:.1} MB = {:.2}; after a start {:.1} / {:.1} MB = {:.2}; \
         while sending {:.1} / {:.1} MB = {:.2}; at most {:.1} MB while accepting\n  started in {:.1} s, without in {:.1} s; drained {:.0}/s; \
         lost {}, sent twice {}",
        accepted.taken,
        accepted.seconds,
        accepted.taken_per_s,
        mb.rested_with,
        mb.rested_without,
        ratios.at_rest,
        mb.started_with,
        mb.started_without,
        ratios.after_a_start,
        mb.draining,
        mb.sending_without,
        ratios.while_sending,
        mb.accepting,
        measured.start_with_s,
        measured.start_without_s,
        measured.drained_per_s,
        measured.lost,
        measured.sent_twice
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_divided_by_like() {
        let memory = Memory {
            started_without: 20.0,
            sending_without: 60.0,
            rested_without: 40.0,
            accepting: 100.0,
            rested_with: 44.0,
            started_with: 21.0,
            draining: 63.0,
        };
        let Ratios { at_rest, after_a_start, while_sending } = ratios(&memory);
        for (found, expected) in [(at_rest, 1.1), (after_a_start, 1.05), (while_sending, 1.05)] {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }
}
