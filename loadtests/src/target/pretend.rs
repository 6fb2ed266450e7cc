//! The sandbox in a process of its own: without limits, in memory, with enough webhooks under way at once.

use std::io::{self, Write};

use anyhow::{Context, Result};
use sandbox::{App, Config, Delivery, Limits, Sandbox};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use crate::options::Pretend;

/// The one line on standard output.
#[derive(Debug, Serialize, Deserialize)]
pub struct Serving {
    /// With the path, without a version.
    pub graph: String,
    /// As a browser reaches it.
    pub dialog: String,
    pub sdk: String,
    /// By address.
    pub base: String,
    pub app_id: String,
    pub config_id: String,
}

/// Until standard input ends, which it does when whoever started this is gone.
pub async fn run(options: Pretend) -> Result<()> {
    let running = Sandbox::start(config(options)).await.context("the sandbox does not start")?;
    let app = running.app();
    let serving = Serving {
        graph: running.graph_url(),
        dialog: running.dialog_url(),
        sdk: running.sdk_url(),
        base: format!("http://{}", running.address()),
        app_id: app.id,
        config_id: app.config_id,
    };
    writeln!(io::stdout().lock(), "{}", serde_json::to_string(&serving)?)?;
    let mut nothing = [0; 64];
    let mut input = tokio::io::stdin();
    while input.read(&mut nothing).await? > 0 {}
    running.stop().await;
    Ok(())
}

fn config(options: Pretend) -> Config {
    Config {
        listen: options.listen,
        workers: 1,
        limits: Limits::none(),
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
