//! Names and descriptions of what this crate measures.

use std::time::Duration;

const COMMIT_SECONDS: &str = "store_commit_seconds";

/// Registers the descriptions; call once after the recorder is installed.
pub fn describe() {
    metrics::describe_histogram!(
        COMMIT_SECONDS,
        metrics::Unit::Seconds,
        "Time from taking a batch to its commit being durable"
    );
}

pub(crate) fn committed(took: Duration) {
    metrics::histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
}
