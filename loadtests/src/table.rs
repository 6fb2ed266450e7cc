//! One table of all results, from the files of the single measurements.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

const STORES: [(&str, &str); 2] = [("sqlite", "SQLite"), ("postgres", "PostgreSQL")];

#[derive(Debug, Clone, Copy)]
enum Budget {
    AtMost(f64),
    AtLeast(f64),
    /// A ratio that this far off one is good enough for, either way.
    WithinOfOne(f64),
    None,
}

use Budget::{AtLeast, AtMost, None as Unbounded, WithinOfOne};

impl Budget {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::WithinOfOne(off) => (value - 1.0).abs() <= off,
            Self::None => true,
        }
    }

    fn words(self, unit: &str) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}{unit}"),
            Self::AtLeast(least) => format!("≥ {least}{unit}"),
            Self::WithinOfOne(off) => format!("1 ± {off}"),
            Self::None => "–".to_owned(),
        }
    }
}

/// What it is, the measurement that tells it, where in its file, unit and budget.
type Row = (&'static str, &'static str, &'static str, &'static str, Budget);

const CPU: &str = "/median/processes/gateway/cpu_ms_each";

const ROWS: &[Row] = &[
    ("processor time per message, whole life, 1 000/s", "steady-send", CPU, " ms", AtMost(0.30)),
    ("the same, as fast as it goes", "full-lives", CPU, " ms", AtMost(0.30)),
    ("processor time per inbound webhook, kept", "webhook-kept", CPU, " ms", AtMost(0.15)),
    ("the same, with its event delivered", "webhook-burst", CPU, " ms", Unbounded),
    ("full lives a second", "full-lives", "/median/lives/per_s", "", AtLeast(2000.0)),
    ("accept (202) at 1 000/s, p50", "steady-send", "/median/answers/p50_ms", " ms", AtMost(10.0)),
    ("accept (202) at 1 000/s, p99", "steady-send", "/median/answers/p99_ms", " ms", AtMost(50.0)),
    ("webhook answered 200 at 1 000/s, p50", "webhook-burst", "/median/answers/p50_ms", " ms", AtMost(10.0)),
    ("webhook answered 200 at 1 000/s, p99", "webhook-burst", "/median/answers/p99_ms", " ms", AtMost(100.0)),
    ("resident memory at rest", "steady-send", "/resident_mb_at_rest/gateway", " MB", AtMost(40.0)),
    (
        "resident memory at most, under load",
        "full-lives",
        "/median/processes/gateway/resident_mb_peak",
        " MB",
        Unbounded,
    ),
    (
        "one-time code to the platform before a flood, p99",
        "flood",
        "/measured/streams/otp/reach/before_the_flood/p99_ms",
        " ms",
        Unbounded,
    ),
    (
        "the same, while another business's flood is accepted, p99",
        "flood",
        "/measured/streams/otp/reach/while_it_is_accepted/p99_ms",
        " ms",
        AtMost(250.0),
    ),
    (
        "the same, while the flood's backlog drains, p99",
        "flood",
        "/measured/streams/otp/reach/while_it_drains/p99_ms",
        " ms",
        AtMost(250.0),
    ),
    (
        "normal message of the other business, while the backlog drains, p99",
        "flood",
        "/measured/streams/normal/reach/while_it_drains/p99_ms",
        " ms",
        Unbounded,
    ),
    (
        "one-time code of the flooding number itself, while its backlog drains, p99",
        "flood",
        "/measured/streams/otp_of_the_flooding_number/reach/while_it_drains/p99_ms",
        " ms",
        Unbounded,
    ),
    ("messages queued over 25 numbers", "backlog", "/measured/queued", "", Unbounded),
    ("memory with them, at rest, by memory without", "backlog", "/measured/ratios/at_rest", "", AtMost(1.3)),
    ("the same, after a start", "backlog", "/measured/ratios/after_a_start", "", AtMost(1.3)),
    ("the same, while sending", "backlog", "/measured/ratios/while_sending", "", AtMost(1.3)),
    ("messages queued at one number", "backlog-one-number", "/measured/queued", "", Unbounded),
    (
        "memory with them, at rest, by memory without",
        "backlog-one-number",
        "/measured/ratios/at_rest",
        "",
        AtMost(1.3),
    ),
    ("the same, after a start", "backlog-one-number", "/measured/ratios/after_a_start", "", AtMost(1.3)),
    ("the same, while sending", "backlog-one-number", "/measured/ratios/while_sending", "", AtMost(1.3)),
    ("processor time per message, few businesses", "many-businesses", "/cpu_ms_each/few", " ms", Unbounded),
    (
        "the same with many businesses, the same numbers hot, by few",
        "many-businesses",
        "/cpu_ms_each/many_to_few",
        "",
        WithinOfOne(0.1),
    ),
    (
        "the same, spread over many of them, by few",
        "many-businesses",
        "/cpu_ms_each/spread_to_few",
        "",
        Unbounded,
    ),
    ("a connection's cold start, once", "many-businesses", "/cpu_ms_each/cold_start", " ms", Unbounded),
    (
        "processor time at rest with many businesses, in a second",
        "many-businesses",
        "/many/idle_cpu_ms_per_s",
        " ms",
        Unbounded,
    ),
    ("memory of a cold connection", "connections", "/measured/kb_each/cold", " KB", AtMost(3.0)),
    ("memory of an active connection", "connections", "/measured/kb_each/active", " KB", AtMost(6.0)),
    ("memory of one that is cold again", "connections", "/measured/kb_each/cold_again", " KB", AtMost(3.0)),
];

/// Prints the results in this folder, `load-NAME-STORE.json`. What is missing is a dash, what misses its budget is bold.
pub fn print(folder: &Path) -> Result<()> {
    let results = |name: &str, store: &str| -> Result<Value> {
        let path = folder.join(format!("load-{name}-{store}.json"));
        let Ok(text) = fs::read_to_string(&path) else { return Ok(Value::Null) };
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    };
    crate::report::say(&table(results)?)
}

fn table(results: impl Fn(&str, &str) -> Result<Value>) -> Result<String> {
    let mut text = String::from("| What | Measurement | Budget |");
    for (_, store) in STORES {
        write!(text, " {store} |")?;
    }
    writeln!(text, "\n|---|---|---|---|---|")?;
    for (what, name, pointer, unit, budget) in ROWS {
        let place = pointer.trim_start_matches('/').replace('/', ".");
        write!(text, "| {what} | `{name}`: `{place}` | {} |", budget.words(unit))?;
        for (store, _) in STORES {
            let found = results(name, store)?;
            let cell = found.pointer(pointer).and_then(Value::as_f64);
            let cell = cell.map_or_else(|| "–".to_owned(), |value| shown(value, unit, *budget));
            write!(text, " {cell} |")?;
        }
        writeln!(text)?;
    }
    write!(
        text,
        "| measurements with something lost, sent twice, given up or wrongly signed | all: `clean` | none |"
    )?;
    for (store, _) in STORES {
        write!(text, " {} |", unclean(&results, store)?)?;
    }
    writeln!(text)?;
    Ok(text)
}

/// Of those that there are.
fn unclean(results: impl Fn(&str, &str) -> Result<Value>, store: &str) -> Result<String> {
    let mut names: Vec<&str> = ROWS.iter().map(|(_, name, ..)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let (mut found, mut unclean) = (0, Vec::new());
    for name in names {
        match results(name, store)?["clean"].as_bool() {
            Some(true) => found += 1,
            Some(false) => unclean.push(name),
            None => {}
        }
    }
    Ok(match (found, unclean.as_slice()) {
        (0, []) => "–".to_owned(),
        (found, []) => format!("none of {found}"),
        (_, unclean) => format!("**{}**", unclean.join(", ")),
    })
}

fn shown(value: f64, unit: &str, budget: Budget) -> String {
    let size = value.abs();
    let number = if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    if budget.is_met(value) { format!("{number}{unit}") } else { format!("**{number}{unit}**") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missed_budget_is_bold_and_a_missing_result_a_dash() {
        let results = |name: &str, store: &str| {
            Ok(match (name, store) {
                ("flood", "postgres") => json!({"clean": false}),
                ("connections", "sqlite") => {
                    json!({"clean": true, "measured": {"kb_each": {"cold": 0.5, "active": 7.25}}})
                }
                _ => Value::Null,
            })
        };
        let table = table(results).unwrap();
        let row = |what: &str| table.lines().find(|line| line.contains(what)).unwrap().to_owned();
        assert!(row("a cold connection").ends_with("| ≤ 3 KB | 0.50 KB | – |"), "{table}");
        assert!(row("something lost").ends_with("| none | none of 1 | **flood** |"), "{table}");
        assert!(row("an active connection").ends_with("| ≤ 6 KB | **7.25 KB** | – |"), "{table}");
    }

    #[test]
    fn budgets_are_bounds_on_their_side() {
        assert!(AtMost(1.0).is_met(1.0) && !AtMost(1.0).is_met(1.1));
        assert!(AtLeast(1.0).is_met(1.0) && !AtLeast(1.0).is_met(0.9));
        assert!(WithinOfOne(0.1).is_met(0.95) && !WithinOfOne(0.1).is_met(1.2));
    }
}
