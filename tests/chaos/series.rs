//! A series of seeds on one database, a few runs at a time, and what became of each.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::mutants::Mutant;
use crate::options::Options;
use crate::plan::{Database, Plan};
use crate::results::{self, Verdict};
use crate::run::{self, Checked, Tally};
use crate::world::database::postgres_is_there;

/// Of the whole test binary: two databases are tested side by side, or one with several seeds.
static RUNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(Options::of_environment().jobs));

pub(crate) fn run(database: Database) {
    let options = Options::of_environment();
    if options.database.is_some_and(|only| only != database) {
        return;
    }
    if database == Database::Postgres && !postgres_is_there() {
        say("no PostgreSQL: the seeds on it were not run");
        return;
    }
    let kept =
        options.results.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let passed =
        if options.again { HashSet::new() } else { results::passed(&kept, database, options.seconds) };
    let seeds: Vec<u64> = options.seeds.iter().copied().filter(|seed| !passed.contains(seed)).collect();
    let skipped = options.seeds.len() - seeds.len();

    let runs = seeds.into_iter().map(|seed| one(Plan::draw(seed, database, options.seconds), &options));
    let verdicts: Vec<Verdict> =
        runtime().block_on(stream::iter(runs).buffer_unordered(options.jobs).collect());
    say(&results::summary(database, &verdicts, skipped));
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
    assert!(
        failed.is_empty(),
        "{} of {} seeds failed on {database}\n{}",
        failed.len(),
        verdicts.len(),
        results::reasons(&failed),
    );
}

async fn one(plan: Plan, options: &Options) -> Verdict {
    let (took_s, checked) = carry_out(plan.clone(), None).await;
    let (tally, violations) = match &checked {
        Ok(checked) => (checked.tally.clone(), checked.violations.iter().map(ToString::to_string).collect()),
        Err(panic) => (Tally::default(), vec![format!("the run broke: {panic}")]),
    };
    let verdict = Verdict::of(&plan, took_s, tally, violations);
    if let Some(path) = &options.results {
        results::append(path, &verdict).expect("the results can be written");
    }
    let Verdict { seed, database, tally, .. } = &verdict;
    if verdict.passed {
        say(&format!("seed {seed} on {database}: passed in {took_s} s, {tally:?}"));
    } else {
        let kept = checked.ok().and_then(|checked| run::keep(&options.artifacts, &plan, &checked).ok());
        let violations = verdict.violations.join("\n  ");
        let where_ = kept.map(|folder| format!("\n  logs: {}", folder.display())).unwrap_or_default();
        say(&format!("FAILED {plan}  {violations}{where_}\n  again: {}", plan.command()));
    }
    verdict
}

/// How long it took, and what came of it; a panic in words.
pub(crate) async fn carry_out(plan: Plan, mutant: Option<Mutant>) -> (u64, Result<Checked, String>) {
    let _permit = RUNS.acquire().await.expect("never closed");
    let began = Instant::now();
    let most = plan.length() * 2 + Duration::from_mins(6);
    let ran = tokio::time::timeout(most, tokio::spawn(run::run(plan, mutant))).await;
    let checked = match ran {
        Ok(Ok(checked)) => Ok(checked),
        Ok(Err(panic)) => Err(panic.to_string()),
        Err(_) => Err("it does not end".to_owned()),
    };
    (began.elapsed().as_secs(), checked)
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Past the capture of the test's output: a series takes hours, and each verdict is wanted when it is there.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
