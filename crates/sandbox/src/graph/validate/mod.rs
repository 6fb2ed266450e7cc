//! What Meta checks before it accepts a message. Members it does not know are let through, as Meta does.

mod interactive;
mod template;

use super::error::GraphError;
use serde_json::{Map, Value};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ReadMark,
    Message { reaction: bool, template: bool },
}

type Object = Map<String, Value>;
type Checked<T = ()> = Result<T, GraphError>;

const TYPES: [&str; 12] = [
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "pin",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
];

pub(super) fn message(body: &Object) -> Checked<Kind> {
    match body.get("messaging_product").and_then(Value::as_str) {
        Some("whatsapp") => {}
        Some(_) => return Err(GraphError::parameter("Param messaging_product must be one of {WHATSAPP}")),
        None => return Err(GraphError::parameter("The parameter messaging_product is required.")),
    }
    if let Some(status) = body.get("status") {
        return read_mark(body, status);
    }
    if let Some(kind) = body.get("recipient_type").filter(|kind| !kind.is_null())
        && !matches!(kind.as_str(), Some("individual" | "group"))
    {
        return Err(GraphError::parameter("Param recipient_type must be one of {INDIVIDUAL, GROUP}"));
    }
    optional_text(body, "", "biz_opaque_callback_data", 512)?;
    if let Some(context) = body.get("context").filter(|context| !context.is_null()) {
        wamid(as_object(context, "context")?, "context")?;
    }
    let kind = match body.get("type") {
        None | Some(Value::Null) => "text",
        Some(kind) => TYPES.iter().find(|known| kind.as_str() == Some(known)).copied().ok_or_else(|| {
            let known = TYPES.map(str::to_uppercase).join(", ");
            GraphError::parameter_with_text(
                format!("Param type must be one of {{{known}}}"),
                "Unknown message type.",
            )
        })?,
    };
    if kind == "contacts" {
        contacts(body)?;
    } else {
        let content = object(body, "", kind)?;
        plain(kind, content)?;
    }
    if kind == "reaction" && body.get("context").is_some_and(|context| !context.is_null()) {
        return Err(invalid("context", "cannot be used with a reaction"));
    }
    Ok(Kind::Message { reaction: kind == "reaction", template: kind == "template" })
}

fn read_mark(body: &Object, status: &Value) -> Checked<Kind> {
    if status.as_str() != Some("read") {
        return Err(GraphError::parameter("Param status must be one of {READ}"));
    }
    wamid(body, "")?;
    if let Some(typing) = body.get("typing_indicator") {
        let typing = as_object(typing, "typing_indicator")?;
        if typing.get("type").and_then(Value::as_str) != Some("text") {
            return Err(invalid("typing_indicator.type", "must be text"));
        }
    }
    Ok(Kind::ReadMark)
}

fn plain(kind: &str, content: &Object) -> Checked {
    match kind {
        "text" => text(content, kind, "body", 4096).map(drop),
        "image" | "video" => media(content, kind, true),
        "document" => media(content, kind, true).and_then(|()| optional_text(content, kind, "filename", 240)),
        "audio" | "sticker" => media(content, kind, false),
        "location" => {
            coordinate(content, "latitude", 90.0).and_then(|()| coordinate(content, "longitude", 180.0))
        }
        "reaction" => {
            wamid(content, kind)?;
            match content.get("emoji") {
                Some(Value::String(emoji)) if emoji.chars().count() <= 16 => Ok(()),
                Some(_) => Err(invalid("reaction.emoji", "must be one emoji, or empty to take it back")),
                None => Err(missing("reaction.emoji")),
            }
        }
        "pin" => wamid(content, kind),
        "interactive" => interactive::check(content),
        _ => template::check(content),
    }
}

/// Exactly one of `id` and `link`.
fn media(content: &Object, path: &str, caption: bool) -> Checked {
    let given = |key: &str| content.get(key).is_some_and(|value| !value.is_null());
    match (given("id"), given("link")) {
        (true, true) => return Err(invalid(path, "takes either id or link, not both")),
        (false, false) => return Err(missing(&format!("{path}.id or {path}.link"))),
        (true, false) => {
            let id = &content["id"];
            if id.as_str().is_none_or(str::is_empty) && !id.is_u64() {
                return Err(invalid(&format!("{path}.id"), "is not a media id"));
            }
        }
        (false, true) => link(content, path, "link")?,
    }
    if !caption && given("caption") {
        return Err(invalid(&format!("{path}.caption"), "is not allowed for this type"));
    }
    optional_text(content, path, "caption", 1024)
}

fn coordinate(content: &Object, key: &str, most: f64) -> Checked {
    let value = content.get(key).ok_or_else(|| missing(&format!("location.{key}")))?;
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match number {
        Some(number) if number.abs() <= most => Ok(()),
        _ => Err(invalid(&format!("location.{key}"), "is not a coordinate")),
    }
}

fn contacts(body: &Object) -> Checked {
    let contacts = body.get("contacts").ok_or_else(|| missing("contacts"))?;
    let contacts = contacts.as_array().filter(|list| (1..=257).contains(&list.len()));
    for (index, contact) in
        contacts.ok_or_else(|| invalid("contacts", "must be a list of 1 to 257"))?.iter().enumerate()
    {
        let path = format!("contacts[{index}]");
        let name = object(as_object(contact, &path)?, &path, "name")?;
        let path = format!("{path}.name");
        text(name, &path, "formatted_name", 1024)?;
        let parts = ["first_name", "last_name", "middle_name", "prefix", "suffix"];
        if !parts.iter().any(|part| name.get(*part).is_some_and(Value::is_string)) {
            return Err(missing(&format!("{path}.first_name or another part of the name")));
        }
    }
    Ok(())
}

fn wamid(content: &Object, path: &str) -> Checked {
    let id = text(content, path, "message_id", 128)?;
    if id.starts_with("wamid.") {
        Ok(())
    } else {
        Err(invalid(&join(path, "message_id"), "is not a message id"))
    }
}

fn link(content: &Object, path: &str, key: &str) -> Checked {
    let address = text(content, path, key, 2000)?;
    if crate::config::is_http_url(address) { Ok(()) } else { Err(invalid(&join(path, key), "is not a URL")) }
}

/// A text that has to be there and not empty.
fn text<'a>(content: &'a Object, path: &str, key: &str, most: usize) -> Checked<&'a str> {
    let value = content.get(key).ok_or_else(|| missing(&join(path, key)))?;
    let text = value.as_str().ok_or_else(|| invalid(&join(path, key), "must be text"))?;
    if text.is_empty() {
        return Err(missing(&join(path, key)));
    }
    fits(text, &join(path, key), most)?;
    Ok(text)
}

fn optional_text(content: &Object, path: &str, key: &str, most: usize) -> Checked {
    match content.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) => fits(text, &join(path, key), most),
        Some(_) => Err(invalid(&join(path, key), "must be text")),
    }
}

fn fits(text: &str, path: &str, most: usize) -> Checked {
    if text.len() <= most || text.chars().count() <= most {
        Ok(())
    } else {
        Err(invalid(path, &format!("is longer than {most} characters")))
    }
}

fn object<'a>(content: &'a Object, path: &str, key: &str) -> Checked<&'a Object> {
    match content.get(key) {
        None | Some(Value::Null) => Err(missing(&join(path, key))),
        Some(value) => as_object(value, &join(path, key)),
    }
}

fn list<'a>(content: &'a Object, path: &str, key: &str, least: usize, most: usize) -> Checked<&'a [Value]> {
    let value = content.get(key).ok_or_else(|| missing(&join(path, key)))?;
    let list = value.as_array().filter(|list| (least..=most).contains(&list.len()));
    list.map(Vec::as_slice)
        .ok_or_else(|| invalid(&join(path, key), &format!("must be a list of {least} to {most}")))
}

fn as_object<'a>(value: &'a Value, path: &str) -> Checked<&'a Object> {
    value.as_object().ok_or_else(|| invalid(path, "must be an object"))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Graph complains about top-level parameters itself; what is inside them is WhatsApp's business.
fn missing(path: &str) -> GraphError {
    if path.contains('.') {
        GraphError::known(131_008, format!("{path} is missing"))
    } else {
        GraphError::parameter(format!("The parameter {path} is required."))
    }
}

fn invalid(path: &str, why: &str) -> GraphError {
    GraphError::known(131_009, format!("{path} {why}"))
}

#[cfg(test)]
mod tests;
