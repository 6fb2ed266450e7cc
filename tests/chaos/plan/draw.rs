//! Draws a plan from a seed.

use std::time::Duration;

use super::{
    Database, DatabaseTrouble, EndpointTrouble, Fault, LineTrouble, Plan, ProcessTrouble, ProviderTrouble,
    Step, Timers, WebhookTrouble,
};
use crate::dice::Dice;

/// Longer than three times everything that may hold up a status in a strict run.
const STRICT: Timers = Timers { settle_s: 8, limit_s: 18 };
/// Short, so that resends and their limits come often.
const LOOSE: Timers = Timers { settle_s: 3, limit_s: 6 };
const STRICT_PERCENT: u64 = 60;
/// Of the pauses of a loose run: some last longer than the gateway may act without a renewal, and than a lease.
const LONG_PAUSE_PERCENT: u64 = 35;
const LONG_PAUSE_MS: (u64, u64) = (5_000, 30_000);

impl Plan {
    pub(crate) fn draw(seed: u64, database: Database, seconds: u64) -> Self {
        let mut dice = Dice::of(seed, "plan");
        let strict = dice.percent(STRICT_PERCENT);
        let dead_endpoint = dice.percent(30);
        let mut drawing =
            Drawing { seed, strict, database, length: Duration::from_secs(seconds), steps: Vec::new() };
        drawing.processes();
        drawing.provider();
        drawing.webhooks();
        drawing.endpoint();
        drawing.lines();
        if database == Database::Postgres {
            drawing.database();
        }
        let mut steps = drawing.steps;
        steps.sort_by_key(|step| step.at);
        let timers = if strict { STRICT } else { LOOSE };
        Self { seed, database, seconds, timers, strict, dead_endpoint, steps }
    }
}

struct Drawing {
    seed: u64,
    strict: bool,
    database: Database,
    length: Duration,
    steps: Vec<Step>,
}

impl Drawing {
    /// One trouble after another until the run ends, `gap` milliseconds between them.
    fn track(
        &mut self,
        name: &str,
        gap: (u64, u64),
        mut next: impl FnMut(&mut Dice, bool) -> (Fault, Duration),
    ) {
        let mut dice = Dice::of(self.seed, name);
        let mut at = dice.millis(gap.0 / 2, gap.1);
        loop {
            let (fault, lasts) = next(&mut dice, self.strict);
            if at + lasts > self.length {
                return;
            }
            self.steps.push(Step { at, lasts, fault });
            at += lasts + dice.millis(gap.0, gap.1);
        }
    }

    /// The first is always a kill: no run is without one.
    fn processes(&mut self) {
        let mut first = true;
        let sqlite = self.database == Database::Sqlite;
        let half = u64::try_from(self.length.as_millis() / 2).unwrap_or(u64::MAX);
        self.track("process", (3_000, 7_000), |dice, strict| {
            use ProcessTrouble as T;
            let kinds = [
                T::Kill,
                T::Kill,
                T::Kill,
                T::Stop,
                T::Pause,
                T::Pause,
                T::PauseAndReplace,
                T::Overlap,
                // These two hold up webhooks for longer than a strict run allows.
                T::DiskFull,
                T::DiskFull,
            ];
            let possible = if !strict && sqlite { kinds.len() } else { kinds.len() - 2 };
            let trouble = if std::mem::take(&mut first) { T::Kill } else { *dice.pick(&kinds[..possible]) };
            let lasts = match trouble {
                T::Kill | T::Stop | T::Overlap => Duration::ZERO,
                T::Pause if strict => dice.millis(500, 2_000),
                T::Pause => pause(dice, half),
                T::PauseAndReplace => dice.millis(2_000, 5_000),
                T::DiskFull => dice.millis(6_000, 9_000),
            };
            (Fault::Process(trouble), lasts)
        });
    }

    fn database(&mut self) {
        self.track("database", (8_000, 16_000), |_, _| {
            (Fault::Database(DatabaseTrouble::RestartedAtOnce), Duration::ZERO)
        });
    }

    fn provider(&mut self) {
        self.track("provider", (500, 3_000), |dice, strict| {
            use ProviderTrouble as T;
            let kinds = [
                T::CutAfter,
                T::CutAfter,
                T::CutBefore,
                T::ServerErrorAfter,
                T::ServerErrorBefore,
                T::TooManyRequests,
                T::NumberTooFast,
                T::PairTooFast,
                T::Refused,
                T::FailsLater,
                T::Slow,
                T::TooSlow,
            ];
            let trouble = *dice.pick(&kinds);
            let percent = match trouble {
                // Each further refusal waits four times as long, and the run has an end.
                T::TooManyRequests | T::NumberTooFast | T::PairTooFast => dice.between(5, 25),
                // Holds its lane for the whole wait.
                T::CutBefore | T::ServerErrorBefore if strict => dice.between(5, 20),
                T::Slow => dice.between(20, 80),
                _ => dice.between(10, 50),
            };
            (Fault::Provider { trouble, percent }, dice.millis(700, 3_000))
        });
    }

    fn webhooks(&mut self) {
        self.track("webhooks", (500, 3_000), |dice, strict| {
            use WebhookTrouble as T;
            let late = T::Delayed { most_ms: if strict { 1_200 } else { 4_000 } };
            let kinds: &[T] = &[T::Duplicated, late, T::Reordered, T::Batched, T::Everything, T::WithoutEcho];
            let trouble = *dice.pick(if strict { &kinds[..5] } else { kinds });
            (Fault::Webhooks(trouble), dice.millis(1_000, 5_000))
        });
    }

    fn endpoint(&mut self) {
        self.track("endpoint", (5_000, 12_000), |dice, _| {
            use EndpointTrouble as T;
            let trouble = *dice.pick(&[T::Refuses, T::Answers500, T::Hangs]);
            (Fault::Endpoint(trouble), dice.millis(500, 3_500))
        });
    }

    fn lines(&mut self) {
        self.track("line", (4_000, 10_000), |dice, strict| {
            use LineTrouble as T;
            let trouble = *dice.pick(&[T::GatewayAnswersLost, T::ProviderResets, T::ProviderHangs]);
            // An answer that is lost is a webhook that is repeated later.
            let most = if strict { 1_200 } else { 4_000 };
            (Fault::Line(trouble), dice.millis(300, most))
        });
    }
}

/// Of a loose run. A long one takes at most half of the run, which is about more than one pause.
fn pause(dice: &mut Dice, half_ms: u64) -> Duration {
    let (least, most) = (LONG_PAUSE_MS.0, LONG_PAUSE_MS.1.min(half_ms));
    if dice.percent(LONG_PAUSE_PERCENT) { dice.millis(least, most) } else { dice.millis(1_000, 8_000) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::plan::Track;

    const TRACKS: [Track; 6] =
        [Track::Process, Track::Database, Track::Provider, Track::Webhooks, Track::Endpoint, Track::Line];

    fn plans() -> impl Iterator<Item = Plan> {
        let each = |seed| {
            [Database::Sqlite, Database::Postgres]
                .into_iter()
                .flat_map(move |database| [12, 30, 120].map(|seconds| Plan::draw(seed, database, seconds)))
        };
        (1..200).flat_map(each)
    }

    #[test]
    fn a_seed_gives_the_same_plan_again_and_another_seed_another() {
        let draw = |seed| Plan::draw(seed, Database::Sqlite, 30);
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3).steps, draw(4).steps);
    }

    #[test]
    fn troubles_of_one_track_never_overlap_and_all_end_with_the_run() {
        for plan in plans() {
            for track in TRACKS {
                let steps = plan.of_track(track);
                assert!(steps.windows(2).all(|pair| pair[0].end() <= pair[1].at), "{plan}");
                assert!(steps.iter().all(|step| step.end() <= plan.length()), "{plan}");
            }
        }
    }

    #[test]
    fn every_run_kills_the_process_first() {
        for plan in plans() {
            let first = plan.of_track(Track::Process).first().map(|step| step.fault);
            assert_eq!(first, Some(Fault::Process(ProcessTrouble::Kill)), "{plan}");
        }
    }

    #[test]
    fn a_strict_run_holds_no_status_up_for_half_of_the_wait() {
        for plan in plans().filter(|plan| plan.strict) {
            let half = Duration::from_secs(plan.timers.settle_s) / 2;
            for step in &plan.steps {
                match step.fault {
                    // Whoever takes over counts its waits anew.
                    Fault::Process(ProcessTrouble::PauseAndReplace) => {}
                    Fault::Process(ProcessTrouble::DiskFull)
                    | Fault::Webhooks(WebhookTrouble::WithoutEcho) => {
                        panic!("{plan}")
                    }
                    Fault::Process(_) | Fault::Line(_) => assert!(step.lasts < half, "{plan}"),
                    Fault::Webhooks(WebhookTrouble::Delayed { most_ms }) => {
                        assert!(Duration::from_millis(most_ms) < half, "{plan}");
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_loose_run_pauses_the_process_for_up_to_half_of_its_length_now_and_then() {
        let longest = |strict: bool, seconds: u64| {
            let plans = (1..200).map(|seed| Plan::draw(seed, Database::Postgres, seconds));
            let steps = plans.filter(|plan| plan.strict == strict).flat_map(|plan| plan.steps);
            let pauses = steps.filter(|step| step.fault == Fault::Process(ProcessTrouble::Pause));
            pauses.map(|step| step.lasts.as_secs()).max().unwrap_or_default()
        };
        assert!((11..=15).contains(&longest(false, 30)), "{} s", longest(false, 30));
        assert!((25..=30).contains(&longest(false, 120)), "{} s", longest(false, 120));
        assert!(longest(true, 120) <= 2, "{} s", longest(true, 120));
    }

    #[test]
    fn over_the_seeds_every_trouble_comes_where_it_can() {
        let kinds = |database: Database| -> HashSet<String> {
            let plans = (1..60).map(|seed| Plan::draw(seed, database, 30));
            let name = |step: Step| match step.fault {
                Fault::Provider { trouble, .. } => format!("{trouble:?}"),
                fault => format!("{fault:?}"),
            };
            plans.flat_map(|plan| plan.steps).map(name).collect()
        };
        let (sqlite, postgres) = (kinds(Database::Sqlite), kinds(Database::Postgres));
        for both in ["Process(Pause)", "Process(Overlap)", "TooSlow", "Refused", "Line(ProviderHangs)"] {
            assert!(sqlite.contains(both) && postgres.contains(both), "{both}");
        }
        assert!(sqlite.contains("Process(DiskFull)") && !postgres.contains("Process(DiskFull)"));
        assert!(
            postgres.contains("Database(RestartedAtOnce)") && !sqlite.contains("Database(RestartedAtOnce)")
        );
    }
}
