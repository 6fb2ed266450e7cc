//! The endpoint that hears of everything a scenario does.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::api::Api;
use crate::receiver::Receiver;

/// Every look holds the receiver up a little.
const LOOK: Duration = Duration::from_millis(500);

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

    /// Waits until all three events of each of these messages have come.
    pub async fn hear_all_of(&self, ids: &[String], patience: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let heard = self.receiver.inbox.heard(ids);
            let missing: u32 = heard.iter().map(|heard| heard.missing()).sum();
            if missing == 0 {
                return Ok(());
            }
            ensure!(began.elapsed() < patience, "{missing} events are missing");
            sleep(LOOK).await;
        }
    }

    /// So that a gateway that goes on running does not call a port that is gone.
    pub async fn remove(self, gateway: &Api) -> Result<()> {
        let removed = gateway.delete(&format!("v1/endpoints/{}", self.id)).await;
        self.receiver.stop().await;
        removed
    }
}
