use super::*;

#[test]
fn a_text_has_1_to_4096_utf_16_code_units() {
    let text = |body: String| json!({"type": "text", "text": {"body": body}});
    accepts(text("x".repeat(4_096)));
    refuses(text("x".repeat(4_097)), "text.body", "too_long");
    accepts(text("😀".repeat(2_048)));
    refuses(text("😀".repeat(2_049)), "text.body", "too_long");
    accepts(text("é".repeat(4_096)));
    refuses(text(String::new()), "text.body", "required");
    refuses(json!({"type": "text", "text": "Habari"}), "text", "wrong_type");
    refuses(json!({"type": "text"}), "text", "required");
    refuses(
        json!({"type": "text", "text": {"body": "x", "preview_url": "yes"}}),
        "text.preview_url",
        "wrong_type",
    );
}

#[test]
fn a_refusal_says_which_field_why_and_what_would_be_right() {
    let errors = prepared(json!({"type": "text", "text": {"body": "x".repeat(5_000)}})).unwrap_err();
    assert_eq!(errors[0].message, "text.body has 5000 characters: at most 4096 are allowed");
}

#[test]
fn media_has_one_of_id_and_link() {
    for kind in ["image", "audio", "video", "document", "sticker"] {
        accepts(json!({"type": kind, kind: {"id": "1013859600285441"}}));
        accepts(json!({"type": kind, kind: {"link": "https://example.com/a"}}));
        refuses(json!({"type": kind, kind: {}}), kind, "one_of");
        refuses(json!({"type": kind, kind: {"id": "1", "link": "https://example.com/a"}}), kind, "one_of");
        refuses(
            json!({"type": kind, kind: {"link": "ftp://example.com/a"}}),
            &format!("{kind}.link"),
            "not_a_url",
        );
        refuses(json!({"type": kind, kind: {"link": "a.jpg"}}), &format!("{kind}.link"), "not_a_url");
        refuses(json!({"type": kind, kind: {"id": 5}}), &format!("{kind}.id"), "wrong_type");
    }
}

#[test]
fn captions_and_file_names_stand_where_the_platform_shows_them() {
    let media = |kind: &str, name: &str, value: String| json!({"type": kind, kind: {"id": "1", name: value}});
    for kind in ["image", "video", "document"] {
        accepts(media(kind, "caption", "x".repeat(1_024)));
        refuses(media(kind, "caption", "x".repeat(1_025)), &format!("{kind}.caption"), "too_long");
    }
    for kind in ["audio", "sticker"] {
        refuses(media(kind, "caption", "x".to_owned()), &format!("{kind}.caption"), "not_allowed");
    }
    accepts(media("document", "filename", "a.pdf".to_owned()));
    refuses(media("image", "filename", "a.jpg".to_owned()), "image.filename", "not_allowed");
    accepts(json!({"type": "audio", "audio": {"id": "1", "voice": true}}));
    refuses(json!({"type": "audio", "audio": {"id": "1", "voice": "yes"}}), "audio.voice", "wrong_type");
}

#[test]
fn a_location_lies_on_the_earth() {
    let location = |latitude: Value, longitude: Value| json!({"type": "location", "location": {"latitude": latitude, "longitude": longitude}});
    accepts(location(json!("-6.7924"), json!("39.2083")));
    accepts(location(json!(-6.7924), json!(180)));
    refuses(location(json!(90.01), json!(0)), "location.latitude", "out_of_range");
    refuses(location(json!(0), json!("-181")), "location.longitude", "out_of_range");
    refuses(location(json!("NaN"), json!(0)), "location.latitude", "out_of_range");
    refuses(location(json!(true), json!(0)), "location.latitude", "wrong_type");
    refuses(location(json!(null), json!(0)), "location.latitude", "required");
}

#[test]
fn a_contact_has_a_whole_name_and_a_part_of_it() {
    let contact = |contact: Value| json!({"type": "contacts", "contacts": [contact]});
    accepts(contact(json!({
        "name": {"formatted_name": "Asha Juma", "first_name": "Asha"},
        "phones": [{"phone": "+255712345678", "type": "WORK", "wa_id": "255712345678"}],
        "org": {"company": "Duka la Asha"}, "birthday": "1990-08-18",
    })));
    refuses(contact(json!({"name": {"formatted_name": "Asha"}})), "contacts[0].name", "required");
    refuses(contact(json!({"name": {"first_name": "Asha"}})), "contacts[0].name.formatted_name", "required");
    refuses(contact(json!({})), "contacts[0].name", "required");
    let named = |name: &str, value: Value| {
        contact(json!({"name": {"formatted_name": "A", "first_name": "A"}, name: value}))
    };
    refuses(named("phones", json!([{"phone": 5}])), "contacts[0].phones[0].phone", "wrong_type");
    refuses(named("phones", json!("+255")), "contacts[0].phones", "wrong_type");
    refuses(named("birthday", json!("18.8.1990")), "contacts[0].birthday", "out_of_range");
    refuses(json!({"type": "contacts", "contacts": []}), "contacts", "too_few");
    let one = json!({"name": {"formatted_name": "A", "first_name": "A"}});
    accepts(json!({"type": "contacts", "contacts": vec![one.clone(); 257]}));
    refuses(json!({"type": "contacts", "contacts": vec![one; 258]}), "contacts", "too_many");
}

#[test]
fn a_reaction_names_its_message_once_and_may_be_taken_back() {
    accepts(json!({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": "😀"}}));
    accepts(json!({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": ""}}));
    refuses(json!({"type": "reaction", "reaction": {"message_id": "wamid.A"}}), "reaction.emoji", "required");
    refuses(json!({"type": "reaction", "reaction": {"emoji": "😀"}}), "reaction.message_id", "required");
    refuses(
        json!({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": "😀"}, "context": {"message_id": "wamid.A"}}),
        "context",
        "not_allowed",
    );
}

#[test]
fn a_message_is_pinned_in_a_group_for_up_to_30_days() {
    let pin = |days: Value| json!({"to": "Y2FwaQ", "recipient_type": "group", "type": "pin", "pin": {"type": "pin", "message_id": "wamid.A", "expiration_days": days}});
    accepts(pin(json!(30)));
    refuses(pin(json!(31)), "pin.expiration_days", "out_of_range");
    refuses(
        json!({"type": "pin", "pin": {"type": "pin", "message_id": "wamid.A"}}),
        "recipient_type",
        "not_allowed",
    );
}

#[test]
fn a_pin_says_whether_it_is_put_or_taken() {
    let pin = |kind: Value| json!({"to": "Y2FwaV9ncm91cDo", "recipient_type": "group", "type": "pin", "pin": {"type": kind, "message_id": "wamid.A"}});
    accepts(pin(json!("unpin")));
    refuses(pin(Value::Null), "pin.type", "required");
    refuses(pin(json!("glue")), "pin.type", "unknown_value");
}
