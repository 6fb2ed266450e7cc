//! Interactive messages: buttons, lists, flows and the rest, each with its own `action`.

use super::{
    Checked, Object, as_object, fits, invalid, join, link, list, media, missing, object, optional_text, text,
};
use serde_json::Value;
use std::collections::HashSet;

const PATH: &str = "interactive";
const ACTION: &str = "interactive.action";
const PARAMETERS: &str = "interactive.action.parameters";

#[derive(Clone, Copy, PartialEq)]
enum Header {
    None,
    Text,
    Any,
    TextRequired,
}

#[derive(Clone, Copy, PartialEq)]
enum Body {
    Required(usize),
    Optional,
}

pub(super) fn check(content: &Object) -> Checked {
    let kind = text(content, PATH, "type", 64)?;
    let usual = Body::Required(1024);
    let (header, body) = match kind {
        "list" => (Header::Text, Body::Required(4096)),
        "product" => (Header::None, Body::Optional),
        "product_list" => (Header::TextRequired, usual),
        "button" | "cta_url" | "flow" | "address_message" | "order_details" | "voice_call" => {
            (Header::Any, usual)
        }
        "catalog_message"
        | "location_request_message"
        | "carousel"
        | "request_contact_info"
        | "order_status" => (Header::None, usual),
        "call_permission_request" => (Header::None, Body::Optional),
        _ => return Err(invalid("interactive.type", "is not a known interactive type")),
    };
    check_header(content, header)?;
    match (content.get("body"), body) {
        (None | Some(Value::Null), Body::Optional) => {}
        (Some(given), _) => {
            let most = if let Body::Required(most) = body { most } else { 1024 };
            text(as_object(given, "interactive.body")?, "interactive.body", "text", most)?;
        }
        (None, Body::Required(_)) => return Err(missing("interactive.body")),
    }
    if let Some(footer) = content.get("footer").filter(|footer| !footer.is_null()) {
        if kind == "carousel" {
            return Err(invalid("interactive.footer", "is not allowed with a carousel"));
        }
        text(as_object(footer, "interactive.footer")?, "interactive.footer", "text", 60)?;
    }
    check_action(kind, object(content, PATH, "action")?)
}

fn check_header(content: &Object, allowed: Header) -> Checked {
    let path = "interactive.header";
    let Some(header) = content.get("header").filter(|header| !header.is_null()) else {
        return if allowed == Header::TextRequired { Err(missing(path)) } else { Ok(()) };
    };
    let header = as_object(header, path)?;
    match (text(header, path, "type", 16)?, allowed) {
        (_, Header::None) => Err(invalid(path, "is not allowed with this type")),
        ("text", _) => text(header, path, "text", 60).map(drop),
        (kind @ ("image" | "video" | "document"), Header::Any) => {
            media(object(header, path, kind)?, &join(path, kind), false)
        }
        _ => Err(invalid("interactive.header.type", "is not allowed with this type")),
    }
}

fn check_action(kind: &str, action: &Object) -> Checked {
    let named = |name: &str| match text(action, ACTION, "name", 64)? {
        given if given == name => Ok(()),
        _ => Err(invalid("interactive.action.name", &format!("must be {name}"))),
    };
    let parameters = || object(action, ACTION, "parameters");
    match kind {
        "button" => buttons(action),
        "list" => sections(action),
        "cta_url" => {
            named(kind)?;
            text(parameters()?, PARAMETERS, "display_text", 20)?;
            link(parameters()?, PARAMETERS, "url")
        }
        "flow" => named(kind).and_then(|()| flow(parameters()?)),
        "product" => {
            text(action, ACTION, "catalog_id", 256)?;
            text(action, ACTION, "product_retailer_id", 256).map(drop)
        }
        "product_list" => products(action),
        "location_request_message" => named("send_location"),
        "address_message" => {
            named(kind)?;
            text(parameters()?, PARAMETERS, "country", 2).map(drop)
        }
        "carousel" => cards(action),
        "order_details" => named("review_and_pay").and_then(|()| parameters().map(drop)),
        "order_status" => named("review_order").and_then(|()| parameters().map(drop)),
        _ => named(kind),
    }
}

fn buttons(action: &Object) -> Checked {
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for (index, button) in list(action, ACTION, "buttons", 1, 3)?.iter().enumerate() {
        let path = format!("{ACTION}.buttons[{index}]");
        let button = as_object(button, &path)?;
        if button.get("type").and_then(Value::as_str) != Some("reply") {
            return Err(invalid(&join(&path, "type"), "must be reply"));
        }
        let (reply, path) = (object(button, &path, "reply")?, join(&path, "reply"));
        let (id, title) = (text(reply, &path, "id", 256)?, text(reply, &path, "title", 20)?);
        if !ids.insert(id) || !titles.insert(title) {
            return Err(invalid(&path, "is not unique"));
        }
    }
    Ok(())
}

/// Ten rows in all, however many sections.
fn sections(action: &Object) -> Checked {
    text(action, ACTION, "button", 20)?;
    let sections = list(action, ACTION, "sections", 1, 10)?;
    let mut ids = HashSet::new();
    for (index, section) in sections.iter().enumerate() {
        let path = format!("{ACTION}.sections[{index}]");
        let section = as_object(section, &path)?;
        if sections.len() > 1 {
            text(section, &path, "title", 24)?;
        }
        optional_text(section, &path, "title", 24)?;
        for (index, row) in list(section, &path, "rows", 1, 10)?.iter().enumerate() {
            let path = format!("{path}.rows[{index}]");
            let row = as_object(row, &path)?;
            let id = text(row, &path, "id", 200)?;
            text(row, &path, "title", 24)?;
            optional_text(row, &path, "description", 72)?;
            if !ids.insert(id) {
                return Err(invalid(&join(&path, "id"), "is not unique"));
            }
        }
    }
    if ids.len() > 10 {
        Err(invalid("interactive.action.sections", "have more than 10 rows in total"))
    } else {
        Ok(())
    }
}

fn flow(parameters: &Object) -> Checked {
    text(parameters, PARAMETERS, "flow_message_version", 8)?;
    text(parameters, PARAMETERS, "flow_cta", 30)?;
    let given = |key: &str| parameters.get(key).is_some_and(|value| !value.is_null());
    if given("flow_id") == given("flow_name") {
        return Err(invalid(PARAMETERS, "take exactly one of flow_id and flow_name"));
    }
    let action = parameters.get("flow_action").and_then(Value::as_str).unwrap_or("navigate");
    let Some(payload) = parameters.get("flow_action_payload").filter(|payload| !payload.is_null()) else {
        return Ok(());
    };
    let path = "interactive.action.parameters.flow_action_payload";
    if action != "navigate" {
        return Err(invalid(path, "is only allowed with flow_action navigate"));
    }
    let payload = as_object(payload, path)?;
    match payload.get("data") {
        Some(Value::Object(data)) if data.is_empty() => {
            Err(invalid(&join(path, "data"), "must not be empty"))
        }
        _ => Ok(()),
    }
}

fn products(action: &Object) -> Checked {
    text(action, ACTION, "catalog_id", 256)?;
    let mut count = 0;
    for (index, section) in list(action, ACTION, "sections", 1, 10)?.iter().enumerate() {
        let path = format!("{ACTION}.sections[{index}]");
        let section = as_object(section, &path)?;
        optional_text(section, &path, "title", 24)?;
        let items = list(section, &path, "product_items", 1, 30)?;
        count += items.len();
        for item in items {
            text(as_object(item, &path)?, &join(&path, "product_items"), "product_retailer_id", 256)?;
        }
    }
    if count > 30 {
        Err(invalid("interactive.action.sections", "have more than 30 products in total"))
    } else {
        Ok(())
    }
}

fn cards(action: &Object) -> Checked {
    for (index, card) in list(action, ACTION, "cards", 2, 10)?.iter().enumerate() {
        let path = format!("{ACTION}.cards[{index}]");
        let card = as_object(card, &path)?;
        if let Some(body) = card.get("body") {
            let body = text(as_object(body, &path)?, &join(&path, "body"), "text", 160)?;
            if body.lines().count() > 3 {
                return Err(invalid(&join(&path, "body.text"), "has more than two line breaks"));
            }
            fits(body, &path, 160)?;
        }
        object(card, &path, "action")?;
    }
    Ok(())
}
