//! What can be chosen where something stands in the gateway while it is measured: a backlog, or many businesses.

use clap::{Args, value_parser};

use super::{Gateway, Load, Seed};

#[derive(Debug, Args)]
pub struct Flood {
    #[command(flatten)]
    pub gateway: Gateway,
    /// Bulk messages of the one business, all through one number.
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(100..=1_000_000))]
    pub messages: u32,
    /// Connections that the flood comes over.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1024))]
    pub workers: u32,
    /// One-time codes a second of the other business, and as many normal messages.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=30))]
    pub rate: u32,
    /// Measured before the flood begins.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=300))]
    pub quiet_seconds: u32,
    /// Measured after the last of the flood was accepted.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=300))]
    pub seconds: u32,
    /// The flood is given up after so long; what was accepted by then is the flood.
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..=3600))]
    pub accept_seconds: u32,
}

#[derive(Debug, Args)]
pub struct Backlog {
    #[command(flatten)]
    pub gateway: Gateway,
    /// Messages to queue.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u32).range(100..=1_000_000))]
    pub messages: u32,
    /// Numbers over which they are spread, each of another business.
    #[arg(long, default_value_t = 25, value_parser = value_parser!(u32).range(1..=1000))]
    pub numbers: u32,
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub recipients: u32,
    /// Messages that are accepted and sent before, without a backlog, for the memory that load alone takes.
    #[arg(long, default_value_t = 50_000, value_parser = value_parser!(u32).range(100..=1_000_000))]
    pub before: u32,
    /// Connections that send.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1024))]
    pub workers: u32,
    /// Queueing is given up after so long; what was accepted by then is the backlog.
    #[arg(long, default_value_t = 1800, value_parser = value_parser!(u32).range(1..=7200))]
    pub accept_seconds: u32,
    /// Before memory at rest is looked at.
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=300))]
    pub rest_seconds: u32,
    /// How long memory is watched while the backlog drains.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=600))]
    pub seconds: u32,
}

#[derive(Debug, Args)]
pub struct ManyBusinesses {
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub gateway: Gateway,
    #[command(flatten)]
    pub seed: Seed,
    /// The second gateway's database, where --store-url is given too.
    #[arg(long, env = "LOADTESTS_SECOND_STORE_URL", hide_env_values = true)]
    pub second_store_url: Option<String>,
    /// Businesses of the first installation. In both, this many numbers are written from.
    #[arg(long, default_value_t = 25, value_parser = value_parser!(u32).range(1..=1000))]
    pub few: u32,
    /// Businesses of the second installation.
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(100..=1_000_000))]
    pub many: u32,
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub recipients: u32,
    /// Businesses of the second installation over which the load is spread, apart from the comparison.
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub spread: u32,
    /// Connections that never did anything, to be written from once: what a cold start costs.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub cold: u32,
}

#[derive(Debug, Args)]
pub struct Connections {
    #[command(flatten)]
    pub gateway: Gateway,
    #[command(flatten)]
    pub seed: Seed,
    /// The second gateway's database, where --store-url is given too.
    #[arg(long, env = "LOADTESTS_SECOND_STORE_URL", hide_env_values = true)]
    pub second_store_url: Option<String>,
    /// Connections of the installation, all cold at first and then all active.
    #[arg(long = "connections", default_value_t = 20_000, value_parser = value_parser!(u32).range(1_000..=1_000_000))]
    pub count: u32,
    /// HTTP connections that send.
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..=1024))]
    pub workers: u32,
    /// Before memory at rest is looked at.
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=300))]
    pub rest_seconds: u32,
    /// After so long without work a connection leaves memory; longer than it takes to write from all of them.
    #[arg(long, default_value_t = 180, value_parser = value_parser!(u32).range(10..=600))]
    pub idle_seconds: u32,
}
