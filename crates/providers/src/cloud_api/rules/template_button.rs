//! What fills the buttons of a template.

use serde_json::Value;

use super::interactive_action::product_sections;
use super::template::parameters;
use super::{At, Checker, plain, rule};

const COUPON: usize = 15;
const URL_SUFFIX: usize = 2_000;
const PAYLOAD: usize = 256;
const PLACE: &str = "the place of the button, from 0";
const LAST_BUTTON: u64 = 9;

pub(super) fn button(checker: &mut Checker, at: At<'_, '_>) {
    index(checker, at);
    let Some(kind) = checker.text(at, "sub_type", plain::ID) else { return };
    match kind.to_ascii_lowercase().as_str() {
        "quick_reply" => parameters(checker, at, |checker, at, kind| {
            if kind == "payload" {
                checker.text(at, "payload", PAYLOAD);
            }
        }),
        "url" => parameters(checker, at, |checker, at, kind| {
            if kind == "text" {
                checker.text(at, "text", URL_SUFFIX);
            }
        }),
        "copy_code" => parameters(checker, at, |checker, at, kind| {
            if kind == "coupon_code" {
                checker.text(at, "coupon_code", COUPON);
            }
        }),
        "flow" | "catalog" => parameters(checker, at, |checker, at, kind| {
            if kind == "action" {
                checker.object(at, "action");
            }
        }),
        "mpm" => parameters(checker, at, |checker, at, kind| {
            if kind == "action"
                && let Some(object) = checker.object(at, "action")
            {
                product_sections(checker, At { object, path: &at.path.key("action") });
            }
        }),
        _ => parameters(checker, at, |_, _, _| ()),
    }
}

/// Official examples write it as a number and as a text.
fn index(checker: &mut Checker, at: At<'_, '_>) {
    let path = at.path.key("index");
    let index = match at.member("index") {
        None => return checker.required(&path, PLACE),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.as_u64(),
        Some(other) => return checker.wrong_type(&path, PLACE, other),
    };
    if index.is_none_or(|index| index > LAST_BUTTON) {
        let message = format!("{path} must be the place of the button, from 0 to {LAST_BUTTON}");
        checker.wrong(&path, rule::OUT_OF_RANGE, message);
    }
}
