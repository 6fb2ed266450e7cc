//! The endpoint that hears of everything a scenario does.

use anyhow::{Context, Result};
use serde_json::json;

use crate::api::Api;
use crate::receiver::Receiver;

#[derive(Debug)]
pub struct Endpoint {
    pub receiver: Receiver,
    id: String,
}

impl Endpoint {
    pub async fn register(gateway: &Api) -> Result<Self> {
        let receiver = Receiver::start().await?;
        let asked = json!({"url": receiver.url(), "events": ["message.received", "message.status"]});
        let answer = gateway.post("v1/endpoints", &asked).await?;
        let text = |name: &str| answer[name].as_str().with_context(|| format!("an endpoint without {name}"));
        receiver.check_with(text("secret")?)?;
        Ok(Self { id: text("id")?.to_owned(), receiver })
    }

    /// So that a gateway that goes on running does not call a port that is gone.
    pub async fn remove(self, gateway: &Api) -> Result<()> {
        let removed = gateway.delete(&format!("v1/endpoints/{}", self.id)).await;
        self.receiver.stop().await;
        removed
    }
}
