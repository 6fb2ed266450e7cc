//! What a piece of news tells about people: who they are, that they wrote, and what they want.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::contact::{Alias, ContactNews, FREE_ENTRY, Inbound, Preference, Said, Scope, Source, said_in};
use domain::contracts::provider::{Content, Fault, ProviderError, SendError, StatusUpdate, Update};
use domain::ids::ConnectionId;
use serde_json::Value;

/// The provider's code for a recipient who stopped marketing.
const STOPPED_MARKETING: i64 = 131_050;
/// How long the platform is not asked again after it withheld marketing from somebody.
const WITHHELD: Duration = Duration::from_hours(24);
/// Numbers above this are no seconds but milliseconds.
const MOST_SECONDS: i64 = 100_000_000_000;

/// One person in a piece of news, under all the names that it gives them, the best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) names: Vec<Alias>,
    pub(super) news: Vec<ContactNews>,
    /// The one word they wrote, if it is one that businesses may act on.
    pub(super) keyword: Option<Said>,
}

impl Heard {
    fn of(names: impl IntoIterator<Item = Alias>) -> Option<Self> {
        let mut unique: Vec<Alias> = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        // Stable: of two numbers the one that is named first, which is the one we know.
        unique.sort_by_key(Alias::rank);
        (!unique.is_empty()).then_some(Self { names: unique, news: Vec::new(), keyword: None })
    }

    fn telling(self, news: ContactNews) -> Self {
        Self { news: vec![news], ..self }
    }
}

/// Everyone whom the news is about and of whom it tells something.
pub(super) fn heard(update: &Update, connection: ConnectionId, now: Timestamp) -> Vec<Heard> {
    // The provider's clock may be ahead of ours; nobody wrote in the future.
    let at = update.at.min(now);
    let heard: Vec<Heard> = match &update.content {
        Content::Message { message, contact, .. } => {
            of_message(message, contact.as_ref(), connection, at).into_iter().collect()
        }
        Content::Echo { message, .. } => {
            Heard::of(named(message, &["to", "to_user_id", "to_parent_user_id"])).into_iter().collect()
        }
        Content::Status(status) => of_status(status, at).into_iter().collect(),
        Content::Other { field, value, .. } => match field.as_str() {
            "user_preferences" => each(value, "user_preferences", |item| preference(item, at)),
            "user_id_update" => each(value, "user_id_update", new_user_id),
            "calls" => each(value, "calls", |call| of_call(call, connection, at)),
            _ => Vec::new(),
        },
    };
    // Somebody with one name, of whom nothing else is told, is no news.
    heard.into_iter().filter(|heard| heard.names.len() > 1 || !heard.news.is_empty()).collect()
}

/// What a refusal of the provider tells about the recipient: in the answer to a post or in a status.
pub(super) fn of_refusal(error: &SendError, at: Timestamp) -> Option<ContactNews> {
    match error {
        SendError::Rejected {
            fault: Fault::Recipient,
            error: ProviderError { code: Some(STOPPED_MARKETING), .. },
        } => {
            let said = Said::Stop(Scope::Marketing);
            Some(ContactNews::Preference(Preference { said, source: Source::Provider, at }))
        }
        SendError::Rejected { fault: Fault::RecipientForNow, .. } => {
            Some(ContactNews::MarketingHeld { until: at.plus(WITHHELD) })
        }
        _ => None,
    }
}

fn named<'a>(object: &'a Value, members: &'a [&str]) -> impl Iterator<Item = Alias> + 'a {
    members.iter().filter_map(|member| Alias::from_provider(object.get(member)?.as_str()?))
}

/// The contact that stands beside may be another person's: it counts when it shares a name.
fn with_contact(own: Vec<Alias>, contact: Option<&Value>) -> impl Iterator<Item = Alias> {
    let theirs: Vec<Alias> = contact
        .map(|contact| named(contact, &["wa_id", "user_id", "parent_user_id"]).collect())
        .unwrap_or_default();
    let is_theirs = own.is_empty() || theirs.iter().any(|name| own.contains(name));
    own.into_iter().chain(theirs.into_iter().filter(move |_| is_theirs))
}

fn each(value: &Value, list: &str, read: impl Fn(&Value) -> Option<Heard>) -> Vec<Heard> {
    value.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(read).collect()
}

fn of_message(
    message: &Value,
    contact: Option<&Value>,
    connection: ConnectionId,
    at: Timestamp,
) -> Option<Heard> {
    let own: Vec<Alias> = named(message, &["from", "from_user_id", "from_parent_user_id"]).collect();
    if let Some(system) = message.get("system") {
        // They have another number or id now. Older versions call it `new_wa_id`.
        let new = named(system, &["wa_id", "new_wa_id", "user_id", "parent_user_id"]);
        return Heard::of(own.into_iter().chain(new));
    }
    let heard = Heard::of(with_contact(own, contact))?;
    if message.get("group_id").is_some() {
        // What is written to a group opens no window to its members.
        return Some(heard);
    }
    let free_entry_until = message.get("referral").is_some().then(|| at.plus(FREE_ENTRY));
    let inbound = Inbound { at, free_entry_until };
    let text = message.pointer("/text/body").or_else(|| message.pointer("/button/text"));
    let keyword = text.and_then(Value::as_str).and_then(said_in);
    Some(Heard { keyword, ..heard.telling(ContactNews::Wrote { connection, inbound }) })
}

fn of_status(status: &StatusUpdate, at: Timestamp) -> Option<Heard> {
    let object = &status.object;
    if object.get("recipient_type").and_then(Value::as_str) == Some("group") {
        return None;
    }
    let own = named(object, &["recipient_id", "recipient_user_id", "recipient_parent_user_id"]).collect();
    let heard = Heard::of(with_contact(own, status.contact.as_ref()))?;
    match status.judged.as_ref().and_then(|error| of_refusal(error, at)) {
        Some(news) => Some(heard.telling(news)),
        None => Some(heard),
    }
}

/// They chose in WhatsApp whether they want this business's marketing.
fn preference(item: &Value, at: Timestamp) -> Option<Heard> {
    if item.get("category").and_then(Value::as_str) != Some("marketing_messages") {
        return None;
    }
    let said = match item.get("value")?.as_str()? {
        "stop" => Said::Stop(Scope::Marketing),
        "resume" | "signup" => Said::Resume(Scope::Marketing),
        _ => return None,
    };
    let at = item.get("timestamp").and_then(time).map_or(at, |told| told.min(at));
    let preference = Preference { said, source: Source::UserPreference, at };
    let heard = Heard::of(named(item, &["wa_id", "user_id", "parent_user_id"]))?;
    Some(heard.telling(ContactNews::Preference(preference)))
}

fn new_user_id(item: &Value) -> Option<Heard> {
    let pair = |member: &str| {
        let ids = item.get(member).cloned().unwrap_or_default();
        named(&ids, &["previous", "current"]).collect::<Vec<_>>()
    };
    Heard::of(named(item, &["wa_id"]).chain(pair("user_id")).chain(pair("parent_user_id")))
}

/// A call of a customer opens the window as a message does.
fn of_call(call: &Value, connection: ConnectionId, at: Timestamp) -> Option<Heard> {
    let member = |name: &str| call.get(name).and_then(Value::as_str);
    if member("direction") != Some("USER_INITIATED") || member("event") != Some("connect") {
        return None;
    }
    let heard = Heard::of(named(call, &["from", "from_user_id", "from_parent_user_id"]))?;
    let inbound = Inbound { at, free_entry_until: None };
    Some(heard.telling(ContactNews::Wrote { connection, inbound }))
}

/// Seconds or milliseconds, as a number or as text.
fn time(value: &Value) -> Option<Timestamp> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|number| *number > 0)?;
    Some(if number > MOST_SECONDS {
        Timestamp::from_micros(number.saturating_mul(1_000))
    } else {
        Timestamp::from_seconds(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::contracts::provider::Subject;
    use serde_json::json;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const CONNECTION: ConnectionId = ConnectionId::from_uuid(Uuid::from_u128(1));

    fn tell(content: Content) -> Vec<Heard> {
        let update = Update { subject: Subject::Number("106".to_owned()), at: NOW, content };
        heard(&update, CONNECTION, NOW)
    }

    fn message(message: Value, contact: Value) -> Vec<Heard> {
        let contact = Some(contact).filter(|contact| !contact.is_null());
        tell(Content::Message { key: "wamid.A".to_owned(), message, contact, metadata: Value::Null })
    }

    fn other(field: &str, value: Value) -> Vec<Heard> {
        tell(Content::Other {
            field: field.to_owned(),
            key: String::new(),
            value,
            means: None,
            template: None,
        })
    }

    fn names(heard: &[Heard]) -> Vec<String> {
        heard.iter().flat_map(|heard| heard.names.iter().map(ToString::to_string)).collect()
    }

    const WROTE: ContactNews =
        ContactNews::Wrote { connection: CONNECTION, inbound: Inbound { at: NOW, free_entry_until: None } };

    #[test]
    fn a_message_opens_the_window_and_names_its_author_by_everything_it_says() {
        let heard = message(
            json!({ "from": "255712345678", "from_user_id": "TZ.1", "text": { "body": "Habari" } }),
            json!({ "wa_id": "255712345678", "user_id": "TZ.1", "parent_user_id": "TZ.ENT.9" }),
        );
        assert_eq!(names(&heard), ["+255712345678", "TZ.1", "TZ.ENT.9"]);
        assert_eq!((&heard[0].news[..], heard[0].keyword), (&[WROTE][..], None));
        let hidden = message(json!({ "from_user_id": "TZ.1" }), json!({ "wa_id": "", "user_id": "TZ.1" }));
        assert_eq!(names(&hidden), ["TZ.1"]);
        let misplaced = message(json!({ "from": "TZ.1" }), json!({ "wa_id": "TZ.1" }));
        assert_eq!(names(&misplaced), ["TZ.1"]);
    }

    #[test]
    fn the_contact_of_somebody_else_is_no_name_of_the_author() {
        let heard =
            message(json!({ "from": "255712345678" }), json!({ "wa_id": "255754000111", "user_id": "TZ.2" }));
        assert_eq!(names(&heard), ["+255712345678"]);
        assert_eq!(names(&message(json!({}), json!({ "user_id": "TZ.2" }))), ["TZ.2"]);
    }

    #[test]
    fn an_advertisement_opens_for_longer_and_a_group_opens_nothing() {
        let clicked =
            message(json!({ "from": "255712345678", "referral": { "source_type": "ad" } }), Value::Null);
        let inbound = Inbound { at: NOW, free_entry_until: Some(NOW.plus(FREE_ENTRY)) };
        assert_eq!(clicked[0].news, [ContactNews::Wrote { connection: CONNECTION, inbound }]);
        assert!(message(json!({ "from": "255712345678", "group_id": "g" }), Value::Null).is_empty());
    }

    #[test]
    fn a_new_number_or_id_is_another_name_of_the_same_person_and_opens_nothing() {
        let moved = message(
            json!({ "from": "255712345678", "type": "system", "system": { "type": "user_changed_number", "wa_id": "255754000111" } }),
            json!({ "wa_id": "255799999999" }),
        );
        assert_eq!(names(&moved), ["+255712345678", "+255754000111"]);
        assert!(moved[0].news.is_empty());
        let updated = other(
            "user_id_update",
            json!({ "user_id_update": [{ "user_id": { "previous": "TZ.1", "current": "TZ.2" }, "wa_id": "255712345678" }] }),
        );
        assert_eq!(names(&updated), ["+255712345678", "TZ.1", "TZ.2"]);
    }

    #[test]
    fn words_are_noticed_and_wishes_chosen_in_whatsapp_are_of_marketing() {
        let stopped = message(json!({ "from": "255712345678", "text": { "body": "Acha!" } }), Value::Null);
        assert_eq!(stopped[0].keyword, Some(Said::Stop(Scope::All)));
        let pressed = message(json!({ "from": "255712345678", "button": { "text": "STOP" } }), Value::Null);
        assert_eq!(pressed[0].keyword, Some(Said::Stop(Scope::All)));
        let chosen = other(
            "user_preferences",
            json!({ "user_preferences": [
                { "wa_id": "255712345678", "category": "marketing_messages", "value": "stop", "timestamp": 1_789_999_999 },
                { "user_id": "TZ.1", "category": "marketing_messages", "value": "resume", "timestamp": "1789999999000" },
                { "wa_id": "255712345678", "category": "something_new", "value": "stop" },
            ] }),
        );
        let at = Timestamp::from_seconds(1_789_999_999);
        let wish = |said| ContactNews::Preference(Preference { said, source: Source::UserPreference, at });
        assert_eq!(chosen.len(), 2);
        assert_eq!(chosen[0].news, [wish(Said::Stop(Scope::Marketing))]);
        assert_eq!(chosen[1].news, [wish(Said::Resume(Scope::Marketing))]);
    }

    #[test]
    fn a_call_of_a_customer_opens_the_window() {
        let call = |direction: &str| {
            other(
                "calls",
                json!({ "calls": [{ "from": "255712345678", "event": "connect", "direction": direction }] }),
            )
        };
        assert_eq!(call("USER_INITIATED")[0].news, [WROTE]);
        assert!(call("BUSINESS_INITIATED").is_empty());
    }

    #[test]
    fn what_the_provider_refuses_for_the_recipients_sake_is_remembered() {
        let error = |code| ProviderError { code: Some(code), ..ProviderError::default() };
        let stopped = SendError::Rejected { fault: Fault::Recipient, error: error(STOPPED_MARKETING) };
        let said = Said::Stop(Scope::Marketing);
        assert_eq!(
            of_refusal(&stopped, NOW),
            Some(ContactNews::Preference(Preference { said, source: Source::Provider, at: NOW }))
        );
        let withheld = SendError::Rejected { fault: Fault::RecipientForNow, error: error(131_049) };
        let until = NOW.plus(Duration::from_hours(24));
        assert_eq!(of_refusal(&withheld, NOW), Some(ContactNews::MarketingHeld { until }));
        let unreachable = SendError::Rejected { fault: Fault::Recipient, error: error(131_026) };
        assert_eq!(of_refusal(&unreachable, NOW), None);
    }
}
