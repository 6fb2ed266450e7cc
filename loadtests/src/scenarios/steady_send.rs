//! Texts sent through `POST /v1/messages`, each with its whole life: accepted, sent, delivered, read, every event
//! at the endpoint.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::endpoint::Endpoint;
use super::run::{AtRest, Driver, Measured, Report};
use super::texts::{People, Texts};
use crate::api::{Api, ON_ITS_WAY};
use crate::options::SteadySend;
use crate::report::{self, Faults, Run};
use crate::sent::{self, Cursor};
use crate::target::{NUMBER_PER_SECOND, Target};

/// Messages asked for by id at the end.
const SAMPLE: usize = 50;
/// Messages that are shown when something is wrong with them.
const EXAMPLES: u32 = 3;

/// Events at the endpoint for each message: sent, delivered, read.
pub const EVENTS_EACH: u32 = 3;

fn texts(target: &Target, options: &SteadySend) -> Arc<Texts> {
    let people = People { first: 0, count: options.recipients };
    let texts = Texts::new(target, &target.numbers, people).with_length(options.text_length);
    Arc::new(texts.with_idempotency_keys(!options.without_idempotency_keys))
}

pub async fn run(options: &SteadySend) -> Result<bool> {
    // A setting may have lifted the limit.
    let (rate, most) = (options.load.rate, options.target.numbers * NUMBER_PER_SECOND);
    ensure!(
        options.load.closed || rate <= most || !options.target.gateway.setting.is_empty(),
        "{} numbers send {most} messages a second at most, as the platform lets them: raise --numbers",
        options.target.numbers
    );
    let target = Target::reach(&options.target).await?;
    let endpoint = Endpoint::register(&target.gateway).await?;
    report::tell(&format!("steady_send against {}", target.kind));
    let measured = measure(options, &target, &endpoint).await;
    endpoint.remove(&target.gateway).await?;
    let target = target.stop().await;
    let (resident_mb_at_rest, runs) = measured?;
    let chosen = json!({
        "load": options.load, "numbers": options.target.numbers, "recipients": options.recipients,
        "numbers_may_send_per_s": most,
        "text_length": options.text_length, "idempotency_keys": !options.without_idempotency_keys,
        "settings": options.target.gateway.setting,
    });
    let machine = report::machine();
    let scenario = "steady_send";
    Report { scenario, target, options: chosen, machine, resident_mb_at_rest, runs }.print()
}

async fn measure(options: &SteadySend, target: &Target, endpoint: &Endpoint) -> Result<(AtRest, Vec<Run>)> {
    let driver = Driver {
        address: target.address,
        load: &options.load,
        weight: 1,
        events_each: EVENTS_EACH,
        processes: &target.processes,
        receiver: Some(&endpoint.receiver),
    };
    let at_rest = driver.at_rest().await?;
    driver.warm_up(texts(target, options)).await?;
    let mut cursor = Cursor::default();
    cursor.read(&target.sandbox).await?;
    let mut runs = Vec::new();
    for number in 1..=options.load.repeat {
        let Measured { mut run, ids } = driver.measure(texts(target, options)).await?;
        look_at_sandbox(target, &mut cursor, &ids, &mut run.faults).await?;
        look_at_statuses(&target.gateway, &ids, &mut run.faults).await?;
        report::tell(&format!("run {number}\n{}", report::in_words(&run)));
        runs.push(run);
    }
    Ok((at_rest, runs))
}

/// Which of these messages did not reach the platform, or did more than once.
pub async fn look_at_sandbox(
    target: &Target,
    cursor: &mut Cursor,
    ids: &[String],
    faults: &mut Faults,
) -> Result<()> {
    let arrivals = cursor.read(&target.sandbox).await?;
    let times = sent::times(&arrivals);
    let mut examples = 0;
    for id in ids {
        let times = times.get(id.as_str()).copied().unwrap_or_default();
        if times == 1 {
            continue;
        }
        let message = target.gateway.get(&format!("v1/messages/{id}")).await?;
        let is_on_its_way = message["status"].as_str().is_some_and(|status| ON_ITS_WAY.contains(&status));
        faults.messages_sent_twice += u64::from(times > 1);
        faults.messages_unfinished += u64::from(times == 0 && is_on_its_way);
        faults.messages_lost += u64::from(times == 0 && !is_on_its_way);
        if examples < EXAMPLES {
            report::tell(&format!("reached the platform {times} times: {message}"));
            examples += 1;
        }
    }
    Ok(())
}

async fn look_at_statuses(gateway: &Api, ids: &[String], faults: &mut Faults) -> Result<()> {
    for id in ids.iter().step_by((ids.len() / SAMPLE).max(1)) {
        let message = gateway.get(&format!("v1/messages/{id}")).await?;
        let status = message["status"].as_str().context("a message without a status")?;
        faults.statuses_behind += u64::from(status != "read");
    }
    Ok(())
}
