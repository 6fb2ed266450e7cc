use super::*;
use proptest::prelude::*;
use serde_json::json;

const TANZANIA: Country = Country::TANZANIA;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("a test gave {other}"),
    }
}

/// The message with a recipient, unless it names one.
fn prepared(message: Value) -> Result<Prepared, Vec<FieldError>> {
    let mut message = object(message);
    if !message.contains_key("recipient") {
        message.entry("to").or_insert_with(|| "+255712345678".into());
    }
    prepare(message, TANZANIA, Options::default())
}

/// Field and rule of every error.
fn errors(message: Value) -> Vec<(String, &'static str)> {
    prepared(message).map_or_else(
        |errors| errors.into_iter().map(|error| (error.field, error.rule)).collect(),
        |_| Vec::new(),
    )
}

#[track_caller]
fn accepts(message: Value) {
    let shown = message.to_string();
    assert_eq!(errors(message), [], "{shown}");
}

#[track_caller]
fn refuses(message: Value, field: &str, rule: &str) {
    let shown = message.to_string();
    let errors = errors(message);
    assert!(errors.contains(&(field.to_owned(), leak(rule))), "{shown}: {errors:?}");
}

fn leak(rule: &str) -> &'static str {
    Box::leak(rule.to_owned().into_boxed_str())
}

#[expect(clippy::needless_pass_by_value, reason = "messages are written in place")]
fn interactive(value: Value) -> Value {
    json!({"type": "interactive", "interactive": value})
}

#[expect(clippy::needless_pass_by_value, reason = "messages are written in place")]
fn template(components: Value) -> Value {
    json!({"type": "template", "template": {"name": "order", "language": {"code": "en_US"}, "components": components}})
}

mod interactive_messages;
mod plain_messages;
mod templates;

#[test]
fn what_is_kept_has_one_spelling_of_the_recipient_and_nothing_of_ours() {
    let prepared = prepare(
        object(json!({
            "messaging_product": "whatsapp", "biz_opaque_callback_data": "order-42",
            "to": "0712 345 678", "type": "text", "text": {"body": "Habari"},
        })),
        TANZANIA,
        Options::default(),
    )
    .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&prepared.json).unwrap(),
        json!({"to": "+255712345678", "type": "text", "text": {"body": "Habari"}})
    );
    assert!(!prepared.json.contains(' '), "compact: {}", prepared.json);
    assert_eq!(prepared.opaque.as_deref(), Some("order-42"));
    assert_eq!(prepared.kind, "text");
    assert_eq!(prepared.recipient.to_string(), "+255712345678");
}

#[test]
fn a_user_id_is_sent_as_recipient_wherever_it_was_written() {
    for member in ["to", "recipient"] {
        let message = json!({member: "US.13491208655302741918", "type": "text", "text": {"body": "Habari"}});
        let prepared = prepared(message).unwrap();
        let sent: Value = serde_json::from_str(&prepared.json).unwrap();
        assert_eq!(sent.get("recipient"), Some(&json!("US.13491208655302741918")));
        assert_eq!(sent.get("to"), None);
        assert!(matches!(prepared.recipient, Recipient::User(_)));
    }
}

#[test]
fn where_both_are_given_the_number_wins_as_on_the_platform() {
    let message =
        json!({"to": "+255712345678", "recipient": "US.1", "type": "text", "text": {"body": "Habari"}});
    let sent: Value = serde_json::from_str(&prepared(message).unwrap().json).unwrap();
    assert_eq!(sent.get("to"), Some(&json!("+255712345678")));
    assert_eq!(sent.get("recipient"), None);
}

#[test]
fn a_group_is_written_to_only_when_the_caller_says_group() {
    let group = |kind: &str| json!({"to": "Y2FwaV9ncm91cDo", "recipient_type": kind, "type": "text", "text": {"body": "Habari"}});
    let sent = prepared(group("group")).unwrap();
    assert!(matches!(&sent.recipient, Recipient::Group(id) if id.as_str() == "Y2FwaV9ncm91cDo"));
    assert!(sent.json.contains(r#""to":"Y2FwaV9ncm91cDo""#));
    assert!(!errors(group("individual")).is_empty());
    refuses(group("everyone"), "recipient_type", "unknown_value");
}

#[test]
fn a_recipient_that_is_missing_or_wrong_is_named() {
    let message = |to: Value| json!({"to": to, "type": "text", "text": {"body": "Habari"}});
    refuses(message(json!(255_712_345_678_u64)), "to", "wrong_type");
    refuses(message(json!(null)), "to", "required");
    refuses(message(json!("0712345")), "to", "too_short");
    refuses(message(json!("")), "to", "empty");
    refuses(
        json!({"recipient": "nobody", "type": "text", "text": {"body": "x"}}),
        "recipient",
        "not_a_user_id",
    );
}

#[test]
fn a_message_without_a_type_is_a_text_and_says_so_when_kept() {
    let sent = prepared(json!({"text": {"body": "Habari"}})).unwrap();
    assert_eq!(sent.kind, "text");
    assert!(sent.json.contains(r#""type":"text""#));
    refuses(json!({"image": {"id": "1"}}), "type", "required");
    refuses(json!({"type": 5}), "type", "wrong_type");
    refuses(json!({"type": null, "text": {"body": "x"}}), "type", "wrong_type");
}

#[test]
fn an_unknown_type_is_refused_with_the_known_ones_unless_allowed() {
    let message = json!({"to": "+255712345678", "type": "hologram", "hologram": {"x": 1}});
    let errors = prepared(message.clone()).unwrap_err();
    assert_eq!((errors[0].field.as_str(), errors[0].rule), ("type", "unknown_type"));
    assert!(errors[0].message.contains("text, image"), "{}", errors[0].message);
    let sent = prepare(object(message), TANZANIA, Options { allow_unknown: true }).unwrap();
    assert_eq!(sent.kind, "hologram");
    assert!(sent.json.contains(r#""hologram":{"x":1}"#));
}

#[test]
fn unknown_members_of_known_types_pass_untouched() {
    let sent = prepared(json!({
        "type": "text", "text": {"body": "Habari", "shimmer": [1, {"deep": true}]},
        "message_activity_sharing": true, "some_future_member": {"a": null},
    }))
    .unwrap();
    let sent: Value = serde_json::from_str(&sent.json).unwrap();
    assert_eq!(sent.pointer("/text/shimmer"), Some(&json!([1, {"deep": true}])));
    assert_eq!(sent.get("some_future_member"), Some(&json!({"a": null})));
}

#[test]
fn members_common_to_all_types_are_checked() {
    let with = |name: &str, value: Value| {
        let mut message = object(json!({"type": "text", "text": {"body": "x"}}));
        message.insert(name.to_owned(), value);
        Value::Object(message)
    };
    accepts(with("context", json!({"message_id": "wamid.A"})));
    refuses(with("context", json!({})), "context.message_id", "required");
    refuses(with("context", json!("wamid.A")), "context", "wrong_type");
    accepts(with("biz_opaque_callback_data", json!("x".repeat(512))));
    refuses(with("biz_opaque_callback_data", json!("x".repeat(513))), "biz_opaque_callback_data", "too_long");
    refuses(with("biz_opaque_callback_data", json!(1)), "biz_opaque_callback_data", "wrong_type");
    refuses(with("recipient_identity_key_hash", json!(1)), "recipient_identity_key_hash", "wrong_type");
    refuses(with("messaging_account_id", json!(1)), "messaging_account_id", "wrong_type");
    refuses(with("message_activity_sharing", json!("no")), "message_activity_sharing", "wrong_type");
    refuses(with("messaging_product", json!("telegram")), "messaging_product", "unknown_value");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = errors(json!({"to": "1", "type": "image", "image": {"caption": 1}, "context": {}}));
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    for field in ["to", "image", "image.caption", "context.message_id"] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(vec![
        "type",
        "text",
        "body",
        "image",
        "id",
        "link",
        "interactive",
        "action",
        "buttons",
        "reply",
        "sections",
        "rows",
        "template",
        "components",
        "parameters",
        "header",
        "cards",
        "to",
        "context",
        "location",
        "contacts",
        "name",
        "language",
        "code",
        "sub_type",
        "index",
    ]);
    let words = proptest::sample::select(vec![
        "text",
        "image",
        "interactive",
        "template",
        "button",
        "list",
        "carousel",
        "flow",
        "header",
        "body",
        "url",
        "reaction",
        "contacts",
        "location",
        "product_list",
        "group",
        "+255712345678",
        "",
        "\u{1f600}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic_and_what_it_accepts_is_an_object(
        kind in proptest::sample::select(vec!["text", "image", "interactive", "template", "contacts", "pin", "x"]),
        content in any_json(),
        rest in any_json(),
    ) {
        let mut message = rest.as_object().cloned().unwrap_or_default();
        message.insert("type".to_owned(), kind.into());
        message.insert(kind.to_owned(), content);
        for options in [Options { allow_unknown: false }, Options { allow_unknown: true }] {
            if let Ok(prepared) = prepare(message.clone(), TANZANIA, options) {
                let sent: Value = serde_json::from_str(&prepared.json).unwrap();
                prop_assert!(sent.get("to").is_some() != sent.get("recipient").is_some());
            }
        }
    }

    #[test]
    fn every_text_is_kept_to_the_letter_or_refused_for_its_length(body in "\\PC{0,20}", times in 1_usize..400) {
        let body = body.repeat(times);
        let length = body.encode_utf16().count();
        match prepared(json!({"type": "text", "text": {"body": body}})) {
            Ok(prepared) => {
                prop_assert!((1..=4_096).contains(&length));
                let sent: Value = serde_json::from_str(&prepared.json).unwrap();
                prop_assert_eq!(sent.pointer("/text/body").and_then(Value::as_str), Some(body.as_str()));
            }
            Err(_) => prop_assert!(length == 0 || length > 4_096),
        }
    }
}
