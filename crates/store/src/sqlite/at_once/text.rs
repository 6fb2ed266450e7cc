//! The texts of whole commits. Rows are lists of placeholders, so a text is made for a few lengths only, and what is
//! left of a list is bound to NULL and skipped. Rare lists come as JSON, whose length does not matter.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::rows::{BODY, Column, EVENT, KEY, LINE, MESSAGE, MOVE, MOVE_ROWS, names};

/// The most rows that a list of a text has, and the lengths below it.
const LENGTHS: [usize; 6] = [1, 4, 16, 64, 256, 1_024];

/// Which parts a text has, and with how many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) messages: usize,
    pub(super) keys: usize,
    pub(super) moves: usize,
    pub(super) lines: bool,
    pub(super) cursors: bool,
    pub(super) events: usize,
}

/// The length of the list that so many rows fit in; `None` when there is none.
pub(super) fn length(rows: usize) -> Option<usize> {
    if rows == 0 { Some(0) } else { LENGTHS.into_iter().find(|length| rows <= *length) }
}

/// Ends the transaction with an error unless every partition is held under its epoch, and every business lives, in
/// the partition that its messages name. A text that is not JSON is an error, and the shortest way to one.
const HELD: &str = "SELECT 1 WHERE json(CASE WHEN EXISTS (
    SELECT 1 FROM json_each(?) AS given LEFT JOIN partitions p ON p.id = given.value ->> 0
    WHERE p.epoch IS NOT given.value ->> 1
) OR EXISTS (
    SELECT 1 FROM json_each(?) AS given LEFT JOIN businesses b ON b.id = given.value ->> 0
    WHERE b.id IS NULL OR b.erased OR b.partition <> given.value ->> 1
) THEN 'refused' ELSE 'null' END) IS NULL;\n";

const ALL_MOVED: &str =
    "SELECT 1 WHERE json(CASE WHEN changes() <> ? THEN 'refused' ELSE 'null' END) IS NULL;\n";

const ADVANCE: &str = "UPDATE endpoints AS p SET cursor = v.cursor
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS cursor FROM json_each(?)) AS v
WHERE p.id = v.id AND p.cursor < v.cursor;\n";

/// The last places that were given out, and how many rows the last list really added.
const PLACES: &str = "SELECT changes(), (SELECT seq FROM sqlite_sequence WHERE name = 'outbox'),
    (SELECT seq FROM sqlite_sequence WHERE name = 'events');\n";

pub(super) fn of(shape: Shape) -> Arc<str> {
    static MADE: LazyLock<Mutex<HashMap<Shape, Arc<str>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(made.entry(shape).or_insert_with(|| make(shape).into()))
}

fn make(shape: Shape) -> String {
    let mut text = format!("BEGIN IMMEDIATE;\n{HELD}");
    let Shape { messages, keys, moves, lines, cursors, events } = shape;
    if keys > 0 {
        text += &insert("idempotency", KEY, keys);
    }
    if messages > 0 {
        text += &insert("outbox", MESSAGE, messages);
        text += &insert("outbox_body", BODY, messages);
    }
    if moves > 0 {
        text += &["WITH v (", &names(MOVE), ") AS (", &values(MOVE, moves), ") "].concat();
        text += &MOVE_ROWS.replacen("UPDATE", "UPDATE OR ROLLBACK", 1);
        text += ";\n";
        text += ALL_MOVED;
    }
    if lines {
        let read = |(place, column): (usize, &Column)| match column.name {
            "message" => format!("unhex(value ->> {place})"),
            _ => format!("value ->> {place}"),
        };
        let read: Vec<String> = LINE.iter().enumerate().map(read).collect();
        let (names, values) = (names(LINE), read.join(", "));
        text +=
            &["INSERT INTO timeline (", &names, ") SELECT ", &values, " FROM json_each(?) ORDER BY key;\n"]
                .concat();
    }
    if cursors {
        text += ADVANCE;
    }
    if events > 0 {
        text += insert("events", EVENT, events).trim_end_matches(";\n");
        text += " ON CONFLICT (id) DO NOTHING;\n";
    }
    text + PLACES + "COMMIT"
}

/// A row that is refused ends the transaction, so that no copy is made of what there was before the statement.
fn insert(table: &str, columns: &[Column], rows: usize) -> String {
    let (names, values) = (names(columns), values(columns, rows));
    format!("INSERT OR ROLLBACK INTO {table} ({names}) SELECT * FROM ({values}) WHERE column1 IS NOT NULL;\n")
}

fn values(columns: &[Column], rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!("VALUES {}", vec![row; rows].join(", "))
}
