//! Whom an event is about, for endpoints that want the events about one contact in order.

use std::borrow::Cow;

use domain::endpoint::OrderKey;
use domain::ids::ConnectionId;
use serde::Deserialize;

/// The members of `data` that can name a contact.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    message: Option<Named<'a>>,
    #[serde(borrow)]
    status: Option<Named<'a>>,
    #[serde(borrow)]
    contact: Option<Person<'a>>,
}

/// A message or a status. A group is a contact of its own, whoever of its members wrote.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    group_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to_user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from_user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recipient_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recipient_user_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Person<'a> {
    #[serde(borrow)]
    phone: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
}

/// The key of the one contact that the event is about; nothing when it is about none. A contact who is named by a
/// number in one event and by a user id alone in another is two: who is who is not looked up here.
pub(super) fn order_key(connection: Option<ConnectionId>, data: &[u8]) -> Option<OrderKey> {
    let connection = connection?;
    let data: Data<'_> = serde_json::from_slice(data).ok()?;
    let named = data.message.or(data.status).and_then(|named| {
        // Of an echo `to` is the contact and `from` the business itself.
        let Named { group_id, to, to_user_id, from, from_user_id, recipient_id, recipient_user_id } = named;
        [group_id, to, to_user_id, from, from_user_id, recipient_id, recipient_user_id]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
    });
    let contact = || {
        let person = data.contact?;
        [person.phone, person.user_id].into_iter().flatten().find(|name| !name.is_empty())
    };
    Some(OrderKey::of(connection, &named.or_else(contact)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(data: &str) -> Option<OrderKey> {
        order_key(Some(ConnectionId::from_uuid(Uuid::from_u128(1))), data.as_bytes())
    }

    #[test]
    fn everything_about_one_contact_has_one_key() {
        let asha =
            key(r#"{"contact":{"wa_id":"255712345678"},"message":{"from":"255712345678","type":"text"}}"#);
        assert!(asha.is_some());
        for data in [
            r#"{"status":{"recipient_id":"255712345678","status":"read"}}"#,
            r#"{"message":{"from":"255754000111","to":"255712345678"}}"#,
            r#"{"contact":{"phone":"+255712345678","user_id":"TZ.1"},"opt_out":null}"#,
        ] {
            assert_eq!(key(data), asha, "{data}");
        }
        for data in [
            r#"{"message":{"from":"255712345679"}}"#,
            r#"{"message":{"from":"255712345678","group_id":"Y2F0"}}"#,
            r#"{"message":{"from":"","from_user_id":"TZ.1"}}"#,
        ] {
            assert!(key(data).is_some() && key(data) != asha, "{data}");
        }
        let elsewhere = ConnectionId::from_uuid(Uuid::from_u128(2));
        assert_ne!(order_key(Some(elsewhere), br#"{"message":{"from":"255712345678"}}"#), asha);
    }

    #[test]
    fn what_is_about_no_contact_waits_for_nobody() {
        for data in [r#"{"status":"connected","reason":null}"#, r#"{"field":"flows","value":{}}"#, "[]", ""] {
            assert_eq!(key(data), None, "{data}");
        }
        assert_eq!(order_key(None, br#"{"message":{"from":"255712345678"}}"#), None);
    }
}
