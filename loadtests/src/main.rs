//! Measures a gateway on this machine: how fast it answers, what a message costs, and that nothing is lost.
//! Knows the gateway by its HTTP interface only, and the platform behind it by the sandbox.

mod api;
mod drive;
mod fill;
mod latency;
mod loopback;
mod options;
mod pace;
mod process;
mod receiver;
mod report;
mod scenarios;
mod sent;
mod signature;
mod table;
mod target;
mod wire;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use clap::Parser;
use options::{Command, Options};
use tokio::signal::unix::{SignalKind, signal};

/// One thread, so that what is measured keeps the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    // Nothing here speaks TLS, but the HTTP client wants to know.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What is dropped when a signal comes takes the processes that were started with it.
    let outcome = tokio::select! {
        outcome = run(options) => outcome,
        () = told_to_stop() => Err(anyhow!("stopped by a signal")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::tell(&format!("loadtests: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// True when nothing was lost.
async fn run(options: Options) -> Result<bool> {
    match options.command {
        Command::SteadySend(options) => scenarios::steady_send::run(&options).await,
        Command::WebhookBurst(options) => scenarios::webhook_burst::run(&options).await,
        Command::Flood(options) => scenarios::flood::run(&options).await,
        Command::Backlog(options) => scenarios::backlog::run(&options).await,
        Command::ManyBusinesses(options) => scenarios::many_businesses::run(&options).await,
        Command::Connections(options) => scenarios::connections::run(&options).await,
        Command::Table { folder } => table::print(&folder).map(|()| true),
        Command::Sandbox(options) => target::pretend::run(options).await.map(|()| true),
    }
}

async fn told_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Since 1970. Signatures and timestamps are of today, and ids must not come twice on the same database.
#[expect(
    clippy::disallowed_methods,
    reason = "this program stands outside of what tests control the time of"
)]
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
