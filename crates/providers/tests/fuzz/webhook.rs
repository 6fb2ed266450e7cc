//! The reader of webhooks.

use domain::Timestamp;
use domain::contracts::provider::{Subject, Update};
use proptest::prelude::*;
use providers::cloud_api::webhook::parse;
use serde::de::IgnoredAny;

use super::Claim;

const ARRIVED: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// What serde_json follows at most, less what is around a fragment here.
const DEEPEST: usize = 110;

/// Every update takes at least a byte of the body, and reading twice tells the same.
pub(super) fn ends(body: &[u8]) -> Claim {
    let Ok(updates) = parse(body, ARRIVED) else { return Ok(false) };
    prop_assert!(updates.len() <= body.len());
    prop_assert_eq!(parse(body, ARRIVED), Ok(updates));
    Ok(true)
}

/// The damage between two entries that are whole.
pub(super) fn keeps_neighbours(damage: &[u8]) -> Claim {
    if !stays_in_its_place(damage) {
        return Ok(false);
    }
    let (before, after) = (entry("1"), entry("2"));
    let body = [b"{\"entry\":[", before.as_bytes(), b",", damage, b",", after.as_bytes(), b"]}"].concat();
    let updates = parse(&body, ARRIVED);
    let updates = updates.map_err(|error| TestCaseError::fail(format!("everything is lost: {error}")))?;
    let numbers = |update: Option<&Update>| update.map(|update| update.subject.clone());
    prop_assert_eq!(numbers(updates.first()), Some(Subject::Number("1".to_owned())));
    prop_assert_eq!(numbers(updates.last()), Some(Subject::Number("2".to_owned())));
    Ok(true)
}

fn entry(number: &str) -> String {
    format!(
        r#"{{"id":"7","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{number}"}},"messages":[{{"from":"255712345678","id":"wamid.{number}","timestamp":"1790000000","type":"text","text":{{"body":"Habari"}}}}]}}}}]}}"#
    )
}

/// Whether the damage is one JSON value, of a depth and with numbers that can be followed: then nothing outside of it
/// is touched. Broken characters are nothing to the reader that is asked here.
fn stays_in_its_place(damage: &[u8]) -> bool {
    let text = String::from_utf8_lossy(damage);
    serde_json::from_str::<IgnoredAny>(&text).is_ok()
        && depth(damage) <= DEEPEST
        && !has_endless_number(&text)
}

/// At least the depth of nesting: brackets inside texts are counted too.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in bytes {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// `1e999` is JSON, and no number that can be kept.
fn has_endless_number(text: &str) -> bool {
    text.split(['{', '[', ',', ':', '}', ']', ' ', '\n'])
        .any(|word| word.parse::<f64>().is_ok_and(f64::is_infinite))
}
