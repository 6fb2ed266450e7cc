//! What is measured, and what of it is started here.

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};

/// `gateway serve` and a sandbox of its own, started for this measurement.
#[derive(Debug, Clone, Args)]
pub struct Gateway {
    /// The gateway's program, for what is started here.
    #[arg(long = "gateway-bin", value_name = "PATH", default_value = "target/release/gateway")]
    pub program: PathBuf,
    /// Database of `gateway serve`, empty and on this machine: postgres://… Without it SQLite in the temporary folder.
    #[arg(long, env = "LOADTESTS_STORE_URL", hide_env_values = true)]
    pub store_url: Option<String>,
    /// A setting for the gateway that is started, such as GATEWAY__ACTORS__POSTS_IN_FLIGHT=64. May be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub setting: Vec<String>,
    /// Keep the temporary folder with the database and the logs, and say where it is.
    #[arg(long)]
    pub keep: bool,
}

/// The program that fills a database with connected businesses.
#[derive(Debug, Clone, Args)]
pub struct Seed {
    /// The seeding program: cargo build --locked --package gateway --example seed
    #[arg(long = "seed-bin", value_name = "PATH", default_value = "target/debug/examples/seed")]
    pub seeder: PathBuf,
    /// Where a SQLite database is filled before it is moved to the disk: in memory, because every business is three
    /// commits, which a disk would make wait for.
    #[arg(long = "seed-folder", value_name = "PATH", default_value = "/dev/shm")]
    pub staging: PathBuf,
}

#[derive(Debug, Args)]
pub struct Target {
    /// Start what is measured, on free ports and in a temporary folder, and stop it afterwards.
    #[arg(long, value_enum, required_unless_present = "ready")]
    pub spawn: Option<Spawn>,
    #[command(flatten)]
    pub gateway: Gateway,
    /// Numbers to connect, by onboarding as a person does it, each of another business. The platform lets each send
    /// 80 messages a second.
    #[arg(long, default_value_t = 25, value_parser = value_parser!(u32).range(1..=1000))]
    pub numbers: u32,
    /// A running `gateway demo`: the file that its standard output went to.
    #[arg(long, conflicts_with = "spawn", value_name = "FILE")]
    pub ready: Option<PathBuf>,
    /// Process to measure, with --ready.
    #[arg(long, requires = "ready")]
    pub gateway_pid: Option<u32>,
    /// Where webhooks' signatures need it, with --ready: the secret of the sandbox's app.
    #[arg(long, env = "LOADTESTS_APP_SECRET", hide_env_values = true)]
    pub app_secret: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spawn {
    /// `gateway serve`, with the sandbox in a process of its own: the gateway's processor time is measured alone.
    Serve,
    /// `gateway demo`: both in one process, on SQLite.
    Demo,
}
