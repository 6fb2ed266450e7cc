//! Webhooks as Meta sends them: customers' texts, signed, each to be kept before its 200 and to reach the endpoint.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::json;

use super::endpoint::Endpoint;
use super::run::{AtRest, Driver, Report};
use crate::drive::Shots;
use crate::options::WebhookBurst;
use crate::report::{self, Run};
use crate::signature;
use crate::target::{Number, Target};
use crate::wire::Request;

struct Webhooks {
    app_secret: String,
    numbers: Vec<Number>,
    batch: u32,
    /// Of this run, so that no message is one that was heard of before.
    run: String,
}

impl Webhooks {
    fn new(target: &Target, options: &WebhookBurst) -> Result<Self> {
        let app_secret = target.app_secret.clone();
        Ok(Self {
            app_secret: app_secret.context(
                "webhooks have to be signed: set LOADTESTS_APP_SECRET to the secret of the sandbox's app, \
                 or use --spawn serve",
            )?,
            numbers: target.numbers.clone(),
            batch: options.batch,
            run: crate::wall_clock().as_micros().to_string(),
        })
    }

    fn ids(&self, index: u64) -> impl Iterator<Item = String> {
        let (first, batch) = (index * u64::from(self.batch), u64::from(self.batch));
        (first..first + batch).map(move |message| format!("wamid.LOAD{}N{message}", self.run))
    }

    fn body(&self, index: u64) -> String {
        let number = usize::try_from(index % self.numbers.len() as u64).unwrap_or_default();
        let Number { phone_number_id, waba_id, .. } = &self.numbers[number];
        let from = format!("2557{:08}", index % 100_000_000);
        let now = crate::wall_clock().as_secs();
        let messages: Vec<String> = self
            .ids(index)
            .map(|id| {
                format!(
                    r#"{{"from":"{from}","id":"{id}","timestamp":"{now}","type":"text","text":{{"body":"Habari, bei ya sukari kilo moja ni ngapi leo? \u2014 asante"}}}}"#
                )
            })
            .collect();
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{waba_id}","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"255700000000","phone_number_id":"{phone_number_id}"}},"contacts":[{{"profile":{{"name":"Asha"}},"wa_id":"{from}"}}],"messages":[{}]}},"field":"messages"}}]}}]}}"#,
            messages.join(",")
        )
    }
}

impl Shots for Webhooks {
    fn request(&self, index: u64) -> Request {
        let body = self.body(index);
        // An HMAC takes keys of any length, so that this does not fail.
        let signature = signature::meta(&self.app_secret, body.as_bytes()).unwrap_or_default();
        Request { path: "/webhooks/meta", headers: format!("x-hub-signature-256: {signature}\r\n"), body }
    }

    fn taken(&self, index: u64, status: u16, _: &[u8]) -> Option<Vec<String>> {
        (status == 200).then(|| self.ids(index).collect())
    }
}

pub async fn run(options: &WebhookBurst) -> Result<bool> {
    let target = Target::reach(&options.target).await?;
    let endpoint =
        if options.without_endpoint { None } else { Some(Endpoint::register(&target.gateway).await?) };
    report::tell(&format!("webhook_burst against {}", target.kind));
    let measured = measure(options, &target, endpoint.as_ref()).await;
    if let Some(endpoint) = endpoint {
        endpoint.remove(&target.gateway).await?;
    }
    let target = target.stop().await;
    let (resident_mb_at_rest, runs) = measured?;
    let chosen = json!({
        "load": options.load, "numbers": options.target.numbers, "batch": options.batch,
        "endpoint": !options.without_endpoint, "settings": options.target.gateway.setting,
    });
    let machine = report::machine();
    let scenario = "webhook_burst";
    Report { scenario, target, options: chosen, machine, resident_mb_at_rest, runs }.print()
}

async fn measure(
    options: &WebhookBurst,
    target: &Target,
    endpoint: Option<&Endpoint>,
) -> Result<(AtRest, Vec<Run>)> {
    let driver = Driver {
        address: target.address,
        load: &options.load,
        weight: options.batch,
        events_each: 1,
        processes: &target.processes,
        receiver: endpoint.map(|endpoint| &endpoint.receiver),
    };
    let at_rest = driver.at_rest().await?;
    driver.warm_up(Arc::new(Webhooks::new(target, options)?)).await?;
    let mut runs = Vec::new();
    for number in 1..=options.load.repeat {
        let measured = driver.measure(Arc::new(Webhooks::new(target, options)?)).await?;
        report::tell(&format!("run {number}\n{}", report::in_words(&measured.run)));
        runs.push(measured.run);
    }
    Ok((at_rest, runs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn webhooks() -> Webhooks {
        let number = Number {
            connection_id: "con_1".to_owned(),
            phone_number_id: "64".to_owned(),
            waba_id: "63".to_owned(),
        };
        Webhooks { app_secret: "secret".to_owned(), numbers: vec![number], batch: 3, run: "7".to_owned() }
    }

    #[test]
    fn a_webhook_has_the_shape_and_the_signature_of_metas() {
        let request = webhooks().request(2);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(
            (&body["entry"][0]["id"], &value["metadata"]["phone_number_id"]),
            (&json!("63"), &json!("64"))
        );
        assert!(request.body.is_ascii());
        let signature = signature::meta("secret", request.body.as_bytes()).unwrap();
        assert_eq!(request.headers, format!("x-hub-signature-256: {signature}\r\n"));
    }

    #[test]
    fn the_ids_that_are_waited_for_are_those_that_were_sent_and_no_two_are_alike() {
        let webhooks = webhooks();
        let body: Value = serde_json::from_str(&webhooks.request(2).body).unwrap();
        let messages = body["entry"][0]["changes"][0]["value"]["messages"].as_array().unwrap();
        let sent: Vec<&str> = messages.iter().map(|message| message["id"].as_str().unwrap()).collect();
        assert_eq!(sent, webhooks.taken(2, 200, b"").unwrap());
        assert_eq!(sent, ["wamid.LOAD7N6", "wamid.LOAD7N7", "wamid.LOAD7N8"]);
        assert_eq!(webhooks.taken(2, 401, b""), None);
    }
}
