//! The body of a delivery, put together from the sealed event and what its message adds.

use domain::event::StoredEvent;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    timestamp: domain::Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    business_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<domain::ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<domain::MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<&'a str>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Debug, thiserror::Error)]
#[error("the stored event is not a JSON object")]
pub struct NotAnObject;

/// `{"type":…,"timestamp":…,"data":{"business_id":…,…}}`. `opened` is the event's body in clear.
pub fn standard(event: &StoredEvent, opened: &[u8]) -> Result<Vec<u8>, NotAnObject> {
    let mut members: Map<String, Value> = serde_json::from_slice(opened).map_err(|_| NotAnObject)?;
    if let (Some(opaque), Some(Value::Object(status))) = (&event.opaque, members.get_mut("status")) {
        status.insert("biz_opaque_callback_data".to_owned(), Value::String(opaque.clone()));
    }
    let data = Data {
        business_id: event.business_reference.as_str(),
        connection_id: event.connection,
        message_id: event.message,
        client_ref: event.client_ref.as_deref(),
        members,
    };
    let envelope = Envelope { r#type: event.event_type.as_str(), timestamp: event.occurred_at, data };
    serde_json::to_vec(&envelope).map_err(|_| NotAnObject)
}

/// The same envelope as a JSON value, for the listing of events.
pub fn listed(event: &StoredEvent, opened: &[u8]) -> Result<Box<RawValue>, NotAnObject> {
    let body = standard(event, opened)?;
    serde_json::value::to_raw_value(&serde_json::from_slice::<&RawValue>(&body).map_err(|_| NotAnObject)?)
        .map_err(|_| NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event::EventType;
    use domain::ids::{AccountKey, BusinessKey, EventId, MessageId};
    use domain::secret::Sealed;
    use uuid::Uuid;

    fn event() -> StoredEvent {
        StoredEvent {
            seq: 1,
            id: EventId::from_uuid(Uuid::from_u128(5)),
            event_type: EventType::MessageStatus,
            account: AccountKey(1),
            business: BusinessKey(2),
            business_reference: "duka-1".parse().unwrap(),
            connection: None,
            message: Some(MessageId::from_uuid(Uuid::from_u128(6))),
            client_ref: Some("order-7".to_owned()),
            opaque: Some("mine".to_owned()),
            occurred_at: domain::Timestamp::from_seconds(1_790_000_000),
            body: Sealed::from_bytes(Vec::new()),
        }
    }

    #[test]
    fn a_status_carries_the_callers_reference_and_opaque_data() {
        let body = standard(&event(), br#"{"status":{"id":"wamid.x","status":"read"}}"#).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "message.status");
        assert_eq!(body["data"]["business_id"], "duka-1");
        assert_eq!(body["data"]["client_ref"], "order-7");
        assert_eq!(body["data"]["status"]["biz_opaque_callback_data"], "mine");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(standard(&event(), b"[1]").is_err());
        assert!(standard(&event(), b"").is_err());
    }
}
