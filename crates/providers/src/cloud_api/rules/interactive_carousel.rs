//! Cards side by side: all with media, or all of one catalogue.

use serde_json::Value;

use super::interactive::{header_of, small_text};
use super::{At, Checker, Path, interactive_action, rule};

const CARD_BODY: usize = 160;
const MOST_LINE_BREAKS: usize = 2;
const BUTTON_TITLE: usize = 20;
const BUTTON_ID: usize = 256;

pub(super) fn cards(checker: &mut Checker, action: At<'_, '_>) {
    let cards = checker.list(action, "cards", 2, 10);
    let list_path = action.path.key("cards");
    for (index, card) in cards.iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(card, &path) else { continue };
        let at = At { object, path: &path };
        for member in ["type", "header.type", "action.catalog_id"] {
            same_as_first(checker, (card, &path), cards.first(), member);
        }
        if at.member("type").and_then(Value::as_str) == Some("product") {
            if let Some(object) = checker.object(at, "action") {
                interactive_action::product(checker, At { object, path: &path.key("action") });
            }
        } else {
            media_card(checker, at);
        }
    }
}

/// What is missing is complained about where it is needed.
fn same_as_first(checker: &mut Checker, card: (&Value, &Path<'_>), first: Option<&Value>, member: &str) {
    let (card, path) = card;
    let pointer = format!("/{}", member.replace('.', "/"));
    let (Some(own), first) = (card.pointer(&pointer), first.and_then(|first| first.pointer(&pointer))) else {
        return;
    };
    if first != Some(own) {
        let path = path.key(member);
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
    line_breaks(checker, card);
    let Some(object) = checker.object(card, "action") else { return };
    let action = At { object, path: &card.path.key("action") };
    if action.member("buttons").is_some() {
        quick_replies(checker, action);
    } else {
        interactive_action::cta_url(checker, action);
    }
}

fn line_breaks(checker: &mut Checker, card: At<'_, '_>) {
    let body = card.member("body").and_then(|body| body.get("text")?.as_str()).unwrap_or_default();
    if body.matches('\n').count() > MOST_LINE_BREAKS {
        let parent = card.path.key("body");
        let path = parent.key("text");
        let message = format!("{path} may have at most {MOST_LINE_BREAKS} line breaks");
        checker.wrong(&path, rule::WHITE_SPACE, message);
    }
}

fn quick_replies(checker: &mut Checker, action: At<'_, '_>) {
    let list_path = action.path.key("buttons");
    for (index, button) in checker.list(action, "buttons", 1, 3).iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(button, &path) else { continue };
        let at = At { object, path: &path };
        let Some(object) = checker.object(at, "quick_reply") else { continue };
        let reply = At { object, path: &path.key("quick_reply") };
        checker.text(reply, "id", BUTTON_ID);
        checker.text(reply, "title", BUTTON_TITLE);
    }
}
