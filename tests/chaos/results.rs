//! Results of seeds, one line each, so that a long series can be taken up again where it was left.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Database, Plan};
use crate::run::Tally;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) seed: u64,
    pub(crate) database: Database,
    pub(crate) seconds: u64,
    pub(crate) passed: bool,
    pub(crate) strict: bool,
    pub(crate) took_s: u64,
    pub(crate) tally: Tally,
    /// In words; empty when passed.
    pub(crate) violations: Vec<String>,
}

#[derive(Deserialize)]
struct Kept {
    seed: u64,
    database: String,
    seconds: u64,
    passed: bool,
}

/// Seeds that have passed on this database at this length.
pub(crate) fn passed(text: &str, database: Database, seconds: u64) -> HashSet<u64> {
    let kept = text.lines().filter_map(|line| serde_json::from_str::<Kept>(line).ok());
    let kept = kept.filter(|kept| kept.database == database.as_str() && kept.seconds == seconds);
    let mut passed = HashSet::new();
    for kept in kept {
        if kept.passed {
            passed.insert(kept.seed);
        } else {
            passed.remove(&kept.seed);
        }
    }
    passed
}

pub(crate) fn append(path: &Path, verdict: &Verdict) -> io::Result<()> {
    let mut line = serde_json::to_string(verdict)?;
    line.push('\n');
    File::options().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

impl Verdict {
    pub(crate) fn of(plan: &Plan, took_s: u64, tally: Tally, violations: Vec<String>) -> Self {
        let Plan { seed, database, seconds, strict, .. } = *plan;
        Self { seed, database, seconds, passed: violations.is_empty(), strict, took_s, tally, violations }
    }
}

/// Sums over all lines of this run, as a table.
pub(crate) fn summary(database: Database, verdicts: &[Verdict], skipped: usize) -> String {
    let sum = |of: fn(&Tally) -> usize| verdicts.iter().map(|verdict| of(&verdict.tally)).sum::<usize>();
    let failed: Vec<u64> =
        verdicts.iter().filter(|verdict| !verdict.passed).map(|verdict| verdict.seed).collect();
    let strict = verdicts.iter().filter(|verdict| verdict.strict);
    let copies_in_strict: usize = strict.map(|verdict| verdict.tally.copies).sum();
    let rows: Vec<(&str, Value)> = vec![
        ("seeds run", verdicts.len().into()),
        ("seeds passed before and skipped", skipped.into()),
        ("seeds failed", failed.len().into()),
        ("messages accepted", sum(|tally| tally.messages).into()),
        ("posts", sum(|tally| tally.posts).into()),
        ("taken by the platform", sum(|tally| tally.taken).into()),
        ("resends recorded", sum(|tally| tally.resends).into()),
        ("second copies", sum(|tally| tally.copies).into()),
        ("second copies in strict runs", copies_in_strict.into()),
        ("webhooks", sum(|tally| tally.webhooks).into()),
        ("events", sum(|tally| tally.events).into()),
        ("processes of the gateway", sum(|tally| tally.processes).into()),
    ];
    let table: Vec<String> = rows.iter().map(|(name, value)| format!("  {name:<34}{value:>10}")).collect();
    let table = table.join("\n");
    let failed = if failed.is_empty() { String::new() } else { format!("  failed: {failed:?}\n") };
    format!("seeded faults on {database}\n{table}\n{failed}")
}

/// Of a run, the first of its violations: one fault may have hundreds.
const SHOWN: usize = 5;

/// Why seeds failed, in a few lines each: whoever reads no more than the end of a log reads this.
pub(crate) fn reasons(failed: &[&Verdict]) -> String {
    let of = |verdict: &Verdict| {
        let shown = verdict.violations.iter().take(SHOWN).map(|why| format!("seed {}: {why}", verdict.seed));
        let more = verdict.violations.len().saturating_sub(SHOWN);
        let more = (more > 0).then(|| format!("seed {}: and {more} more", verdict.seed));
        shown.chain(more).collect::<Vec<_>>()
    };
    failed.iter().flat_map(|verdict| of(verdict)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_last_is_skipped_and_what_failed_since_is_not() {
        let line = |seed: u64, database: Database, seconds: u64, passed: bool| {
            let plan = Plan::draw(seed, database, seconds);
            let violations = if passed { vec![] } else { vec!["wrong".to_owned()] };
            serde_json::to_string(&Verdict::of(&plan, 1, Tally::default(), violations)).unwrap()
        };
        let text = [
            line(1, Database::Sqlite, 30, true),
            line(2, Database::Sqlite, 30, true),
            line(2, Database::Sqlite, 30, false),
            line(3, Database::Postgres, 30, true),
            line(4, Database::Sqlite, 120, true),
            "torn".to_owned(),
        ]
        .join("\n");
        assert_eq!(passed(&text, Database::Sqlite, 30), HashSet::from([1]));
        assert_eq!(passed(&text, Database::Postgres, 30), HashSet::from([3]));
    }

    #[test]
    fn the_reasons_name_the_seed_and_do_not_flood() {
        let plan = Plan::draw(7, Database::Sqlite, 30);
        let many = (1..=SHOWN + 2).map(|number| format!("wrong {number}")).collect();
        let reasons = reasons(&[&Verdict::of(&plan, 1, Tally::default(), many)]);
        assert!(reasons.starts_with("seed 7: wrong 1\n"), "{reasons}");
        assert!(reasons.ends_with("seed 7: wrong 5\nseed 7: and 2 more"), "{reasons}");
    }
}
