//! Text, media, location, reaction and pin.

use serde_json::Value;

use super::{At, Checker, Object, Path, rule};

pub(super) const CAPTION: usize = 1_024;
const TEXT_BODY: usize = 4_096;
/// Ids are opaque; these bounds only keep nonsense out.
pub(super) const ID: usize = 256;
const FILE_NAME: usize = 240;
const PLACE: usize = 1_000;

pub(super) fn text(checker: &mut Checker, message: At<'_, '_>) {
    let Some(text) = checker.object(message, "text") else { return };
    let at = At { object: text, path: &message.path.key("text") };
    checker.text(at, "body", TEXT_BODY);
    checker.optional_bool(at, "preview_url");
}

pub(super) fn image(checker: &mut Checker, message: At<'_, '_>) {
    media(checker, message, "image");
}

pub(super) fn audio(checker: &mut Checker, message: At<'_, '_>) {
    media(checker, message, "audio");
}

pub(super) fn video(checker: &mut Checker, message: At<'_, '_>) {
    media(checker, message, "video");
}

pub(super) fn document(checker: &mut Checker, message: At<'_, '_>) {
    media(checker, message, "document");
}

pub(super) fn sticker(checker: &mut Checker, message: At<'_, '_>) {
    media(checker, message, "sticker");
}

/// The media object behind the member `kind`.
pub(super) fn media(checker: &mut Checker, parent: At<'_, '_>, kind: &str) {
    let Some(object) = checker.object(parent, kind) else { return };
    let at = At { object, path: &parent.path.key(kind) };
    id_or_link(checker, at);
    if matches!(kind, "audio" | "sticker") {
        checker.not_allowed(
            at,
            "caption",
            "audio and stickers have none; send a text as a message of its own",
        );
    } else {
        checker.optional_text(at, "caption", CAPTION);
    }
    if kind == "document" {
        checker.optional_text(at, "filename", FILE_NAME);
    } else {
        checker.not_allowed(at, "filename", "only documents have a file name");
    }
    if kind == "audio" {
        checker.optional_bool(at, "voice");
    }
}

fn id_or_link(checker: &mut Checker, at: At<'_, '_>) {
    match (at.member("id"), at.member("link")) {
        (Some(_), None) => {
            checker.text(at, "id", ID);
        }
        (None, Some(_)) => checker.url(at, "link"),
        (both, _) => {
            let found = if both.is_some() { "both" } else { "neither" };
            let path = at.path;
            checker.wrong(
                path,
                rule::ONE_OF,
                format!("{path} has {found} of id and link: give the id of uploaded media, or a link to it"),
            );
        }
    }
}

pub(super) fn location(checker: &mut Checker, parent: At<'_, '_>) {
    let Some(object) = checker.object(parent, "location") else { return };
    let at = At { object, path: &parent.path.key("location") };
    degrees(checker, at, "latitude", 90.0);
    degrees(checker, at, "longitude", 180.0);
    checker.optional_text(at, "name", PLACE);
    checker.optional_text(at, "address", PLACE);
}

/// Numbers and numbers in quotes are both in use.
fn degrees(checker: &mut Checker, at: At<'_, '_>, name: &str, most: f64) {
    let path = at.path.key(name);
    let degrees = match at.member(name) {
        None => return checker.required(&path, &format!("degrees from -{most} to {most}")),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => return checker.wrong_type(&path, "a number of degrees", other),
    };
    if !degrees.is_some_and(|degrees: f64| (-most..=most).contains(&degrees)) {
        checker.wrong(&path, rule::OUT_OF_RANGE, format!("{path} must be degrees from -{most} to {most}"));
    }
}

pub(super) fn reaction(checker: &mut Checker, message: At<'_, '_>) {
    checker.not_allowed(message, "context", "a reaction names its message in reaction.message_id");
    let Some(object) = checker.object(message, "reaction") else { return };
    let at = At { object, path: &message.path.key("reaction") };
    checker.text(at, "message_id", ID);
    // An empty emoji takes the reaction back.
    if at.member("emoji").is_none() {
        checker.required(&at.path.key("emoji"), "an emoji, or an empty text to take the reaction back");
    } else {
        checker.optional_text(at, "emoji", 64);
    }
}

pub(super) fn pin(checker: &mut Checker, message: At<'_, '_>) {
    if !is_for_a_group(message.object) {
        checker.wrong(
            &Path::Root.key("recipient_type"),
            rule::NOT_ALLOWED,
            "recipient_type must be group: messages are pinned in groups only",
        );
    }
    let Some(object) = checker.object(message, "pin") else { return };
    let at = At { object, path: &message.path.key("pin") };
    checker.word(at, "type", &["pin", "unpin"]);
    checker.text(at, "message_id", ID);
    if let Some(days) = at.member("expiration_days")
        && !days.as_u64().is_some_and(|days| (1..=30).contains(&days))
    {
        let path = at.path.key("expiration_days");
        checker.wrong(&path, rule::OUT_OF_RANGE, format!("{path} must be a number from 1 to 30"));
    }
}

pub(in crate::cloud_api) fn is_for_a_group(message: &Object) -> bool {
    message.get("recipient_type").and_then(Value::as_str) == Some("group")
}
