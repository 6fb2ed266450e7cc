//! Read marks and typing indicators: passed on at once, and kept nowhere. Source: Cloud API, mark messages as read.

use domain::contracts::pass_through::{PassedAnswer, PassedCall, Verb};
use domain::ids::MessageId;
use domain::{Connection, FieldError};
use serde_json::{Map, Value};

use super::error::Problem;
use super::passing::not_passed;
use super::state::AppState;

const LONGEST_ID: usize = 512;

/// `mark`: `{"status":"read","message_id","typing_indicator"?}`.
pub async fn mark(
    state: &AppState,
    connection: &Connection,
    mut mark: Map<String, Value>,
) -> Result<PassedAnswer, Problem> {
    check(&mark)?;
    mark.insert("messaging_product".to_owned(), "whatsapp".into());
    let call = PassedCall {
        verb: Verb::Post,
        path: format!("{}/messages", connection.graph_id.as_deref().unwrap_or_default()),
        query: Vec::new(),
        json: Some(Value::Object(mark).to_string()),
        waba_id: None,
    };
    state.gateway.pass_through(connection, call).await.map_err(not_passed)
}

fn check(mark: &Map<String, Value>) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, rule, message: &str| errors.push(FieldError::new(field, rule, message));
    if mark.get("status").and_then(Value::as_str) != Some("read") {
        wrong("status", "invalid", "status must be read: there is no other mark");
    }
    match mark.get("message_id").map(Value::as_str) {
        None => wrong("message_id", "required", "message_id is missing: the id of the message that was read"),
        Some(Some(id)) if MessageId::from_wamid(id).is_some() => {
            wrong(
                "message_id",
                "invalid",
                "message_id names a message that was sent, not one that was received",
            );
        }
        Some(Some(id)) if (1..=LONGEST_ID).contains(&id.len()) => {}
        Some(_) => wrong("message_id", "invalid", "message_id must be the id of a message that was received"),
    }
    let typing = mark.get("typing_indicator");
    if typing.is_some_and(|typing| typing.get("type").and_then(Value::as_str) != Some("text")) {
        wrong("typing_indicator.type", "invalid", "typing_indicator.type must be text");
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn fields(mark: &Value) -> Vec<String> {
        let checked = check(mark.as_object().unwrap());
        checked.err().map_or_else(Vec::new, |problem| {
            problem.errors().iter().map(|error| error.field.clone()).collect()
        })
    }

    #[test]
    fn a_mark_names_a_message_that_was_received() {
        assert!(fields(&json!({"status": "read", "message_id": "wamid.HBgL"})).is_empty());
        let typing =
            json!({"status": "read", "message_id": "wamid.HBgL", "typing_indicator": {"type": "text"}});
        assert!(fields(&typing).is_empty());
        let sent = MessageId::from_uuid(Uuid::from_u128(1)).to_wamid();
        assert_eq!(fields(&json!({"status": "read", "message_id": sent})), ["message_id"]);
        assert_eq!(fields(&json!({"status": "read"})), ["message_id"]);
        assert_eq!(fields(&json!({"status": "seen", "message_id": 7})), ["status", "message_id"]);
        let typing =
            json!({"status": "read", "message_id": "wamid.HBgL", "typing_indicator": {"type": "audio"}});
        assert_eq!(fields(&typing), ["typing_indicator.type"]);
    }
}
