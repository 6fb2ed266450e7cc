//! One table of messages: what is taken, and with which code the others are refused.

use super::*;
use serde_json::json;

fn refused(body: &Value) -> Option<u32> {
    let mut body = body.clone();
    body["messaging_product"] = json!("whatsapp");
    message(body.as_object().unwrap()).err().map(|error| error.code)
}

fn interactive(kind: &str, action: &Value) -> Value {
    json!({"type": "interactive", "interactive": {"type": kind, "body": {"text": "Choose"}, "action": action}})
}

fn template(components: &Value) -> Value {
    json!({"type": "template", "template": {"name": "order_ready", "language": {"code": "sw"}, "components": components}})
}

#[test]
fn messages_as_documented_are_taken() {
    let reply = |id: &str| json!({"type": "reply", "reply": {"id": id, "title": id}});
    for body in [
        json!({"text": {"body": "type defaults to text"}}),
        json!({"type": "text", "text": {"body": "é".repeat(4096)}, "context": {"message_id": "wamid.A="}}),
        json!({"type": "image", "image": {"id": "123", "caption": "x"}}),
        json!({"type": "document", "document": {"link": "https://x.y/a.pdf", "filename": "a.pdf"}}),
        json!({"type": "location", "location": {"latitude": "-6.8", "longitude": 39.28}}),
        json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "A B", "first_name": "A"}}]}),
        json!({"type": "reaction", "reaction": {"message_id": "wamid.A=", "emoji": ""}}),
        json!({"status": "read", "message_id": "wamid.A=", "typing_indicator": {"type": "text"}}),
        interactive("button", &json!({"buttons": [reply("a"), reply("b"), reply("c")]})),
        interactive(
            "list",
            &json!({"button": "Open", "sections": [{"rows": [{"id": "1", "title": "One"}]}]}),
        ),
        interactive(
            "cta_url",
            &json!({"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://x.y"}}),
        ),
        interactive("location_request_message", &json!({"name": "send_location"})),
        template(&json!([{"type": "body", "parameters": [{"type": "text", "text": "Asha"}]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "x"}]}])),
        json!({"type": "text", "text": {"body": "x"}, "member_meta_adds_tomorrow": {"a": 1}}),
    ] {
        assert_eq!(refused(&body), None, "{body}");
    }
}

#[test]
fn others_are_refused_with_metas_codes() {
    let reply = json!({"type": "reply", "reply": {"id": "a", "title": "A"}});
    let rows: Vec<_> = (0..6).map(|i| json!({"id": i.to_string(), "title": "row"})).collect();
    let more: Vec<_> = (6..12).map(|i| json!({"id": i.to_string(), "title": "row"})).collect();
    for (code, body) in [
        (100, json!({"type": "text"})),
        (100, json!({"type": "telegram", "telegram": {}})),
        (100, json!({"type": "image"})),
        (100, json!({"recipient_type": "everyone", "text": {"body": "x"}})),
        (100, json!({"status": "delivered", "message_id": "wamid.A="})),
        (131_008, json!({"type": "text", "text": {}})),
        (131_008, json!({"type": "text", "text": {"body": ""}})),
        (131_008, json!({"type": "image", "image": {}})),
        (131_008, json!({"type": "location", "location": {"latitude": 1}})),
        (131_008, json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}}]})),
        (131_009, json!({"type": "text", "text": {"body": "x".repeat(4097)}})),
        (131_009, json!({"type": "text", "text": "x"})),
        (
            131_009,
            json!({"type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x".repeat(513)}),
        ),
        (131_009, json!({"type": "text", "text": {"body": "x"}, "context": {"message_id": "42"}})),
        (131_009, json!({"type": "image", "image": {"id": "1", "link": "https://x.y"}})),
        (131_009, json!({"type": "image", "image": {"link": "ftp://x.y"}})),
        (131_009, json!({"type": "audio", "audio": {"id": "1", "caption": "x"}})),
        (131_009, json!({"type": "location", "location": {"latitude": 91, "longitude": 0}})),
        (131_009, json!({"status": "read", "message_id": "7"})),
        (131_009, interactive("hologram", &json!({}))),
        (131_009, interactive("button", &json!({"buttons": [reply, reply]}))),
        (131_009, interactive("button", &json!({"buttons": []}))),
        (
            131_009,
            interactive(
                "list",
                &json!({"button": "Open", "sections":
            [{"title": "a", "rows": rows}, {"title": "b", "rows": more}]}),
            ),
        ),
        (131_008, interactive("list", &json!({"sections": []}))),
        (
            131_009,
            template(&json!([{"type": "body", "parameters": [{"type": "text", "text": "two\nlines"}]}])),
        ),
        (131_008, template(&json!([{"type": "button", "index": "0"}]))),
        (
            131_009,
            json!({"type": "template", "template": {"name": "Order Ready", "language": {"code": "sw"}}}),
        ),
    ] {
        assert_eq!(refused(&body), Some(code), "{body}");
    }
}

#[test]
fn without_the_product_nothing_else_is_looked_at() {
    let body = json!({"type": "nonsense"});
    assert_eq!(message(body.as_object().unwrap()).unwrap_err().code, 100);
}
