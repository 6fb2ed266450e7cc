//! What can be chosen on the command line.

mod standing;
mod target;

pub use standing::{Backlog, Connections, Flood, ManyBusinesses};
pub use target::{Gateway, Seed, Spawn, Target};

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};
use serde::Serialize;

/// Load for a gateway and a sandbox on this machine. JSON goes to stdout, a summary to stderr.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub enum Command {
    /// Texts through POST /v1/messages, each followed to its last event at an endpoint.
    SteadySend(SteadySend),
    /// Signed webhooks of Meta's, each with texts of customers, followed to the endpoint.
    WebhookBurst(WebhookBurst),
    /// One business's flood of bulk messages, and how long another's one-time codes take meanwhile.
    Flood(Flood),
    /// Memory with a backlog of queued messages, divided by memory without.
    Backlog(Backlog),
    /// Processor time of a message where few businesses are connected, and where very many are.
    ManyBusinesses(ManyBusinesses),
    /// Memory of each connection: cold, active, and cold again.
    Connections(Connections),
    /// A table of all results, in Markdown, from the files of single measurements.
    Table {
        /// Where load-NAME-STORE.json are.
        #[arg(default_value = "artifacts")]
        folder: PathBuf,
    },
    /// The pretend platform alone, without limits and in memory; ends with its standard input. `--spawn serve` uses it.
    Sandbox(Pretend),
}

#[derive(Debug, Args)]
pub struct SteadySend {
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub target: Target,
    /// How many people are written to, in turn. One after the other per person, as the gateway keeps their order.
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub recipients: u32,
    /// Characters of text in each message.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=4096))]
    pub text_length: u32,
    /// Send without Idempotency-Key: a little less work than real callers make.
    #[arg(long)]
    pub without_idempotency_keys: bool,
}

#[derive(Debug, Args)]
pub struct WebhookBurst {
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub target: Target,
    /// Messages in each webhook.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=1000))]
    pub batch: u32,
    /// Register no endpoint: measures keeping alone, and what was kept is not looked at.
    #[arg(long)]
    pub without_endpoint: bool,
}

#[derive(Debug, Clone, Args, Serialize)]
pub struct Load {
    /// Requests a second, sent when they are due whatever the answers do.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Instead of a rate: as fast as answers come, from as many workers as there are.
    #[arg(long, conflicts_with = "rate")]
    pub closed: bool,
    /// With --closed: messages that may be on their way to their last event at the same time.
    #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub unfinished: u32,
    /// How long, without warm-up and the wait for the last event.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=300))]
    pub seconds: u32,
    /// Load of the same kind before, which is not counted.
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(0..=60))]
    pub warm_up_seconds: u32,
    /// How long the last event is waited for.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=600))]
    pub drain_seconds: u32,
    /// Connections that send.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1024))]
    pub workers: u32,
    /// Runs one after the other on the same gateway; the JSON has each, and the medians.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=10))]
    pub repeat: u32,
}

#[derive(Debug, Args)]
pub struct Pretend {
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Webhooks under way at once.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u16).range(1..=4096))]
    pub webhooks_at_once: u16,
    #[arg(long, env = "LOADTESTS_APP_SECRET", hide_env_values = true)]
    pub app_secret: String,
    #[arg(long, env = "LOADTESTS_VERIFY_TOKEN", hide_env_values = true)]
    pub verify_token: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_fits_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn runs_are_bounded() {
        let of = |more: &[&str]| {
            Options::try_parse_from(
                [["loadtests", "steady_send", "--spawn", "serve"].as_slice(), more].concat(),
            )
        };
        assert!(of(&[]).is_ok());
        for wrong in [["--seconds", "301"], ["--rate", "0"], ["--workers", "1025"], ["--repeat", "11"]] {
            assert!(of(&wrong).is_err(), "{wrong:?}");
        }
        assert!(of(&["--closed", "--rate", "5"]).is_err());
        assert!(Options::try_parse_from(["loadtests", "steady_send"]).is_err());
    }
}
