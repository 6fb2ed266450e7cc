//! The sandbox in a process of its own: without limits, in memory, with enough webhooks under way at once.

use std::io::{self, Write};
use std::thread;

use anyhow::{Context, Result};
use sandbox::{App, Config, Delivery, Limits, Sandbox};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::options::Pretend;

/// The one line on standard output.
#[derive(Debug, Serialize, Deserialize)]
pub struct Serving {
    /// By address.
    pub base: String,
    /// By name: another site than the gateway's.
    pub public: String,
    /// With the path, without a version.
    pub graph: String,
    pub sdk: String,
    pub app_id: String,
    pub config_id: String,
}

/// Until standard input ends, which it does when whoever started this is gone.
pub async fn run(options: Pretend) -> Result<()> {
    let running = Sandbox::start(config(options)).await.context("the sandbox does not start")?;
    let app = running.app();
    let serving = Serving {
        base: format!("http://{}", running.address()),
        public: running.base_url().to_owned(),
        graph: running.graph_url(),
        sdk: running.sdk_url(),
        app_id: app.id,
        config_id: app.config_id,
    };
    writeln!(io::stdout().lock(), "{}", serde_json::to_string(&serving)?)?;
    let (ended, input) = oneshot::channel();
    // A thread of its own, which a signal need not wait for.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = input.await;
    running.stop().await;
    Ok(())
}

fn config(options: Pretend) -> Config {
    Config {
        listen: options.listen,
        workers: 1,
        limits: Limits::none(),
        posted_limit: 0,
        app: App {
            secret: Some(options.app_secret.into()),
            verify_token: Some(options.verify_token.into()),
            ..App::default()
        },
        delivery: Delivery { concurrency: usize::from(options.webhooks_at_once), ..Delivery::default() },
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_this_machine_only() {
        let options = Pretend {
            listen: "0.0.0.0:0".parse().unwrap(),
            webhooks_at_once: 1,
            app_secret: "a".to_owned(),
            verify_token: "b".to_owned(),
        };
        assert!(config(options).check().is_err());
    }
}
