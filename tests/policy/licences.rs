//! Every package that is locked may be used under a licence that we accept.

use crate::workspace::METADATA;
use crate::{Violation, expect_caught, expect_none};

/// Licences that ask for no more than a notice. What a package offers beside one of them does not matter.
const ACCEPTED: &[&str] = &[
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0", // root certificates, as data
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Package, licence, why it is fine nevertheless.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("webdriver", "MPL-2.0", "drives the browser tests; no part of the gateway, and used unchanged")];

/// Reads an SPDX expression: `AND` binds closer than `OR`, `WITH` adds an exception to one licence, and old
/// manifests write `/` for `OR`. `accepts` is asked for each licence.
struct Expression<'a> {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
    accepts: &'a dyn Fn(&str) -> bool,
}

fn satisfied(expression: &str, accepts: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let mut rest = Expression { words: words.into_iter().peekable(), accepts };
    let satisfied = rest.any_of()?;
    rest.words.next().map_or(Ok(satisfied), |word| Err(format!("unexpected {word:?}")))
}

impl Expression<'_> {
    fn any_of(&mut self) -> Result<bool, String> {
        let mut any = self.all_of()?;
        while self.words.next_if(|word| word == "OR").is_some() {
            any |= self.all_of()?;
        }
        Ok(any)
    }

    fn all_of(&mut self) -> Result<bool, String> {
        let mut all = self.one()?;
        while self.words.next_if(|word| word == "AND").is_some() {
            all &= self.one()?;
        }
        Ok(all)
    }

    fn one(&mut self) -> Result<bool, String> {
        let word = self.words.next().ok_or("ends too early")?;
        if word == "(" {
            let inner = self.any_of()?;
            return match self.words.next().as_deref() {
                Some(")") => Ok(inner),
                _ => Err("a parenthesis is not closed".into()),
            };
        }
        if [")", "AND", "OR", "WITH"].contains(&word.as_str()) {
            return Err(format!("unexpected {word:?}"));
        }
        if self.words.next_if(|word| word == "WITH").is_some() {
            let exception = self.words.next().ok_or("ends too early")?;
            return Ok((self.accepts)(&format!("{word} WITH {exception}")));
        }
        Ok((self.accepts)(&word))
    }
}

struct Licensed {
    package: String,
    expression: Option<String>,
}

fn unlicensed(packages: &[Licensed]) -> Vec<Violation> {
    let remedy = "find another package, or add to tests/policy/licences.rs with the reason";
    let judged = packages.iter().filter_map(|Licensed { package, expression }| {
        let accepts = |licence: &str| {
            ACCEPTED.contains(&licence)
                || EXCEPTIONS.iter().any(|(name, id, _)| name == package && *id == licence)
        };
        let rule = match expression.as_deref().map(|expression| (expression, satisfied(expression, &accepts)))
        {
            None => "its manifest states no licence".to_owned(),
            Some((_, Ok(true))) => return None,
            Some((expression, Ok(false))) => format!("its licence, {expression}, is not accepted"),
            Some((expression, Err(why))) => format!("its licence, {expression}, cannot be read: {why}"),
        };
        Some(Violation::new(package, rule, remedy))
    });
    judged.collect()
}

#[test]
fn every_locked_package_has_an_accepted_licence() {
    let packages = METADATA
        .packages
        .iter()
        .map(|package| Licensed { package: package.name.to_string(), expression: package.license.clone() });
    expect_none(&unlicensed(&packages.collect::<Vec<_>>()));
}

#[test]
fn every_exception_is_still_needed() {
    for (package, ..) in EXCEPTIONS {
        assert!(
            METADATA.packages.iter().any(|locked| locked.name == *package),
            "{package} is gone: remove it"
        );
    }
}

#[test]
fn an_expression_is_read_as_its_authors_meant_it() {
    let cases = [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT OR GPL-3.0 AND ISC", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
    ];
    for (expression, expected) in cases {
        assert_eq!(satisfied(expression, &|id| ACCEPTED.contains(&id)), Ok(expected), "{expression}");
    }
    for malformed in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "OR MIT", "MIT WITH"] {
        assert!(satisfied(malformed, &|_| true).is_err(), "{malformed:?} should not be readable");
    }
}

#[test]
fn a_licence_that_is_not_accepted_is_caught() {
    let packages = [
        ("fine", Some("MIT")),
        ("webdriver", Some("MPL-2.0")),
        ("copyleft", Some("MPL-2.0")),
        ("none", None),
    ];
    let packages = packages.map(|(package, licence)| Licensed {
        package: package.into(),
        expression: licence.map(str::to_owned),
    });
    expect_caught(&unlicensed(&packages), &["copyleft", "none"]);
}
