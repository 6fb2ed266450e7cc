//! Messages of ours that a message which came in is about: it answers one, or reacts to one.
//!
//! The platform names them by ids of its own. A Cloud API client knows only those that this gateway gave it, so that it
//! could not tell what was answered. Plain, no I/O.

use std::borrow::Cow;
use std::ops::Range;

use domain::ids::MessageId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::payload::NotAnObject;

/// Which message of ours the provider means by an id.
pub(super) type Ours = Vec<(String, MessageId)>;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    context: Option<About<'a>>,
    #[serde(borrow)]
    reaction: Option<About<'a>>,
}

#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow, alias = "message_id")]
    id: Option<&'a RawValue>,
}

/// An id, and where it stands in the message with its quotes.
struct Quote {
    at: Range<usize>,
    id: String,
}

fn quotes(message: &str) -> Vec<Quote> {
    // Of what is shaped otherwise nothing is known, and nothing is changed.
    let Ok(Message { context, reaction }) = serde_json::from_str(message) else { return Vec::new() };
    let quote = |about: About<'_>| {
        let text = about.id?.get();
        let begin = text.as_ptr().addr() - message.as_ptr().addr();
        Some(Quote { at: begin..begin + text.len(), id: serde_json::from_str(text).ok()? })
    };
    [context, reaction].into_iter().flatten().filter_map(quote).collect()
}

/// The ids that are to be looked up.
pub(super) fn ids(message: &RawValue) -> Vec<String> {
    quotes(message.get()).into_iter().map(|quote| quote.id).collect()
}

/// With our ids for those of messages of ours.
pub(super) fn renamed<'a>(message: &'a RawValue, ours: &Ours) -> Result<Cow<'a, RawValue>, NotAnObject> {
    let mut quotes = quotes(message.get());
    quotes.retain(|quote| ours.iter().any(|(theirs, _)| *theirs == quote.id));
    if quotes.is_empty() {
        return Ok(Cow::Borrowed(message));
    }
    let mut text = message.get().to_owned();
    // From behind, so that the places in front stay what they are.
    quotes.sort_by_key(|quote| std::cmp::Reverse(quote.at.start));
    for Quote { at, id } in quotes {
        if let Some((_, message)) = ours.iter().find(|(theirs, _)| *theirs == id) {
            text.replace_range(at, &format!("\"{}\"", message.to_wamid()));
        }
    }
    RawValue::from_string(text).map(Cow::Owned).map_err(|_| NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    const OURS: MessageId = MessageId::from_uuid(Uuid::from_u128(6));

    fn told(message: &str) -> (Vec<String>, Value) {
        let message = RawValue::from_string(message.to_owned()).unwrap();
        let ours = vec![("wamid.theirs".to_owned(), OURS)];
        let renamed = renamed(&message, &ours).unwrap();
        (ids(&message), serde_json::from_str(renamed.get()).unwrap())
    }

    #[test]
    fn an_answer_and_a_reaction_name_our_message_by_our_id() {
        let (ids, answer) =
            told(r#"{"id":"wamid.in","context":{"from":"255","id":"wamid.theirs"},"type":"text"}"#);
        assert_eq!(ids, ["wamid.theirs"]);
        let expected =
            json!({ "id": "wamid.in", "context": { "from": "255", "id": OURS.to_wamid() }, "type": "text" });
        assert_eq!(answer, expected);
        let (_, both) = told(
            r#"{"reaction":{"message_id":"wamid.theirs","emoji":"\ud83d\ude00"},"context":{"id":"wamid.theirs"}}"#,
        );
        let ours = OURS.to_wamid();
        let expected =
            json!({ "reaction": { "message_id": ours, "emoji": "😀" }, "context": { "id": ours } });
        assert_eq!(both, expected);
    }

    #[test]
    fn what_is_about_nothing_of_ours_stays_as_it_is() {
        for message in [
            r#"{"id":"wamid.theirs","type":"text","text":{"body":"wamid.theirs"}}"#,
            r#"{"context":{"id":"wamid.others"}}"#,
            r#"{"context":{"forwarded":true}}"#,
            r#"{"context":null,"reaction":{"message_id":7}}"#,
            r#"{"context":"wamid.theirs"}"#,
            "[]",
        ] {
            assert_eq!(told(message).1, serde_json::from_str::<Value>(message).unwrap(), "{message}");
        }
    }
}
