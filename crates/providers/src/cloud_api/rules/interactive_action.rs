//! The `action` of each interactive type.

use std::collections::HashSet;

use serde_json::Value;

use super::{At, Checker, plain, rule};

const BUTTON_TITLE: usize = 20;
const BUTTON_ID: usize = 256;
const ROW_ID: usize = 200;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;
const MOST_SECTIONS: usize = 10;
const MOST_ROWS: usize = 10;
const MOST_PRODUCTS: usize = 30;
const FLOW_BUTTON: usize = 30;
/// About a month, in minutes.
const LONGEST_CALL_BUTTON: u64 = 43_200;
/// For opaque texts whose limit Meta does not give.
const OPAQUE: usize = 4_096;

pub(super) fn button(checker: &mut Checker, action: At<'_, '_>) {
    let list_path = action.path.key("buttons");
    let mut ids = HashSet::new();
    let mut titles = HashSet::new();
    for (index, button) in checker.list(action, "buttons", 1, 3).iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(button, &path) else { continue };
        let at = At { object, path: &path };
        checker.word(at, "type", &["reply"]);
        let Some(object) = checker.object(at, "reply") else { continue };
        let reply = At { object, path: &path.key("reply") };
        let id = checker.text(reply, "id", BUTTON_ID);
        unique(checker, reply, "id", id, &mut ids);
        let title = checker.text(reply, "title", BUTTON_TITLE);
        unique(checker, reply, "title", title, &mut titles);
    }
}

fn unique<'a>(
    checker: &mut Checker,
    at: At<'_, '_>,
    name: &str,
    value: Option<&'a str>,
    seen: &mut HashSet<&'a str>,
) {
    if value.is_some_and(|value| !seen.insert(value)) {
        let path = at.path.key(name);
        checker.wrong(
            &path,
            rule::DUPLICATE,
            format!("{path} is the same as an earlier one: each must differ"),
        );
    }
}

pub(super) fn list(checker: &mut Checker, action: At<'_, '_>) {
    checker.text(action, "button", BUTTON_TITLE);
    let sections = checker.list(action, "sections", 1, MOST_SECTIONS);
    let list_path = action.path.key("sections");
    let mut ids = HashSet::new();
    let mut rows_in_all = 0;
    for (index, section) in sections.iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(section, &path) else { continue };
        let at = At { object, path: &path };
        section_title(checker, at, sections.len());
        let rows = checker.list(at, "rows", 1, usize::MAX);
        rows_in_all += rows.len();
        let rows_path = path.key("rows");
        for (index, row) in rows.iter().enumerate().take(MOST_ROWS) {
            let path = rows_path.index(index);
            let Some(object) = checker.element(row, &path) else { continue };
            let row = At { object, path: &path };
            let id = checker.text(row, "id", ROW_ID);
            unique(checker, row, "id", id, &mut ids);
            checker.text(row, "title", ROW_TITLE);
            checker.optional_text(row, "description", ROW_DESCRIPTION);
        }
    }
    at_most_in_all(checker, action, "rows", rows_in_all, MOST_ROWS);
}

fn section_title(checker: &mut Checker, section: At<'_, '_>, sections: usize) {
    if sections > 1 {
        checker.text(section, "title", ROW_TITLE);
    } else {
        checker.optional_text(section, "title", ROW_TITLE);
    }
}

fn at_most_in_all(checker: &mut Checker, action: At<'_, '_>, what: &str, count: usize, most: usize) {
    if count > most {
        let path = action.path.key("sections");
        let message =
            format!("{path} has {count} {what} in all sections together: at most {most} are allowed");
        checker.wrong(&path, rule::TOO_MANY, message);
    }
}

/// `parameters` of an action that has to be called `name`.
fn named<'a>(checker: &mut Checker, action: At<'a, '_>, name: &str) -> Option<&'a super::Object> {
    name_is(checker, action, name);
    checker.object(action, "parameters")
}

fn name_is(checker: &mut Checker, action: At<'_, '_>, name: &str) {
    if checker.text(action, "name", plain::ID).is_some() {
        checker.optional_word(action, "name", &[name]);
    }
}

pub(super) fn cta_url(checker: &mut Checker, action: At<'_, '_>) {
    if let Some(object) = named(checker, action, "cta_url") {
        let at = At { object, path: &action.path.key("parameters") };
        checker.text(at, "display_text", BUTTON_TITLE);
        checker.url(at, "url");
    }
}

pub(super) fn flow(checker: &mut Checker, action: At<'_, '_>) {
    let Some(object) = named(checker, action, "flow") else { return };
    let at = At { object, path: &action.path.key("parameters") };
    if at.member("flow_id").is_some() == at.member("flow_name").is_some() {
        let path = at.path;
        checker.wrong(
            path,
            rule::ONE_OF,
            format!("{path} must name the flow by one of flow_id and flow_name"),
        );
    }
    checker.optional_text(at, "flow_id", plain::ID);
    checker.optional_text(at, "flow_name", plain::ID);
    checker.text(at, "flow_message_version", plain::ID);
    flow_button(checker, at);
    checker.optional_text(at, "flow_token", OPAQUE);
    checker.optional_word(at, "mode", &["published", "draft"]);
    checker.optional_word(at, "flow_action", &["navigate", "data_exchange"]);
    if at.member("flow_action").and_then(Value::as_str) == Some("data_exchange") {
        checker.not_allowed(at, "flow_action_payload", "it belongs to flow_action navigate");
    }
    let Some(object) = checker.optional_object(at, "flow_action_payload") else { return };
    let payload = At { object, path: &at.path.key("flow_action_payload") };
    checker.optional_text(payload, "screen", plain::ID);
    if checker.optional_object(payload, "data").is_some_and(serde_json::Map::is_empty) {
        let path = payload.path.key("data");
        checker.wrong(&path, rule::TOO_FEW, format!("{path} is empty: leave it out or put something in"));
    }
}

fn flow_button(checker: &mut Checker, at: At<'_, '_>) {
    if checker.text(at, "flow_cta", FLOW_BUTTON).is_some_and(|text| text.chars().any(is_emoji)) {
        let path = at.path.key("flow_cta");
        checker.wrong(&path, rule::NOT_ALLOWED, format!("{path} may have no emoji"));
    }
}

/// The blocks of Unicode in which every character is a picture, and the mark that makes a picture of another one.
const fn is_emoji(character: char) -> bool {
    matches!(character, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{fe0f}')
}

pub(super) fn product(checker: &mut Checker, action: At<'_, '_>) {
    checker.text(action, "catalog_id", plain::ID);
    checker.text(action, "product_retailer_id", plain::ID);
}

pub(super) fn product_list(checker: &mut Checker, action: At<'_, '_>) {
    checker.text(action, "catalog_id", plain::ID);
    product_sections(checker, action);
}

/// Sections of products, as product lists and multi-product templates have them.
pub(super) fn product_sections(checker: &mut Checker, action: At<'_, '_>) {
    let sections = checker.list(action, "sections", 1, MOST_SECTIONS);
    let list_path = action.path.key("sections");
    let mut products = 0;
    for (index, section) in sections.iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(section, &path) else { continue };
        let at = At { object, path: &path };
        section_title(checker, at, sections.len());
        let items = checker.list(at, "product_items", 1, usize::MAX);
        products += items.len();
        let items_path = path.key("product_items");
        for (index, item) in items.iter().enumerate().take(MOST_PRODUCTS) {
            let path = items_path.index(index);
            if let Some(object) = checker.element(item, &path) {
                checker.text(At { object, path: &path }, "product_retailer_id", plain::ID);
            }
        }
    }
    at_most_in_all(checker, action, "products", products, MOST_PRODUCTS);
}

pub(super) fn catalog_message(checker: &mut Checker, action: At<'_, '_>) {
    name_is(checker, action, "catalog_message");
    if let Some(object) = checker.optional_object(action, "parameters") {
        let at = At { object, path: &action.path.key("parameters") };
        checker.optional_text(at, "thumbnail_product_retailer_id", plain::ID);
    }
}

pub(super) fn location_request(checker: &mut Checker, action: At<'_, '_>) {
    name_is(checker, action, "send_location");
}

pub(super) fn address_message(checker: &mut Checker, action: At<'_, '_>) {
    let Some(object) = named(checker, action, "address_message") else { return };
    let at = At { object, path: &action.path.key("parameters") };
    checker.text(at, "country", 2);
    checker.optional_object(at, "values");
    checker.optional_list(at, "saved_addresses", 0, usize::MAX);
    checker.optional_object(at, "validation_errors");
}

pub(super) fn call_permission_request(checker: &mut Checker, action: At<'_, '_>) {
    name_is(checker, action, "call_permission_request");
}

pub(super) fn request_contact_info(checker: &mut Checker, action: At<'_, '_>) {
    name_is(checker, action, "request_contact_info");
}

pub(super) fn voice_call(checker: &mut Checker, action: At<'_, '_>) {
    name_is(checker, action, "voice_call");
    let Some(object) = checker.optional_object(action, "parameters") else { return };
    let at = At { object, path: &action.path.key("parameters") };
    checker.optional_text(at, "display_text", BUTTON_TITLE);
    if let Some(minutes) = at.member("ttl_minutes")
        && !minutes.as_u64().is_some_and(|minutes| (1..=LONGEST_CALL_BUTTON).contains(&minutes))
    {
        let path = at.path.key("ttl_minutes");
        let message = format!("{path} must be a number of minutes from 1 to {LONGEST_CALL_BUTTON}");
        checker.wrong(&path, rule::OUT_OF_RANGE, message);
    }
}

pub(super) fn order_details(checker: &mut Checker, action: At<'_, '_>) {
    let Some(object) = named(checker, action, "review_and_pay") else { return };
    let at = At { object, path: &action.path.key("parameters") };
    checker.text(at, "reference_id", plain::ID);
    checker.text(at, "currency", 3);
    for member in ["total_amount", "order"] {
        checker.object(at, member);
    }
}

pub(super) fn order_status(checker: &mut Checker, action: At<'_, '_>) {
    let Some(object) = named(checker, action, "review_order") else { return };
    let at = At { object, path: &action.path.key("parameters") };
    checker.text(at, "reference_id", plain::ID);
    if let Some(object) = checker.object(at, "order") {
        checker.text(At { object, path: &at.path.key("order") }, "status", plain::ID);
    }
}
