//! Every metric of this crate, with its description. Labels are words from closed sets: never an id or an address.

use ::metrics::{counter, describe_counter, describe_histogram, histogram};
use std::time::Duration;

pub fn describe() {
    describe_histogram!(
        "gateway_http_request_seconds",
        "Time until a request was answered, by route, method and status"
    );
    describe_counter!("gateway_webhooks_total", "Webhooks kept and acknowledged, by provider");
    describe_counter!("gateway_webhooks_refused_total", "Webhooks not acknowledged, by provider and reason");
}

pub(crate) fn request(route: String, method: &'static str, status: u16, took: Duration) {
    histogram!(
        "gateway_http_request_seconds",
        "route" => route,
        "method" => method,
        "status" => status_word(status)
    )
    .record(took.as_secs_f64());
}

pub(crate) fn webhook(provider: &'static str) {
    counter!("gateway_webhooks_total", "provider" => provider).increment(1);
}

pub(crate) fn webhook_refused(provider: &'static str, reason: &'static str) {
    counter!("gateway_webhooks_refused_total", "provider" => provider, "reason" => reason).increment(1);
}

/// The statuses that tell something, the rest by their class.
const fn status_word(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        409 => "409",
        413 => "413",
        422 => "422",
        429 => "429",
        503 => "503",
        _ => match status / 100 {
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        },
    }
}
