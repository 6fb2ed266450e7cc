//! The limits of the Cloud API, checked on the caller's JSON as it stands. Source: Meta's message reference, 2026.
//!
//! Each rule looks at what it knows and leaves everything else alone: an unknown member of a known object is
//! not an error, so that a new one works on the day Meta ships it.

mod contacts;
mod interactive;
mod interactive_action;
mod interactive_carousel;
mod plain;
mod template;
mod template_button;

use std::fmt;

use domain::FieldError;
use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// Names of the rules, as they appear in `rule` of a field error.
pub(crate) mod rule {
    pub(crate) const REQUIRED: &str = "required";
    pub(crate) const WRONG_TYPE: &str = "wrong_type";
    pub(crate) const TOO_LONG: &str = "too_long";
    pub(crate) const TOO_MANY: &str = "too_many";
    pub(crate) const TOO_FEW: &str = "too_few";
    pub(crate) const ONE_OF: &str = "one_of";
    pub(crate) const NOT_ALLOWED: &str = "not_allowed";
    pub(crate) const NOT_A_URL: &str = "not_a_url";
    pub(crate) const OUT_OF_RANGE: &str = "out_of_range";
    pub(crate) const DUPLICATE: &str = "duplicate";
    pub(crate) const UNKNOWN_TYPE: &str = "unknown_type";
    pub(crate) const UNKNOWN_VALUE: &str = "unknown_value";
    pub(crate) const WHITE_SPACE: &str = "white_space";
}

/// Where in the message we are. Written out only when something is wrong there.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, name: &'a str) -> Self {
        Self::Key(self, name)
    }

    pub(crate) fn index(&'a self, at: usize) -> Self {
        Self::Index(self, at)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, name) => f.write_str(name),
            Self::Key(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

/// An object and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct At<'a, 'p> {
    pub(crate) object: &'a Object,
    pub(crate) path: &'p Path<'p>,
}

impl<'a> At<'a, '_> {
    /// The member, unless it is absent or null.
    pub(crate) fn member(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }
}

/// Collects everything that is wrong, so that a caller can mend it in one go.
#[derive(Default)]
pub(crate) struct Checker {
    pub(crate) errors: Vec<FieldError>,
    pub(crate) allow_unknown: bool,
}

impl Checker {
    pub(crate) fn wrong(&mut self, path: &Path<'_>, rule: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError::new(path.to_string(), rule, message));
    }

    fn required(&mut self, path: &Path<'_>, what: &str) {
        self.wrong(path, rule::REQUIRED, format!("{path} is missing: it must be {what}"));
    }

    fn wrong_type(&mut self, path: &Path<'_>, expected: &str, found: &Value) {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.wrong(path, rule::WRONG_TYPE, format!("{path} is {found}: it must be {expected}"));
    }

    /// The object behind `name`. Absent is an error.
    pub(crate) fn object<'a>(&mut self, at: At<'a, '_>, name: &str) -> Option<&'a Object> {
        if at.member(name).is_none() {
            self.required(&at.path.key(name), "an object");
        }
        self.optional_object(at, name)
    }

    pub(crate) fn optional_object<'a>(&mut self, at: At<'a, '_>, name: &str) -> Option<&'a Object> {
        let value = at.member(name)?;
        if value.as_object().is_none() {
            self.wrong_type(&at.path.key(name), "an object", value);
        }
        value.as_object()
    }

    /// The list behind `name`, of `fewest` to `most` elements. Absent is an error.
    pub(crate) fn list<'a>(&mut self, at: At<'a, '_>, name: &str, fewest: usize, most: usize) -> &'a [Value] {
        if at.member(name).is_none() {
            self.required(&at.path.key(name), &format!("a list of {fewest} to {most} elements"));
        }
        self.optional_list(at, name, fewest, most)
    }

    pub(crate) fn optional_list<'a>(
        &mut self,
        at: At<'a, '_>,
        name: &str,
        fewest: usize,
        most: usize,
    ) -> &'a [Value] {
        let Some(value) = at.member(name) else { return &[] };
        let path = at.path.key(name);
        let Some(list) = value.as_array() else {
            self.wrong_type(&path, "a list", value);
            return &[];
        };
        let count = list.len();
        if count < fewest {
            self.wrong(
                &path,
                rule::TOO_FEW,
                format!("{path} has {count} elements: at least {fewest} are needed"),
            );
        } else if count > most {
            self.wrong(
                &path,
                rule::TOO_MANY,
                format!("{path} has {count} elements: at most {most} are allowed"),
            );
        }
        // What is beyond is not looked at: a million mistakes would make an answer of many times the request.
        &list[..count.min(most)]
    }

    /// An element of a list that has to be an object.
    pub(crate) fn element<'a>(&mut self, value: &'a Value, path: &Path<'_>) -> Option<&'a Object> {
        if value.as_object().is_none() {
            self.wrong_type(path, "an object", value);
        }
        value.as_object()
    }

    /// The text behind `name`, of 1 to `longest` characters. Absent or empty is an error.
    pub(crate) fn text<'a>(&mut self, at: At<'a, '_>, name: &str, longest: usize) -> Option<&'a str> {
        match at.member(name) {
            None => {
                self.required(&at.path.key(name), &format!("a text of 1 to {longest} characters"));
                None
            }
            Some(Value::String(text)) if text.is_empty() => {
                let path = at.path.key(name);
                self.wrong(
                    &path,
                    rule::REQUIRED,
                    format!("{path} is empty: it must be a text of 1 to {longest} characters"),
                );
                None
            }
            Some(_) => self.optional_text(at, name, longest),
        }
    }

    pub(crate) fn optional_text<'a>(
        &mut self,
        at: At<'a, '_>,
        name: &str,
        longest: usize,
    ) -> Option<&'a str> {
        let value = at.member(name)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(&at.path.key(name), "a text", value);
            return None;
        };
        if let Some(length) = longer_than(text, longest) {
            let path = at.path.key(name);
            self.wrong(
                &path,
                rule::TOO_LONG,
                format!("{path} has {length} characters: at most {longest} are allowed"),
            );
        }
        Some(text)
    }

    pub(crate) fn optional_bool(&mut self, at: At<'_, '_>, name: &str) {
        if let Some(value) = at.member(name)
            && !value.is_boolean()
        {
            self.wrong_type(&at.path.key(name), "true or false", value);
        }
    }

    /// A number behind `name`, which is `what`. Absent is an error.
    pub(crate) fn number(&mut self, at: At<'_, '_>, name: &str, what: &str) {
        match at.member(name) {
            None => self.required(&at.path.key(name), what),
            Some(Value::Number(_)) => {}
            Some(other) => self.wrong_type(&at.path.key(name), what, other),
        }
    }

    /// A web address behind `name`, with http or https.
    pub(crate) fn url(&mut self, at: At<'_, '_>, name: &str) {
        let Some(text) = self.text(at, name, LONGEST_URL) else { return };
        let web = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !web {
            let path = at.path.key(name);
            self.wrong(
                &path,
                rule::NOT_A_URL,
                format!("{path} must be a whole address that starts with https:// or http://"),
            );
        }
    }

    pub(crate) fn not_allowed(&mut self, at: At<'_, '_>, name: &str, why: &str) {
        if at.member(name).is_some() {
            let path = at.path.key(name);
            self.wrong(&path, rule::NOT_ALLOWED, format!("{path} is not allowed: {why}"));
        }
    }

    /// One of a closed set of words behind `name`. Absent is an error.
    pub(crate) fn word(&mut self, at: At<'_, '_>, name: &str, words: &[&str]) {
        if at.member(name).is_none() {
            self.required(&at.path.key(name), &format!("one of {}", words.join(", ")));
        }
        self.optional_word(at, name, words);
    }

    /// One of a closed set of words behind `name`. Absent is no error.
    pub(crate) fn optional_word(&mut self, at: At<'_, '_>, name: &str, words: &[&str]) {
        let Some(value) = at.member(name) else { return };
        let path = at.path.key(name);
        match value.as_str() {
            None => self.wrong_type(&path, "a text", value),
            Some(word) if words.contains(&word) => {}
            Some(_) => {
                self.wrong(
                    &path,
                    rule::UNKNOWN_VALUE,
                    format!("{path} must be one of: {}", words.join(", ")),
                );
            }
        }
    }
}

/// The longest address browsers and servers can be expected to carry.
const LONGEST_URL: usize = 2_048;

/// The length of a text that is too long, counted as WhatsApp counts: in UTF-16 code units.
pub(crate) fn longer_than(text: &str, longest: usize) -> Option<usize> {
    // Never fewer bytes than UTF-16 code units.
    if text.len() <= longest {
        return None;
    }
    let length = text.encode_utf16().count();
    (length > longest).then_some(length)
}

type Rule = fn(&mut Checker, At<'_, '_>);

/// Every type of message that is known, and the rule for the member of the same name.
const TYPES: &[(&str, Rule)] = &[
    ("text", plain::text),
    ("image", plain::image),
    ("audio", plain::audio),
    ("video", plain::video),
    ("document", plain::document),
    ("sticker", plain::sticker),
    ("location", plain::location),
    ("contacts", contacts::contacts),
    ("reaction", plain::reaction),
    ("interactive", interactive::interactive),
    ("template", template::template),
    ("pin", plain::pin),
];

/// Checks the member that a message's `type` names.
pub(crate) fn check_content(checker: &mut Checker, message: At<'_, '_>, kind: &str) {
    if let Some((_, rule)) = TYPES.iter().find(|(name, _)| *name == kind) {
        rule(checker, message);
    } else if !checker.allow_unknown {
        let known: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        checker.wrong(
            &message.path.key("type"),
            rule::UNKNOWN_TYPE,
            format!("type is not a known type of message: it must be one of {}", known.join(", ")),
        );
    }
}
