//! How long messages took to reach the platform, in each part of a measurement.

use std::collections::HashMap;

use serde::Serialize;
use tokio::time::Duration;

use super::stream::Asked;
use crate::latency::{Latencies, Latency};

/// A part of the measurement: what was due in it belongs to it. Microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub from_us: i64,
    pub to_us: i64,
}

/// From the moment at which a request was due to the moment at which the platform had its message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reach {
    pub messages: u64,
    /// Of those, how many had not arrived at the end. They count with the time that they had waited by then.
    pub not_yet: u64,
    #[serde(flatten)]
    pub latency: Latency,
    /// Of that, how late the request itself was made, because this program was busy.
    pub made_late_p99_ms: f64,
}

impl Reach {
    /// `at_ms`: when each message reached the platform, in whole milliseconds; it was looked at `end_us`.
    pub fn of(asked: &[Asked], at_ms: &HashMap<&str, i64>, part: Part, end_us: i64) -> Self {
        let (mut took, mut late) = (Latencies::default(), Latencies::default());
        let (mut messages, mut not_yet) = (0, 0);
        for asked in asked.iter().filter(|asked| (part.from_us..part.to_us).contains(&asked.due_us)) {
            let at_ms = at_ms.get(asked.id.as_str());
            took.record(after(asked.due_us, at_ms.map_or(end_us, |at_ms| at_ms * 1000)));
            late.record(after(asked.due_us, asked.made_us));
            messages += 1;
            not_yet += u64::from(at_ms.is_none());
        }
        Self { messages, not_yet, latency: took.summary(), made_late_p99_ms: late.summary().p99_ms }
    }
}

fn after(from_us: i64, to_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(to_us - from_us).unwrap_or(0))
}

/// The most arrivals within any second, of moments in their order.
pub fn most_in_a_second(at_ms: &[i64]) -> usize {
    let within = |(index, first): (usize, &i64)| at_ms[index..].partition_point(|at| *at < first + 1000);
    at_ms.iter().enumerate().map(within).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_belongs_to_the_part_in_which_it_was_due() {
        let asked = |id: &str, due_us, made_us| Asked { id: id.to_owned(), due_us, made_us };
        let all = [asked("a", 0, 0), asked("b", 1_000_000, 1_002_000), asked("c", 1_999_000, 1_999_000)];
        let at_ms = HashMap::from([("a", 5), ("b", 1_010)]);
        let reach = Reach::of(&all, &at_ms, Part { from_us: 1_000_000, to_us: 1_500_000 }, 9_000_000);
        assert_eq!((reach.messages, reach.not_yet), (1, 0));
        assert!((reach.latency.max_ms - 10.0).abs() < 0.05, "{reach:?}");
        assert!((reach.made_late_p99_ms - 2.0).abs() < 0.05, "{reach:?}");
    }

    #[test]
    fn what_has_not_arrived_is_not_left_out() {
        let asked = Asked { id: "a".to_owned(), due_us: 1_000_000, made_us: 1_000_000 };
        let part = Part { from_us: 0, to_us: 2_000_000 };
        let reach = Reach::of(&[asked], &HashMap::new(), part, 9_000_000);
        assert_eq!((reach.messages, reach.not_yet), (1, 1));
        assert!((reach.latency.p99_ms - 8_000.0).abs() < 10.0, "{reach:?}");
    }

    #[test]
    fn the_busiest_second_is_found_wherever_it_begins() {
        assert_eq!(most_in_a_second(&[0, 600, 1200, 1300, 1599, 1600]), 4);
        assert_eq!(most_in_a_second(&[7]), 1);
        assert_eq!(most_in_a_second(&[]), 0);
    }
}
