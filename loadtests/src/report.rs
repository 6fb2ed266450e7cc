//! What comes out: JSON for programs, a few lines for people.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::{env, fs, thread};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::drive::Answers;
use crate::process::Usage;

#[derive(Debug, Serialize)]
pub struct Run {
    pub answers: Answers,
    pub lives: Lives,
    pub faults: Faults,
    pub processes: BTreeMap<&'static str, Usage>,
}

/// Messages with everything that is to happen to them, up to the last event at the endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lives {
    pub finished: u64,
    /// From the first request to the last event.
    pub seconds: f64,
    pub per_s: f64,
    /// From the last answer to the last event.
    pub drain_s: f64,
}

/// All of these have to be nought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Accepted, never at the sandbox, and not on their way either.
    pub messages_lost: u64,
    /// On their way still when they were no longer waited for, such as those whose outcome is unknown.
    pub messages_unfinished: u64,
    pub messages_sent_twice: u64,
    pub messages_failed: u64,
    pub events_lost: u64,
    pub signatures_wrong: u64,
    pub events_unreadable: u64,
    /// At least once is what is promised, so that these alone are no failure.
    pub events_repeated: u64,
    /// Of the messages asked for by id at the end, how many do not stand where their events say.
    pub statuses_behind: u64,
}

impl Faults {
    pub const fn is_clean(&self) -> bool {
        self.messages_lost == 0
            && self.messages_unfinished == 0
            && self.messages_sent_twice == 0
            && self.messages_failed == 0
            && self.events_lost == 0
            && self.signatures_wrong == 0
            && self.events_unreadable == 0
            && self.statuses_behind == 0
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and kilobytes stay far below 2^52")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64) }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { rounded(count as f64 / seconds) } else { 0.0 }
}

/// To four places: nothing here is measured more finely.
pub fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

/// Member by member, and lists of one length place by place: numbers become the median of the runs, what is the same in
/// all of them stays.
pub fn median(runs: &[Value]) -> Value {
    let Some(first) = runs.first() else { return Value::Null };
    match first {
        Value::Object(members) => {
            let member = |name: &String| {
                let of_each: Vec<Value> = runs.iter().map(|run| run[name.as_str()].clone()).collect();
                (name.clone(), median(&of_each))
            };
            Value::Object(members.keys().map(member).collect::<Map<_, _>>())
        }
        Value::Number(_) => {
            let mut numbers: Vec<f64> = runs.iter().filter_map(Value::as_f64).collect();
            numbers.sort_by(f64::total_cmp);
            let (low, high) = ((numbers.len() - 1) / 2, numbers.len() / 2);
            json!(rounded(f64::midpoint(numbers[low], numbers[high])))
        }
        Value::Array(items) if runs.iter().all(|run| has_length(run, items.len())) => {
            let of_each = |index: usize| runs.iter().map(|run| run[index].clone()).collect::<Vec<_>>();
            (0..items.len()).map(|index| median(&of_each(index))).collect()
        }
        other if runs.iter().all(|run| run == other) => other.clone(),
        _ => Value::Null,
    }
}

fn has_length(value: &Value, length: usize) -> bool {
    value.as_array().is_some_and(|items| items.len() == length)
}

/// On what the figures were taken; without names.
pub fn machine() -> Value {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let of = |text: &str, name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        found.trim_start_matches([' ', '\t', ':']).trim().to_owned()
    };
    json!({
        "cores": thread::available_parallelism().map_or(0, usize::from),
        "processor": of(&line("/proc/cpuinfo"), "model name"),
        "memory": of(&line("/proc/meminfo"), "MemTotal"),
        "kernel": line("/proc/sys/kernel/osrelease").trim(),
        "system": format!("{} {}", env::consts::OS, env::consts::ARCH),
    })
}

pub fn print_json(value: &Value) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// To standard output, as it is.
pub fn say(text: &str) -> Result<()> {
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// For people. Nobody may be reading.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub fn in_words(run: &Run) -> String {
    let Run { answers, lives, faults, processes } = run;
    let latency = answers.latency;
    let mut lines = vec![
        format!(
            "  taken      {} in {:.1} s = {:.0}/s; refused {:?}, unanswered {:?}",
            answers.taken, answers.seconds, answers.taken_per_s, answers.refused, answers.unanswered
        ),
        format!(
            "  answer     p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms
        ),
        format!(
            "  to the end {} in {:.1} s = {:.0}/s; the last event {:.2} s after the last answer",
            lives.finished, lives.seconds, lives.per_s, lives.drain_s
        ),
    ];
    for (name, used) in processes {
        lines.push(format!(
            "  {name:<10} {:.3} ms of processor each; {:.1} MB before, {:.1} MB at most, {:.1} MB after",
            used.cpu_ms_each, used.resident_mb_before, used.resident_mb_peak, used.resident_mb_after
        ));
    }
    lines.push(format!("  faults     {}", if faults.is_clean() { "none" } else { "FOUND" }));
    if *faults != Faults::default() {
        lines.push(format!("             {faults:?}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_member_by_member() {
        let runs = [
            json!({"a": {"b": 3, "c": 1.0}, "name": "x", "differs": "1"}),
            json!({"a": {"b": 1, "c": 2.0}, "name": "x", "differs": "2"}),
            json!({"a": {"b": 100, "c": 4.0}, "name": "x", "differs": "3"}),
        ];
        let expected = json!({"a": {"b": 3.0, "c": 2.0}, "name": "x", "differs": null});
        assert_eq!(median(&runs), expected);
        assert_eq!(median(&runs[..2])["a"], json!({"b": 2.0, "c": 1.5}));
        assert_eq!(median(&[]), Value::Null);
        let lists = [json!([{"name": "x", "a": 1}]), json!([{"name": "x", "a": 3}])];
        assert_eq!(median(&lists), json!([{"name": "x", "a": 2.0}]));
        assert_eq!(median(&[json!([1]), json!([1, 2])]), Value::Null);
    }

    #[test]
    fn repeated_events_alone_are_no_fault() {
        assert!(Faults { events_repeated: 5, ..Faults::default() }.is_clean());
        assert!(!Faults { messages_lost: 1, ..Faults::default() }.is_clean());
    }

    #[test]
    fn nothing_divided_by_nothing_is_nothing() {
        assert!(ratio(0, 0).abs() < f64::EPSILON && per_second(0, 0.0).abs() < f64::EPSILON);
    }
}
