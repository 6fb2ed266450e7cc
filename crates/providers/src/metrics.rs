//! The names of this crate's metrics, in one place. Labels are words from closed sets: never an id, a number or an address.

use std::time::Duration;

/// Requests made to providers, by `provider`, `operation` and `outcome`.
pub const REQUESTS: &str = "gateway_provider_requests_total";
/// Seconds from the start of a request to a provider until its answer was read, with the same labels.
pub const REQUEST_SECONDS: &str = "gateway_provider_request_duration_seconds";

/// Tells the recorder what the metrics mean. Call it once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(
        REQUESTS,
        "Requests made to providers of WhatsApp, by provider, operation and outcome"
    );
    metrics::describe_histogram!(
        REQUEST_SECONDS,
        metrics::Unit::Seconds,
        "Time until a provider's answer was read, by provider, operation and outcome"
    );
}

pub(crate) fn record(provider: &'static str, operation: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!(REQUESTS, "provider" => provider, "operation" => operation, "outcome" => outcome)
        .increment(1);
    metrics::histogram!(REQUEST_SECONDS, "provider" => provider, "operation" => operation, "outcome" => outcome)
        .record(took.as_secs_f64());
}
