use super::*;

#[test]
fn a_template_has_a_name_and_a_language() {
    accepts(json!({"type": "template", "template": {"name": "hello", "language": {"code": "sw"}}}));
    accepts(
        json!({"type": "template", "template": {"name": "hello", "language": {"code": "en_US", "policy": "deterministic"}}}),
    );
    refuses(
        json!({"type": "template", "template": {"language": {"code": "sw"}}}),
        "template.name",
        "required",
    );
    refuses(json!({"type": "template", "template": {"name": "hello"}}), "template.language", "required");
    refuses(
        json!({"type": "template", "template": {"name": "hello", "language": "sw"}}),
        "template.language",
        "wrong_type",
    );
}

#[test]
fn every_component_of_metas_guide_is_taken() {
    accepts(template(json!([
        {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://example.com/a.jpg"}}]},
        {"type": "body", "parameters": [
            {"type": "text", "text": "Asha"},
            {"type": "text", "parameter_name": "first_name", "text": "Asha"},
            {"type": "currency", "currency": {"fallback_value": "$100.99", "code": "USD", "amount_1000": 100_990}},
            {"type": "date_time", "date_time": {"fallback_value": "Jumatatu"}},
        ]},
        {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "yes"}]},
        {"type": "button", "sub_type": "URL", "index": 1, "parameters": [{"type": "text", "text": "suffix"}]},
        {"type": "button", "sub_type": "copy_code", "index": 2, "parameters": [{"type": "coupon_code", "coupon_code": "KARIBU25"}]},
        {"type": "button", "sub_type": "flow", "index": 3, "parameters": [{"type": "action", "action": {"flow_token": "t"}}]},
        {"type": "button", "sub_type": "CATALOG", "index": 4, "parameters": [{"type": "action", "action": {}}]},
        {"type": "button", "sub_type": "mpm", "index": 5, "parameters": [{"type": "action", "action":
            {"thumbnail_product_retailer_id": "1", "sections": [{"title": "A", "product_items": [{"product_retailer_id": "1"}]}]}}]},
        {"type": "button", "sub_type": "voice_call", "index": 6, "parameters": [{"type": "ttl_minutes", "ttl_minutes": 1_440}]},
        {"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1_209_600_000}}]},
        {"type": "tap_target_configuration", "parameters": [{"type": "tap_target_configuration", "tap_target_configuration": [{"url": "https://example.com"}]}]},
        {"type": "something_new", "anything": [1]},
    ])));
    accepts(template(json!([{"type": "carousel", "cards": [
        {"card_index": 0, "components": [{"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]}]},
    ]}])));
}

#[test]
fn what_fills_a_body_stays_on_one_line() {
    let body =
        |text: &str| template(json!([{"type": "body", "parameters": [{"type": "text", "text": text}]}]));
    accepts(body("four    spaces"));
    for text in ["two\nlines", "a\ttab", "five     spaces"] {
        refuses(body(text), "template.components[0].parameters[0].text", "white_space");
    }
    refuses(body(""), "template.components[0].parameters[0].text", "required");
}

#[test]
fn parameters_are_checked_by_their_type() {
    let one = |component: Value| template(json!([component]));
    let at = "template.components[0].parameters[0]";
    refuses(
        one(json!({"type": "header", "parameters": [{"type": "text", "text": "x".repeat(61)}]})),
        &format!("{at}.text"),
        "too_long",
    );
    refuses(
        one(json!({"type": "header", "parameters": [{"type": "image"}]})),
        &format!("{at}.image"),
        "required",
    );
    refuses(
        one(
            json!({"type": "body", "parameters": [{"type": "currency", "currency": {"fallback_value": "1", "code": "USD"}}]}),
        ),
        &format!("{at}.currency.amount_1000"),
        "required",
    );
    refuses(one(json!({"type": "body", "parameters": ["Asha"]})), at, "wrong_type");
    refuses(
        one(json!({"type": "body", "parameters": "Asha"})),
        "template.components[0].parameters",
        "wrong_type",
    );
    refuses(
        one(
            json!({"type": "button", "sub_type": "copy_code", "index": 0, "parameters": [{"type": "coupon_code", "coupon_code": "x".repeat(16)}]}),
        ),
        &format!("{at}.coupon_code"),
        "too_long",
    );
    refuses(one(json!({"type": "button", "sub_type": "url"})), "template.components[0].index", "required");
    refuses(
        one(json!({"type": "button", "sub_type": "url", "index": "ten"})),
        "template.components[0].index",
        "out_of_range",
    );
    refuses(one(json!({"type": "button", "index": 0})), "template.components[0].sub_type", "required");
    refuses(one(json!({})), "template.components[0].type", "required");
    refuses(
        template(
            json!([{"type": "carousel", "cards": [{"components": [{"type": "body", "parameters": [{"type": "text"}]}]}]}]),
        ),
        "template.components[0].cards[0].components[0].parameters[0].text",
        "required",
    );
}

#[test]
fn a_number_that_is_no_number_is_told_from_one_that_is_missing() {
    let amount = |amount: Value| {
        let currency = json!({"fallback_value": "$1", "code": "USD", "amount_1000": amount});
        template(json!([{"type": "body", "parameters": [{"type": "currency", "currency": currency}]}]))
    };
    let path = "template.components[0].parameters[0].currency.amount_1000";
    accepts(amount(json!(1_000)));
    refuses(amount(Value::Null), path, "required");
    refuses(amount(json!("1000")), path, "wrong_type");
    let button = |index: Value| {
        template(json!([{"type": "button", "sub_type": "url", "index": index, "parameters": []}]))
    };
    refuses(button(Value::Null), "template.components[0].index", "required");
    refuses(button(json!(true)), "template.components[0].index", "wrong_type");
}
