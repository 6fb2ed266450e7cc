//! The body of a delivery as Meta writes it: one event in the webhook envelope of the Cloud API.
//!
//! What was kept of Meta's own objects is copied into its place and not parsed again.

use std::borrow::Cow;
use std::fmt::Write as _;

use domain::event::EventType;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::ending::Failed;
use super::number::Number;
use super::payload::NotAnObject;
use crate::stream::OpenedEvent;

/// The last letter that is written as it is.
const LAST_PLAIN: u8 = b'~';

/// The members of `data` that Meta's webhooks know.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    contact: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    field: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    object: &'static str,
    entry: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    /// Where Meta has it: around what is told of an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    changes: [Change<'a>; 1],
}

#[derive(Serialize)]
struct Change<'a> {
    field: &'a str,
    value: Value<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    AsItCame(&'a RawValue),
    OfNumber(OfNumber<'a>),
}

#[derive(Serialize)]
struct OfNumber<'a> {
    messaging_product: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<[&'a RawValue; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<[&'a RawValue; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statuses: Option<[Cow<'a, RawValue>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_echoes: Option<[&'a RawValue; 1]>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Metadata<'a> {
    AsItCame(&'a RawValue),
    Made { display_phone_number: &'a str, phone_number_id: &'a str },
}

impl<'a> Metadata<'a> {
    /// What the gateway tells by itself came with none.
    fn of(kept: &Kept<'a>, number: &'a Number) -> Self {
        match kept.metadata {
            Some(metadata) => Self::AsItCame(metadata),
            None => Self::Made { display_phone_number: &number.shown, phone_number_id: &number.graph_id },
        }
    }
}

/// Only for what the format tells of; see [`domain::endpoint::EndpointFormat::tells_of`].
pub(super) fn write(event: &OpenedEvent, number: &Number) -> Result<Vec<u8>, NotAnObject> {
    let body = event.body.as_ref().ok_or(NotAnObject)?;
    let kept: Kept<'_> = serde_json::from_slice(body).map_err(|_| NotAnObject)?;
    let nothing = OfNumber {
        messaging_product: "whatsapp",
        metadata: Metadata::of(&kept, number),
        contacts: kept.contact.map(|contact| [contact]),
        messages: None,
        statuses: None,
        message_echoes: None,
    };
    let (field, value) = match event.event_type {
        EventType::MessageReceived => {
            let messages = Some([one(kept.message)?]);
            ("messages", Value::OfNumber(OfNumber { messages, ..nothing }))
        }
        EventType::MessageEcho => {
            let echoes = OfNumber { message_echoes: Some([one(kept.message)?]), ..nothing };
            ("smb_message_echoes", Value::OfNumber(echoes))
        }
        EventType::MessageStatus => {
            let statuses = Some([status(&kept, event)?]);
            ("messages", Value::OfNumber(OfNumber { statuses, ..nothing }))
        }
        _ => (
            &**kept.field.as_ref().ok_or(NotAnObject)?,
            Value::AsItCame(kept.value.unwrap_or(RawValue::NULL)),
        ),
    };
    let time = matches!(value, Value::AsItCame(_)).then(|| event.occurred_at.as_seconds());
    let entry = [Entry { id: &number.waba_id, time, changes: [Change { field, value }] }];
    let envelope = Envelope { object: "whatsapp_business_account", entry };
    serde_json::to_string(&envelope).map(escaped).map_err(|_| NotAnObject)
}

/// Meta escapes whatever is not ASCII, in small hexadecimal digits, and there are receivers that verify the signature
/// over a body that they escaped so themselves.
fn escaped(json: String) -> Vec<u8> {
    // Beyond ASCII, in JSON, means inside of a string.
    if json.bytes().all(|byte| byte <= LAST_PLAIN) {
        return json.into_bytes();
    }
    let mut body = String::with_capacity(json.len() * 2);
    for letter in json.chars() {
        if u32::from(letter) <= u32::from(LAST_PLAIN) {
            body.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let _ = write!(body, "\\u{unit:04x}");
        }
    }
    body.into_bytes()
}

fn one(object: Option<&RawValue>) -> Result<&RawValue, NotAnObject> {
    object.ok_or(NotAnObject)
}

/// With the caller's own opaque data, and in Meta's words.
fn status<'a>(kept: &Kept<'a>, event: &OpenedEvent) -> Result<Cow<'a, RawValue>, NotAnObject> {
    let status = one(kept.status)?;
    let said = event.said.get().and_then(Option::as_deref);
    let opaque = said.and_then(|said| said.opaque.as_deref());
    // The provider's own always come with the number that they are about.
    if kept.metadata.is_none()
        && let Some(failed) = Failed::of(status, opaque)
    {
        return to_raw_value(&failed).map(Cow::Owned).map_err(|_| NotAnObject);
    }
    match opaque.zip(status.get().strip_prefix('{')) {
        Some((opaque, members)) => with_opaque(members, opaque),
        None => Ok(Cow::Borrowed(status)),
    }
}

fn with_opaque<'a>(members: &str, opaque: &str) -> Result<Cow<'a, RawValue>, NotAnObject> {
    let opaque = serde_json::to_string(opaque).map_err(|_| NotAnObject)?;
    let comma = if members.starts_with('}') { "" } else { "," };
    let text = format!("{{\"biz_opaque_callback_data\":{opaque}{comma}{members}");
    RawValue::from_string(text).map(Cow::Owned).map_err(|_| NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::Timestamp;
    use domain::event::StoredEvent;
    use domain::ids::{AccountKey, BusinessKey, ConnectionId, EventId, MessageId};
    use domain::secret::Sealed;
    use serde_json::json;
    use uuid::Uuid;

    const AT: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn written(event_type: EventType, kept: &str, opaque: Option<&str>) -> Result<String, NotAnObject> {
        let event = StoredEvent {
            seq: 1,
            id: EventId::from_uuid(Uuid::from_u128(5)),
            event_type,
            account: AccountKey(1),
            business: BusinessKey(2),
            business_reference: "duka-1".parse().unwrap(),
            connection: Some(ConnectionId::from_uuid(Uuid::from_u128(8))),
            message: Some(MessageId::from_uuid(Uuid::from_u128(6))),
            client_ref: None,
            opaque: opaque.map(str::to_owned),
            occurred_at: AT,
            body: Sealed::from_bytes(Vec::new()),
        };
        let event = OpenedEvent::read(event, Some(kept.as_bytes().to_vec().into()));
        let (waba_id, graph_id) = ("102".to_owned(), "106".to_owned());
        let number = Number { waba_id, graph_id, shown: "255754000111".to_owned() };
        write(&event, &number).map(|body| String::from_utf8(body).unwrap())
    }

    fn value(body: &str) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["entry"][0]["changes"][0]["value"].clone()
    }

    #[test]
    fn what_is_not_ascii_is_escaped_as_meta_does() {
        let kept = "{\"message\":{\"text\":{\"body\":\"\u{e9}\u{1f600}~\u{7f}\"}},\"metadata\":{}}";
        let body = written(EventType::MessageReceived, kept, None).unwrap();
        assert!(body.is_ascii());
        assert!(body.contains(r#""body":"\u00e9\ud83d\ude00~\u007f""#), "{body}");
        assert_eq!(value(&body)["messages"][0]["text"]["body"], "\u{e9}\u{1f600}~\u{7f}");
    }

    #[test]
    fn what_came_in_stands_in_the_envelope_as_it_came() {
        let kept = concat!(
            r#"{"contact":{"wa_id":"255712"},"message":{"id":"wamid.in","text":{"body":"\u00e9"}},"#,
            r#""metadata":{"phone_number_id":"106"}}"#,
        );
        let expected = concat!(
            r#"{"object":"whatsapp_business_account","entry":[{"id":"102","changes":["#,
            r#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"#,
            r#""contacts":[{"wa_id":"255712"}],"messages":[{"id":"wamid.in","text":{"body":"\u00e9"}}]}}]}]}"#,
        );
        assert_eq!(written(EventType::MessageReceived, kept, None).unwrap(), expected);
        let unnamed = r#"{"contact":null,"message":{"id":"wamid.in"},"metadata":{}}"#;
        let unnamed = value(&written(EventType::MessageReceived, unnamed, None).unwrap());
        assert!(unnamed.get("contacts").is_none(), "{unnamed}");
    }

    #[test]
    fn an_echo_has_its_own_field() {
        let kept = r#"{"message":{"id":"wamid.e","to":"255712"},"metadata":{"phone_number_id":"106"}}"#;
        let expected = concat!(
            r#"{"object":"whatsapp_business_account","entry":[{"id":"102","changes":["#,
            r#"{"field":"smb_message_echoes","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"#,
            r#""message_echoes":[{"id":"wamid.e","to":"255712"}]}}]}]}"#,
        );
        assert_eq!(written(EventType::MessageEcho, kept, None).unwrap(), expected);
    }

    #[test]
    fn a_status_carries_the_callers_opaque_data_and_the_contact_where_it_came_with_one() {
        let kept = concat!(
            r#"{"contact":{"wa_id":"255712"},"metadata":{"phone_number_id":"106"},"#,
            r#""provider_message_id":"wamid.theirs","status":{"id":"wamid.ours","status":"read"}}"#,
        );
        let body = written(EventType::MessageStatus, kept, Some("order \"7\"")).unwrap();
        let expected = json!({
            "messaging_product": "whatsapp",
            "metadata": { "phone_number_id": "106" },
            "contacts": [{ "wa_id": "255712" }],
            "statuses": [{ "biz_opaque_callback_data": "order \"7\"", "id": "wamid.ours", "status": "read" }],
        });
        assert_eq!(value(&body), expected);
        assert!(!body.contains("wamid.theirs"), "{body}");

        let bare = r#"{"metadata":{},"status":{}}"#;
        let bare = value(&written(EventType::MessageStatus, bare, Some("mine")).unwrap());
        assert_eq!(bare["statuses"], json!([{ "biz_opaque_callback_data": "mine" }]));
        let silent = r#"{"metadata":{},"status":{"id":"x","status":"sent"}}"#;
        let silent = value(&written(EventType::MessageStatus, silent, None).unwrap());
        assert_eq!(silent["statuses"], json!([{ "id": "x", "status": "sent" }]));
    }

    #[test]
    fn an_ending_of_ours_names_the_number_by_itself() {
        let kept =
            r#"{"status":{"id":"wamid.ours","status":"cancelled","timestamp":"17","recipient_id":"255712"}}"#;
        let told = value(&written(EventType::MessageStatus, kept, Some("mine")).unwrap());
        let metadata = json!({ "display_phone_number": "255754000111", "phone_number_id": "106" });
        assert_eq!(told["metadata"], metadata);
        let status = &told["statuses"][0];
        assert_eq!(
            (&status["status"], &status["biz_opaque_callback_data"]),
            (&json!("failed"), &json!("mine"))
        );
    }

    #[test]
    fn what_is_told_of_an_account_has_its_own_field_and_time() {
        let kept = r#"{"field":"message_template_status_update","value":{"event":"PAUSED","n":1.0}}"#;
        let expected = concat!(
            r#"{"object":"whatsapp_business_account","entry":[{"id":"102","time":1790000000,"changes":["#,
            r#"{"field":"message_template_status_update","value":{"event":"PAUSED","n":1.0}}]}]}"#,
        );
        for event_type in [EventType::TemplateStatus, EventType::AccountAlert] {
            assert_eq!(written(event_type, kept, None).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for kept in ["[1]", "", "{", "null", "{}"] {
            assert!(written(EventType::MessageReceived, kept, None).is_err(), "{kept}");
        }
    }
}
