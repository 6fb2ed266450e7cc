//! The seeds that are run unless others are asked for. They are chosen, not counted from one: so few runs are to show
//! every kind of trouble. After a change of the dice the tests below tell which are still missing; any seeds that
//! satisfy them will do.

/// One strict run and one loose one.
pub(crate) const USUAL: [u64; 2] = [54, 108];
/// Where long tests are asked for: the usual ones, and more.
pub(crate) const FULL: [u64; 8] = [54, 108, 1, 2, 14, 58, 87, 103];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::plan::{Database, Fault, Plan, ProcessTrouble, Step, Track};

    const SECONDS: u64 = 30;
    /// Longer than a lease.
    const LONG: Duration = Duration::from_secs(5);

    fn plans(seeds: impl IntoIterator<Item = u64>, database: Database) -> Vec<Plan> {
        seeds.into_iter().map(|seed| Plan::draw(seed, database, SECONDS)).collect()
    }

    /// By name, whatever its measures; a pause that outlasts a lease is a kind of its own.
    fn kind(step: &Step) -> String {
        let name = match step.fault {
            Fault::Process(ProcessTrouble::Pause) if step.lasts >= LONG => "LongPause".to_owned(),
            Fault::Process(trouble) => format!("{trouble:?}"),
            Fault::Database(trouble) => format!("{trouble:?}"),
            Fault::Provider { trouble, .. } => format!("{trouble:?}"),
            Fault::Webhooks(trouble) => format!("{trouble:?}"),
            Fault::Endpoint(trouble) => format!("{trouble:?}"),
            Fault::Line(trouble) => format!("{trouble:?}"),
        };
        name.split(' ').next().unwrap_or_default().to_owned()
    }

    fn kinds<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> BTreeSet<String> {
        plans.into_iter().flat_map(|plan| &plan.steps).map(kind).collect()
    }

    fn processes<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> BTreeSet<String> {
        plans.into_iter().flat_map(|plan| plan.of_track(Track::Process)).map(|step| kind(&step)).collect()
    }

    #[test]
    fn the_full_set_shows_every_kind_of_trouble_that_any_seed_shows() {
        for database in [Database::Sqlite, Database::Postgres] {
            let chosen = plans(FULL, database);
            let missing: Vec<String> =
                kinds(&plans(1..400, database)).difference(&kinds(&chosen)).cloned().collect();
            assert!(missing.is_empty(), "{database}: {missing:?}");
            let strict = chosen.iter().filter(|plan| plan.strict).count();
            assert!((3..=5).contains(&strict), "{strict} of {} are strict", FULL.len());
            let dead = chosen.iter().filter(|plan| plan.dead_endpoint).count();
            assert!((1..FULL.len()).contains(&dead), "{dead} with a dead endpoint");
        }
    }

    /// Only there can it be checked.
    #[test]
    fn in_some_runs_of_each_database_one_process_at_a_time_delivers_to_endpoints() {
        for database in [Database::Sqlite, Database::Postgres] {
            let alone = plans(FULL, database).into_iter().filter(|plan| {
                let drawn = processes([plan]);
                !drawn.contains("PauseAndReplace") && !drawn.contains("Overlap")
            });
            assert!(alone.count() >= 2, "{database}");
        }
    }

    #[test]
    fn the_usual_set_is_a_strict_run_and_a_loose_one_with_a_full_disk() {
        assert!(USUAL.iter().all(|seed| FULL.contains(seed)));
        for database in [Database::Sqlite, Database::Postgres] {
            let chosen = plans(USUAL, database);
            assert!(chosen[0].strict && !chosen[1].strict, "{database}");
            let mut wanted = vec!["Kill", "Pause", "PauseAndReplace", "Overlap"];
            if database == Database::Sqlite {
                wanted.push("DiskFull");
            }
            let (drawn, all) = (processes(&chosen), kinds(&chosen));
            assert!(wanted.iter().all(|kind| drawn.contains(*kind)), "{database}: {drawn:?}");
            for kind in ["WithoutEcho", "Delayed", "Everything", "GatewayAnswersLost", "CutAfter", "TooSlow"]
            {
                assert!(all.contains(kind), "{database}: {kind} is not in {all:?}");
            }
        }
    }
}
