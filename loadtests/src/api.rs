//! The gateway's `/v1` and the sandbox's control, for what is not measured.

use anyhow::{Context, Result, ensure};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::Duration;
use url::Url;

/// Statuses of a message that is going to be sent yet, or was perhaps sent just now.
pub const ON_ITS_WAY: [&str; 4] = ["accepted", "sending", "retrying", "ambiguous"];

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

/// Takes Meta's limits away, which are much lower than any load.
pub async fn lift_limits(sandbox: &Api) -> Result<()> {
    let none = json!({"throughput_per_s": null, "pair": null, "service_window": false});
    sandbox.put("control/limits", &none).await.map(drop)
}

/// The limits that Meta gives a number to begin with.
pub async fn usual_limits(sandbox: &Api) -> Result<()> {
    let usual = json!({"throughput_per_s": 80, "pair": {"seconds": 6, "burst": 45}, "service_window": false});
    sandbox.put("control/limits", &usual).await.map(drop)
}
