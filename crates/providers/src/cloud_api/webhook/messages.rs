//! The fields whose value lists single updates of one number: messages, statuses, echoes and calls.

use domain::Timestamp;
use domain::contracts::provider::{Content, StatusUpdate, Subject, Update};
use serde_json::{Map, Value};

use super::{Entry, number_of, time};
use crate::cloud_api::errors::of_failed_status;

/// What every update of one value shares.
struct Shared<'a> {
    entry: &'a Entry,
    field: &'a str,
    subject: Subject,
    metadata: Value,
    contacts: Vec<Value>,
    /// How many statuses the value lists.
    statuses: usize,
}

pub(super) fn read(entry: &Entry, field: &str, mut value: Map<String, Value>, updates: &mut Vec<Update>) {
    let Some(number) = number_of(&value) else {
        updates.push(entry.other(entry.account(), field.to_owned(), Value::Object(value)));
        return;
    };
    let metadata = value.remove("metadata").unwrap_or_default();
    let contacts = take_list(&mut value, "contacts");
    let statuses = value.get("statuses").and_then(Value::as_array).map_or(0, Vec::len);
    let shared = Shared { entry, field, subject: Subject::Number(number), metadata, contacts, statuses };
    let before = updates.len();
    let read_status: fn(&Shared<'_>, Value) -> Update = if field == "calls" { call_status } else { status };
    for (name, read) in [
        ("messages", message as fn(&Shared<'_>, Value) -> Update),
        ("message_echoes", echo),
        ("calls", call),
        ("statuses", read_status),
    ] {
        for element in take_list(&mut value, name) {
            updates.push(read(&shared, element));
        }
    }
    value.remove("messaging_product");
    // Errors of the account, and whatever else stands beside; or a value in which nothing was listed.
    if !value.is_empty() || updates.len() == before {
        value.insert("metadata".to_owned(), shared.metadata);
        if !shared.contacts.is_empty() {
            value.insert("contacts".to_owned(), shared.contacts.into());
        }
        updates.push(entry.other(shared.subject, field.to_owned(), Value::Object(value)));
    }
}

/// Takes the list out; anything that is not a list stays where it is.
fn take_list(value: &mut Map<String, Value>, name: &str) -> Vec<Value> {
    match value.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => {
            value.remove(name);
            list
        }
        Some(other) => {
            value.insert(name.to_owned(), other);
            Vec::new()
        }
        None => Vec::new(),
    }
}

impl Shared<'_> {
    fn update(&self, told: Option<Timestamp>, content: Content) -> Update {
        Update { subject: self.subject.clone(), at: self.entry.at(told), content }
    }

    /// An element that cannot be read, in the place where it stood.
    fn unread(&self, list: &str, element: Value) -> Update {
        let told = stamp(&element);
        let value = Map::from_iter([
            ("metadata".to_owned(), self.metadata.clone()),
            (list.to_owned(), Value::Array(vec![element])),
        ]);
        let value = Value::Object(value);
        let mut update = self.entry.other(self.subject.clone(), self.field.to_owned(), value);
        update.at = self.entry.at(told);
        update
    }

    /// Who wrote: by either of their ids, else the only one there is.
    fn sender_of(&self, message: &Value) -> Option<Value> {
        self.named(message, "from_user_id", "from").or_else(|| self.only())
    }

    /// Whom a status is about. A failed one comes without a contact, so another's must not stand in for it.
    fn recipient_of(&self, status: &Value) -> Option<Value> {
        let only = || self.only().filter(|_| self.statuses == 1);
        self.named(status, "recipient_user_id", "recipient_id").or_else(only)
    }

    fn named(&self, element: &Value, user_id: &str, wa_id: &str) -> Option<Value> {
        let is_same = |contact: &&Value, own: &str, theirs: &str| {
            let id = element.get(own).and_then(Value::as_str);
            id.is_some_and(|id| !id.is_empty() && contact.get(theirs).and_then(Value::as_str) == Some(id))
        };
        self.contacts
            .iter()
            .find(|contact| is_same(contact, user_id, "user_id") || is_same(contact, wa_id, "wa_id"))
            .cloned()
    }

    fn only(&self) -> Option<Value> {
        if let [only] = self.contacts.as_slice() { Some(only.clone()) } else { None }
    }
}

fn word(element: &Value, name: &str) -> Option<String> {
    element.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn stamp(element: &Value) -> Option<Timestamp> {
    element.get("timestamp").and_then(time::of)
}

fn message(shared: &Shared<'_>, message: Value) -> Update {
    let Some(key) = word(&message, "id") else { return shared.unread("messages", message) };
    let (at, contact, metadata) = (stamp(&message), shared.sender_of(&message), shared.metadata.clone());
    shared.update(at, Content::Message { key, message, contact, metadata })
}

fn echo(shared: &Shared<'_>, message: Value) -> Update {
    let Some(key) = word(&message, "id") else { return shared.unread("message_echoes", message) };
    let (at, metadata) = (stamp(&message), shared.metadata.clone());
    shared.update(at, Content::Echo { key, message, metadata })
}

fn status(shared: &Shared<'_>, object: Value) -> Update {
    let (Some(provider_id), Some(word_of_status)) = (word(&object, "id"), word(&object, "status")) else {
        return shared.unread("statuses", object);
    };
    let participant = word(&object, "recipient_participant_id")
        .or_else(|| word(&object, "recipient_participant_user_id"))
        .unwrap_or_default();
    let echo =
        object.get("biz_opaque_callback_data").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let update = StatusUpdate {
        provider_id,
        status: word_of_status.parse().ok(),
        judged: if word_of_status == "failed" { of_failed_status(&object) } else { None },
        word: word_of_status,
        echo,
        participant,
        contact: shared.recipient_of(&object),
        metadata: shared.metadata.clone(),
        object,
    };
    let at = stamp(&update.object);
    shared.update(at, Content::Status(Box::new(update)))
}

fn call(shared: &Shared<'_>, call: Value) -> Update {
    one_call(shared, "calls", "event", call)
}

fn call_status(shared: &Shared<'_>, status: Value) -> Update {
    one_call(shared, "statuses", "status", status)
}

/// A call's id comes with several events, each of which is news.
fn one_call(shared: &Shared<'_>, list: &str, event: &str, element: Value) -> Update {
    let key = word(&element, "id").zip(word(&element, event)).map(|(id, event)| format!("{id}:{event}"));
    let mut update = shared.unread(list, element);
    if let (Some(known), Content::Other { key, .. }) = (key, &mut update.content) {
        *key = known;
    }
    update
}
