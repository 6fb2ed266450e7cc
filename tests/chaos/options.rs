//! What is asked for, by the environment: `scripts/test` says it there.

use std::env;
use std::path::PathBuf;

use crate::plan::Database;
use crate::plan::chosen::{FULL, USUAL};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) seeds: Vec<u64>,
    /// Nothing: both.
    pub(crate) database: Option<Database>,
    pub(crate) seconds: u64,
    /// Runs at a time.
    pub(crate) jobs: usize,
    /// Where results are kept and looked up; nothing keeps none.
    pub(crate) results: Option<PathBuf>,
    /// Run what has passed already, too.
    pub(crate) again: bool,
    /// Where what helps to understand a failure is put.
    pub(crate) artifacts: PathBuf,
}

const SECONDS: u64 = 30;
/// What two cores carry of a build without optimisation.
const JOBS: u64 = 2;

impl Options {
    pub(crate) fn of_environment() -> Self {
        Self::read(|name| env::var(format!("GATEWAY_TEST_{name}")).ok())
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let usual = if get("FULL").is_some() { FULL.to_vec() } else { USUAL.to_vec() };
        Self {
            seeds: get("SEEDS").map_or(usual, |text| seeds(&text)),
            database: get("SEEDS_DATABASE").map(|name| database(&name)),
            seconds: get("SEEDS_SECONDS").map_or(SECONDS, |text| number(&text)),
            jobs: usize::try_from(get("SEEDS_JOBS").map_or(JOBS, |text| number(&text)))
                .expect("a small number"),
            results: get("SEEDS_RESULTS").map(PathBuf::from),
            again: get("SEEDS_AGAIN").is_some(),
            artifacts: get("ARTIFACTS").map_or_else(env::temp_dir, PathBuf::from),
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a whole number"))
}

/// `3..7`, both included, or `3`, or several of these with commas between them.
fn seeds(text: &str) -> Vec<u64> {
    let range = |part: &str| {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let (first, last) = (number(first), number(last));
        assert!(first <= last, "{part} is empty");
        first..=last
    };
    text.split(',').flat_map(range).collect()
}

fn database(name: &str) -> Database {
    match name {
        "sqlite" => Database::Sqlite,
        "postgres" => Database::Postgres,
        _ => panic!("{name:?} is neither sqlite nor postgres"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_unless_more_are_asked_for() {
        let asked = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Options::read(|name| {
                pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            })
        };
        assert_eq!((asked(&[]).seeds, asked(&[]).jobs), (USUAL.to_vec(), 2));
        assert_eq!(asked(&[("FULL", "1")]).seeds, FULL);
        let given =
            asked(&[("FULL", "1"), ("SEEDS", "3..7"), ("SEEDS_DATABASE", "sqlite"), ("SEEDS_SECONDS", "9")]);
        assert_eq!(
            (given.seeds, given.database, given.seconds),
            (vec![3, 4, 5, 6, 7], Some(Database::Sqlite), 9)
        );
        assert_eq!(asked(&[("SEEDS_JOBS", "6")]).jobs, 6);
        assert_eq!(asked(&[("SEEDS", "5")]).seeds, [5]);
        assert_eq!(asked(&[("SEEDS", "5,7..8")]).seeds, [5, 7, 8]);
    }
}
