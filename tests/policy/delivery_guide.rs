//! The guide for operators, `docs/DELIVERY.md`, has a row for every word that the gateway says, and names every limit
//! that can be set.
//!
//! Where a type lists its words, it is asked. Other words stand in the source alone: there every literal that is one
//! word counts, so that a new one is noticed wherever it is written. The codes of the platform are held against the
//! guide beside their table, in `crates/providers`.

use std::collections::BTreeSet;

use domain::clock::Timestamp;
use domain::connection::ConnectionStatus;
use domain::delivery_status::DeliveryStatus;
use domain::endpoint::{DeliveryState, EndpointHealth};
use domain::message::MessageStatus;
use domain::outbox::StateCode;
use gateway::http::error::Code;

use crate::workspace::FILES;
use crate::{Violation, expect_caught, expect_none};

const GUIDE: &str = "docs/DELIVERY.md";

/// Words in the source of connections that stand in no timeline.
const NO_REASONS: &[&str] = &[
    // Read off the row: the ordinary way writes no line.
    "claimed",
    "sent",
    // The text of an error whose reason is `outcome_unknown`.
    "post_panicked",
    // About the connection, not about a message.
    "starting",
    "token_undecryptable",
    // Labels of metrics.
    "queued",
    "resumed",
];

/// Settings of the sections below that limit nothing an operator meets in the life of a message.
const NO_LIMITS: &[&str] = &[
    "server.listen",
    "server.trusted_proxies",
    "server.workers",
    "server.actor_threads",
    "server.migrate_at_start",
    "store.url",
];

const SECTIONS: &[&str] =
    &["server", "store", "actors", "actors.limiter", "actors.deliveries", "endpoints", "retention"];

/// One row of a table: what the table's first column is called, and what stands there in this row.
struct Row<'a> {
    subject: &'a str,
    cell: &'a str,
}

fn rows(guide: &str) -> Vec<Row<'_>> {
    let mut subject = None;
    let mut rows = Vec::new();
    for line in guide.lines() {
        let Some(cell) = line.strip_prefix('|').and_then(|line| line.split('|').next()) else {
            subject = None;
            continue;
        };
        rows.push(Row { subject: subject.get_or_insert(cell.trim()), cell });
    }
    rows
}

/// Words without a row of their own in a table about such words.
fn without_row<W: AsRef<str>>(
    guide: &str,
    subjects: &[&str],
    words: impl IntoIterator<Item = W>,
) -> Vec<Violation> {
    let rows = rows(guide);
    let told = |word: &str| {
        let quoted = format!("`{word}`");
        rows.iter().any(|row| subjects.contains(&row.subject) && row.cell.contains(&quoted))
    };
    let untold = words.into_iter().filter(|word| !told(word.as_ref()));
    let rule = format!("{GUIDE} has a row for it in a table whose first column is {}", subjects.join(" or "));
    untold
        .map(|word| {
            let remedy = "say what it means, what the gateway does, and what one can do";
            Violation::new(word.as_ref(), rule.as_str(), remedy)
        })
        .collect()
}

/// Settings with a default, as `section.key`, in the sections that hold limits.
fn limits(toml: &str) -> Vec<String> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" =").filter(|(key, _)| is_word(key)) {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys.retain(|key| {
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        SECTIONS.contains(&section) && !NO_LIMITS.contains(&key.as_str())
    });
    keys
}

fn unnamed_limits(guide: &str, toml: &str) -> Vec<Violation> {
    let unnamed = limits(toml).into_iter().filter(|key| !guide.contains(&format!("`{key}`")));
    let rule = format!("{GUIDE} names every limit that can be set");
    unnamed
        .map(|key| Violation::new(key, rule.as_str(), "add it, or list it in NO_LIMITS if it is none"))
        .collect()
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The literals of a source that are one word each; those of its tests do not count.
fn literals(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| is_word(text)).collect()
}

fn text_of(path: &str) -> &'static str {
    let found = FILES.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("{path} is gone: look where its words went")).text
}

/// At least one, or the words went elsewhere.
fn said_in(path: &str) -> BTreeSet<&'static str> {
    let words = literals(text_of(path));
    assert!(!words.is_empty(), "{path} says nothing any more: look where its words went");
    words
}

/// Sources of the actor of a connection. The parts in folders decide without words; what `history.rs` says are the
/// members of an event.
fn is_of_connections(path: &str) -> bool {
    let name = path.strip_prefix("actors/src/connection/");
    name.is_some_and(|name| !name.contains('/') && name != "history.rs")
}

#[test]
fn every_code_of_the_api_is_explained() {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    expect_none(&without_row(text_of(GUIDE), &["code", "answer"], codes));
}

#[test]
fn every_status_of_a_message_is_explained() {
    let reported = DeliveryStatus::ALL.map(Some).into_iter().chain([None]);
    let statuses = StateCode::ALL
        .into_iter()
        .flat_map(|state| reported.clone().map(move |reported| MessageStatus::of(state, reported).as_str()));
    let statuses: BTreeSet<_> = statuses.collect();
    assert_eq!(statuses.len(), 10);
    expect_none(&without_row(text_of(GUIDE), &["status"], statuses));
}

#[test]
fn every_reason_of_a_timeline_is_explained() {
    let connections = FILES.iter().filter(|file| is_of_connections(&file.path));
    let said = connections.flat_map(|file| literals(&file.text));
    let mut reasons: BTreeSet<&str> = said.filter(|word| !NO_REASONS.contains(word)).collect();
    assert!(reasons.contains("resent_on_proof"), "the reasons are not in actors/src/connection any more");
    reasons.extend(said_in("crates/domain/src/contact/permission.rs"));
    reasons.extend(said_in("crates/domain/src/contracts/dead_letters.rs"));
    expect_none(&without_row(text_of(GUIDE), &["reason"], reasons));
}

#[test]
fn every_status_of_a_number_and_its_reason_are_explained() {
    let subject = ["status, reason"];
    let guide = text_of(GUIDE);
    expect_none(&without_row(guide, &subject, ConnectionStatus::ALL.map(ConnectionStatus::as_str)));

    let domain = text_of("crates/domain/src/connection.rs");
    let (_, reasons) = domain.split_once("impl Reason {").expect("the reasons are in `Reason`");
    let (reasons, _) = reasons.split_once("\n}\n").expect("`Reason` ends");
    expect_none(&without_row(guide, &subject, literals(reasons)));

    let by_hand = text_of("src/http/api/connections.rs").lines().filter(|line| line.starts_with("const "));
    expect_none(&without_row(guide, &subject, by_hand.flat_map(literals)));
    expect_none(&without_row(guide, &subject, said_in("src/http/onboarding/signup/rows.rs")));
    expect_none(&without_row(guide, &subject, said_in("actors/src/connection/credentials.rs")));
}

#[test]
fn every_state_of_an_endpoint_and_of_a_delivery_is_explained() {
    let guide = text_of(GUIDE);
    let since = Some(Timestamp::from_seconds(0));
    let health = (0..).map_while(|number| EndpointHealth::from_number(number, since));
    let health: Vec<_> = health.map(EndpointHealth::as_str).collect();
    assert!(health.contains(&"gone"), "{health:?}");
    expect_none(&without_row(guide, &["state"], health));

    let states: Vec<_> = (0..).map_while(DeliveryState::from_number).map(DeliveryState::as_str).collect();
    assert!(states.contains(&"parked"), "{states:?}");
    expect_none(&without_row(guide, &["delivery"], states));
}

#[test]
fn every_word_for_a_delivery_without_an_answer_is_explained() {
    let mut words = said_in("src/deliver.rs");
    // What its secrets begin with.
    words.remove("whsec_");
    words.extend(said_in("actors/src/endpoints/retrying.rs"));
    words.extend(said_in("actors/src/endpoints/posting.rs"));
    expect_none(&without_row(text_of(GUIDE), &["last_error"], words));
}

#[test]
fn every_alert_about_an_endpoint_is_explained() {
    let mut alerts = said_in("actors/src/endpoints/alert.rs");
    alerts.retain(|word| word.starts_with("endpoint_") && *word != "endpoint_id");
    assert!(alerts.contains("endpoint_parked"), "{alerts:?}");
    expect_none(&without_row(text_of(GUIDE), &["field"], alerts));
}

#[test]
fn every_limit_that_can_be_set_is_named() {
    expect_none(&unnamed_limits(text_of(GUIDE), text_of("config/default.toml")));
}

const MADE_UP: &str = "`lost` in words\n\n| status | means |\n|---|---|\n| `sent`, `read` | `lost` |\n\n\
                       | reason | means |\n|---|---|\n| `lost` | – |\n";

#[test]
fn a_word_without_a_row_of_its_own_is_caught() {
    expect_none(&without_row(MADE_UP, &["status"], ["sent", "read"]));
    expect_none(&without_row(MADE_UP, &["status", "reason"], ["lost"]));
    expect_caught(&without_row(MADE_UP, &["status"], ["lost", "rea"]), &["lost", "rea"]);
    expect_caught(&without_row(text_of(GUIDE), &["reason"], ["eaten_by_a_goat"]), &["eaten_by_a_goat"]);
}

#[test]
fn a_limit_that_is_not_named_is_caught() {
    let toml = "[server]\nlisten = \"x\"\nmax_goats = 1\n# most = 2\n[meta]\nmost = 3\n[actors]\nmost = 4\n";
    expect_caught(&unnamed_limits("`actors.most`, server.max_goats", toml), &["server.max_goats"]);
}

#[test]
fn a_word_of_the_source_is_found_wherever_it_is_written() {
    let source = "// \"comment\"\nlet a = if b { \"new_word\" } else { say(\"two words\", \"x-header\") };\n\
                  const C: &str = \"another\";\n#[cfg(test)]\nmod tests { const D: &str = \"only_tested\"; }\n";
    assert_eq!(literals(source), BTreeSet::from(["another", "new_word"]));
}
