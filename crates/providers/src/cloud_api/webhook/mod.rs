//! Webhooks of the Cloud API: from one body to all the news in it. Source: Meta's webhook reference, 2026.
//!
//! A body may mix accounts, fields and up to a thousand updates. Whatever cannot be read is kept as it came,
//! as [`Content::Other`], and never loses its neighbours.

mod key;
mod messages;
mod news;
mod templates;
mod time;

use domain::Timestamp;
use domain::contracts::provider::{Content, Subject, Update, WebhookError};
use serde_json::{Map, Value};

use super::lenient;
use key::hash_key;

/// Every entry, change, message and status, in the order of the body.
///
/// Expects `{"object":…,"entry":[{"id","time"?,"changes":[{"field","value"}]}]}`; anything else is
/// [`WebhookError::Malformed`]. Unknown members, fields and types are kept raw.
pub fn parse(body: &[u8], received_at: Timestamp) -> Result<Vec<Update>, WebhookError> {
    let Ok(Value::Object(mut body)) = lenient::parse(body) else { return Err(WebhookError::Malformed) };
    let Some(Value::Array(entries)) = body.remove("entry") else { return Err(WebhookError::Malformed) };
    let mut updates = Vec::new();
    for entry in entries {
        read_entry(entry, received_at, &mut updates);
    }
    Ok(updates)
}

/// What an entry says about every change in it.
struct Entry {
    id: String,
    /// Present on changes of accounts, absent on messages.
    time: Option<Timestamp>,
    received_at: Timestamp,
}

impl Entry {
    fn account(&self) -> Subject {
        Subject::Waba(self.id.clone())
    }

    fn at(&self, told: Option<Timestamp>) -> Timestamp {
        told.or(self.time).unwrap_or(self.received_at)
    }

    /// Something that is kept as it came.
    fn other(&self, subject: Subject, field: String, value: Value) -> Update {
        let key = hash_key(&self.id, &field, &value, self.time);
        let at = self.at(time::of_value(&value));
        let (means, template) = (news::of(&field, &value), templates::of(&field, &value));
        Update { subject, at, content: Content::Other { field, key, value, means, template } }
    }
}

fn read_entry(entry: Value, received_at: Timestamp, updates: &mut Vec<Update>) {
    let mut entry = match entry {
        Value::Object(entry) => entry,
        other => {
            let nobody = Entry { id: String::new(), time: None, received_at };
            updates.push(nobody.other(nobody.account(), String::new(), other));
            return;
        }
    };
    let context = Entry {
        id: entry.get("id").and_then(id_text).unwrap_or_default(),
        time: entry.get("time").and_then(time::of),
        received_at,
    };
    match entry.remove("changes") {
        Some(Value::Array(changes)) => {
            for change in changes {
                read_change(&context, change, updates);
            }
        }
        Some(changes) => {
            entry.insert("changes".to_owned(), changes);
            updates.push(context.other(context.account(), String::new(), Value::Object(entry)));
        }
        None => updates.push(context.other(context.account(), String::new(), Value::Object(entry))),
    }
}

fn read_change(entry: &Entry, change: Value, updates: &mut Vec<Update>) {
    let (field, value) = match change {
        Value::Object(mut change) => match (change.remove("field"), change.remove("value")) {
            (Some(Value::String(field)), Some(value)) if change.is_empty() => (field, value),
            // Meta's own page shows `rejection_info` beside the value and inside it.
            (Some(Value::String(field)), Some(Value::Object(mut value))) => {
                for (name, member) in change {
                    value.entry(name).or_insert(member);
                }
                (field, Value::Object(value))
            }
            (field, value) => {
                let name = field.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
                let parts = [("field", field), ("value", value)];
                change.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
                updates.push(entry.other(entry.account(), name, Value::Object(change)));
                return;
            }
        },
        other => {
            updates.push(entry.other(entry.account(), String::new(), other));
            return;
        }
    };
    match (field.as_str(), value) {
        ("messages" | "smb_message_echoes" | "message_echoes" | "calls", Value::Object(value)) => {
            messages::read(entry, &field, value, updates);
        }
        (_, value) => {
            let subject = subject_of(entry, &field, &value);
            updates.push(entry.other(subject, field, value));
        }
    }
}

/// Whom a change is about, by the routing table of Meta's fields.
fn subject_of(entry: &Entry, field: &str, value: &Value) -> Subject {
    if let Some(number) = value.as_object().and_then(number_of) {
        return Subject::Number(number);
    }
    let id_at = |pointer: &str| value.pointer(pointer).and_then(id_text);
    match field {
        // These carry the portfolio's id in the entry; the account stands inside.
        "account_update" => id_at("/waba_info/waba_id").map_or_else(|| entry.account(), Subject::Waba),
        "account_alerts" if value.get("entity_type").and_then(Value::as_str) == Some("PHONE_NUMBER") => {
            id_at("/entity_id").map_or_else(|| entry.account(), Subject::Number)
        }
        _ => entry.account(),
    }
}

/// `metadata.phone_number_id`, on every field that is about one number.
fn number_of(value: &Map<String, Value>) -> Option<String> {
    value.get("metadata")?.get("phone_number_id").and_then(id_text)
}

/// An id, which Meta writes as a text here and as a number there.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => id.as_u64().map(|id| id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
