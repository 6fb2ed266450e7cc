//! Interactive messages of shops: products, catalogues, orders.

use serde_json::{Value, json};

use super::interactive::{BODY, FOOTER, bare, cards, full, same, with_header};
use super::table::{Type, long, many, wrong, wrong_in};

pub(super) fn types() -> Vec<Type> {
    vec![product(), product_list(), catalog(), product_cards(), order_details(), order_status()]
}

fn product() -> Type {
    let action = json!({"catalog_id": "1", "product_retailer_id": "sku-1"});
    Type {
        minimal: json!({"type": "interactive", "interactive": {"type": "product", "action": action}}),
        required: &["/interactive/action/catalog_id", "/interactive/action/product_retailer_id"],
        texts: &[BODY, FOOTER],
        wrong: vec![wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed")],
        ..same(&full("product", action))
    }
}

fn product_list() -> Type {
    let item = json!({"product_retailer_id": "sku-1"});
    let section = json!({"title": "Matunda", "product_items": [item]});
    let action = |sections: Value| json!({"catalog_id": "1", "sections": sections});
    let header = json!({"type": "text", "text": "Karibu"});
    let single = action(json!([{"product_items": [item]}]));
    Type {
        minimal: with_header(bare("product_list", single), header.clone()),
        required: &[
            "/interactive/header",
            "/interactive/header/text",
            "/interactive/body",
            "/interactive/action/catalog_id",
            "/interactive/action/sections",
            "/interactive/action/sections/1/title",
            "/interactive/action/sections/1/product_items",
            "/interactive/action/sections/1/product_items/0/product_retailer_id",
        ],
        texts: &[
            BODY,
            FOOTER,
            ("/interactive/header/text", 60),
            ("/interactive/action/sections/0/title", 24),
        ],
        right: vec![
            ("/interactive/action/sections", many(10, &section)),
            ("/interactive/action/sections", json!([{"product_items": many(30, &item)}])),
        ],
        wrong: vec![
            wrong("/interactive/action/sections", json!([]), "too_few"),
            wrong("/interactive/action/sections", many(11, &section), "too_many"),
            wrong("/interactive/action/sections", json!([{"product_items": many(31, &item)}]), "too_many"),
            wrong("/interactive/action/sections/0/product_items", json!([]), "too_few"),
            wrong_in(
                "interactive.header.type",
                "/interactive/header",
                json!({"type": "image", "image": {"id": "1"}}),
                "unknown_value",
            ),
        ],
        ..same(&with_header(full("product_list", action(many(2, &section))), header))
    }
}

fn catalog() -> Type {
    let parameters = json!({"thumbnail_product_retailer_id": "sku-1"});
    Type {
        minimal: bare("catalog_message", json!({"name": "catalog_message"})),
        required: &["/interactive/body", "/interactive/action", "/interactive/action/name"],
        texts: &[BODY, FOOTER],
        wrong: vec![
            wrong("/interactive/action/name", json!("catalog"), "unknown_value"),
            wrong("/interactive/action/parameters", json!([]), "wrong_type"),
            wrong("/interactive/action/parameters/thumbnail_product_retailer_id", json!(1), "wrong_type"),
            wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed"),
        ],
        ..same(&full("catalog_message", json!({"name": "catalog_message", "parameters": parameters})))
    }
}

fn product_cards() -> Type {
    let card = |index: usize, catalog: &str| {
        let action = json!({"product_retailer_id": "sku-1", "catalog_id": catalog});
        json!({"card_index": index, "type": "product", "action": action})
    };
    Type {
        required: &[
            "/interactive/action/cards/1/action",
            "/interactive/action/cards/1/action/product_retailer_id",
        ],
        wrong: vec![wrong_in(
            "interactive.action.cards[1].action.catalog_id",
            "/interactive/action/cards/1",
            card(1, "8"),
            "not_allowed",
        )],
        ..same(&cards(vec![card(0, "9"), card(1, "9")]))
    }
}

fn order_details() -> Type {
    let action = |parameters: Value| json!({"name": "review_and_pay", "parameters": parameters});
    let total = json!({"value": 50_000, "offset": 100});
    let few = json!({"reference_id": "1", "currency": "INR", "total_amount": total, "order": {}});
    let items = json!([{"retailer_id": "sku-1", "name": "Unga", "amount": total, "quantity": 1}]);
    let order = json!({"status": "pending", "items": items, "subtotal": total, "tax": total, "shipping": total,
        "discount": total});
    Type {
        minimal: bare("order_details", action(few)),
        required: &[
            "/interactive/body",
            "/interactive/action/name",
            "/interactive/action/parameters",
            "/interactive/action/parameters/reference_id",
            "/interactive/action/parameters/currency",
            "/interactive/action/parameters/total_amount",
            "/interactive/action/parameters/order",
        ],
        texts: &[BODY, FOOTER],
        wrong: vec![wrong("/interactive/action/parameters/currency", json!("Rupia"), "too_long")],
        ..same(&with_header(
            full(
                "order_details",
                action(json!({
                    "reference_id": "4711", "type": "physical-goods", "payment_type": "upi", "payment_configuration": "p",
                    "currency": "INR", "total_amount": total, "order": order,
                })),
            ),
            json!({"type": "image", "image": {"id": "1"}}),
        ))
    }
}

fn order_status() -> Type {
    let order = json!({"status": "processing", "description": long(120)});
    let action = json!({"name": "review_order", "parameters": {"reference_id": "4711", "order": order}});
    let mut few = action.clone();
    few["parameters"]["order"] = json!({"status": "shipped"});
    Type {
        minimal: bare("order_status", few),
        required: &[
            "/interactive/body",
            "/interactive/action/parameters/reference_id",
            "/interactive/action/parameters/order",
            "/interactive/action/parameters/order/status",
        ],
        texts: &[BODY, FOOTER],
        wrong: vec![wrong("/interactive/header", json!({"type": "text", "text": "x"}), "not_allowed")],
        ..same(&full("order_status", action))
    }
}
