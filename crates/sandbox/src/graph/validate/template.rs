//! Template messages, as far as they can be judged without the template itself.

use super::{Checked, Object, as_object, invalid, join, list, missing, object, text};
use serde_json::Value;

const PATH: &str = "template";
const COMPONENTS: [&str; 7] =
    ["header", "body", "footer", "button", "carousel", "limited_time_offer", "tap_target_configuration"];

pub(super) fn check(template: &Object) -> Checked {
    let name = text(template, PATH, "name", 512)?;
    if !name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_') {
        return Err(invalid("template.name", "may hold only small letters, digits and underscores"));
    }
    text(object(template, PATH, "language")?, "template.language", "code", 16)?;
    match template.get("components") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => components(template, PATH),
    }
}

fn components(of: &Object, path: &str) -> Checked {
    for (index, component) in list(of, path, "components", 0, 20)?.iter().enumerate() {
        let path = format!("{path}.components[{index}]");
        let component = as_object(component, &path)?;
        let kind = text(component, &path, "type", 64)?.to_ascii_lowercase();
        if !COMPONENTS.contains(&kind.as_str()) {
            return Err(invalid(&join(&path, "type"), "is not a known component"));
        }
        if kind == "button" {
            text(component, &path, "sub_type", 32)?;
            let index = component.get("index").ok_or_else(|| missing(&join(&path, "index")))?;
            if !index.is_u64() && index.as_str().is_none_or(|index| index.parse::<u8>().is_err()) {
                return Err(invalid(&join(&path, "index"), "must be a number"));
            }
        }
        if kind == "carousel" {
            for (index, card) in list(component, &path, "cards", 1, 10)?.iter().enumerate() {
                let path = format!("{path}.cards[{index}]");
                components(as_object(card, &path)?, &path)?;
            }
        } else if component.get("parameters").is_some_and(|parameters| !parameters.is_null()) {
            parameters(component, &path, &kind)?;
        }
    }
    Ok(())
}

fn parameters(component: &Object, path: &str, kind: &str) -> Checked {
    for (index, parameter) in list(component, path, "parameters", 0, 100)?.iter().enumerate() {
        let path = format!("{path}.parameters[{index}]");
        let parameter = as_object(parameter, &path)?;
        let of = text(parameter, &path, "type", 32)?;
        if of == "text" {
            let most = if kind == "header" { 60 } else { 32_768 };
            let value = text(parameter, &path, "text", most)?;
            if kind == "body" && (value.contains(['\n', '\t']) || value.contains("     ")) {
                return Err(invalid(
                    &join(&path, "text"),
                    "has a line break, a tab or more than four spaces in a row",
                ));
            }
        } else if !parameter.contains_key(of) {
            return Err(missing(&join(&path, of)));
        }
    }
    Ok(())
}
