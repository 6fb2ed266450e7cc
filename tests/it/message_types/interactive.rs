//! Interactive messages; those of shops are next door.

use serde_json::{Value, json};

use super::table::{Type, many, wrong, wrong_in};

pub(super) const BODY: (&str, usize) = ("/interactive/body/text", 1_024);
pub(super) const FOOTER: (&str, usize) = ("/interactive/footer/text", 60);

pub(super) fn types() -> Vec<Type> {
    vec![
        button(),
        list(),
        cta_url(),
        flow(),
        location_request(),
        address(),
        media_cards(),
        reply_cards(),
        call_permission(),
        voice_call(),
        contact_request(),
    ]
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

/// A body, a footer and an action.
pub(super) fn full(kind: &str, action: Value) -> Value {
    json!({"type": "interactive", "interactive": {
        "type": kind, "body": text("Chagua"), "footer": text("Duka"), "action": action,
    }})
}

pub(super) fn bare(kind: &str, action: Value) -> Value {
    json!({"type": "interactive", "interactive": {"type": kind, "body": text("Chagua"), "action": action}})
}

pub(super) fn with_header(mut message: Value, header: Value) -> Value {
    message["interactive"]["header"] = header;
    message
}

pub(super) fn same(message: &Value) -> Type {
    Type {
        minimal: message.clone(),
        full: message.clone(),
        required: &[],
        texts: &[],
        right: vec![],
        wrong: vec![],
    }
}

fn button() -> Type {
    let one =
        |n: usize| json!({"type": "reply", "reply": {"id": format!("b{n}"), "title": format!("Jibu {n}")}});
    let action = |count: usize| json!({"buttons": (0..count).map(one).collect::<Vec<_>>()});
    let header = |kind: &str| json!({"type": kind, kind: {"id": "1"}});
    Type {
        minimal: bare("button", action(1)),
        full: with_header(full("button", action(3)), json!({"type": "text", "text": "Karibu"})),
        required: &[
            "/interactive",
            "/interactive/type",
            "/interactive/body",
            "/interactive/body/text",
            "/interactive/footer/text",
            "/interactive/header/type",
            "/interactive/header/text",
            "/interactive/action",
            "/interactive/action/buttons",
            "/interactive/action/buttons/1/type",
            "/interactive/action/buttons/1/reply",
            "/interactive/action/buttons/1/reply/id",
            "/interactive/action/buttons/1/reply/title",
        ],
        texts: &[
            BODY,
            FOOTER,
            ("/interactive/header/text", 60),
            ("/interactive/action/buttons/1/reply/id", 256),
            ("/interactive/action/buttons/1/reply/title", 20),
        ],
        right: ["image", "video", "document"].map(|kind| ("/interactive/header", header(kind))).to_vec(),
        wrong: vec![
            wrong("/interactive/type", json!("poll"), "unknown_type"),
            wrong("/interactive/action/buttons", json!([]), "too_few"),
            wrong("/interactive/action/buttons", action(4)["buttons"].clone(), "too_many"),
            wrong("/interactive/action/buttons/1", json!("x"), "wrong_type"),
            wrong("/interactive/action/buttons/1/type", json!("url"), "unknown_value"),
            wrong("/interactive/action/buttons/1/reply/id", json!("b0"), "duplicate"),
            wrong("/interactive/action/buttons/1/reply/title", json!("Jibu 0"), "duplicate"),
            wrong("/interactive/header/type", json!("sticker"), "unknown_value"),
            wrong_in("interactive.header.image", "/interactive/header", json!({"type": "image"}), "required"),
        ],
    }
}

fn list() -> Type {
    let row = |n: usize| json!({"id": format!("r{n}"), "title": "Unga", "description": "Kilo moja"});
    let rows = |from: usize, count: usize| (from..from + count).map(row).collect::<Vec<_>>();
    let sections =
        json!([{"title": "Vyakula", "rows": rows(0, 2)}, {"title": "Vinywaji", "rows": rows(2, 1)}]);
    let single = json!({"button": "Fungua", "sections": [{"rows": [{"id": "1", "title": "Unga"}]}]});
    let titled = |n: usize| json!({"title": "x", "rows": rows(n, 1)});
    Type {
        minimal: bare("list", single),
        full: with_header(
            full("list", json!({"button": "Fungua", "sections": sections})),
            json!({"type": "text", "text": "Karibu"}),
        ),
        required: &[
            "/interactive/action/button",
            "/interactive/action/sections",
            "/interactive/action/sections/1/title",
            "/interactive/action/sections/1/rows",
            "/interactive/action/sections/0/rows/1/id",
            "/interactive/action/sections/0/rows/1/title",
        ],
        texts: &[
            ("/interactive/body/text", 4_096),
            FOOTER,
            ("/interactive/header/text", 60),
            ("/interactive/action/button", 20),
            ("/interactive/action/sections/1/title", 24),
            ("/interactive/action/sections/0/rows/1/id", 200),
            ("/interactive/action/sections/0/rows/1/title", 24),
            ("/interactive/action/sections/0/rows/1/description", 72),
        ],
        right: vec![
            ("/interactive/action/sections", json!([{"rows": rows(0, 10)}])),
            ("/interactive/action/sections", (0..10).map(titled).collect()),
        ],
        wrong: vec![
            wrong("/interactive/action/sections", json!([]), "too_few"),
            wrong("/interactive/action/sections", json!([{"rows": rows(0, 11)}]), "too_many"),
            wrong_in(
                "interactive.action.sections",
                "/interactive/action/sections/0/rows",
                json!(rows(3, 10)),
                "too_many",
            ),
            wrong("/interactive/action/sections/1/rows", json!([]), "too_few"),
            wrong("/interactive/action/sections/0/rows/1/id", json!("r0"), "duplicate"),
            wrong_in(
                "interactive.action.sections[1].rows[0].id",
                "/interactive/action/sections/0/rows/1/id",
                json!("r2"),
                "duplicate",
            ),
            wrong_in(
                "interactive.header.type",
                "/interactive/header",
                json!({"type": "image", "image": {"id": "1"}}),
                "unknown_value",
            ),
        ],
    }
}

fn cta_url() -> Type {
    let action = json!({"name": "cta_url", "parameters": {"display_text": "Fungua", "url": "https://example.com/a?b=c"}});
    let header = json!({"type": "document", "document": {"link": "https://example.com/a.pdf"}});
    Type {
        minimal: bare("cta_url", action.clone()),
        required: &[
            "/interactive/body",
            "/interactive/action/name",
            "/interactive/action/parameters",
            "/interactive/action/parameters/display_text",
            "/interactive/action/parameters/url",
        ],
        texts: &[BODY, FOOTER, ("/interactive/action/parameters/display_text", 20)],
        wrong: vec![
            wrong("/interactive/action/name", json!("open"), "unknown_value"),
            wrong("/interactive/action/parameters/url", json!("example.com"), "not_a_url"),
            wrong("/interactive/action/parameters/url", json!("javascript:alert(1)"), "not_a_url"),
            wrong("/interactive/header/document", json!({}), "one_of"),
        ],
        ..same(&with_header(full("cta_url", action), header))
    }
}

fn flow() -> Type {
    let action = |parameters: Value| json!({"name": "flow", "parameters": parameters});
    let few = json!({"flow_message_version": "3", "flow_name": "oda", "flow_cta": "Jaza"});
    Type {
        minimal: bare("flow", action(few)),
        required: &[
            "/interactive/action/name",
            "/interactive/action/parameters",
            "/interactive/action/parameters/flow_message_version",
            "/interactive/action/parameters/flow_cta",
        ],
        texts: &[BODY, FOOTER, ("/interactive/action/parameters/flow_cta", 30)],
        right: vec![
            ("/interactive/action/parameters/mode", json!("published")),
            ("/interactive/action/parameters/flow_cta", json!("Jaza 1–2 № #")),
        ],
        wrong: vec![
            wrong_in(
                "interactive.action.parameters",
                "/interactive/action/parameters/flow_name",
                json!("oda"),
                "one_of",
            ),
            wrong_in(
                "interactive.action.parameters",
                "/interactive/action/parameters/flow_id",
                Value::Null,
                "one_of",
            ),
            wrong("/interactive/action/parameters/flow_cta", json!("Jaza 📝"), "not_allowed"),
            wrong("/interactive/action/parameters/flow_token", json!(7), "wrong_type"),
            wrong("/interactive/action/parameters/mode", json!("test"), "unknown_value"),
            wrong("/interactive/action/parameters/flow_action", json!("stay"), "unknown_value"),
            wrong_in(
                "interactive.action.parameters.flow_action_payload",
                "/interactive/action/parameters/flow_action",
                json!("data_exchange"),
                "not_allowed",
            ),
            wrong("/interactive/action/parameters/flow_action_payload/data", json!({}), "too_few"),
        ],
        ..same(&with_header(
            full(
                "flow",
                action(json!({
                    "flow_message_version": "3", "flow_id": "1", "flow_cta": "Jaza", "flow_token": "t", "mode": "draft",
                    "flow_action": "navigate", "flow_action_payload": {"screen": "KWANZA", "data": {"jina": "Asha"}},
                })),
            ),
            json!({"type": "image", "image": {"id": "1"}}),
        ))
    }
}

fn location_request() -> Type {
    let action = json!({"name": "send_location"});
    Type {
        minimal: bare("location_request_message", action.clone()),
        required: &["/interactive/body", "/interactive/action", "/interactive/action/name"],
        texts: &[BODY, FOOTER],
        wrong: vec![
            wrong("/interactive/action/name", json!("location"), "unknown_value"),
            wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed"),
        ],
        ..same(&full("location_request_message", action))
    }
}

fn address() -> Type {
    let action = |parameters: Value| json!({"name": "address_message", "parameters": parameters});
    Type {
        minimal: bare("address_message", action(json!({"country": "IN"}))),
        required: &[
            "/interactive/action/name",
            "/interactive/action/parameters",
            "/interactive/action/parameters/country",
        ],
        texts: &[BODY, FOOTER, ("/interactive/action/parameters/country", 2)],
        wrong: vec![
            wrong("/interactive/action/parameters/values", json!([]), "wrong_type"),
            wrong("/interactive/action/parameters/saved_addresses", json!({}), "wrong_type"),
            wrong("/interactive/action/parameters/validation_errors", json!([]), "wrong_type"),
        ],
        ..same(&with_header(
            full(
                "address_message",
                action(json!({
                    "country": "IN", "values": {"name": "Asha", "in_pin_code": "400063"},
                    "saved_addresses": [{"id": "1", "value": {"name": "Asha"}}],
                    "validation_errors": {"in_pin_code": "No such code"},
                })),
            ),
            json!({"type": "text", "text": "Wapi?"}),
        ))
    }
}

pub(super) fn cards(cards: Vec<Value>) -> Value {
    bare("carousel", json!({"cards": cards}))
}

fn link_card(index: usize, kind: &str) -> Value {
    json!({
        "card_index": index, "type": "cta_url", "header": {"type": kind, kind: {"link": "https://example.com/a"}},
        "body": text("TSh 5,000"),
        "action": {"name": "cta_url", "parameters": {"display_text": "Nunua", "url": "https://example.com"}},
    })
}

fn media_cards() -> Type {
    let of = |count: usize| (0..count).map(|index| link_card(index, "image")).collect::<Vec<_>>();
    Type {
        required: &[
            "/interactive/body",
            "/interactive/action",
            "/interactive/action/cards",
            "/interactive/action/cards/1/action",
            "/interactive/action/cards/1/action/parameters",
            "/interactive/action/cards/1/action/parameters/url",
            "/interactive/action/cards/1/body/text",
        ],
        texts: &[
            BODY,
            ("/interactive/action/cards/1/body/text", 160),
            ("/interactive/action/cards/1/action/parameters/display_text", 20),
        ],
        right: vec![
            ("/interactive/action/cards", of(10).into()),
            ("/interactive/action/cards/1/body/text", json!("a\nb\nc")),
        ],
        wrong: vec![
            wrong("/interactive/action/cards", of(1).into(), "too_few"),
            wrong("/interactive/action/cards", of(11).into(), "too_many"),
            wrong("/interactive/action/cards/1", json!(1), "wrong_type"),
            wrong_in(
                "interactive.action.cards[1].header.type",
                "/interactive/action/cards/1",
                link_card(1, "video"),
                "not_allowed",
            ),
            wrong("/interactive/action/cards/1/body/text", json!("a\nb\nc\nd"), "white_space"),
            wrong("/interactive/footer", text("x"), "not_allowed"),
            wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed"),
        ],
        ..same(&cards(of(2)))
    }
}

fn reply_cards() -> Type {
    let reply =
        |n: usize| json!({"type": "quick_reply", "quick_reply": {"id": format!("b{n}"), "title": "Nunua"}});
    let card = |index: usize| {
        let mut card = link_card(index, "video");
        card["type"] = json!("button");
        card["action"] = json!({"buttons": (0..3).map(reply).collect::<Vec<_>>()});
        card
    };
    Type {
        required: &[
            "/interactive/action/cards/0/action/buttons/2/quick_reply/id",
            "/interactive/action/cards/0/action/buttons/2/quick_reply/title",
        ],
        texts: &[
            ("/interactive/action/cards/0/action/buttons/2/quick_reply/id", 256),
            ("/interactive/action/cards/0/action/buttons/2/quick_reply/title", 20),
        ],
        wrong: vec![
            wrong("/interactive/action/cards/0/action/buttons", json!([]), "too_few"),
            wrong("/interactive/action/cards/0/action/buttons", many(4, &reply(0)), "too_many"),
        ],
        ..same(&cards(vec![card(0), card(1)]))
    }
}

fn call_permission() -> Type {
    let action = json!({"name": "call_permission_request"});
    Type {
        minimal: json!({"type": "interactive", "interactive": {"type": "call_permission_request", "action": action}}),
        required: &["/interactive/action", "/interactive/action/name"],
        texts: &[BODY, FOOTER],
        wrong: vec![wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed")],
        ..same(&full("call_permission_request", action))
    }
}

fn voice_call() -> Type {
    let parameters = json!({"display_text": "Piga", "ttl_minutes": 10_080});
    Type {
        minimal: bare("voice_call", json!({"name": "voice_call"})),
        required: &["/interactive/body", "/interactive/action/name"],
        texts: &[BODY, FOOTER, ("/interactive/action/parameters/display_text", 20)],
        right: vec![("/interactive/action/parameters/ttl_minutes", json!(43_200))],
        wrong: vec![
            wrong("/interactive/action/parameters/ttl_minutes", json!(43_201), "out_of_range"),
            wrong("/interactive/action/parameters/ttl_minutes", json!(0), "out_of_range"),
            wrong("/interactive/action/parameters/ttl_minutes", json!("60"), "out_of_range"),
        ],
        ..same(&full("voice_call", json!({"name": "voice_call", "parameters": parameters})))
    }
}

fn contact_request() -> Type {
    let action = json!({"name": "request_contact_info"});
    Type {
        minimal: bare("request_contact_info", action.clone()),
        required: &["/interactive/action", "/interactive/action/name"],
        texts: &[BODY, FOOTER],
        wrong: vec![wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed")],
        ..same(&full("request_contact_info", action))
    }
}
