//! What the tree may look like: who depends on whom, what may be in the lock file, under which licences,
//! and a few rules about files that no compiler checks.
//!
//! It does offline, in seconds and in our own words what cargo-deny would do after minutes of building it.
//! Known vulnerabilities are deliberately not looked up here: a test must not need the network. What is known
//! today is banned by name in `locked.rs`; the release job compares the bill of materials with the advisories.
//!
//! Every rule is a function from plain data to violations. A test of each runs it on the real tree, another on
//! a made-up tree that breaks it.

mod delivery_guide;
mod dependencies;
mod files;
mod licences;
mod locked;
mod sbom;
mod workspace;

use std::fmt;

/// One broken rule: who broke it, what the rule is, and what to do.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) who: String,
    pub(crate) rule: String,
    pub(crate) remedy: String,
}

impl Violation {
    pub(crate) fn new(who: impl Into<String>, rule: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { who: who.into(), rule: rule.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    rule: {}\n    do:   {}", self.who, self.rule, self.remedy)
    }
}

/// Fails the test with every violation, not only the first.
#[track_caller]
pub(crate) fn expect_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(|violation| format!("  {violation}")).collect();
    assert!(violations.is_empty(), "{} violation(s)\n{}", violations.len(), lines.join("\n"));
}

/// For the made-up trees: exactly these were caught.
#[track_caller]
pub(crate) fn expect_caught(violations: &[Violation], who: &[&str]) {
    let caught: Vec<&str> = violations.iter().map(|violation| violation.who.as_str()).collect();
    assert_eq!(caught, who);
}
