//! The text of the one statement. Each list of rows comes as one array for each of its columns, so that the text is
//! the same for every batch and is planned once.
//!
//! All parts see the database as it was when the statement began, except where they lock a row: then they see the
//! row as it is, and wait for whoever changes it. That is why partitions and businesses are locked and not only read.
//! The order of locks is that of the commit in steps; a part that counts the rows of another one waits for it.
//! Lists are compared with `(… IN (SELECT …)) IS TRUE`, which looks up each row in a hash table whatever the planner
//! thinks of their lengths.

use std::sync::LazyLock;

use crate::postgres::STREAM;
use crate::rows::{BODY, Column, EVENT, KEY, Kind, LINE, MESSAGE, MOVE, MOVE_ROWS, names};

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

pub(super) const FENCE: &[Column] = &[column("id", Kind::Number), column("epoch", Kind::Number)];
pub(super) const OWNER: &[Column] = &[column("id", Kind::Number)];
pub(super) const CURSOR: &[Column] = &[column("id", Kind::Id), column("cursor", Kind::Number)];
/// The least and the greatest id of the messages that are moved: partitions beyond them are not looked at.
pub(super) const RANGE: &[Column] = &[column("least", Kind::Id), column("greatest", Kind::Id)];
/// Events that tell of a transition.
pub(super) const TOLD: &[Column] = &[column("id", Kind::Id)];

/// What the statement is given, in the order in which it is bound. The text names all columns of a list as
/// `{events}` and one as `{events.id}`.
pub(super) const GIVEN: [(&str, &[Column]); 11] = [
    ("fence", FENCE),
    ("owners", OWNER),
    ("messages", MESSAGE),
    ("bodies", BODY),
    ("keys", KEY),
    ("cursors", CURSOR),
    ("moves", MOVE),
    ("range", RANGE),
    ("lines", LINE),
    ("events", EVENT),
    ("told", TOLD),
];

const TEXT: &str = "
WITH held AS MATERIALIZED (
    SELECT p.id FROM {fence} JOIN partitions p ON p.id = given.id AND p.epoch = given.epoch
    ORDER BY p.id FOR SHARE OF p
), living AS MATERIALIZED (
    SELECT b.id, b.partition FROM {owners} JOIN businesses b ON b.id = given.id
    WHERE NOT b.erased AND (SELECT count(*) FROM held) >= 0
    ORDER BY b.id FOR KEY SHARE OF b
), wanted AS MATERIALIZED (
    SELECT given.id
    FROM unnest({messages.id}, {messages.partition}, {messages.business}) AS given (id, partition, business)
    WHERE (given.partition IN (SELECT id FROM held)) IS TRUE
      AND ((given.business, given.partition) IN (SELECT id, partition FROM living)) IS TRUE
), reserved AS (
    INSERT INTO idempotency ({key_columns})
    SELECT {key_columns} FROM {keys}
    WHERE (given.message IN (SELECT id FROM wanted)) IS TRUE
    ORDER BY given.account, given.key_hash, given.place
    ON CONFLICT (account, key_hash) DO NOTHING
    RETURNING message
), cursors AS MATERIALIZED (
    SELECT given.id, given.cursor FROM {cursors} WHERE (SELECT count(*) FROM reserved) >= 0
), advanced AS (
    UPDATE endpoints AS p SET cursor = cursors.cursor FROM cursors
    WHERE p.id = cursors.id AND p.cursor < cursors.cursor
    RETURNING p.id
), inserted AS (
    INSERT INTO outbox ({message_columns})
    SELECT {message_columns} FROM {messages}
    WHERE (given.id IN (SELECT id FROM wanted)) IS TRUE
      AND (given.id IN (SELECT message FROM reserved) OR given.id NOT IN (SELECT unnest({keys.message})))
    ORDER BY given.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id, seq
), bodies AS (
    INSERT INTO outbox_body ({body_columns})
    SELECT {body_columns} FROM {bodies}
    WHERE (given.id IN (SELECT id FROM inserted)) IS TRUE
    ON CONFLICT (id) DO NOTHING
), v AS MATERIALIZED (
    SELECT {move_columns} FROM {moves}
    WHERE (given.partition IN (SELECT id FROM held)) IS TRUE AND (SELECT count(*) FROM advanced) >= 0
), moved AS (
    {move_rows} AND outbox.id >= ({range.least})[1] AND outbox.id <= ({range.greatest})[1]
    RETURNING outbox.id
), lines AS (
    INSERT INTO timeline ({line_columns})
    SELECT {line_columns} FROM {lines} WHERE (given.message IN (SELECT id FROM moved)) IS TRUE
    ORDER BY given.place
), stream AS MATERIALIZED (
    SELECT pg_advisory_xact_lock({stream}) FROM (
        SELECT (SELECT count(*) FROM inserted) + (SELECT count(*) FROM moved) AS steps
    ) AS done
    WHERE done.steps >= 0 AND cardinality({events.id}) > 0
), appended AS (
    INSERT INTO events ({event_columns})
    SELECT {event_columns} FROM stream, {events}
    WHERE (given.business IN (SELECT id FROM living)) IS TRUE
      AND (given.id NOT IN (SELECT unnest({told.id})) OR given.message IN (SELECT id FROM moved))
    ORDER BY given.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id, seq
)
SELECT ARRAY(SELECT id FROM inserted) AS messages, ARRAY(SELECT seq FROM inserted) AS message_places,
       ARRAY(SELECT id FROM moved) AS moved,
       ARRAY(SELECT id FROM appended) AS events, ARRAY(SELECT seq FROM appended) AS event_places";

pub(super) static STATEMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = TEXT
        .replace("{move_rows}", MOVE_ROWS)
        .replace("{stream}", STREAM)
        .replace("{message_columns}", &names(MESSAGE))
        .replace("{body_columns}", &names(BODY))
        .replace("{key_columns}", &names(KEY))
        .replace("{move_columns}", &names(MOVE))
        .replace("{line_columns}", &names(LINE))
        .replace("{event_columns}", &names(EVENT));
    let mut parameter = 0;
    for (list, columns) in GIVEN {
        let mut arrays = Vec::with_capacity(columns.len());
        for column in columns {
            parameter += 1;
            let array = format!("${parameter}::{}[]", sql_type(column.kind));
            text = text.replace(&format!("{{{list}.{}}}", column.name), &array);
            arrays.push(array);
        }
        let rows =
            format!("unnest({}) WITH ORDINALITY AS given ({}, place)", arrays.join(", "), names(columns));
        text = text.replace(&format!("{{{list}}}"), &rows);
    }
    text
});

const fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Number => "bigint",
        Kind::Words => "text",
        Kind::Bytes => "bytea",
    }
}
