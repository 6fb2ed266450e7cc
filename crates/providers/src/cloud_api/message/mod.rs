//! From a caller's JSON to a message that is ready to be kept and sent: checked, with one spelling of its recipient.

use domain::FieldError;
use domain::recipient::{Country, InvalidRecipient, Recipient, UserId, normalise};
use serde_json::{Map, Value};

use super::rules::{At, Checker, Path, check_content, longer_than, rule};

/// The longest `biz_opaque_callback_data`, in characters.
pub const LONGEST_OPAQUE: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Let types of message through that are not known here, unchecked.
    pub allow_unknown: bool,
}

/// A message that keeps the platform's rules, as far as they can be checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub recipient: Recipient,
    /// The message's `type`.
    pub kind: String,
    /// A compact JSON object, without `messaging_product` and `biz_opaque_callback_data`. A phone number stands
    /// in `to` in E.164 with its plus sign, a group in `to` as given, a user id in `recipient`.
    pub json: String,
    /// The caller's own `biz_opaque_callback_data`.
    pub opaque: Option<String>,
    /// The number was written in a way that is wrong but has one meaning, and was put right.
    pub corrected: bool,
    /// The number is certainly no mobile line.
    pub not_mobile: bool,
}

/// Checks a Cloud API message object and puts its recipient into one form.
///
/// `country` is the business's: its dialling rules apply to numbers without a country code. Members that are
/// not known are passed on untouched. The errors are all that were found, with paths from the message's root,
/// such as `interactive.action.buttons[1].reply.title`. Source of the limits: Meta's message reference, 2026.
pub fn prepare(
    mut message: Map<String, Value>,
    country: Country,
    options: Options,
) -> Result<Prepared, Vec<FieldError>> {
    let mut checker = Checker { errors: Vec::new(), allow_unknown: options.allow_unknown };
    let kind = kind_of(&mut checker, &message);
    common(&mut checker, &message);
    let addressee = addressee(&mut checker, &message, country);
    if let Some(kind) = &kind {
        check_content(&mut checker, At { object: &message, path: &Path::Root }, kind);
    }
    let (Some(kind), Some(addressee), true) = (kind, addressee, checker.errors.is_empty()) else {
        return Err(checker.errors);
    };
    let opaque = match message.remove("biz_opaque_callback_data") {
        Some(Value::String(opaque)) => Some(opaque),
        _ => None,
    };
    message.remove("messaging_product");
    if !message.contains_key("type") {
        message.insert("type".to_owned(), kind.clone().into());
    }
    let (member, other) = match addressee.recipient {
        Recipient::User(_) => ("recipient", "to"),
        Recipient::Phone(_) | Recipient::Group(_) => ("to", "recipient"),
    };
    let name = match &addressee.recipient {
        Recipient::Group(group) => group.as_str().to_owned(),
        recipient => recipient.to_string(),
    };
    message.remove(other);
    message.insert(member.to_owned(), name.into());
    Ok(Prepared {
        recipient: addressee.recipient,
        kind,
        json: Value::Object(message).to_string(),
        opaque,
        corrected: addressee.corrected,
        not_mobile: addressee.not_mobile,
    })
}

/// The platform takes a message without a type for a text.
fn kind_of(checker: &mut Checker, message: &Map<String, Value>) -> Option<String> {
    match message.get("type") {
        Some(Value::String(kind)) => Some(kind.clone()),
        None if message.contains_key("text") => Some("text".to_owned()),
        None => {
            let message = "type is missing: name the type of the message, such as text or template";
            checker.wrong(&Path::Root.key("type"), rule::REQUIRED, message);
            None
        }
        Some(_) => {
            let message = "type must be a text, such as \"text\" or \"template\"";
            checker.wrong(&Path::Root.key("type"), rule::WRONG_TYPE, message);
            None
        }
    }
}

fn common(checker: &mut Checker, message: &Map<String, Value>) {
    let at = At { object: message, path: &Path::Root };
    checker.optional_word(at, "messaging_product", &["whatsapp"]);
    checker.optional_word(at, "recipient_type", &["individual", "group"]);
    if let Some(object) = checker.optional_object(at, "context") {
        checker.text(At { object, path: &Path::Root.key("context") }, "message_id", 512);
    }
    checker.optional_text(at, "recipient_identity_key_hash", LONGEST_OPAQUE);
    checker.optional_text(at, "messaging_account_id", LONGEST_OPAQUE);
    checker.optional_bool(at, "message_activity_sharing");
    match message.get("biz_opaque_callback_data") {
        None | Some(Value::Null) => {}
        Some(Value::String(opaque)) if longer_than(opaque, LONGEST_OPAQUE).is_none() => {}
        Some(value) => {
            let path = Path::Root.key("biz_opaque_callback_data");
            let broken = if value.is_string() { rule::TOO_LONG } else { rule::WRONG_TYPE };
            checker.wrong(
                &path,
                broken,
                format!("{path} must be a text of at most {LONGEST_OPAQUE} characters"),
            );
        }
    }
}

struct Addressee {
    recipient: Recipient,
    corrected: bool,
    not_mobile: bool,
}

impl From<Recipient> for Addressee {
    fn from(recipient: Recipient) -> Self {
        Self { recipient, corrected: false, not_mobile: false }
    }
}

/// `to` wins where both are given, as on the platform.
fn addressee(checker: &mut Checker, message: &Map<String, Value>, country: Country) -> Option<Addressee> {
    let given = |name| message.get(name).filter(|value| !value.is_null());
    let (field, value) = match (given("to"), given("recipient")) {
        (Some(to), _) => ("to", to),
        (None, Some(recipient)) => ("recipient", recipient),
        (None, None) => {
            let message =
                "to is missing: write the recipient's phone number such as +255712345678, or their user id";
            checker.wrong(&Path::Root.key("to"), rule::REQUIRED, message);
            return None;
        }
    };
    let path = Path::Root.key(field);
    let Some(text) = value.as_str() else {
        let example = if field == "to" { "+255712345678" } else { "US.13491208655302741918" };
        let message = format!("{field} must be a text in quotes, such as \"{example}\"");
        checker.wrong(&path, rule::WRONG_TYPE, message);
        return None;
    };
    let for_a_group = message.get("recipient_type").and_then(Value::as_str) == Some("group");
    match read_addressee(field, text.trim(), for_a_group, country) {
        Ok(addressee) => Some(addressee),
        Err(invalid @ InvalidRecipient::Group(_)) => {
            checker.wrong(
                &path,
                invalid.rule(),
                "to names a group: write recipient_type group beside it if that is meant",
            );
            None
        }
        Err(invalid) => {
            checker.errors.push(invalid.in_field(field));
            None
        }
    }
}

fn read_addressee(
    field: &str,
    text: &str,
    for_a_group: bool,
    country: Country,
) -> Result<Addressee, InvalidRecipient> {
    if for_a_group {
        return text.parse().map(|group| Recipient::Group(group).into());
    }
    if field == "recipient" || looks_like_a_user_id(text) {
        return text.parse::<UserId>().map(|user| Recipient::User(user).into());
    }
    let found = normalise(text, country)?;
    Ok(Addressee { recipient: found.number.into(), corrected: found.corrected, not_mobile: found.not_mobile })
}

/// Two capital letters and a dot: no phone number is written so.
fn looks_like_a_user_id(text: &str) -> bool {
    matches!(text.as_bytes(), [b'A'..=b'Z', b'A'..=b'Z', b'.', ..])
}

#[cfg(test)]
mod tests;
