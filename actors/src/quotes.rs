//! Messages that name another message: what a reply quotes, what a reaction is to. A caller names a message of ours by
//! our id, and the platform knows it by its own, which is there only when it was sent.

use std::borrow::Cow;
use std::sync::Arc;

use domain::connection::Connection;
use domain::contracts::store::StoreError;
use domain::ids::MessageId;
use serde_json::Value;

use crate::services::Services;

/// Where a message names another one.
const PLACES: [(&str, &str); 3] = [
    ("context.message_id", "/context/message_id"),
    ("reaction.message_id", "/reaction/message_id"),
    ("pin.message_id", "/pin/message_id"),
];
const CONTEXT: &str = "/context/message_id";
/// How ids of ours begin in a JSON text; hardly any message has one.
const BEGINNINGS: [&str; 2] = ["\"wamid.Wg", "\"msg_"];

/// Why a message that names another one is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UnknownQuote {
    /// The member names no message that was sent from this number.
    #[error("{field} names no message of this number")]
    Unknown { field: &'static str },
    /// The member names no media that can be sent from this number.
    #[error("{field} names no media of this number")]
    NoMedia { field: &'static str },
    #[error("the message that is quoted cannot be looked up now")]
    Unreadable(#[source] Arc<StoreError>),
}

/// Why a message that names another one is not posted now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotResolved {
    /// It is known later what the platform calls the other message.
    NotYet,
    /// The other message was never sent.
    Never,
}

/// What the platform calls another message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    As(String),
    NotYet,
    Never,
}

fn ours(text: &str) -> Option<MessageId> {
    MessageId::from_wamid(text).or_else(|| text.parse().ok())
}

/// The places of a message that hold an id of ours.
fn named(json: &str) -> Vec<(&'static str, &'static str, MessageId)> {
    if !BEGINNINGS.iter().any(|beginning| json.contains(beginning)) {
        return Vec::new();
    }
    let Ok(message) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let read = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).and_then(ours);
    PLACES.iter().filter_map(|&(field, pointer)| Some((field, pointer, read(pointer)?))).collect()
}

/// Whether every message of ours that is named was given to this number.
pub(crate) async fn check(
    services: &Services,
    connection: &Connection,
    json: &str,
) -> Result<(), UnknownQuote> {
    for (field, _, id) in named(json) {
        let found = services.store.message(connection.account, id).await;
        let found = found.map_err(|error| UnknownQuote::Unreadable(Arc::new(error)))?;
        if found.is_none_or(|found| found.connection != connection.id) {
            return Err(UnknownQuote::Unknown { field });
        }
    }
    Ok(())
}

/// The message as it is posted: with the platform's ids in the place of ours.
pub(crate) async fn resolve<'a>(
    services: &Services,
    connection: &Connection,
    json: &'a str,
) -> Result<Cow<'a, str>, NotResolved> {
    let mut known = Vec::new();
    for (_, pointer, id) in named(json) {
        let found = services.store.message(connection.account, id).await.map_err(|_| NotResolved::NotYet)?;
        known.push((
            pointer,
            match found {
                Some(found) => match found.provider_id {
                    Some(theirs) => Known::As(theirs),
                    None if found.state.code().is_final() => Known::Never,
                    None => Known::NotYet,
                },
                None => Known::Never,
            },
        ));
    }
    written(json, &known)
}

/// A reply goes without the quotation of what was never sent. A reaction to it makes no sense.
fn written<'a>(json: &'a str, known: &[(&str, Known)]) -> Result<Cow<'a, str>, NotResolved> {
    if known.is_empty() {
        return Ok(Cow::Borrowed(json));
    }
    let mut message: Value = serde_json::from_str(json).map_err(|_| NotResolved::Never)?;
    for (pointer, known) in known {
        match (known, *pointer) {
            (Known::As(theirs), _) => {
                if let Some(place) = message.pointer_mut(pointer) {
                    *place = theirs.as_str().into();
                }
            }
            (Known::NotYet, _) => return Err(NotResolved::NotYet),
            (Known::Never, CONTEXT) => {
                message.as_object_mut().map(|members| members.remove("context"));
            }
            (Known::Never, _) => return Err(NotResolved::Never),
        }
    }
    Ok(Cow::Owned(message.to_string()))
}

/// The platform's ids that a customer's message names: what it answers, and what it reacts to.
pub(crate) fn quoted(message: &Value) -> impl Iterator<Item = &str> {
    RECEIVED.iter().filter_map(|pointer| message.pointer(pointer).and_then(Value::as_str))
}

/// The message with our ids for those of the platform that `ours` knows; nothing where it names none of them.
pub(crate) fn with_ours(message: &Value, ours: impl Fn(&str) -> Option<MessageId>) -> Option<Value> {
    let mut translated: Option<Value> = None;
    for pointer in RECEIVED {
        let theirs = message.pointer(pointer).and_then(Value::as_str);
        if let Some(id) = theirs.and_then(&ours)
            && let Some(place) = translated.get_or_insert_with(|| message.clone()).pointer_mut(pointer)
        {
            *place = id.to_wamid().into();
        }
    }
    translated
}

const RECEIVED: [&str; 2] = ["/context/id", "/reaction/message_id"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn id() -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
    }

    fn reply(to: &str) -> String {
        json!({"to": "+255712345678", "type": "text", "text": {"body": "Ndiyo"}, "context": {"message_id": to}})
            .to_string()
    }

    fn reaction(to: &str) -> String {
        json!({"type": "reaction", "reaction": {"message_id": to, "emoji": "x"}}).to_string()
    }

    #[test]
    fn a_message_of_ours_is_named_by_either_form_of_its_id_and_one_of_the_platforms_is_left() {
        let expected = [("context.message_id", CONTEXT, id())];
        assert_eq!(named(&reply(&id().to_wamid())), expected);
        assert_eq!(named(&reply(&id().to_string())), expected);
        assert_eq!(named(&reply("wamid.HBgMMjU1NzEyMzAwMDA3FQIA")), []);
        assert_eq!(named(&reaction(&id().to_wamid()))[0].0, "reaction.message_id");
        let spoken = json!({"text": {"body": format!("\"{}", id().to_wamid())}}).to_string();
        assert_eq!(named(&spoken), [], "an id in a text names nothing");
    }

    #[test]
    fn what_was_sent_is_named_as_the_platform_names_it() {
        let json = reply(&id().to_wamid());
        let sent = written(&json, &[(CONTEXT, Known::As("wamid.theirs".to_owned()))]).unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["context"]["message_id"], "wamid.theirs");
        assert_eq!(sent["text"]["body"], "Ndiyo");
    }

    #[test]
    fn a_reply_to_what_was_never_sent_goes_without_its_quotation_and_a_reaction_does_not_go() {
        let json = reply(&id().to_wamid());
        let sent: Value = serde_json::from_str(&written(&json, &[(CONTEXT, Known::Never)]).unwrap()).unwrap();
        assert!(sent.get("context").is_none());
        assert_eq!(written(&json, &[(CONTEXT, Known::NotYet)]), Err(NotResolved::NotYet));
        let json = reaction(&id().to_wamid());
        assert_eq!(written(&json, &[("/reaction/message_id", Known::Never)]), Err(NotResolved::Never));
    }

    #[test]
    fn what_a_customer_answers_is_named_by_our_id_where_it_is_ours() {
        let ours = |theirs: &str| (theirs == "wamid.theirs").then(id);
        let answer = json!({"context": {"id": "wamid.theirs", "from": "1555"}, "text": {"body": "Ndiyo"}});
        let told = with_ours(&answer, ours).unwrap();
        assert_eq!(told["context"], json!({"id": id().to_wamid(), "from": "1555"}));
        assert_eq!(with_ours(&json!({"context": {"id": "wamid.other"}}), ours), None);
        assert_eq!(with_ours(&json!({"context": {"forwarded": true}}), ours), None);
        assert_eq!(quoted(&answer).collect::<Vec<_>>(), ["wamid.theirs"]);
    }
}
