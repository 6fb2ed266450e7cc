//! The body of a delivery as Meta writes it: one event in the webhook envelope of the Cloud API.
//!
//! What was kept of Meta's own objects is copied into its place and not parsed again. Endings that the gateway decided
//! itself have no words of Meta's, so they are told as `failed`: what a Cloud API client takes for final.

use std::borrow::Cow;

use domain::event::EventType;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::number::Number;
use super::payload::NotAnObject;
use crate::stream::OpenedEvent;

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
            ("messages", Value::OfNumber(OfNumber { messages: Some([one(kept.message)?]), ..nothing }))
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
    serde_json::to_vec(&envelope).map_err(|_| NotAnObject)
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

/// An ending that the gateway decided itself, as it was kept.
#[derive(Deserialize)]
struct Ending<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    recipient_id: Cow<'a, str>,
    #[serde(default, borrow)]
    errors: Vec<Cause<'a>>,
}

#[derive(Deserialize)]
struct Cause<'a> {
    code: i64,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    error_data: Details<'a>,
}

#[derive(Serialize, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    details: Cow<'a, str>,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: Cow<'a, str>,
    status: &'static str,
    timestamp: Cow<'a, str>,
    recipient_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    code: i64,
    title: Cow<'a, str>,
    message: Cow<'a, str>,
    error_data: Details<'a>,
}

impl<'a> Failed<'a> {
    /// `None` for what is no ending.
    fn of(status: &'a RawValue, opaque: Option<&'a str>) -> Option<Self> {
        let ending: Ending<'_> = serde_json::from_str(status.get()).ok()?;
        let word = ending.status;
        if !matches!(&*word, "failed" | "expired" | "cancelled") {
            return None;
        }
        let error = match ending.errors.into_iter().next() {
            Some(Cause { code, title, error_data }) if code != 0 => {
                Error { code, message: title.clone(), title, error_data }
            }
            Some(Cause { error_data: Details { details }, .. }) => of_ours(details),
            None => of_ours(word),
        };
        Some(Self {
            id: ending.id,
            status: "failed",
            timestamp: ending.timestamp,
            recipient_id: ending.recipient_id,
            biz_opaque_callback_data: opaque,
            errors: [error],
        })
    }
}

/// `reason`: one of those of a timeline. Where Meta has a code for the very same it is told with it, so that clients
/// act on it as they would; everything else is 131000, Meta's word for a failure of unknown cause. 131026 would make
/// some clients give up the recipient, who has nothing to do with it.
fn of_ours(reason: Cow<'_, str>) -> Error<'_> {
    let code = match &*reason {
        "window_closed" => 131_047,
        "recipient_capped" => 131_049,
        "opted_out" => 131_050,
        "template_unusable" => 132_001,
        _ => 131_000,
    };
    let title = match &*reason {
        "outcome_unknown" => "It is not known whether the message was sent",
        "cancelled" => "The message was cancelled before it was sent",
        "expired" => "The message's time was over before it was sent",
        _ => "The message was not sent",
    };
    Error { code, title: title.into(), message: title.into(), error_data: Details { details: reason } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::Timestamp;
    use domain::event::StoredEvent;
    use domain::ids::{AccountKey, BusinessKey, ConnectionId, EventId, MessageId};
    use domain::message::MessageStatus;
    use domain::secret::Sealed;
    use serde_json::json;
    use uuid::Uuid;

    use crate::connection::own_status;

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
        let number = Number {
            waba_id: "102".to_owned(),
            graph_id: "106".to_owned(),
            shown: "255754000111".to_owned(),
        };
        write(&event, &number).map(|body| String::from_utf8(body).unwrap())
    }

    fn value(body: &str) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["entry"][0]["changes"][0]["value"].clone()
    }

    #[test]
    fn what_came_in_stands_in_the_envelope_as_it_came() {
        let kept = r#"{"contact":{"wa_id":"255712"},"message":{"id":"wamid.in","text":{"body":"\u00e9"}},"metadata":{"phone_number_id":"106"}}"#;
        let expected = concat!(
            r#"{"object":"whatsapp_business_account","entry":[{"id":"102","changes":[{"field":"messages","value":"#,
            r#"{"messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"contacts":[{"wa_id":"255712"}],"#,
            r#""messages":[{"id":"wamid.in","text":{"body":"\u00e9"}}]}}]}]}"#,
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
            r#"{"object":"whatsapp_business_account","entry":[{"id":"102","changes":[{"field":"smb_message_echoes","#,
            r#""value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"#,
            r#""message_echoes":[{"id":"wamid.e","to":"255712"}]}}]}]}"#,
        );
        assert_eq!(written(EventType::MessageEcho, kept, None).unwrap(), expected);
    }

    #[test]
    fn a_status_carries_the_callers_opaque_data_and_the_contact_where_it_came_with_one() {
        let kept = r#"{"contact":{"wa_id":"255712"},"metadata":{"phone_number_id":"106"},"provider_message_id":"wamid.theirs","status":{"id":"wamid.ours","status":"read"}}"#;
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

    fn ending(status: MessageStatus, reason: &str) -> serde_json::Value {
        let id = MessageId::from_uuid(Uuid::from_u128(6));
        let kept = own_status(id, "+255712345678", status, AT, reason, None).to_string();
        value(&written(EventType::MessageStatus, &kept, Some("mine")).unwrap())
    }

    #[test]
    fn an_ending_of_ours_is_told_as_failed_with_a_code_that_clients_know() {
        let expected = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "255754000111", "phone_number_id": "106" },
            "statuses": [{
                "id": MessageId::from_uuid(Uuid::from_u128(6)).to_wamid(),
                "status": "failed",
                "timestamp": "1790000000",
                "recipient_id": "255712345678",
                "biz_opaque_callback_data": "mine",
                "errors": [{
                    "code": 131_000,
                    "title": "The message's time was over before it was sent",
                    "message": "The message's time was over before it was sent",
                    "error_data": { "details": "expired" },
                }],
            }],
        });
        assert_eq!(ending(MessageStatus::Expired, "expired"), expected);
        let code = |status, reason| {
            let told = ending(status, reason);
            let error = &told["statuses"][0]["errors"][0];
            assert_eq!(
                (&told["statuses"][0]["status"], &error["error_data"]["details"]),
                (&json!("failed"), &json!(reason))
            );
            error["code"].as_i64().unwrap()
        };
        assert_eq!(code(MessageStatus::Cancelled, "cancelled"), 131_000);
        assert_eq!(code(MessageStatus::Failed, "outcome_unknown"), 131_000);
        assert_eq!(code(MessageStatus::Failed, "window_closed"), 131_047);
        assert_eq!(code(MessageStatus::Failed, "opted_out"), 131_050);
    }

    #[test]
    fn an_error_of_the_platform_keeps_its_code_and_words() {
        let id = MessageId::from_uuid(Uuid::from_u128(6));
        let error = domain::contracts::provider::ProviderError {
            code: Some(131_008),
            message: "(#131008) Required parameter is missing".to_owned(),
            ..Default::default()
        };
        let kept = own_status(id, "+255712345678", MessageStatus::Failed, AT, "rejected", Some(&error));
        let told = value(&written(EventType::MessageStatus, &kept.to_string(), None).unwrap());
        let expected = json!([{
            "code": 131_008,
            "title": "(#131008) Required parameter is missing",
            "message": "(#131008) Required parameter is missing",
            "error_data": { "details": "rejected" },
        }]);
        assert_eq!(told["statuses"][0]["errors"], expected);
        assert!(told["statuses"][0].get("biz_opaque_callback_data").is_none(), "{told}");
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
