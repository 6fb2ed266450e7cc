//! Where a message names media: an id of ours is one that we made, and everything else is the platform's.

use std::sync::Arc;

use domain::connection::Connection;
use domain::ids::MediaId;
use domain::media::{MediaRow, MediaState};
use serde_json::Value;

use crate::quotes::UnknownQuote;
use crate::services::Services;

/// Members whose object may hold the `id` of media, wherever they stand: in a message, in the header of a template or of
/// an interactive message, on a card.
const KINDS: [(&str, &str); 5] = [
    ("image", "image.id"),
    ("audio", "audio.id"),
    ("video", "video.id"),
    ("document", "document.id"),
    ("sticker", "sticker.id"),
];

fn ours(text: &str) -> Option<MediaId> {
    MediaId::from_graph(text).or_else(|| text.parse().ok())
}

/// Every id of ours, in its place.
pub(super) fn each(message: &mut Value, told: &mut impl FnMut(&'static str, MediaId, &mut Value)) {
    match message {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let kind = KINDS.iter().find(|(kind, _)| kind == name);
                if let Some((_, field)) = kind
                    && let Some(place) = value.get_mut("id")
                    && let Some(id) = place.as_str().and_then(ours)
                {
                    told(field, id, place);
                }
                each(value, told);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| each(value, told)),
        _ => {}
    }
}

/// The message, where it may name media. Hardly any text does.
pub(super) fn read(json: &str) -> Option<Value> {
    let may = json.contains("\"id\"") && KINDS.iter().any(|(kind, _)| json.contains(&format!("\"{kind}\"")));
    may.then(|| serde_json::from_str(json).ok()).flatten()
}

/// Media of another business, or of another number, is nobody's.
pub(super) fn is_readable(row: &MediaRow, connection: &Connection) -> bool {
    row.business == connection.business
        && row.connection == connection.id
        && matches!(row.state, MediaState::Stored(_))
}

/// Whether all media of ours that is named can be sent from this number.
pub(crate) async fn check(
    services: &Services,
    connection: &Connection,
    json: &str,
) -> Result<(), UnknownQuote> {
    let Some(mut message) = read(json) else { return Ok(()) };
    let mut named = Vec::new();
    each(&mut message, &mut |field, id, _| named.push((field, id)));
    for (field, id) in named {
        let found = services.store.media(connection.account, id).await;
        let found = found.map_err(|error| UnknownQuote::Unreadable(Arc::new(error)))?;
        if !found.is_some_and(|row| is_readable(&row, connection)) {
            return Err(UnknownQuote::NoMedia { field });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn named(mut message: Value) -> Vec<(&'static str, MediaId)> {
        let mut found = Vec::new();
        if read(&message.to_string()).is_some() {
            each(&mut message, &mut |field, id, _| found.push((field, id)));
        }
        found
    }

    #[test]
    fn media_is_found_wherever_a_message_names_it_and_the_platforms_is_left() {
        let id = MediaId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        let ours = id.to_graph();
        for (message, field) in [
            (json!({"type": "image", "image": {"id": ours}}), "image.id"),
            (json!({"type": "document", "document": {"id": id.to_string()}}), "document.id"),
            (
                json!({"template": {"components": [{"type": "header", "parameters": [{"type": "video", "video": {"id": ours}}]}]}}),
                "video.id",
            ),
            (json!({"interactive": {"header": {"type": "image", "image": {"id": ours}}}}), "image.id"),
        ] {
            assert_eq!(named(message), [(field, id)]);
        }
        assert_eq!(named(json!({"image": {"id": "1013859600285441"}})), []);
        assert_eq!(named(json!({"image": {"link": "https://duka.example/a.jpg"}})), []);
        assert_eq!(named(json!({"text": {"body": format!("\"image\" \"id\" {ours}")}})), []);
        assert_eq!(named(json!({"button": {"id": ours}, "image": {}})), []);
    }
}
