//! The gateway's `/v1` and the sandbox's control, for what is not measured.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Duration;
use url::Url;

#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: Url,
    key: Option<String>,
}

/// Never follows a redirect, so that nothing leads away from this machine.
pub fn client() -> Result<Client> {
    let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_secs(30));
    builder.build().context("no HTTP client")
}

impl Api {
    pub fn new(client: Client, base: Url, key: Option<String>) -> Self {
        Self { client, base, key }
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<()> {
        self.call(Method::DELETE, path, None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.client.request(method.clone(), self.base.join(path)?);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{method} {path} was answered with {status}: {text}");
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}

/// How often the sandbox took each message of ours, and up to where its log was read.
#[derive(Debug, Default)]
pub struct Sent {
    pub times: HashMap<String, u32>,
    pub last: u64,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    seq: u64,
    id: Option<String>,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    biz_opaque_callback_data: Option<String>,
}

const PAGE: usize = 20_000;

/// Reads the sandbox's log behind `after`. An entry with an id is a message that the platform took, whether or not
/// its answer arrived.
pub async fn sent(sandbox: &Api, after: u64) -> Result<Sent> {
    let mut sent = Sent { times: HashMap::new(), last: after };
    loop {
        let page = sandbox.get(&format!("control/sent?after={}&limit={PAGE}", sent.last)).await?;
        let Page { data } = serde_json::from_value(page)?;
        let Some(entry) = data.last() else { return Ok(sent) };
        sent.last = entry.seq;
        for entry in data.iter().filter(|entry| entry.id.is_some()) {
            if let Some(message) = entry.body.biz_opaque_callback_data.as_deref().and_then(message_of) {
                *sent.times.entry(message.to_owned()).or_default() += 1;
            }
        }
    }
}

/// Of `v1.<message id>.<attempt>`.
fn message_of(opaque: &str) -> Option<&str> {
    opaque.strip_prefix("v1.")?.rsplit_once('.').map(|(message, _)| message)
}

/// The end of the sandbox's log, without reading all of it at once.
pub async fn end_of_sent(sandbox: &Api) -> Result<u64> {
    sent(sandbox, 0).await.map(|sent| sent.last)
}

/// Takes Meta's limits away, which are much lower than any load.
pub async fn lift_limits(sandbox: &Api) -> Result<()> {
    let none = json!({"throughput_per_s": null, "pair": null, "service_window": false});
    sandbox.put("control/limits", &none).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_data_names_the_message() {
        assert_eq!(message_of("v1.msg_0199.12"), Some("msg_0199"));
        assert_eq!(message_of("v2.msg_0199.12"), None);
        assert_eq!(message_of("order-7"), None);
    }
}
