//! Templates: the name, the language and what fills the places. Whether they fit the template is Meta's to say.

use super::{At, Checker, Path, plain, rule, template_button};

const NAME: usize = 512;
const LANGUAGE: usize = 16;
const HEADER_TEXT: usize = 60;
/// A body that stands alone may be this long; with other components the whole is 1024, which only Meta can count.
const BODY_TEXT: usize = 32_768;
const MOST_COMPONENTS: usize = 50;
const MOST_PARAMETERS: usize = 100;
/// More spaces than these in a row are refused.
const MOST_SPACES: usize = 4;

pub(super) fn template(checker: &mut Checker, message: At<'_, '_>) {
    let Some(object) = checker.object(message, "template") else { return };
    let at = At { object, path: &message.path.key("template") };
    checker.text(at, "name", NAME);
    if let Some(object) = checker.object(at, "language") {
        checker.text(At { object, path: &at.path.key("language") }, "code", LANGUAGE);
    }
    components(checker, at, true);
}

fn components(checker: &mut Checker, parent: At<'_, '_>, outermost: bool) {
    let list_path = parent.path.key("components");
    for (index, component) in
        checker.optional_list(parent, "components", 0, MOST_COMPONENTS).iter().enumerate()
    {
        let path = list_path.index(index);
        let Some(object) = checker.element(component, &path) else { continue };
        let at = At { object, path: &path };
        let Some(kind) = checker.text(at, "type", plain::ID) else { continue };
        match kind.to_ascii_lowercase().as_str() {
            "header" => parameters(checker, at, header_parameter),
            "body" => parameters(checker, at, body_parameter),
            "button" => template_button::button(checker, at),
            "carousel" if outermost => carousel(checker, at),
            "limited_time_offer" => parameters(checker, at, limited_time_offer),
            _ => parameters(checker, at, |_, _, _| ()),
        }
    }
}

fn carousel(checker: &mut Checker, component: At<'_, '_>) {
    let list_path = component.path.key("cards");
    for (index, card) in checker.list(component, "cards", 1, 10).iter().enumerate() {
        let path = list_path.index(index);
        if let Some(object) = checker.element(card, &path) {
            components(checker, At { object, path: &path }, false);
        }
    }
}

/// Every parameter of the component that is an object with a `type`, by that type.
pub(super) fn parameters(
    checker: &mut Checker,
    component: At<'_, '_>,
    rule: fn(&mut Checker, At<'_, '_>, &str),
) {
    let list_path = component.path.key("parameters");
    let list = checker.optional_list(component, "parameters", 0, MOST_PARAMETERS);
    for (index, parameter) in list.iter().enumerate() {
        let path = list_path.index(index);
        let Some(object) = checker.element(parameter, &path) else { continue };
        let at = At { object, path: &path };
        if let Some(kind) = checker.text(at, "type", plain::ID) {
            rule(checker, at, &kind.to_ascii_lowercase());
        }
    }
}

fn header_parameter(checker: &mut Checker, at: At<'_, '_>, kind: &str) {
    match kind {
        "text" => {
            checker.text(at, "text", HEADER_TEXT);
        }
        "image" | "video" | "document" | "gif" => plain::media(checker, at, kind),
        "location" => plain::location(checker, at),
        "product" => {
            if let Some(object) = checker.object(at, "product") {
                checker.text(At { object, path: &at.path.key("product") }, "product_retailer_id", plain::ID);
            }
        }
        _ => {}
    }
}

fn body_parameter(checker: &mut Checker, at: At<'_, '_>, kind: &str) {
    match kind {
        "text" => {
            checker.optional_text(at, "parameter_name", NAME);
            if let Some(text) = checker.text(at, "text", BODY_TEXT) {
                white_space(checker, &at.path.key("text"), text);
            }
        }
        "currency" => {
            let Some(object) = checker.object(at, "currency") else { return };
            let currency = At { object, path: &at.path.key("currency") };
            checker.text(currency, "fallback_value", HEADER_TEXT);
            checker.text(currency, "code", 3);
            checker.number(currency, "amount_1000", "the amount times 1000, as a whole number");
        }
        "date_time" => {
            if let Some(object) = checker.object(at, "date_time") {
                checker.text(At { object, path: &at.path.key("date_time") }, "fallback_value", HEADER_TEXT);
            }
        }
        _ => {}
    }
}

/// What fills a place has to stay on one line: Meta refuses anything else.
fn white_space(checker: &mut Checker, path: &Path<'_>, text: &str) {
    let mut spaces = 0;
    let broken = text.chars().any(|character| {
        spaces = if character == ' ' { spaces + 1 } else { 0 };
        matches!(character, '\n' | '\r' | '\t') || spaces > MOST_SPACES
    });
    if broken {
        let message =
            format!("{path} may not have new lines, tabs or more than {MOST_SPACES} spaces in a row");
        checker.wrong(path, rule::WHITE_SPACE, message);
    }
}

fn limited_time_offer(checker: &mut Checker, at: At<'_, '_>, kind: &str) {
    if kind != "limited_time_offer" {
        return;
    }
    let Some(object) = checker.object(at, "limited_time_offer") else { return };
    let offer = At { object, path: &at.path.key("limited_time_offer") };
    checker.number(offer, "expiration_time_ms", "a time in milliseconds since 1970");
}
