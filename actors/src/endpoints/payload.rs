//! The body of a delivery: the event as it was kept, with what its message adds written into it.
//!
//! What was kept is JSON of our own making and is not parsed again: it is copied into its place.

use domain::clock::Timestamp;
use domain::event::{EventType, StoredEvent};
use domain::ids::{BusinessRef, ConnectionId, MessageId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::stream::OpenedEvent;

/// What stands around the kept members of `data`.
#[derive(Debug, Clone, Copy)]
struct Envelope<'a> {
    event_type: EventType,
    timestamp: Timestamp,
    business_id: &'a BusinessRef,
    connection_id: Option<ConnectionId>,
    message_id: Option<MessageId>,
    client_ref: Option<&'a str>,
    opaque: Option<&'a str>,
}

#[derive(Debug, thiserror::Error)]
#[error("the stored event is not a JSON object")]
pub struct NotAnObject;

/// `again`: the event was offered before, or had to wait until the endpoint took events again.
pub(super) fn standard(event: &OpenedEvent, again: bool) -> Result<Vec<u8>, NotAnObject> {
    let said = event.said.get().and_then(Option::as_deref);
    let envelope = Envelope {
        event_type: event.event_type,
        timestamp: event.occurred_at,
        business_id: &event.business_reference,
        connection_id: event.connection,
        message_id: event.message,
        client_ref: said.and_then(|said| said.client_ref.as_deref()),
        opaque: said.and_then(|said| said.opaque.as_deref()),
    };
    write(envelope, event.body.as_ref().ok_or(NotAnObject)?, again)
}

/// The same as a JSON value, for the listing of events.
pub fn listed(event: &StoredEvent, opened: &[u8]) -> Result<Box<RawValue>, NotAnObject> {
    let envelope = Envelope {
        event_type: event.event_type,
        timestamp: event.occurred_at,
        business_id: &event.business_reference,
        connection_id: event.connection,
        message_id: event.message,
        client_ref: event.client_ref.as_deref(),
        opaque: event.opaque.as_deref(),
    };
    let body = String::from_utf8(write(envelope, opened, false)?).map_err(|_| NotAnObject)?;
    RawValue::from_string(body).map_err(|_| NotAnObject)
}

fn write(envelope: Envelope<'_>, kept: &[u8], again: bool) -> Result<Vec<u8>, NotAnObject> {
    let members = kept.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).ok_or(NotAnObject)?;
    let mut body = Vec::with_capacity(kept.len() + 320);
    member(&mut body, b"{\"type\":", envelope.event_type.as_str())?;
    member(&mut body, b",\"timestamp\":", &envelope.timestamp)?;
    if again {
        body.extend_from_slice(b",\"replayed\":true");
    }
    member(&mut body, b",\"data\":{\"business_id\":", envelope.business_id.as_str())?;
    if let Some(id) = envelope.connection_id {
        member(&mut body, b",\"connection_id\":", &id)?;
    }
    if let Some(id) = envelope.message_id {
        member(&mut body, b",\"message_id\":", &id)?;
    }
    if let Some(client_ref) = envelope.client_ref {
        member(&mut body, b",\"client_ref\":", client_ref)?;
    }
    if !members.is_empty() {
        body.push(b',');
    }
    match envelope.opaque.and_then(|opaque| Some((opaque, inside_of_status(kept)?))) {
        Some((opaque, at)) => {
            // `members` begins one byte into what was kept.
            let (before, rest) = members.split_at(at - 1);
            body.extend_from_slice(before);
            member(&mut body, b"\"biz_opaque_callback_data\":", opaque)?;
            if !rest.starts_with(b"}") {
                body.push(b',');
            }
            body.extend_from_slice(rest);
        }
        None => body.extend_from_slice(members),
    }
    body.extend_from_slice(b"}}");
    Ok(body)
}

fn member<T: Serialize + ?Sized>(body: &mut Vec<u8>, name: &[u8], value: &T) -> Result<(), NotAnObject> {
    body.extend_from_slice(name);
    serde_json::to_writer(body, value).map_err(|_| NotAnObject)
}

/// Where the members of the status object begin.
fn inside_of_status(kept: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        status: &'a RawValue,
    }
    let status = serde_json::from_slice::<Data<'_>>(kept).ok()?.status.get();
    let begin = status.as_ptr().addr() - kept.as_ptr().addr();
    status.starts_with('{').then_some(begin + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::{AccountKey, BusinessKey, EventId};
    use domain::secret::Sealed;
    use serde_json::Value;
    use uuid::Uuid;

    use crate::references::Said;

    fn stored() -> StoredEvent {
        StoredEvent {
            seq: 1,
            id: EventId::from_uuid(Uuid::from_u128(5)),
            event_type: EventType::MessageStatus,
            account: AccountKey(1),
            business: BusinessKey(2),
            business_reference: "duka-1".parse().unwrap(),
            connection: Some(ConnectionId::from_uuid(Uuid::from_u128(8))),
            message: Some(MessageId::from_uuid(Uuid::from_u128(6))),
            client_ref: Some("order \"7\"".to_owned()),
            opaque: Some("mine".to_owned()),
            occurred_at: Timestamp::from_seconds(1_790_000_000),
            body: Sealed::from_bytes(Vec::new()),
        }
    }

    fn delivered(kept: &str, again: bool) -> Value {
        let event = OpenedEvent::read(stored(), Some(kept.as_bytes().to_vec().into()));
        let body = standard(&event, again).unwrap();
        let listed = listed(&stored(), kept.as_bytes()).unwrap();
        let (mut body, listed): (Value, Value) =
            (serde_json::from_slice(&body).unwrap(), serde_json::from_str(listed.get()).unwrap());
        assert_eq!(body.as_object_mut().unwrap().remove("replayed").is_some(), again);
        assert_eq!(body, listed, "the listing shows what is delivered");
        body
    }

    #[test]
    fn a_status_carries_the_callers_reference_and_opaque_data() {
        let body =
            delivered(r#"{"metadata":{"status":{}},"status":{"id":"wamid.x","status":"read"}}"#, false);
        assert_eq!(body["type"], "message.status");
        assert_eq!(body["timestamp"], "2026-09-21T14:13:20.000000Z");
        assert_eq!(body["data"]["business_id"], "duka-1");
        assert_eq!(body["data"]["client_ref"], "order \"7\"");
        assert_eq!(body["data"]["message_id"], stored().message.unwrap().to_string());
        assert_eq!(body["data"]["status"]["biz_opaque_callback_data"], "mine");
        assert_eq!(body["data"]["status"]["status"], "read");
        assert_eq!(body["data"]["metadata"], serde_json::json!({ "status": {} }));
    }

    #[test]
    fn opaque_data_has_its_place_in_an_empty_status_and_none_where_there_is_no_status() {
        let body = delivered(r#"{"status":{}}"#, true);
        assert_eq!(body["data"]["status"]["biz_opaque_callback_data"], "mine");
        let body = delivered(r#"{"status":"connected","reason":null}"#, false);
        assert_eq!(body["data"]["status"], "connected");
        let body = delivered("{}", true);
        assert!(body["data"].get("status").is_none());
    }

    #[test]
    fn a_message_without_a_word_of_its_caller_carries_none() {
        let event = StoredEvent { client_ref: None, opaque: None, ..stored() };
        let event = OpenedEvent::read(event, Some(br#"{"status":{"id":"x"}}"#.to_vec().into()));
        assert_eq!(event.said.get(), Some(&None::<std::sync::Arc<Said>>));
        let body: Value = serde_json::from_slice(&standard(&event, false).unwrap()).unwrap();
        assert!(body["data"].get("client_ref").is_none());
        assert_eq!(body["data"]["status"], serde_json::json!({ "id": "x" }));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for kept in ["[1]", "", "{", "null"] {
            let event = OpenedEvent::read(stored(), Some(kept.as_bytes().to_vec().into()));
            assert!(standard(&event, false).is_err(), "{kept}");
        }
        assert!(standard(&OpenedEvent::read(stored(), None), false).is_err());
    }
}
