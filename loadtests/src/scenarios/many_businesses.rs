//! What a message costs where few businesses are connected and where very many are: two installations beside each
//! other, loaded in turn, so that whatever the machine does meanwhile meets both.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::endpoint::Endpoint;
use super::memory;
use super::run::{Driver, Measured};
use super::steady_send::{EVENTS_EACH, look_at_sandbox};
use super::texts::{People, Texts};
use crate::options::{Gateway, Load, ManyBusinesses};
use crate::report::{self, Run, ratio};
use crate::sent::Cursor;
use crate::target::{NUMBER_PER_SECOND, Number, Seeding, Target};

const REST: Duration = Duration::from_secs(5);
/// How long it is looked at what the gateway does when nobody asks anything of it.
const IDLE: Duration = Duration::from_secs(10);

/// One installation, with everything that hears of it.
#[derive(Debug)]
struct Installation {
    target: Target,
    endpoint: Endpoint,
    cursor: Cursor,
    resident_mb_at_rest: f64,
    idle_cpu_ms_per_s: f64,
}

/// Milliseconds of the gateway's processor time for each message: medians of the runs.
#[derive(Debug, Serialize)]
struct Cost {
    few: f64,
    many: f64,
    /// The same numbers and the same load in both.
    many_to_few: f64,
    /// Spread over many businesses, each of them used before.
    spread: f64,
    spread_to_few: f64,
    /// The first message of a connection, and the second, of the same ones.
    first: f64,
    second: f64,
    /// What a cold start adds.
    cold_start: f64,
}

#[derive(Debug, Serialize)]
struct Runs {
    /// Not among the figures, but what is lost there is lost too.
    warm_up: Vec<Run>,
    few: Vec<Run>,
    many: Vec<Run>,
    spread: Vec<Run>,
    first: Run,
    second: Run,
}

pub async fn run(options: &ManyBusinesses) -> Result<bool> {
    ensure!(
        options.load.rate <= options.few * NUMBER_PER_SECOND && !options.load.closed,
        "{} numbers send {} messages a second at most: --rate",
        options.few,
        options.few * NUMBER_PER_SECOND
    );
    ensure!(
        options.many >= options.few + options.spread + options.cold,
        "--many has to be at least --few, --spread and --cold together"
    );
    let second = Gateway { store_url: options.second_store_url.clone(), ..options.gateway.clone() };
    let mut few = Installation::begin(&options.gateway, options, options.few).await?;
    let mut many = Installation::begin(&second, options, options.many).await?;
    report::tell(&format!("many_businesses against {}", few.target.kind));
    let measured = measure(options, &mut few, &mut many).await;
    let at_rest = [&few, &many].map(|one| {
        json!({
            "resident_mb_at_rest": one.resident_mb_at_rest, "idle_cpu_ms_per_s": one.idle_cpu_ms_per_s,
        })
    });
    let target = few.end().await?;
    many.end().await?;
    let runs = measured?;
    let cost = Cost::of(&runs);
    report::tell(&in_words(&cost));
    let every = || {
        runs.warm_up
            .iter()
            .chain(&runs.few)
            .chain(&runs.many)
            .chain(&runs.spread)
            .chain([&runs.first, &runs.second])
    };
    let clean = every().all(|run| run.faults.is_clean());
    let [few, many] = at_rest;
    report::print_json(&json!({
        "scenario": "many_businesses", "clean": clean, "target": target, "machine": report::machine(),
        "options": {
            "load": options.load, "few": options.few, "many": options.many, "recipients": options.recipients,
            "spread": options.spread, "cold": options.cold, "settings": options.gateway.setting,
        },
        "few": few, "many": many, "cpu_ms_each": cost, "runs": runs,
    }))?;
    Ok(clean)
}

impl Installation {
    async fn begin(gateway: &Gateway, options: &ManyBusinesses, count: u32) -> Result<Self> {
        let target = Target::seeded(gateway, Seeding { with: &options.seed, count }, &[]).await?;
        let endpoint = Endpoint::register(&target.gateway).await?;
        let process = target.process("gateway")?;
        let resident_mb_at_rest = ratio(memory::at_rest(process, REST).await?, 1024);
        let before = process.mark()?;
        sleep(IDLE).await;
        let idle_cpu_ms_per_s = ratio(process.mark()?.cpu_ms() - before.cpu_ms(), IDLE.as_secs());
        Ok(Self { target, endpoint, cursor: Cursor::default(), resident_mb_at_rest, idle_cpu_ms_per_s })
    }

    /// Written from these numbers, in turn.
    async fn measure(&mut self, load: &Load, numbers: &[Number], recipients: u32) -> Result<Run> {
        let people = People { first: 0, count: recipients };
        let texts = Arc::new(Texts::new(&self.target, numbers, people));
        let driver = Driver {
            address: self.target.address,
            load,
            weight: 1,
            events_each: EVENTS_EACH,
            processes: &self.target.processes,
            receiver: Some(&self.endpoint.receiver),
        };
        let Measured { mut run, ids } = driver.measure(texts).await?;
        look_at_sandbox(&self.target, &mut self.cursor, &ids, &mut run.faults).await?;
        Ok(run)
    }

    async fn end(self) -> Result<String> {
        self.endpoint.remove(&self.target.gateway).await?;
        Ok(self.target.stop().await)
    }
}

async fn measure(options: &ManyBusinesses, few: &mut Installation, many: &mut Installation) -> Result<Runs> {
    let (load, recipients) = (&options.load, options.recipients);
    let numbers = many.target.numbers.clone();
    let (hot, rest) = numbers.split_at(options.few as usize);
    let (spread, rest) = rest.split_at(options.spread as usize);
    let cold = &rest[..options.cold as usize];
    let hot_of_few = few.target.numbers.clone();
    let mut warm_up = Vec::new();
    if load.warm_up_seconds > 0 {
        let load = Load { seconds: load.warm_up_seconds, ..load.clone() };
        warm_up.push(told(1, "warm-up of few", few.measure(&load, &hot_of_few, recipients).await?));
        warm_up.push(told(1, "warm-up of many", many.measure(&load, hot, recipients).await?));
    }
    let (mut runs_of_few, mut runs_of_many) = (Vec::new(), Vec::new());
    for number in 1..=load.repeat {
        runs_of_few.push(told(number, "few", few.measure(load, &hot_of_few, recipients).await?));
        runs_of_many.push(told(number, "many", many.measure(load, hot, recipients).await?));
    }
    // One message from each, which is not counted: what follows is not about beginning.
    let touch = many.measure(&long_enough(load, spread), spread, recipients).await?;
    warm_up.push(told(1, "warm-up of spread", touch));
    let mut runs_of_spread = Vec::new();
    for number in 1..=load.repeat {
        runs_of_spread.push(told(number, "spread", many.measure(load, spread, recipients).await?));
    }
    let once_each = long_enough(load, cold);
    let first = told(1, "first message", many.measure(&once_each, cold, recipients).await?);
    let second = told(1, "second message", many.measure(&once_each, cold, recipients).await?);
    Ok(Runs { warm_up, few: runs_of_few, many: runs_of_many, spread: runs_of_spread, first, second })
}

/// So that each of these numbers has its turn.
fn long_enough(load: &Load, numbers: &[Number]) -> Load {
    let numbers = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    Load { seconds: numbers.div_ceil(load.rate), ..load.clone() }
}

fn told(number: u32, of: &str, run: Run) -> Run {
    report::tell(&format!("{of}, run {number}\n{}", report::in_words(&run)));
    run
}

impl Cost {
    fn of(runs: &Runs) -> Self {
        let cpu_ms = |run: &Run| run.processes.get("gateway").map_or(0.0, |used| used.cpu_ms_each);
        let median = |runs: &[Run]| {
            let each: Vec<Value> = runs.iter().map(|run| json!(cpu_ms(run))).collect();
            report::median(&each).as_f64().unwrap_or_default()
        };
        let (few, many, spread) = (median(&runs.few), median(&runs.many), median(&runs.spread));
        let to_few = |cost: f64| if few > 0.0 { report::rounded(cost / few) } else { 0.0 };
        let (first, second) = (cpu_ms(&runs.first), cpu_ms(&runs.second));
        Self {
            few,
            many,
            many_to_few: to_few(many),
            spread,
            spread_to_few: to_few(spread),
            first,
            second,
            cold_start: report::rounded(first - second),
        }
    }
}

fn in_words(cost: &Cost) -> String {
    format!(
        "  ms of processor each: few {:.3}, many {:.3} = {:.3} of few; spread {:.3} = {:.3} of few; \
         first message {:.3}, second {:.3}, a cold start {:.3}",
        cost.few,
        cost.many,
        cost.many_to_few,
        cost.spread,
        cost.spread_to_few,
        cost.first,
        cost.second,
        cost.cold_start
    )
}
