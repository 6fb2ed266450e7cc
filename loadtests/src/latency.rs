//! How long answers took, from the moment at which the request was meant to go out.

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Duration;

use crate::report::rounded;

/// Longer waits are counted as this long; a request is given up before.
const LONGEST_US: u64 = 600_000_000;

/// Microseconds, to three figures.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "these names stand in the JSON, where nothing else tells the unit"
)]
pub struct Latency {
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Self(histogram.unwrap_or_else(|_| unreachable!("the bounds are constants that fit each other")))
    }
}

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).max(1));
    }

    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so that this cannot fail.
        let _ = self.0.add(&other.0);
    }

    pub fn summary(&self) -> Latency {
        let at = |quantile| milliseconds(self.0.value_at_quantile(quantile));
        Latency { p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), max_ms: milliseconds(self.0.max()) }
    }
}

fn milliseconds(us: u64) -> f64 {
    rounded(Duration::from_micros(us).as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_everything_that_was_merged() {
        let (mut fast, mut slow) = (Latencies::default(), Latencies::default());
        for ms in 1..=90 {
            fast.record(Duration::from_millis(ms));
        }
        for ms in 91..=100 {
            slow.record(Duration::from_millis(ms));
        }
        fast.merge(&slow);
        let summary = fast.summary();
        for (found, expected) in
            [(summary.p50_ms, 50.0), (summary.p90_ms, 90.0), (summary.p99_ms, 99.0), (summary.max_ms, 100.0)]
        {
            assert!((found - expected).abs() <= expected * 0.002, "{found} instead of {expected}");
        }
    }

    #[test]
    fn nothing_measured_is_zero_and_too_long_is_the_longest() {
        assert!(Latencies::default().summary().max_ms < f64::EPSILON);
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_hours(1));
        assert!((latencies.summary().max_ms - 600_000.0).abs() < 600.0);
    }
}
