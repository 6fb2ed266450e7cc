//! Text, media, places, contact cards, reactions and pins, and what surrounds the content of any message.

use serde_json::{Value, json};

use super::table::{Type, WAMID, long, many, wrong, wrong_in};

const LINK: &str = "https://example.com/a";

pub(super) fn types() -> Vec<Type> {
    let mut types =
        vec![text(), around(), audio(), document(), sticker(), location(), contacts(), reaction(), pin()];
    types.extend(["image", "video"].map(captioned));
    types
}

fn text() -> Type {
    Type {
        minimal: json!({"type": "text", "text": {"body": "Habari"}}),
        full: json!({"type": "text", "text": {"body": "Habari https://example.com", "preview_url": true}}),
        required: &["/text", "/text/body"],
        texts: &[("/text/body", 4_096)],
        right: vec![
            ("/text/body", json!("😀".repeat(2_048))),
            ("/text/body", json!("\u{0}\u{7f}\u{2028}\"\\/</script>")),
            ("/text/preview_url", Value::Null),
            ("/text/new_member", json!([1, {"deep": null}])),
        ],
        wrong: vec![
            wrong("/text/body", json!(""), "required"),
            wrong("/text/body", json!("😀".repeat(2_049)), "too_long"),
            wrong("/text/preview_url", json!("yes"), "wrong_type"),
            wrong("/text", json!([]), "wrong_type"),
        ],
    }
}

/// The members beside the content.
fn around() -> Type {
    Type {
        minimal: json!({"text": {"body": "Habari"}, "type": "text", "context": {"message_id": WAMID}}),
        full: json!({
            "type": "text", "text": {"body": "Habari"}, "recipient_type": "individual",
            "context": {"message_id": WAMID}, "recipient_identity_key_hash": "abc", "message_activity_sharing": false,
            "messaging_account_id": "17",
        }),
        required: &["/context/message_id"],
        texts: &[],
        right: vec![("/context", Value::Null), ("/recipient_type", Value::Null)],
        wrong: vec![
            wrong("/type", json!(7), "wrong_type"),
            wrong("/type", json!("telegram"), "unknown_type"),
            wrong("/recipient_type", json!("everybody"), "unknown_value"),
            wrong("/recipient_type", json!(1), "wrong_type"),
            wrong("/context", json!("wamid.X"), "wrong_type"),
            wrong("/context/message_id", json!(""), "required"),
            wrong("/biz_opaque_callback_data", long(513), "too_long"),
            wrong("/biz_opaque_callback_data", json!(7), "wrong_type"),
            wrong("/recipient_identity_key_hash", json!(7), "wrong_type"),
            wrong("/message_activity_sharing", json!("yes"), "wrong_type"),
            wrong("/messaging_account_id", json!(7), "wrong_type"),
        ],
    }
}

/// Where there is an id, there may be no link.
fn source(kind: &'static str) -> Vec<(&'static str, Value)> {
    match kind {
        "image" => vec![("/image", json!({"link": LINK}))],
        "video" => vec![("/video", json!({"link": "http://example.com/a?b=c"}))],
        "audio" => vec![("/audio", json!({"link": LINK}))],
        "document" => vec![("/document", json!({"link": LINK}))],
        _ => vec![("/sticker", json!({"link": LINK}))],
    }
}

fn captioned(kind: &'static str) -> Type {
    let (required, texts, content): (&[_], &[_], _) = if kind == "image" {
        (&["/image"], &[("/image/caption", 1_024)], ["/image", "/image/link", "/image/id", "/image/filename"])
    } else {
        (&["/video"], &[("/video/caption", 1_024)], ["/video", "/video/link", "/video/id", "/video/filename"])
    };
    let [whole, link, id, filename] = content;
    Type {
        minimal: json!({"type": kind, kind: {"id": "1"}}),
        full: json!({"type": kind, kind: {"id": "1037543291543636", "caption": "Duka letu"}}),
        required,
        texts,
        right: source(kind),
        wrong: vec![
            wrong(whole, json!({}), "one_of"),
            wrong_in(kind, link, json!(LINK), "one_of"),
            wrong(id, json!(7), "wrong_type"),
            wrong(id, json!(""), "required"),
            wrong_in(&format!("{kind}.link"), whole, json!({"link": "ftp://example.com/a"}), "not_a_url"),
            wrong_in(&format!("{kind}.link"), whole, json!({"link": "example.com/a"}), "not_a_url"),
            wrong(filename, json!("a.png"), "not_allowed"),
        ],
    }
}

fn audio() -> Type {
    Type {
        minimal: json!({"type": "audio", "audio": {"id": "1"}}),
        full: json!({"type": "audio", "audio": {"id": "1", "voice": true}}),
        required: &["/audio"],
        texts: &[],
        right: source("audio"),
        wrong: vec![
            wrong("/audio", json!({"voice": true}), "one_of"),
            wrong("/audio/voice", json!("yes"), "wrong_type"),
            wrong("/audio/caption", json!("x"), "not_allowed"),
            wrong("/audio/filename", json!("a.ogg"), "not_allowed"),
            wrong_in("audio", "/audio/link", json!(LINK), "one_of"),
        ],
    }
}

fn document() -> Type {
    Type {
        minimal: json!({"type": "document", "document": {"id": "1"}}),
        full: json!({"type": "document", "document": {"id": "1", "caption": "Ankara", "filename": "ankara.pdf"}}),
        required: &["/document"],
        texts: &[("/document/caption", 1_024), ("/document/filename", 240)],
        right: source("document"),
        wrong: vec![
            wrong("/document", json!({"filename": "a.pdf"}), "one_of"),
            wrong_in("document", "/document/link", json!(LINK), "one_of"),
        ],
    }
}

fn sticker() -> Type {
    Type {
        minimal: json!({"type": "sticker", "sticker": {"id": "1"}}),
        full: json!({"type": "sticker", "sticker": {"id": "1"}}),
        required: &["/sticker"],
        texts: &[],
        right: source("sticker"),
        wrong: vec![
            wrong("/sticker", json!({}), "one_of"),
            wrong("/sticker/caption", json!("x"), "not_allowed"),
            wrong("/sticker/filename", json!("x"), "not_allowed"),
        ],
    }
}

fn location() -> Type {
    Type {
        minimal: json!({"type": "location", "location": {"latitude": -6.792_354, "longitude": 39.208_328}}),
        full: json!({"type": "location", "location": {
            "latitude": "-6.7924", "longitude": "39.2083", "name": "Kariakoo", "address": "Mtaa wa Msimbazi",
        }}),
        required: &["/location", "/location/latitude", "/location/longitude"],
        texts: &[("/location/name", 1_000), ("/location/address", 1_000)],
        right: vec![("/location/latitude", json!(90)), ("/location/longitude", json!("-180"))],
        wrong: vec![
            wrong("/location/latitude", json!(90.1), "out_of_range"),
            wrong("/location/latitude", json!("kusini"), "out_of_range"),
            wrong("/location/longitude", json!("-180.1"), "out_of_range"),
            wrong("/location/longitude", json!("NaN"), "out_of_range"),
        ],
    }
}

fn contacts() -> Type {
    let minimal = json!({"name": {"formatted_name": "Asha Juma", "first_name": "Asha"}});
    Type {
        minimal: json!({"type": "contacts", "contacts": [minimal]}),
        full: json!({"type": "contacts", "contacts": [{
            "name": {"formatted_name": "Asha Juma", "first_name": "Asha", "last_name": "Juma", "middle_name": "",
                "prefix": "", "suffix": ""},
            "phones": [{"phone": "+255712345678", "type": "WORK", "wa_id": "255712345678"}],
            "emails": [{"email": "asha@example.com", "type": "WORK"}],
            "urls": [{"url": "https://example.com", "type": "WORK"}],
            "addresses": [{"street": "Msimbazi", "city": "Dar es Salaam", "state": "", "zip": "", "country": "Tanzania",
                "country_code": "tz", "type": "HOME"}],
            "org": {"company": "Duka", "department": "", "title": "Mwenyeji"},
            "birthday": "1990-08-18",
        }]}),
        required: &["/contacts", "/contacts/0/name", "/contacts/0/name/formatted_name"],
        texts: &[
            ("/contacts/0/name/formatted_name", 1_000),
            ("/contacts/0/name/first_name", 1_000),
            ("/contacts/0/org/company", 1_000),
        ],
        right: vec![("/contacts", many(257, &minimal)), ("/contacts/0/phones", json!([]))],
        wrong: vec![
            wrong("/contacts", json!([]), "too_few"),
            wrong("/contacts", many(258, &minimal), "too_many"),
            wrong("/contacts/0", json!("Asha"), "wrong_type"),
            wrong("/contacts/0/name", json!({"formatted_name": "Asha"}), "required"),
            wrong("/contacts/0/phones", json!({}), "wrong_type"),
            wrong("/contacts/0/phones/0/phone", json!(255), "wrong_type"),
            wrong("/contacts/0/birthday", json!("18.8.1990"), "out_of_range"),
        ],
    }
}

fn reaction() -> Type {
    Type {
        minimal: json!({"type": "reaction", "reaction": {"message_id": WAMID, "emoji": ""}}),
        full: json!({"type": "reaction", "reaction": {"message_id": WAMID, "emoji": "👍🏾"}}),
        required: &["/reaction", "/reaction/message_id", "/reaction/emoji"],
        texts: &[],
        right: vec![],
        wrong: vec![
            wrong("/reaction/message_id", json!(""), "required"),
            wrong("/reaction/emoji", json!(7), "wrong_type"),
            wrong("/context", json!({"message_id": WAMID}), "not_allowed"),
        ],
    }
}

fn pin() -> Type {
    let pin =
        |pin: Value| json!({"type": "pin", "recipient_type": "group", "to": "Y2FwaV9ncm91cDo", "pin": pin});
    Type {
        minimal: pin(json!({"type": "unpin", "message_id": WAMID})),
        full: pin(json!({"type": "pin", "message_id": WAMID, "expiration_days": 7})),
        required: &["/pin", "/pin/type", "/pin/message_id"],
        texts: &[],
        right: vec![("/pin/expiration_days", json!(30))],
        wrong: vec![
            wrong("/pin/type", json!("glue"), "unknown_value"),
            wrong("/pin/expiration_days", json!(0), "out_of_range"),
            wrong("/pin/expiration_days", json!(31), "out_of_range"),
        ],
    }
}
