//! Bytes from outside, changed in every way we could think of: no reader of ours panics, hangs, or loses what stands
//! beside the damage.
//!
//! A target has a folder of real payloads in `corpus`. A run is the same every time; with `GATEWAY_TEST_FULL` it is
//! twenty times as long. What a run finds is put into the corpus, with the change applied.

mod ids;
mod message;
mod mutate;
mod signature;
mod webhook;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use mutate::{Step, steps};

const CASES: u32 = 2_000;
const CASES_OF_A_FULL_RUN: u32 = 40_000;
/// Thousands of times what any of them takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the bytes could be read, so that something was claimed about them.
type Claim = Result<bool, TestCaseError>;

/// Of a hundred changed payloads so many are read, at least: a run in which nothing can be read shows nothing.
const READ_OF_A_HUNDRED: u32 = 10;

struct Corpus(Vec<Vec<u8>>);

impl Corpus {
    /// Every file of these folders below the package.
    fn read(folders: &[&str]) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<PathBuf> = Vec::new();
        for folder in folders {
            let entries = std::fs::read_dir(package.join(folder)).expect("a folder of the corpus");
            files.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        // The order of a folder is nobody's promise.
        files.sort();
        assert!(!files.is_empty(), "{folders:?} is empty");
        Self(files.iter().map(|file| std::fs::read(file).expect("a file of the corpus")).collect())
    }

    /// As it stands, and then changed again and again.
    fn each(&self, claim: impl Fn(&[u8]) -> Claim) {
        for bytes in &self.0 {
            in_time(bytes, &claim).unwrap_or_else(|error| panic!("{error}\n{}", shown(bytes)));
        }
        let read = AtomicU32::new(0);
        let outcome = runner().run(&(any::<Index>(), steps()), |(which, steps)| {
            let bytes = self.changed(which, &steps);
            let was_read = in_time(&bytes, &claim)
                .map_err(|error| TestCaseError::fail(format!("{error}\n{}", shown(&bytes))))?;
            read.fetch_add(u32::from(was_read), Ordering::Relaxed);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{error}"));
        let (read, cases) = (read.into_inner(), cases());
        assert!(read >= cases / 100 * READ_OF_A_HUNDRED, "only {read} of {cases} could be read");
    }

    fn changed(&self, which: Index, steps: &[Step]) -> Vec<u8> {
        let mut bytes = which.get(&self.0).clone();
        for step in steps {
            step.apply(&mut bytes, &self.0);
        }
        bytes
    }
}

fn cases() -> u32 {
    if std::env::var_os("GATEWAY_TEST_FULL").is_some() { CASES_OF_A_FULL_RUN } else { CASES }
}

fn runner() -> TestRunner {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[expect(clippy::disallowed_methods, reason = "how long it took is claimed, and nothing waits")]
fn in_time(bytes: &[u8], claim: impl Fn(&[u8]) -> Claim) -> Claim {
    let began = Instant::now();
    let read = claim(bytes)?;
    prop_assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    Ok(read)
}

/// As a text that can be pasted: everything that cannot be seen is escaped.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{}", byte.escape_ascii());
    }
    text
}

#[test]
fn a_message_that_is_taken_says_what_its_author_wrote_and_is_taken_again() {
    Corpus::read(&["tests/fuzz/corpus/message"]).each(message::claim);
}

#[test]
fn a_webhook_is_read_to_its_end_whatever_is_in_it() {
    webhooks().each(webhook::ends);
}

#[test]
fn a_webhook_never_loses_what_stands_beside_the_damage() {
    webhooks().each(webhook::keeps_neighbours);
}

#[test]
fn a_changed_signature_or_body_is_never_believed() {
    Corpus::read(&["tests/fuzz/corpus/signature"]).each(signature::header);
    Corpus::read(&["tests/fuzz/corpus/webhook", "fixtures/meta"]).each(signature::body);
}

#[test]
fn an_id_that_is_read_is_written_as_it_was() {
    Corpus::read(&["tests/fuzz/corpus/id"]).each(ids::claim);
}

fn webhooks() -> Corpus {
    Corpus::read(&["tests/fuzz/corpus/webhook", "fixtures/meta"])
}
