//! What a piece of news tells the endpoints of its owner: the event's identity and its text. Plain.
//!
//! The text is written straight from what the provider sent; nothing of it is copied first.

use domain::clock::Timestamp;
use domain::connection::Connection;
use domain::contracts::provider::{Content, StatusUpdate, Subject, Update};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, report_id, update_id};
use domain::ids::{EventId, MessageId};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::quotes;
use crate::unechoed::Matched;

/// An event in clear.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: EventId,
    pub(crate) event_type: EventType,
    pub(crate) message: Option<MessageId>,
    pub(crate) status: Option<DeliveryStatus>,
    pub(crate) at: Timestamp,
    /// JSON of the members of `data`.
    pub(crate) text: String,
}

#[derive(Serialize)]
struct Received<'a> {
    contact: Option<&'a Value>,
    message: &'a Value,
    metadata: &'a Value,
}

#[derive(Serialize)]
struct Echo<'a> {
    message: &'a Value,
    metadata: &'a Value,
}

#[derive(Serialize)]
struct Other<'a> {
    field: &'a str,
    value: &'a Value,
}

#[derive(Serialize)]
struct Reported<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<&'a Value>,
    metadata: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_message_id: Option<&'a str>,
    status: Object<'a>,
}

/// The status object as received, and of a message of ours with our id for the provider's and without what we put
/// into it.
enum Object<'a> {
    Theirs(&'a Value),
    Ours(&'a Map<String, Value>, MessageId),
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Theirs(value) => value.serialize(serializer),
            Self::Ours(members, message) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("id", &message.to_wamid())?;
                for (name, value) in members.iter().filter(|(name, _)| !is_replaced(name)) {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

fn is_replaced(name: &str) -> bool {
    matches!(name, "id" | "biz_opaque_callback_data")
}

/// Plain JSON always has a text.
fn text(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned())
}

pub(crate) fn tell(update: &Update, owner: &Connection, ours: &Matched) -> Told {
    let about = match &update.subject {
        Subject::Number(id) => id.clone(),
        // The same news is an event of its own for each business of the account.
        Subject::Waba(id) => format!("{id}:{}", owner.business.0),
    };
    let plain = |event_type, key: String, text| Told {
        id: update_id(update.at, &about, &key),
        event_type,
        message: None,
        status: None,
        at: update.at,
        text,
    };
    match &update.content {
        Content::Message { key, message, contact, metadata } => {
            let ours = quotes::with_ours(message, |theirs| ours.get(owner.id, theirs));
            let message = ours.as_ref().unwrap_or(message);
            let data = Received { contact: contact.as_ref(), message, metadata };
            plain(EventType::MessageReceived, format!("message:{key}"), text(&data))
        }
        Content::Echo { key, message, metadata } => {
            plain(EventType::MessageEcho, format!("echo:{key}"), text(&Echo { message, metadata }))
        }
        Content::Other { field, key, value, template, .. } => {
            let event_type = if template.is_some() || field.starts_with("message_template") {
                EventType::TemplateStatus
            } else {
                EventType::AccountAlert
            };
            plain(event_type, format!("{field}:{key}"), text(&Other { field, value }))
        }
        Content::Status(status) => tell_status(status, update.at, &about, owner, ours),
    }
}

/// A status of a message of ours carries our id and the caller's opaque data, never what we put there.
fn tell_status(
    status: &StatusUpdate,
    at: Timestamp,
    about: &str,
    owner: &Connection,
    ours: &Matched,
) -> Told {
    let StatusUpdate { provider_id, word, participant, object, .. } = status;
    let message = status.echo.map(|echo| echo.message).or_else(|| ours.get(owner.id, provider_id));
    let id = match message {
        Some(message) => report_id(owner.id, message, word, participant),
        None => update_id(at, about, &format!("status:{provider_id}:{word}:{participant}")),
    };
    // A status of one member of a group says nothing about the message as a whole.
    let known = status.status.filter(|_| participant.is_empty() && message.is_some());
    let data = Reported {
        contact: status.contact.as_ref(),
        metadata: &status.metadata,
        provider_message_id: message.map(|_| provider_id.as_str()),
        status: match message.zip(object.as_object()) {
            Some((message, members)) => Object::Ours(members, message),
            None => Object::Theirs(object),
        },
    };
    Told { id, event_type: EventType::MessageStatus, message, status: known, at, text: text(&data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::connection::{ConnectionStatus, ProviderName, Sending};
    use domain::ids::{AccountKey, BusinessKey, ConnectionId};
    use domain::message::Echo as Ours;
    use domain::partition::Partition;
    use serde_json::json;
    use uuid::Uuid;

    const AT: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn owner() -> Connection {
        Connection {
            id: ConnectionId::from_uuid(Uuid::from_u128(7)),
            business: BusinessKey(1),
            business_reference: "duka".parse().unwrap(),
            account: AccountKey(1),
            partition: Partition(0),
            provider: ProviderName::Meta,
            status: ConnectionStatus::Connected,
            reason: None,
            graph_id: None,
            waba_id: None,
            phone_number: None,
            verified_name: None,
            quality_rating: None,
            sending: Sending::default(),
            created_at: AT,
            updated_at: AT,
        }
    }

    fn told(content: Content) -> (Told, Value) {
        let update = Update { subject: Subject::Number("106".to_owned()), at: AT, content };
        let told = tell(&update, &owner(), &Matched::default());
        let data = serde_json::from_str(&told.text).unwrap();
        (told, data)
    }

    fn status(echo: Option<Ours>, participant: &str) -> Content {
        Content::Status(Box::new(StatusUpdate {
            provider_id: "wamid.theirs".to_owned(),
            word: "read".to_owned(),
            status: Some(DeliveryStatus::Read),
            echo,
            participant: participant.to_owned(),
            judged: None,
            object: json!({ "id": "wamid.theirs", "status": "read", "biz_opaque_callback_data": "v1.x" }),
            contact: None,
            metadata: json!({ "phone_number_id": "106" }),
        }))
    }

    #[test]
    fn a_status_of_ours_has_our_id_and_not_what_we_put_into_it() {
        let message = MessageId::from_uuid(Uuid::from_u128(9));
        let (told, data) = told(status(Some(Ours { message, attempt: 1 }), ""));
        assert_eq!((told.message, told.status), (Some(message), Some(DeliveryStatus::Read)));
        let expected = json!({
            "provider_message_id": "wamid.theirs",
            "status": { "id": message.to_wamid(), "status": "read" },
            "metadata": { "phone_number_id": "106" },
        });
        assert_eq!(data, expected);
    }

    #[test]
    fn a_status_of_a_message_that_is_not_ours_is_passed_on_as_it_is() {
        let (told, data) = told(status(None, ""));
        assert_eq!((told.message, told.status), (None, None));
        assert_eq!(data["status"]["id"], "wamid.theirs");
        assert_eq!(data["status"]["biz_opaque_callback_data"], "v1.x");
        assert!(data.get("provider_message_id").is_none());
    }

    #[test]
    fn a_status_of_one_member_of_a_group_says_nothing_about_the_message() {
        let message = MessageId::from_uuid(Uuid::from_u128(9));
        let (one, _) = told(status(Some(Ours { message, attempt: 1 }), "255712345678"));
        let (other, _) = told(status(Some(Ours { message, attempt: 1 }), "255712345679"));
        assert_eq!((one.message, one.status), (Some(message), None));
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn the_same_news_is_the_same_event_and_keeps_what_it_was_sent() {
        let content = || Content::Message {
            key: "wamid.in".to_owned(),
            message: json!({ "from": "255712345678", "type": "text" }),
            contact: None,
            metadata: Value::Null,
        };
        let ((one, data), (again, _)) = (told(content()), told(content()));
        assert_eq!(one.id, again.id);
        let expected = json!({
            "contact": null, "message": { "from": "255712345678", "type": "text" }, "metadata": null,
        });
        assert_eq!(data, expected);
    }
}
