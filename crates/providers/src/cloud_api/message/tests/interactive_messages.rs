use super::*;

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn buttons(count: usize) -> Value {
    let buttons: Vec<_> = (0..count)
        .map(|n| json!({"type": "reply", "reply": {"id": format!("b{n}"), "title": format!("Button {n}")}}))
        .collect();
    interactive(json!({"type": "button", "body": text("Choose"), "action": {"buttons": buttons}}))
}

fn with(mut message: Value, pointer: &str, value: Value) -> Value {
    *message.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    message
}

#[test]
fn buttons_are_one_to_three_short_and_different() {
    accepts(buttons(3));
    refuses(buttons(0), "interactive.action.buttons", "too_few");
    refuses(buttons(4), "interactive.action.buttons", "too_many");
    let title = "/interactive/action/buttons/1/reply/title";
    let path = "interactive.action.buttons[1].reply.title";
    accepts(with(buttons(2), title, json!("x".repeat(20))));
    refuses(with(buttons(2), title, json!("x".repeat(21))), path, "too_long");
    refuses(with(buttons(2), title, json!("Button 0")), path, "duplicate");
    refuses(with(buttons(2), title, json!(7)), path, "wrong_type");
    let kind = "/interactive/action/buttons/1/type";
    refuses(with(buttons(2), kind, Value::Null), "interactive.action.buttons[1].type", "required");
    refuses(with(buttons(2), kind, json!("url")), "interactive.action.buttons[1].type", "unknown_value");
    let id = "/interactive/action/buttons/1/reply/id";
    refuses(
        with(buttons(2), id, json!("x".repeat(257))),
        "interactive.action.buttons[1].reply.id",
        "too_long",
    );
    refuses(with(buttons(2), id, json!("b0")), "interactive.action.buttons[1].reply.id", "duplicate");
    refuses(
        with(buttons(2), "/interactive/action/buttons/0", json!(1)),
        "interactive.action.buttons[0]",
        "wrong_type",
    );
}

#[test]
fn what_stands_around_the_action_keeps_its_limits() {
    let with_part = |name: &str, part: Value| {
        let mut message = buttons(1);
        message["interactive"][name] = part;
        message
    };
    accepts(with_part("body", text(&"x".repeat(1_024))));
    refuses(with_part("body", text(&"x".repeat(1_025))), "interactive.body.text", "too_long");
    refuses(with_part("body", Value::Null), "interactive.body", "required");
    refuses(with_part("footer", text(&"x".repeat(61))), "interactive.footer.text", "too_long");
    accepts(with_part("header", json!({"type": "text", "text": "x".repeat(60)})));
    refuses(
        with_part("header", json!({"type": "text", "text": "x".repeat(61)})),
        "interactive.header.text",
        "too_long",
    );
    accepts(with_part("header", json!({"type": "image", "image": {"id": "1"}})));
    refuses(with_part("header", json!({"type": "image"})), "interactive.header.image", "required");
    refuses(with_part("header", json!({"type": "sticker"})), "interactive.header.type", "unknown_value");
    refuses(with_part("header", json!({"text": "x"})), "interactive.header.type", "required");
    refuses(with_part("header", json!({"type": 7})), "interactive.header.type", "wrong_type");
}

#[test]
fn a_list_has_ten_rows_in_all_its_sections() {
    let rows = |from: usize, count: usize| -> Vec<_> {
        (from..from + count).map(|n| json!({"id": format!("r{n}"), "title": format!("Row {n}")})).collect()
    };
    let list = |sections: Value| {
        interactive(
            json!({"type": "list", "body": text("Choose"), "action": {"button": "Open", "sections": sections}}),
        )
    };
    accepts(list(json!([{"rows": rows(0, 10)}])));
    refuses(list(json!([{"rows": rows(0, 11)}])), "interactive.action.sections", "too_many");
    accepts(list(json!([{"title": "A", "rows": rows(0, 5)}, {"title": "B", "rows": rows(5, 5)}])));
    refuses(
        list(json!([{"title": "A", "rows": rows(0, 5)}, {"title": "B", "rows": rows(5, 6)}])),
        "interactive.action.sections",
        "too_many",
    );
    refuses(
        list(json!([{"title": "A", "rows": rows(0, 1)}, {"rows": rows(1, 1)}])),
        "interactive.action.sections[1].title",
        "required",
    );
    refuses(
        list(json!([{"title": "A", "rows": rows(0, 1)}, {"title": "B", "rows": rows(0, 1)}])),
        "interactive.action.sections[1].rows[0].id",
        "duplicate",
    );
    refuses(
        list(json!([{"rows": [{"id": "1", "title": "x".repeat(25), "description": "x".repeat(73)}]}])),
        "interactive.action.sections[0].rows[0].description",
        "too_long",
    );
    refuses(list(json!([{"rows": []}])), "interactive.action.sections[0].rows", "too_few");
    let mut with_image = list(json!([{"rows": rows(0, 1)}]));
    with_image["interactive"]["header"] = json!({"type": "image", "image": {"id": "1"}});
    refuses(with_image, "interactive.header.type", "unknown_value");
}

#[test]
fn a_link_button_leads_to_a_web_address() {
    let link = |parameters: Value| {
        interactive(
            json!({"type": "cta_url", "body": text("See"), "action": {"name": "cta_url", "parameters": parameters}}),
        )
    };
    accepts(link(json!({"display_text": "Open", "url": "https://example.com"})));
    refuses(
        link(json!({"display_text": "Open", "url": "example.com"})),
        "interactive.action.parameters.url",
        "not_a_url",
    );
    refuses(
        link(json!({"display_text": "x".repeat(21), "url": "https://example.com"})),
        "interactive.action.parameters.display_text",
        "too_long",
    );
    let wrong = interactive(
        json!({"type": "cta_url", "body": text("See"), "action": {"name": "open", "parameters": {}}}),
    );
    refuses(wrong, "interactive.action.name", "unknown_value");
}

#[test]
fn a_flow_is_named_in_one_way() {
    let flow = |parameters: Value| {
        interactive(
            json!({"type": "flow", "body": text("Fill in"), "action": {"name": "flow", "parameters": parameters}}),
        )
    };
    accepts(flow(json!({"flow_message_version": "3", "flow_id": "1", "flow_cta": "Open", "mode": "draft"})));
    refuses(
        flow(json!({"flow_id": "1", "flow_cta": "Open"})),
        "interactive.action.parameters.flow_message_version",
        "required",
    );
    for pictures in ["Open 📝", "❤", "1\u{fe0f}\u{20e3}"] {
        let message = flow(json!({"flow_message_version": "3", "flow_id": "1", "flow_cta": pictures}));
        refuses(message, "interactive.action.parameters.flow_cta", "not_allowed");
    }
    accepts(flow(json!({"flow_message_version": "3", "flow_id": "1", "flow_cta": "Öffnen → №1 #"})));
    refuses(flow(json!({"flow_cta": "Open"})), "interactive.action.parameters", "one_of");
    refuses(
        flow(json!({"flow_id": "1", "flow_name": "a", "flow_cta": "Open"})),
        "interactive.action.parameters",
        "one_of",
    );
    refuses(
        flow(json!({"flow_id": "1", "flow_cta": "Open", "flow_action_payload": {"screen": "A", "data": {}}})),
        "interactive.action.parameters.flow_action_payload.data",
        "too_few",
    );
}

#[test]
fn products_come_with_their_catalogue() {
    let items = |count: usize| -> Vec<_> {
        (0..count).map(|n| json!({"product_retailer_id": n.to_string()})).collect()
    };
    let products = |count: usize| {
        interactive(json!({
            "type": "product_list", "header": {"type": "text", "text": "Ours"}, "body": text("See"),
            "action": {"catalog_id": "1", "sections": [{"title": "All", "product_items": items(count)}]},
        }))
    };
    accepts(products(30));
    refuses(products(31), "interactive.action.sections", "too_many");
    let mut headless = products(1);
    headless["interactive"].as_object_mut().unwrap().remove("header");
    refuses(headless, "interactive.header", "required");
    accepts(interactive(
        json!({"type": "product", "action": {"catalog_id": "1", "product_retailer_id": "2"}}),
    ));
    refuses(
        interactive(json!({"type": "product", "action": {"catalog_id": "1"}})),
        "interactive.action.product_retailer_id",
        "required",
    );
    refuses(
        interactive(
            json!({"type": "product", "header": {"type": "text", "text": "x"}, "action": {"catalog_id": "1", "product_retailer_id": "2"}}),
        ),
        "interactive.header",
        "not_allowed",
    );
}

#[test]
fn cards_are_two_to_ten_and_alike() {
    let card = |kind: &str| {
        json!({
            "header": {"type": kind, kind: {"link": "https://example.com/a"}}, "body": text("One"),
            "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://example.com"}},
        })
    };
    let cards = |cards: Vec<Value>| {
        interactive(json!({"type": "carousel", "body": text("See"), "action": {"cards": cards}}))
    };
    accepts(cards(vec![card("image"), card("image")]));
    refuses(cards(vec![card("image")]), "interactive.action.cards", "too_few");
    refuses(
        cards(vec![card("image"), card("video")]),
        "interactive.action.cards[1].header.type",
        "not_allowed",
    );
    let mut long = card("image");
    long["body"] = text(&"x".repeat(161));
    refuses(cards(vec![card("image"), long]), "interactive.action.cards[1].body.text", "too_long");
    let with_lines = |body: &str| {
        with(cards(vec![card("image"), card("image")]), "/interactive/action/cards/1/body", text(body))
    };
    accepts(with_lines("a\nb\nc"));
    refuses(with_lines("a\nb\nc\n"), "interactive.action.cards[1].body.text", "white_space");
    let product = |catalog: &str| json!({"type": "product", "action": {"catalog_id": catalog, "product_retailer_id": "1"}});
    accepts(cards(vec![product("1"), product("1")]));
    refuses(
        cards(vec![product("1"), product("2")]),
        "interactive.action.cards[1].action.catalog_id",
        "not_allowed",
    );
    refuses(
        cards(vec![product("1"), card("image")]),
        "interactive.action.cards[1].header.type",
        "not_allowed",
    );
    refuses(cards(vec![card("image"), product("1")]), "interactive.action.cards[1].type", "not_allowed");
}

#[test]
fn the_other_kinds_are_known_by_their_action() {
    let kind =
        |kind: &str, action: Value| interactive(json!({"type": kind, "body": text("Hi"), "action": action}));
    accepts(kind("catalog_message", json!({"name": "catalog_message"})));
    accepts(kind("location_request_message", json!({"name": "send_location"})));
    accepts(kind("call_permission_request", json!({"name": "call_permission_request"})));
    accepts(kind("request_contact_info", json!({"name": "request_contact_info"})));
    accepts(kind(
        "voice_call",
        json!({"name": "voice_call", "parameters": {"display_text": "Call", "ttl_minutes": 43_200}}),
    ));
    refuses(
        kind("voice_call", json!({"name": "voice_call", "parameters": {"ttl_minutes": 43_201}})),
        "interactive.action.parameters.ttl_minutes",
        "out_of_range",
    );
    accepts(kind("address_message", json!({"name": "address_message", "parameters": {"country": "IN"}})));
    refuses(
        kind("address_message", json!({"name": "address_message", "parameters": {}})),
        "interactive.action.parameters.country",
        "required",
    );
    accepts(kind(
        "order_status",
        json!({"name": "review_order", "parameters": {"reference_id": "1", "order": {"status": "shipped"}}}),
    ));
    accepts(kind(
        "order_details",
        json!({"name": "review_and_pay", "parameters": {"reference_id": "1", "currency": "INR", "total_amount": {"value": 1, "offset": 100}, "order": {}}}),
    ));
}

#[test]
fn an_unknown_interactive_type_is_refused_unless_allowed() {
    let message = interactive(json!({"type": "poll", "question": "?"}));
    refuses(message.clone(), "interactive.type", "unknown_type");
    let mut message = object(message);
    message.insert("to".to_owned(), "+255712345678".into());
    assert!(prepare(message, TANZANIA, Options { allow_unknown: true }).is_ok());
}

#[test]
fn interactive_messages_do_not_go_to_groups() {
    let mut message = buttons(1);
    message["recipient_type"] = json!("group");
    message["to"] = json!("Y2FwaQ");
    refuses(message, "type", "not_allowed");
}
