//! The command line.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use sandbox::Secret;

use crate::app::{self, App};
use crate::http::bind;
use crate::settings::{Loaded, Settings};
use crate::shutdown::Reason;
use crate::{api_keys, demo, master_keys, shutdown, telemetry};

#[derive(Debug, Parser)]
#[command(name = "gateway", version, about = "WhatsApp messaging gateway", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Gateway and sandbox in one process, with one business connected: nothing to install or configure
    Demo {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        #[arg(long, default_value = "127.0.0.1:8090")]
        sandbox_listen: SocketAddr,
        #[arg(long, default_value = "127.0.0.1:8081")]
        operations_listen: SocketAddr,
        #[arg(long, default_value = "./data")]
        data_dir: PathBuf,
    },
    /// Serve, in production
    Serve(Files),
    /// The pretend providers alone
    Sandbox {
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Keep its state here; in memory when absent
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// Where webhooks go, such as http://127.0.0.1:8080/webhooks/meta
        #[arg(long)]
        callback_url: Option<String>,
        /// The pretend app's secret; a random one when absent
        #[arg(long, env = "SANDBOX_APP_SECRET", hide_env_values = true)]
        app_secret: Option<Secret>,
        /// What it says in the handshake of its webhook; random when absent
        #[arg(long, env = "SANDBOX_VERIFY_TOKEN", hide_env_values = true)]
        verify_token: Option<Secret>,
    },
    /// Bring the schema of the database up to date
    Migrate(Files),
    /// Say whether `serve` would start with these settings
    CheckConfig(Files),
    /// Keys of the API
    #[command(subcommand)]
    ApiKey(api_keys::Command),
    /// Master keys
    #[command(subcommand)]
    Keys(master_keys::Command),
    /// Ask a running gateway whether it is ready
    Healthcheck {
        #[arg(long, default_value = "http://127.0.0.1:8081/readyz")]
        url: String,
    },
}

/// Where the settings come from.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// A file of settings; later ones beat earlier ones, the environment beats all
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Files {
    pub fn load(&self) -> anyhow::Result<Loaded> {
        Ok(Settings::load(&self.files, std::env::vars())?)
    }
}

/// Runs what the command line says. Call inside an actix system.
pub async fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Demo { listen, sandbox_listen, operations_listen, data_dir } => {
            demo::run(demo::Arguments { listen, sandbox_listen, operations_listen, data_dir }).await
        }
        Command::Serve(files) => serve(&files).await,
        Command::Sandbox { listen, data_dir, callback_url, app_secret, verify_token } => {
            let mut config = sandbox::Config { listen, data_dir, ..sandbox::Config::default() };
            config.app.callback_url = callback_url;
            config.app.secret = app_secret;
            config.app.verify_token = verify_token;
            sandbox(config).await
        }
        Command::Migrate(files) => migrate(&files).await,
        Command::CheckConfig(files) => {
            files.load()?.check()?;
            print("the configuration is valid\n")
        }
        Command::ApiKey(command) => command.run().await,
        Command::Keys(command) => command.run().await,
        Command::Healthcheck { url } => healthcheck(&url).await,
    }
}

async fn serve(files: &Files) -> anyhow::Result<()> {
    let loaded = files.load()?;
    loaded.check()?;
    let settings = loaded.settings;
    telemetry::start_logging(&settings.telemetry);
    let public_url = settings.server.checked_public_url().map_err(anyhow::Error::msg)?.clone();
    let ring = settings.vault.key_ring().map_err(|wrong| anyhow::Error::msg(wrong.to_string()))?;
    let (public, operations) = (bind(settings.server.listen)?, bind(settings.operations.listen)?);
    let app = App::compose(&settings, ring, public_url.clone()).await?;
    let mut serving = app.serve(public, operations)?;
    tracing::info!(public_url = %public_url, listen = %settings.server.listen, "serving");
    let reason = serving.until_the_end().await?;
    serving.stop().await;
    match reason {
        Reason::Asked => Ok(()),
        Reason::LeaseLost => anyhow::bail!("another process took over: only one may serve a database"),
        Reason::ServerEnded => anyhow::bail!("a server ended by itself"),
    }
}

async fn sandbox(config: sandbox::Config) -> anyhow::Result<()> {
    telemetry::start_logging(&Settings::defaults()?.telemetry);
    let running = sandbox::Sandbox::start(config).await.context("the sandbox does not start")?;
    print(&format!("ready {}\n", serde_json::json!({ "sandbox": format!("http://{}", running.address()) })))?;
    shutdown::asked().await?;
    running.stop().await;
    Ok(())
}

async fn migrate(files: &Files) -> anyhow::Result<()> {
    let settings = files.load()?.settings;
    telemetry::start_logging(&settings.telemetry);
    app::open_store(&settings, true).await?;
    Ok(())
}

async fn healthcheck(url: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(2))
        .build()?;
    let answer = client.get(url).send().await.map_err(reqwest::Error::without_url)?;
    anyhow::ensure!(answer.status().is_success(), "not ready: {}", answer.status());
    Ok(())
}

/// What a command answers goes to standard output; everything else is a log line.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_read_as_documented() {
        for line in [
            "gateway demo --listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:0 --data-dir x",
            "gateway serve --config a.toml --config b.toml",
            "gateway sandbox --listen 127.0.0.1:0",
            "gateway migrate",
            "gateway check-config --config a.toml",
            "gateway api-key new --account a --label b --scope messages:read --scope messages:write --business duka",
            "gateway api-key list",
            "gateway api-key revoke key_00000000000000000000000000000001",
            "gateway keys new",
            "gateway keys list",
            "gateway keys rotate",
            "gateway healthcheck",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        assert!(Cli::try_parse_from(["gateway", "import"]).is_err());
    }
}
