//! Logs to standard error, metrics for `/metrics`, and what a panic may say.

use std::io::IsTerminal as _;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How often the exporter tidies its histograms.
const UPKEEP: Duration = Duration::from_secs(5);
const LATENCY_BUCKETS: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const ROW_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub log: String,
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    Pretty,
    Auto,
}

pub fn check(config: &Config) -> Result<(), String> {
    EnvFilter::try_new(&config.log).map(drop).map_err(|error| format!("is no filter: {error}"))
}

/// Logs from here on. A second call, as tests make it, changes nothing.
pub fn start_logging(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let pretty = match config.format {
        Format::Json => false,
        Format::Pretty => true,
        Format::Auto => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if pretty {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    panics_tell_their_place_only();
}

/// What a panic was given to say may be anything, a token included: only where it happened is logged.
fn panics_tell_their_place_only() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(panic.place = %place, thread = thread.name().unwrap_or_default(), "a thread panicked");
    }));
}

/// The recorder of this process, and the text that `/metrics` answers. `None` when there is a recorder already.
pub fn start_metrics() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCY_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), ROW_BUCKETS));
    let recorder = builder.ok()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    gateway_actors::metrics::describe();
    providers::metrics::describe();
    store::metrics::describe();
    crate::metrics::describe();
    Some(handle)
}

/// Tidies the histograms until the runtime ends.
pub fn keep_up(handle: PrometheusHandle) {
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
}
