//! The columns that a commit writes, each named once: with its kind, and where its value comes from.

use std::borrow::Cow;

use domain::contracts::store::{IdempotencyRecord, NewMessage, Transition};
use domain::event::NewEvent;
use domain::ids::{ConnectionId, MessageId};
use domain::message::TimelineEntry;
use domain::outbox::StateCode;
use uuid::Uuid;

use crate::columns::{StateColumns, json, micros, on_ambiguous_number, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Number,
    Words,
    Bytes,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A value on its way into a column.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Id(Option<Uuid>),
    Number(Option<i64>),
    Words(Option<Cow<'a, str>>),
    Bytes(&'a [u8]),
}

macro_rules! columns {
    ($columns:ident, $row:ident($($of:ident: $type:ty),*), $($name:ident: $kind:ident = $value:expr,)*) => {
        pub(crate) const $columns: &[Column] =
            &[$(Column { name: stringify!($name), kind: Kind::$kind }),*];

        #[allow(clippy::elidable_lifetime_names, reason = "a row made of two things needs the name")]
        pub(crate) fn $row<'a>($($of: &'a $type),*) -> impl IntoIterator<Item = Value<'a>> + use<'a> {
            [$(Value::$kind($value.into())),*]
        }
    };
}

columns! { MESSAGE, message(message: NewMessage),
    id: Id = message.id.uuid(),
    partition: Number = i64::from(message.partition.0),
    account: Number = message.account.0,
    business: Number = message.business.0,
    connection: Id = message.connection.uuid(),
    recipient: Words = text(&message.recipient),
    lane: Number = message.lane.0,
    kind: Words = text(&message.kind),
    state: Number = StateColumns::from(message.state).state,
    epoch: Number = StateColumns::from(message.state).epoch.unwrap_or(0),
    attempt: Number = StateColumns::from(message.state).attempt,
    priority: Number = message.priority as i64,
    on_ambiguous: Number = on_ambiguous_number(message.on_ambiguous),
    ordering: Number = message.order as i64,
    client_ref: Words = message.client_ref.as_deref().map(text),
    opaque: Words = message.opaque.as_deref().map(text),
    accepted_at: Number = message.accepted_at.as_micros(),
    claimed_at: Number = StateColumns::from(message.state).claimed_at,
    next_at: Number = StateColumns::from(message.state).next_at,
    send_at: Number = micros(message.send_at),
    expires_at: Number = message.expires_at.as_micros(),
    replay_of: Id = message.replay_of.map(MessageId::uuid),
}

columns! { BODY, body(message: NewMessage),
    id: Id = message.id.uuid(),
    body: Bytes = message.body.as_bytes(),
}

columns! { KEY, key(message: NewMessage, record: IdempotencyRecord),
    account: Number = record.account.0,
    key_hash: Bytes = &record.key_hash[..],
    route: Words = text(&record.route),
    body_hash: Bytes = &record.body_hash[..],
    answer_status: Number = i64::from(record.answer_status),
    answer: Words = text(&record.answer),
    message: Id = message.id.uuid(),
    created_at: Number = record.created_at.as_micros(),
}

columns! { MOVE, transition(transition: Transition),
    id: Id = transition.message.uuid(),
    partition: Number = i64::from(transition.partition.0),
    from_state: Number = StateColumns::from(transition.from).state,
    from_attempt: Number = StateColumns::from(transition.from).attempt,
    from_epoch: Number = StateColumns::from(transition.from).epoch,
    from_claimed_at: Number = StateColumns::from(transition.from).claimed_at,
    from_next_at: Number = StateColumns::from(transition.from).next_at,
    state: Number = StateColumns::from(transition.to).state,
    epoch: Number = StateColumns::from(transition.to).epoch,
    attempt: Number = StateColumns::from(transition.to).attempt,
    claimed_at: Number = StateColumns::from(transition.to).claimed_at,
    next_at: Number = StateColumns::from(transition.to).next_at,
    sent_at: Number = (transition.to.code() == StateCode::Sent).then(|| transition.at.as_micros()),
    provider_id: Words = transition.provider_id.as_deref().map(text),
    error: Words = transition.error.as_deref().map(text),
}

/// A compare-and-set of rows `v` that have the columns of [`MOVE`].
///
/// The whole state is compared, times included, because a state without its times can come back: a claim that
/// was not counted is taken again under the same number. The row keeps what a state says nothing about: the last
/// claim, the time of sending, the last error.
pub(crate) const MOVE_ROWS: &str = "UPDATE outbox SET
    state = v.state,
    epoch = COALESCE(v.epoch, outbox.epoch),
    attempt = v.attempt,
    claimed_at = COALESCE(v.claimed_at, outbox.claimed_at),
    next_at = v.next_at,
    sent_at = COALESCE(v.sent_at, outbox.sent_at),
    provider_id = COALESCE(v.provider_id, outbox.provider_id),
    error = COALESCE(v.error, outbox.error)
FROM v
WHERE outbox.id = v.id AND outbox.state = v.from_state AND outbox.attempt = v.from_attempt
  AND outbox.next_at IS NOT DISTINCT FROM v.from_next_at
  AND (v.from_epoch IS NULL OR (outbox.epoch = v.from_epoch AND outbox.claimed_at = v.from_claimed_at))";

columns! { LINE, line(message: MessageId, line: TimelineEntry),
    message: Id = message.uuid(),
    at: Number = line.at.as_micros(),
    status: Words = Cow::Borrowed(line.status.as_str()),
    attempt: Number = line.attempt.map(i64::from),
    reason: Words = line.reason.as_deref().map(text),
    error: Words = line.error.as_ref().map(|error| Cow::Owned(json(error))),
}

columns! { EVENT, event(event: NewEvent),
    id: Id = event.id.uuid(),
    event_type: Number = event.event_type as i64,
    account: Number = event.account.0,
    business: Number = event.business.0,
    connection: Id = event.connection.map(ConnectionId::uuid),
    message: Id = event.message.map(MessageId::uuid),
    status: Words = event.status.map(|status| Cow::Borrowed(status.as_str())),
    occurred_at: Number = event.occurred_at.as_micros(),
    body: Bytes = event.body.as_bytes(),
}

/// The names of columns, as a statement lists them.
pub(crate) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
