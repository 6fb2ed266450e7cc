//! Cards side by side: all with media, or all of one catalogue.

use serde_json::Value;

use super::interactive::{header_of, small_text};
use super::{At, Checker, Path, interactive_action, rule};

const CARD_BODY: usize = 160;
const BUTTON_TITLE: usize = 20;
const BUTTON_ID: usize = 256;

pub(super) fn cards(checker: &mut Checker, action: At<'_, '_>) {
    let cards = checker.list(action, "cards", 2, 10);
    let list_path = action.path.key("cards");
    for (index, card) in cards.iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(card, &path) else { continue };
        let at = At { object, path: &path };
        same_as_first(checker, (card, &path), cards.first(), "/header/type", "header.type");
        same_as_first(checker, (card, &path), cards.first(), "/action/catalog_id", "action.catalog_id");
        if at.member("type").and_then(Value::as_str) == Some("product") {
            if let Some(object) = checker.object(at, "action") {
                interactive_action::product(checker, At { object, path: &path.key("action") });
            }
        } else {
            media_card(checker, at);
        }
    }
}

fn same_as_first(
    checker: &mut Checker,
    card: (&Value, &Path<'_>),
    first: Option<&Value>,
    pointer: &str,
    name: &str,
) {
    let (card, path) = card;
    if first.and_then(|first| first.pointer(pointer)) != card.pointer(pointer) {
        let path = path.key(name);
        checker.wrong(
            &path,
            rule::NOT_ALLOWED,
            format!("{path} differs from the first card: all must be alike"),
        );
    }
}

fn media_card(checker: &mut Checker, card: At<'_, '_>) {
    if let Some(object) = checker.object(card, "header") {
        header_of(checker, At { object, path: &card.path.key("header") }, &["image", "video"]);
    }
    small_text(checker, card, "body", CARD_BODY);
    let Some(object) = checker.object(card, "action") else { return };
    let action = At { object, path: &card.path.key("action") };
    if action.member("buttons").is_some() {
        quick_replies(checker, action);
    } else {
        interactive_action::cta_url(checker, action);
    }
}

fn quick_replies(checker: &mut Checker, action: At<'_, '_>) {
    let list_path = action.path.key("buttons");
    for (index, button) in checker.list(action, "buttons", 1, 3).iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(button, &path) else { continue };
        let at = At { object, path: &path };
        let Some(object) = checker.optional_object(at, "quick_reply") else { continue };
        let reply = At { object, path: &path.key("quick_reply") };
        checker.text(reply, "id", BUTTON_ID);
        checker.text(reply, "title", BUTTON_TITLE);
    }
}
