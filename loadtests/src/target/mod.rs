//! What is measured: a gateway that somebody started, or one that is started here.

mod gateway;
mod onboard;
mod page;
pub mod pretend;
mod seed;
mod serve;
mod spawned;

pub use gateway::{IDLE_AFTER, LIMIT, NUMBER_PER_SECOND};
pub use serve::{Chosen, Seeding};

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Duration;
use url::Url;

use crate::api::{self, Api};
use crate::loopback;
use crate::options::{self, Spawn};
use crate::process::Watched;
use spawned::Spawned;

/// The process that makes the load, with the endpoint in it.
const LOAD: &str = "load";

#[derive(Debug)]
pub struct Target {
    /// Where load goes.
    pub address: SocketAddr,
    pub gateway: Api,
    pub sandbox: Api,
    pub api_key: String,
    pub numbers: Vec<Number>,
    pub app_secret: Option<String>,
    pub processes: Vec<Watched>,
    /// In words, for the report.
    pub kind: String,
    spawned: Option<Spawned>,
}

/// A number that is connected.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "each of these is called so everywhere")]
pub struct Number {
    pub connection_id: String,
    pub phone_number_id: String,
    pub waba_id: String,
}

/// What `gateway demo` prints when it serves.
#[derive(Debug, Deserialize)]
struct Ready {
    gateway: String,
    sandbox: String,
    api_key: String,
    connection_id: String,
    phone_number_id: String,
}

impl Ready {
    fn find(text: &str) -> Option<Self> {
        text.lines().find_map(|line| serde_json::from_str(line.strip_prefix("ready ")?).ok())
    }
}

impl Target {
    pub async fn reach(options: &options::Target) -> Result<Self> {
        let mut target = match options.spawn {
            Some(Spawn::Serve) => Self::serve(&options.gateway, None, &[]).await?,
            Some(Spawn::Demo) => Self::demo(options).await?,
            None => {
                let file = options.ready.as_ref().context("--spawn or --ready")?;
                let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
                let ready = Ready::find(&text).context("no ready line in the file")?;
                let mut target = Self::of_demo(ready, options, "gateway demo, started by somebody").await?;
                target.processes.extend(options.gateway_pid.map(|pid| Watched { name: "gateway", pid }));
                target
            }
        };
        target.ready_for_load().await?;
        target.onboard(options.numbers as usize).await?;
        Ok(target)
    }

    /// A gateway of its own, where every number is connected by onboarding.
    pub async fn onboarded(options: &options::Gateway, numbers: u32, chosen: Chosen<'_>) -> Result<Self> {
        let mut target = Self::serve(options, None, chosen).await?;
        target.ready_for_load().await?;
        target.onboard(numbers as usize).await?;
        Ok(target)
    }

    /// A gateway of its own, on a database that was filled with connected businesses.
    pub async fn seeded(
        options: &options::Gateway,
        seeding: Seeding<'_>,
        chosen: Chosen<'_>,
    ) -> Result<Self> {
        let mut target = Self::serve(options, Some(seeding), chosen).await?;
        target.ready_for_load().await?;
        Ok(target)
    }

    async fn ready_for_load(&mut self) -> Result<()> {
        self.processes.push(Watched { name: LOAD, pid: std::process::id() });
        api::lift_limits(&self.sandbox).await
    }

    async fn onboard(&mut self, numbers: usize) -> Result<()> {
        for index in self.numbers.len()..numbers {
            let number = onboard::connect(&self.gateway, index).await;
            self.numbers.push(number.with_context(|| format!("connecting number {}", index + 1))?);
        }
        Ok(())
    }

    /// The gateway ends and begins again, with other settings. How long the start took.
    pub async fn restart(&mut self, chosen: Chosen<'_>) -> Result<Duration> {
        let spawned = self.spawned.as_mut().context("only what was started here is started again")?;
        let took = spawned.restart(chosen).await?;
        let load = self.processes.iter().filter(|process| process.name == LOAD).cloned();
        self.processes = spawned.watched().into_iter().chain(load).collect();
        Ok(took)
    }

    /// The process of this name.
    pub fn process(&self, name: &str) -> Result<&Watched> {
        let process = self.processes.iter().find(|process| process.name == name);
        process.with_context(|| format!("there is no process {name}"))
    }

    /// Ends what was started for it. Answers what it was.
    pub async fn stop(self) -> String {
        if let Some(spawned) = self.spawned {
            spawned.stop().await;
        }
        self.kind
    }

    async fn demo(options: &options::Target) -> Result<Self> {
        ensure!(
            options.gateway.store_url.is_none(),
            "gateway demo is on SQLite: --store-url goes with --spawn serve"
        );
        let (spawned, ready, pid) = Spawned::demo(options).await?;
        let kind = "gateway demo, with the sandbox in the same process, SQLite";
        let mut target = Self::of_demo(ready, options, kind).await?;
        target.processes.push(Watched { name: "gateway", pid });
        target.spawned = Some(spawned);
        Ok(target)
    }

    async fn of_demo(ready: Ready, options: &options::Target, kind: &str) -> Result<Self> {
        let (gateway, sandbox) = (loopback::base(&ready.gateway)?, loopback::base(&ready.sandbox)?);
        let address = loopback::address(&gateway)?;
        let client = api::client()?;
        let sandbox = Api::new(client.clone(), sandbox, None);
        let number = Number {
            connection_id: ready.connection_id,
            waba_id: waba_of(&sandbox, &ready.phone_number_id).await?,
            phone_number_id: ready.phone_number_id,
        };
        Ok(Self {
            address,
            gateway: Api::new(client, gateway, Some(ready.api_key.clone())),
            sandbox,
            api_key: ready.api_key,
            numbers: vec![number],
            app_secret: options.app_secret.clone(),
            processes: Vec::new(),
            kind: kind.to_owned(),
            spawned: None,
        })
    }

    async fn serve(
        options: &options::Gateway,
        seeding: Option<Seeding<'_>>,
        chosen: Chosen<'_>,
    ) -> Result<Self> {
        let (spawned, numbers) = Spawned::serve(options, seeding, chosen).await?;
        let gateway: Url = loopback::base(&spawned.gateway)?;
        let client = api::client()?;
        Ok(Self {
            address: loopback::address(&gateway)?,
            gateway: Api::new(client.clone(), gateway, Some(spawned.api_key.clone())),
            sandbox: Api::new(client, loopback::base(&spawned.sandbox)?, None),
            api_key: spawned.api_key.clone(),
            numbers,
            app_secret: Some(spawned.app_secret.clone()),
            processes: spawned.watched(),
            kind: format!(
                "gateway serve, {}",
                if options.store_url.is_some() { "Postgres" } else { "SQLite" }
            ),
            spawned: Some(spawned),
        })
    }
}

async fn waba_of(sandbox: &Api, phone_number_id: &str) -> Result<String> {
    let state = sandbox.get("control/state").await?;
    find_waba(&state, phone_number_id).context("the sandbox does not know the number")
}

fn find_waba(state: &Value, phone_number_id: &str) -> Option<String> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let mut wabas = list(state, "businesses").into_iter().flat_map(|business| list(&business, "wabas"));
    let waba =
        wabas.find(|waba| list(waba, "numbers").iter().any(|number| number["id"] == phone_number_id))?;
    waba["id"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ready_line_is_found_among_others() {
        let line = r#"ready {"gateway":"http://127.0.0.1:8080","sandbox":"http://127.0.0.1:8090","api_key":"k","business_id":"demo","connection_id":"con_1","phone_number_id":"64"}"#;
        let ready = Ready::find(&format!("something\n{line}\n")).unwrap();
        assert_eq!((ready.connection_id.as_str(), ready.phone_number_id.as_str()), ("con_1", "64"));
        assert!(Ready::find("ready {\"gateway\"").is_none());
    }

    #[test]
    fn a_number_leads_to_its_account() {
        let state = json!({"businesses": [{"wabas": [{"id": "1", "numbers": []}]},
            {"wabas": [{"id": "2", "numbers": [{"id": "64"}]}]}]});
        assert_eq!(find_waba(&state, "64").as_deref(), Some("2"));
        assert_eq!(find_waba(&state, "65"), None);
    }
}
