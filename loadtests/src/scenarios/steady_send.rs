//! Texts sent through `POST /v1/messages`, each with its whole life: accepted, sent, delivered, read, every event
//! at the endpoint.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::endpoint::Endpoint;
use super::run::{AtRest, Driver, Measured, Report};
use crate::api::{self, Api};
use crate::drive::Shots;
use crate::options::SteadySend;
use crate::report::{self, Faults, Run};
use crate::target::{Number, Target};
use crate::wire::Request;

/// Messages asked for by id at the end.
const SAMPLE: usize = 50;

struct Texts {
    api_key: String,
    connections: Vec<String>,
    recipients: u64,
    text: String,
    /// Of this run: keys must be new, also on a database that has seen other runs.
    run: String,
    idempotency_keys: bool,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

impl Texts {
    fn new(target: &Target, options: &SteadySend) -> Self {
        let connections = target.numbers.iter().map(|Number { connection_id, .. }| connection_id.clone());
        Self {
            api_key: target.api_key.clone(),
            connections: connections.collect(),
            recipients: u64::from(options.recipients),
            text: text_of(options.text_length as usize),
            run: crate::wall_clock().as_micros().to_string(),
            idempotency_keys: !options.without_idempotency_keys,
        }
    }
}

fn text_of(length: usize) -> String {
    "Habari yako, agizo lako liko tayari dukani. ".chars().cycle().take(length).collect()
}

impl Shots for Texts {
    fn request(&self, index: u64) -> Request {
        let Self { api_key, run, text, .. } = self;
        let number = usize::try_from(index % self.connections.len() as u64).unwrap_or_default();
        let (connection, person) = (&self.connections[number], index % self.recipients);
        let mut headers = format!("authorization: Bearer {api_key}\r\n");
        if self.idempotency_keys {
            let _ = write!(headers, "idempotency-key: load-{run}-{index}\r\n");
        }
        let body = format!(
            r#"{{"connection_id":"{connection}","client_ref":"load-{index}","message":{{"to":"+2557{person:08}","type":"text","text":{{"body":"{text}"}}}}}}"#
        );
        Request { path: "/v1/messages", headers, body }
    }

    fn taken(&self, _: u64, status: u16, body: &[u8]) -> Option<Vec<String>> {
        let Accepted { id } = serde_json::from_slice(body).ok().filter(|_| status == 202)?;
        Some(vec![id])
    }
}

pub async fn run(options: &SteadySend) -> Result<bool> {
    let target = Target::reach(&options.target).await?;
    let endpoint = Endpoint::register(&target.gateway).await?;
    report::tell(&format!("steady_send against {}", target.kind));
    let measured = measure(options, &target, &endpoint).await;
    endpoint.remove(&target.gateway).await?;
    let target = target.stop().await;
    let (resident_mb_at_rest, runs) = measured?;
    let chosen = json!({
        "load": options.load, "numbers": options.target.numbers, "recipients": options.recipients,
        "text_length": options.text_length, "idempotency_keys": !options.without_idempotency_keys,
        "settings": options.target.setting,
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
        events_each: 3,
        processes: &target.processes,
        receiver: Some(&endpoint.receiver),
    };
    let at_rest = driver.at_rest().await?;
    driver.warm_up(Arc::new(Texts::new(target, options))).await?;
    let mut runs = Vec::new();
    for number in 1..=options.load.repeat {
        let before = api::end_of_sent(&target.sandbox).await?;
        let Measured { mut run, ids } = driver.measure(Arc::new(Texts::new(target, options))).await?;
        look_at_sandbox(&target.sandbox, before, &ids, &mut run.faults).await?;
        look_at_statuses(&target.gateway, &ids, &mut run.faults).await?;
        report::tell(&format!("run {number}\n{}", report::in_words(&run)));
        runs.push(run);
    }
    Ok((at_rest, runs))
}

async fn look_at_sandbox(sandbox: &Api, after: u64, ids: &[String], faults: &mut Faults) -> Result<()> {
    let sent = api::sent(sandbox, after).await?;
    let times = ids.iter().map(|id| sent.times.get(id).copied().unwrap_or_default());
    for times in times {
        faults.messages_lost += u64::from(times == 0);
        faults.messages_sent_twice += u64::from(times > 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn texts() -> Texts {
        Texts {
            api_key: "key".to_owned(),
            connections: vec!["con_1".to_owned(), "con_2".to_owned()],
            recipients: 3,
            text: text_of(50),
            run: "7".to_owned(),
            idempotency_keys: true,
        }
    }

    #[test]
    fn numbers_and_people_take_turns() {
        let request = texts().request(4);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            (&body["connection_id"], &body["message"]["to"]),
            (&json!("con_1"), &json!("+255700000001"))
        );
        assert_eq!(body["message"]["text"]["body"].as_str().unwrap().len(), 50);
        assert_eq!(request.headers, "authorization: Bearer key\r\nidempotency-key: load-7-4\r\n");
    }

    #[test]
    fn only_202_with_an_id_is_taken() {
        let texts = texts();
        assert_eq!(
            texts.taken(0, 202, br#"{"id":"msg_1","status":"accepted"}"#),
            Some(vec!["msg_1".to_owned()])
        );
        assert_eq!(texts.taken(0, 503, br#"{"id":"msg_1"}"#), None);
        assert_eq!(texts.taken(0, 202, b"{}"), None);
    }
}
