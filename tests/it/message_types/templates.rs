//! Templates with every kind of component, and the templates of the account that they fill.

use serde_json::{Value, json};

use super::table::{Type, WAMID, long, many, wrong};

/// As the platform lists them.
pub(super) fn of_the_account() -> Vec<Value> {
    let template = |name: &str, components: Value| json!({"name": name, "language": "en", "status": "APPROVED", "components": components});
    let body = json!({"type": "BODY", "text": "Habari."});
    let header = |format: &str| json!([{"type": "HEADER", "format": format}, body]);
    let buttons = |kinds: &[&str]| {
        let buttons: Vec<_> = kinds
            .iter()
            .map(|kind| json!({"type": kind, "text": "x", "url": "https://example.com/{{1}}"}))
            .collect();
        json!([body, {"type": "BUTTONS", "buttons": buttons}])
    };
    let card =
        json!({"components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Bei {{1}}"}]});
    vec![
        template("hello", json!([body])),
        template(
            "order",
            json!([
                {"type": "HEADER", "format": "TEXT", "text": "Oda {{1}}"},
                {"type": "BODY", "text": "{{1}}, {{2}}, {{3}}"},
            ]),
        ),
        template("named", json!([{"type": "BODY", "text": "Habari {{first_name}}"}])),
        template("with_image", header("IMAGE")),
        template("with_video", header("VIDEO")),
        template("with_gif", header("GIF")),
        template("with_document", header("DOCUMENT")),
        template("with_location", header("LOCATION")),
        template("with_product", header("PRODUCT")),
        template("buttons", buttons(&["QUICK_REPLY", "URL", "COPY_CODE", "FLOW", "VOICE_CALL"])),
        template("catalog", buttons(&["CATALOG"])),
        template("products", buttons(&["MPM"])),
        template("offer", json!([body, {"type": "LIMITED_TIME_OFFER"}])),
        template("cards", json!([body, {"type": "CAROUSEL", "cards": [card, card]}])),
        template(
            "login",
            json!([{"type": "BODY", "text": "{{1}}"}, {"type": "BUTTONS", "buttons": [{"type": "OTP"}]}]),
        ),
    ]
}

pub(super) fn types() -> Vec<Type> {
    let mut types = vec![
        parameters(),
        named(),
        document(),
        location(),
        product(),
        buttons(),
        catalog(),
        products(),
        offer(),
        cards(),
        login(),
        tap_target(),
    ];
    types.extend(["image", "video", "gif"].map(media));
    types
}

fn template(name: &str, components: Value) -> Value {
    json!({"type": "template", "template": {"name": name, "language": {"code": "en"}, "components": components}})
}

fn bare() -> Value {
    json!({"type": "template", "template": {"name": "hello", "language": {"code": "en"}}})
}

/// One parameter in the header.
fn header(name: &str, parameter: Value) -> Value {
    template(name, json!([{"type": "header", "parameters": [parameter]}]))
}

/// A type whose smallest form is the template without components.
fn filled(full: Value) -> Type {
    Type { minimal: bare(), full, required: &[], texts: &[], right: vec![], wrong: vec![] }
}

fn parameters() -> Type {
    let mut full = template(
        "order",
        json!([
            {"type": "header", "parameters": [{"type": "text", "text": "4711"}]},
            {"type": "body", "parameters": [
                {"type": "text", "text": "Asha"},
                {"type": "currency", "currency": {"fallback_value": "TSh 5,000", "code": "TZS", "amount_1000": 5_000_000}},
                {"type": "date_time", "date_time": {"fallback_value": "kesho"}},
            ]},
        ]),
    );
    full["template"]["language"]["policy"] = json!("deterministic");
    full["context"] = json!({"message_id": WAMID});
    Type {
        required: &[
            "/template",
            "/template/name",
            "/template/language",
            "/template/language/code",
            "/template/components/0/type",
            "/template/components/0/parameters/0/type",
            "/template/components/0/parameters/0/text",
            "/template/components/1/parameters/0/text",
            "/template/components/1/parameters/1/currency",
            "/template/components/1/parameters/1/currency/fallback_value",
            "/template/components/1/parameters/1/currency/code",
            "/template/components/1/parameters/1/currency/amount_1000",
            "/template/components/1/parameters/2/date_time",
            "/template/components/1/parameters/2/date_time/fallback_value",
        ],
        texts: &[
            ("/template/components/0/parameters/0/text", 60),
            ("/template/components/1/parameters/0/text", 32_768),
        ],
        right: vec![("/template/components/1/parameters/0/text", json!("a    b"))],
        wrong: vec![
            wrong("/template/name", json!(""), "required"),
            wrong("/template/name", long(513), "too_long"),
            wrong("/template/language", json!("en"), "wrong_type"),
            wrong("/template/components", json!({}), "wrong_type"),
            wrong("/template/components/0", json!("header"), "wrong_type"),
            wrong("/template/components/0/parameters", json!({}), "wrong_type"),
            wrong("/template/components/1/parameters/0/text", json!("a\nb"), "white_space"),
            wrong("/template/components/1/parameters/0/text", json!("a\tb"), "white_space"),
            wrong("/template/components/1/parameters/0/text", json!("a     b"), "white_space"),
        ],
        ..filled(full)
    }
}

fn named() -> Type {
    let parameter = json!({"type": "text", "parameter_name": "first_name", "text": "Asha"});
    Type {
        wrong: vec![wrong("/template/components/0/parameters/0/parameter_name", json!(1), "wrong_type")],
        ..filled(template("named", json!([{"type": "body", "parameters": [parameter]}])))
    }
}

fn media(kind: &'static str) -> Type {
    let name = format!("with_{kind}");
    let wrong = match kind {
        "image" => vec![
            wrong("/template/components/0/parameters/0/image", json!({}), "one_of"),
            wrong("/template/components/0/parameters/0/image/filename", json!("a.png"), "not_allowed"),
        ],
        "video" => vec![wrong("/template/components/0/parameters/0/video", json!({}), "one_of")],
        _ => vec![wrong("/template/components/0/parameters/0/gif", json!({}), "one_of")],
    };
    Type {
        minimal: header(&name, json!({"type": kind, kind: {"id": "1"}})),
        wrong,
        ..filled(header(&name, json!({"type": kind, kind: {"link": "https://example.com/a"}})))
    }
}

fn document() -> Type {
    let document = json!({"link": "https://example.com/a.pdf", "filename": "ankara.pdf"});
    Type {
        required: &["/template/components/0/parameters/0/document"],
        texts: &[("/template/components/0/parameters/0/document/filename", 240)],
        ..filled(header("with_document", json!({"type": "document", "document": document})))
    }
}

fn location() -> Type {
    let place =
        json!({"latitude": "-6.7924", "longitude": "39.2083", "name": "Kariakoo", "address": "Msimbazi"});
    Type {
        required: &[
            "/template/components/0/parameters/0/location",
            "/template/components/0/parameters/0/location/latitude",
            "/template/components/0/parameters/0/location/longitude",
        ],
        wrong: vec![wrong(
            "/template/components/0/parameters/0/location/latitude",
            json!(91),
            "out_of_range",
        )],
        ..filled(header("with_location", json!({"type": "location", "location": place})))
    }
}

fn product() -> Type {
    let product = json!({"product_retailer_id": "sku-1", "catalog_id": "9"});
    Type {
        required: &[
            "/template/components/0/parameters/0/product",
            "/template/components/0/parameters/0/product/product_retailer_id",
        ],
        ..filled(header("with_product", json!({"type": "product", "product": product})))
    }
}

fn button(kind: &str, index: Value, parameter: Value) -> Value {
    json!({"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]})
}

fn buttons() -> Type {
    Type {
        required: &[
            "/template/components/0/sub_type",
            "/template/components/0/index",
            "/template/components/0/parameters/0/payload",
            "/template/components/1/parameters/0/text",
            "/template/components/2/parameters/0/coupon_code",
            "/template/components/3/parameters/0/action",
        ],
        texts: &[
            ("/template/components/0/parameters/0/payload", 256),
            ("/template/components/1/parameters/0/text", 2_000),
            ("/template/components/2/parameters/0/coupon_code", 15),
        ],
        right: vec![("/template/components/4/parameters/0/ttl_minutes", json!(43_200))],
        wrong: vec![
            wrong("/template/components/0/index", json!("10"), "out_of_range"),
            wrong("/template/components/0/index", json!("first"), "out_of_range"),
            wrong("/template/components/0/index", json!(-1), "out_of_range"),
        ],
        ..filled(template(
            "buttons",
            json!([
                button("quick_reply", json!("0"), json!({"type": "payload", "payload": "ndiyo"})),
                button("URL", json!(1), json!({"type": "text", "text": "oda/4711"})),
                button("copy_code", json!("2"), json!({"type": "coupon_code", "coupon_code": "PUNGUZO25"})),
                button(
                    "flow",
                    json!("3"),
                    json!({"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": 1}}})
                ),
                button("voice_call", json!("4"), json!({"type": "ttl_minutes", "ttl_minutes": 1_440})),
            ]),
        ))
    }
}

fn catalog() -> Type {
    let action = json!({"type": "action", "action": {"thumbnail_product_retailer_id": "sku-1"}});
    Type {
        required: &["/template/components/0/parameters/0/action"],
        ..filled(template("catalog", json!([button("CATALOG", json!("0"), action)])))
    }
}

fn products() -> Type {
    let item = json!({"product_retailer_id": "sku-1"});
    let action = json!({
        "thumbnail_product_retailer_id": "sku-1",
        "sections": [{"title": "Matunda", "product_items": [item]}, {"title": "Mboga", "product_items": [item]}],
    });
    Type {
        required: &[
            "/template/components/0/parameters/0/action",
            "/template/components/0/parameters/0/action/sections",
            "/template/components/0/parameters/0/action/sections/1/title",
            "/template/components/0/parameters/0/action/sections/1/product_items",
        ],
        texts: &[("/template/components/0/parameters/0/action/sections/0/title", 24)],
        right: vec![(
            "/template/components/0/parameters/0/action/sections",
            json!([{"product_items": many(30, &item)}]),
        )],
        wrong: vec![wrong(
            "/template/components/0/parameters/0/action/sections",
            json!([{"product_items": many(31, &item)}]),
            "too_many",
        )],
        ..filled(template(
            "products",
            json!([button("mpm", json!("0"), json!({"type": "action", "action": action}))]),
        ))
    }
}

fn offer() -> Type {
    let offer = json!({"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1_790_000_000_000_u64}});
    Type {
        required: &[
            "/template/components/0/parameters/0/limited_time_offer",
            "/template/components/0/parameters/0/limited_time_offer/expiration_time_ms",
        ],
        ..filled(template("offer", json!([{"type": "limited_time_offer", "parameters": [offer]}])))
    }
}

fn cards() -> Type {
    let card = |index: usize| {
        json!({"card_index": index, "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "TSh 5,000"}]},
        ]})
    };
    Type {
        required: &[
            "/template/components/0/cards",
            "/template/components/0/cards/1/components/1/parameters/0/text",
        ],
        wrong: vec![
            wrong("/template/components/0/cards", json!([]), "too_few"),
            wrong("/template/components/0/cards", many(11, &card(0)), "too_many"),
            wrong("/template/components/0/cards/0", json!(1), "wrong_type"),
            wrong("/template/components/0/cards/1/components/0/parameters/0/image", json!({}), "one_of"),
        ],
        ..filled(template("cards", json!([{"type": "carousel", "cards": [card(0), card(1)]}])))
    }
}

/// A one-time code stands in the body and in the button.
fn login() -> Type {
    let code = json!({"type": "text", "text": "428117"});
    filled(template(
        "login",
        json!([
            {"type": "body", "parameters": [code]},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [code]},
        ]),
    ))
}

fn tap_target() -> Type {
    let target = json!({
        "type": "tap_target_configuration",
        "tap_target_configuration": [{"url": "https://example.com", "title": "Duka"}],
    });
    filled(template("hello", json!([{"type": "tap_target_configuration", "parameters": [target]}])))
}
