//! One business floods bulk messages; another's one-time codes and normal messages go on meanwhile. Every limit is the
//! platform's, so that the backlog stays: it is not waited for.

mod account;
mod reach;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::endpoint::Endpoint;
use super::texts::{People, Texts};
use crate::api;
use crate::drive::{Answers, Driven};
use crate::fill::{Filling, fill};
use crate::options::Flood;
use crate::pace::Schedule;
use crate::process::{Usage, Watch};
use crate::report::{self, per_second};
use crate::sent::{self, Arrival, Cursor};
use crate::target::Target;
use account::Account;
use reach::{Part, Reach, most_in_a_second};
use stream::{Asked, Stream, now_us};

/// Before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);
/// What was asked last has to arrive within this.
const GRACE: Duration = Duration::from_secs(10);
/// One-time codes a second of the business that floods.
const OWN_RATE: u32 = 2;
/// People of each stream. Nobody gets more than the platform allows one number to send one person.
const PEOPLE: u32 = 1_000;

/// The parts of the measurement, as they are called in the report.
const QUIET: &str = "before_the_flood";
const ACCEPTING: &str = "while_it_is_accepted";
const DRAINING: &str = "while_it_drains";

#[derive(Debug, Serialize)]
struct Told {
    rate_per_s: u32,
    /// By part of the measurement.
    reach: BTreeMap<&'static str, Reach>,
    answers: Answers,
    account: Account,
}

#[derive(Debug, Serialize)]
struct Measured {
    flood: Answers,
    flood_account: Account,
    /// Of the number that floods, while its backlog drains.
    sent_per_s: f64,
    most_sent_in_a_second: usize,
    /// Requests that the platform refused, from any number.
    refused_by_the_platform: usize,
    streams: BTreeMap<&'static str, Told>,
    processes: BTreeMap<&'static str, Usage>,
}

impl Measured {
    fn is_clean(&self) -> bool {
        self.flood_account.is_clean() && self.streams.values().all(|told| told.account.is_clean())
    }
}

pub async fn run(options: &Flood) -> Result<bool> {
    let target = Target::onboarded(&options.gateway, 2, &[]).await?;
    let endpoint = Endpoint::register(&target.gateway).await?;
    report::tell(&format!("flood against {}", target.kind));
    let measured = measure(options, &target).await;
    endpoint.remove(&target.gateway).await?;
    let target = target.stop().await;
    let measured = measured?;
    report::tell(&in_words(&measured));
    let clean = measured.is_clean();
    let value: Value = json!({
        "scenario": "flood", "clean": clean, "target": target, "machine": report::machine(),
        "options": {
            "messages": options.messages, "rate": options.rate, "seconds": options.seconds,
            "quiet_seconds": options.quiet_seconds, "workers": options.workers,
            "settings": options.gateway.setting,
        },
        "resolution_ms": 1, "measured": measured,
    });
    report::print_json(&value)?;
    Ok(clean)
}

async fn measure(options: &Flood, target: &Target) -> Result<Measured> {
    api::usual_limits(&target.sandbox).await?;
    let (flooding, other) = (&target.numbers[0], &target.numbers[1]);
    let people = |place: u32| People { first: 90_000_000 + place * PEOPLE, count: PEOPLE };
    let stream = |name, rate, number, priority, place| {
        Stream::start(name, rate, target, Texts::new(target, [number], people(place)).with_priority(priority))
    };
    let streams = [
        stream("otp", options.rate, other, "otp", 0),
        stream("normal", options.rate, other, "normal", 1),
        stream("otp_of_the_flooding_number", OWN_RATE, flooding, "otp", 2),
    ];
    sleep(WARM_UP).await;
    let watch = Watch::start(&target.processes)?;
    let quiet_us = now_us();
    sleep(seconds(options.quiet_seconds)).await;

    let people = People { first: 0, count: options.messages };
    let bulk = Texts::new(target, [flooding], people).with_priority("bulk");
    let filling = Filling {
        count: u64::from(options.messages),
        workers: options.workers,
        at_most: seconds(options.accept_seconds),
    };
    let flood_us = now_us();
    let flood = fill(target.address, filling, Arc::new(bulk)).await;
    let accepted_us = now_us();
    ensure!(!flood.ids.is_empty(), "nothing was accepted: {}", serde_json::to_string(&flood.answers())?);
    let said = flood.answers();
    report::tell(&format!("{} bulk messages accepted in {:.1} s", said.taken, said.seconds));
    sleep(seconds(options.seconds)).await;
    let end_us = now_us();
    let mut stopped = Vec::new();
    for stream in streams {
        let (name, rate) = (stream.name, stream.rate);
        stopped.push((name, rate, stream.stop().await?));
    }
    let asked: u64 = stopped.iter().map(|(_, _, (asked, _))| asked.len() as u64).sum();
    let processes = watch.usage(asked + flood.requests_taken())?;

    sleep(GRACE).await;
    let mut statuses = account::statuses(&target.gateway, &flooding.connection_id).await?;
    statuses.extend(account::statuses(&target.gateway, &other.connection_id).await?);
    let looked_us = now_us();
    let arrivals = Cursor::default().read(&target.sandbox).await?;
    let times = sent::times(&arrivals);
    let parts = [
        (QUIET, Part { from_us: quiet_us, to_us: flood_us }),
        (ACCEPTING, Part { from_us: flood_us, to_us: accepted_us }),
        (DRAINING, Part { from_us: accepted_us, to_us: end_us }),
    ];
    let at_ms = first_arrivals(&arrivals);
    let told = |rate_per_s, asked: &[Asked], driven: &Driven| Told {
        rate_per_s,
        reach: parts.iter().map(|(name, part)| (*name, Reach::of(asked, &at_ms, *part, looked_us))).collect(),
        answers: driven.answers(),
        account: Account::of(asked.iter().map(|asked| &asked.id), &statuses, &times),
    };
    let draining = accepted_us / 1000..end_us / 1000;
    let of_the_number = |arrival: &&Arrival| {
        arrival.phone_number_id == flooding.phone_number_id && draining.contains(&arrival.at_ms)
    };
    let sent_ms: Vec<i64> = arrivals.iter().filter(of_the_number).map(|arrival| arrival.at_ms).collect();
    Ok(Measured {
        flood: flood.answers(),
        flood_account: Account::of(&flood.ids, &statuses, &times),
        sent_per_s: per_second(sent_ms.len() as u64, f64::from(options.seconds)),
        most_sent_in_a_second: most_in_a_second(&sent_ms),
        refused_by_the_platform: arrivals.iter().filter(|arrival| !arrival.taken).count(),
        streams: stopped
            .iter()
            .map(|(name, rate, (asked, driven))| (*name, told(*rate, asked, driven)))
            .collect(),
        processes,
    })
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// When the platform took each message for the first time.
fn first_arrivals(arrivals: &[Arrival]) -> HashMap<&str, i64> {
    let mut first = HashMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.taken) {
        if let Some(message) = &arrival.message {
            first.entry(message.as_str()).or_insert(arrival.at_ms);
        }
    }
    first
}

fn in_words(measured: &Measured) -> String {
    let mut lines = Vec::new();
    for (name, told) in &measured.streams {
        lines.push(format!("  {name}, {}/s: {}", told.rate_per_s, account_in_words(&told.account)));
        for (part, Reach { messages, not_yet, latency, made_late_p99_ms }) in &told.reach {
            lines.push(format!(
                "    {part:<22} {messages:>6}, {not_yet} not yet: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms (asked {made_late_p99_ms:.1} ms late at p99)",
                latency.p50_ms, latency.p99_ms, latency.max_ms
            ));
        }
    }
    lines.push(format!(
        "  flood: {}; {:.1}/s sent, {} in the busiest second, {} refused by the platform",
        account_in_words(&measured.flood_account),
        measured.sent_per_s,
        measured.most_sent_in_a_second,
        measured.refused_by_the_platform
    ));
    for (name, used) in &measured.processes {
        lines.push(format!(
            "  {name:<10} {:.1} MB before, {:.1} MB at most, {:.1} MB after",
            used.resident_mb_before, used.resident_mb_peak, used.resident_mb_after
        ));
    }
    lines.join("\n")
}

fn account_in_words(account: &Account) -> String {
    let Account { at_the_platform, still_queued, lost, sent_twice, given_up } = account;
    format!(
        "{at_the_platform} sent, {still_queued} queued, {lost} lost, {sent_twice} sent twice, {given_up} given up"
    )
}
