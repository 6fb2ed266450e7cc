use super::*;
use std::fs;
use std::path::Path;

/// How the guide for operators calls a class.
fn word(class: Class) -> &'static str {
    match class {
        Class::Transient => "transient",
        Class::Tries(_) => "few tries",
        Class::RatePair => "rate of a pair",
        Class::RateNumber => "rate of the number",
        Class::RateWaba => "rate of the account",
        Class::RateApp => "rate of the app",
        Class::Later(_) => "later",
        Class::Auth => "token",
        Class::Permission => "permission",
        Class::Billing => "billing",
        Class::Policy => "policy",
        Class::Number(_) => "number",
        Class::Message => "message",
        Class::Recipient => "recipient",
        Class::RecipientForNow => "recipient for now",
        Class::Template => "template",
        Class::Configuration => "configuration",
        Class::Management => "management",
    }
}

/// `131049`, `200–299` or `100/33`.
fn name(row: &Row) -> String {
    match row {
        Row { first, subcode: Some(subcode), .. } => format!("{first}/{subcode}"),
        Row { first, last, .. } if first == last => first.to_string(),
        Row { first, last, .. } => format!("{first}–{last}"),
    }
}

#[test]
fn no_code_stands_in_two_rows() {
    for (index, row) in CODES.iter().enumerate() {
        assert!(row.first <= row.last, "{}", name(row));
        for other in &CODES[index + 1..] {
            let apart = row.last < other.first || other.last < row.first || row.subcode != other.subcode;
            assert!(apart, "{} and {}", name(row), name(other));
        }
    }
}

#[test]
fn the_guide_for_operators_tells_about_every_code_and_calls_its_class_as_we_do() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DELIVERY.md");
    let guide = fs::read_to_string(&guide).unwrap_or_else(|error| panic!("{}: {error}", guide.display()));
    let cells: Vec<Vec<&str>> = guide
        .lines()
        .filter_map(|line| line.trim().strip_prefix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let missing: Vec<_> = CODES
        .iter()
        .filter(|row| {
            !cells.iter().any(|cells| cells[0] == name(row) && cells.get(2) == Some(&word(row.class)))
        })
        .map(|row| format!("| {} | … | {} | … |", name(row), word(row.class)))
        .collect();
    assert!(missing.is_empty(), "docs/DELIVERY.md lacks:\n{}", missing.join("\n"));
}
