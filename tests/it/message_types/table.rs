//! A type of message as the tests see it: two that are right, and what one change makes of the full one.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// An id of Meta's, which is passed on as it is.
pub(super) const WAMID: &str = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI=";

/// Places are JSON pointers into the full message.
pub(super) struct Type {
    pub(super) minimal: Value,
    pub(super) full: Value,
    /// Without any of these it is refused, and with `true` in the place too.
    pub(super) required: &'static [&'static str],
    /// The most characters of each text.
    pub(super) texts: &'static [(&'static str, usize)],
    /// Changes that leave it right.
    pub(super) right: Vec<(&'static str, Value)>,
    pub(super) wrong: Vec<Wrong>,
}

/// A change, the field that is complained about, and the rule that it broke.
pub(super) struct Wrong {
    at: &'static str,
    value: Value,
    field: String,
    rule: &'static str,
}

/// What is changed is what is complained about.
pub(super) fn wrong(at: &'static str, value: Value, rule: &'static str) -> Wrong {
    Wrong { at, value, field: field_of(at), rule }
}

pub(super) fn wrong_in(field: &str, at: &'static str, value: Value, rule: &'static str) -> Wrong {
    Wrong { at, value, field: field.to_owned(), rule }
}

pub(super) fn long(characters: usize) -> Value {
    "x".repeat(characters).into()
}

/// `count` times the same.
pub(super) fn many(count: usize, one: &Value) -> Value {
    vec![one.clone(); count].into()
}

/// A message that breaks exactly one rule.
pub(super) struct Refused {
    pub(super) message: Value,
    pub(super) field: String,
    pub(super) rule: &'static str,
}

impl Type {
    pub(super) fn accepted(&self) -> Vec<Value> {
        let mut messages = vec![self.minimal.clone(), self.full.clone()];
        messages.extend(self.texts.iter().map(|(at, most)| self.with(at, long(*most))));
        messages.extend(self.right.iter().map(|(at, value)| self.with(at, value.clone())));
        messages
    }

    pub(super) fn refused(&self) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut refuse = |message, field, rule| refused.push(Refused { message, field, rule });
        for at in self.required {
            refuse(self.without(at), field_of(at), "required");
            refuse(self.with(at, Value::Null), field_of(at), "required");
            refuse(self.with(at, json!(true)), field_of(at), "wrong_type");
        }
        for (at, most) in self.texts {
            refuse(self.with(at, long(most + 1)), field_of(at), "too_long");
            refuse(self.with(at, json!(7)), field_of(at), "wrong_type");
        }
        for Wrong { at, value, field, rule } in &self.wrong {
            refuse(self.with(at, value.clone()), field.clone(), rule);
        }
        refused
    }

    fn with(&self, at: &str, value: Value) -> Value {
        let mut message = self.full.clone();
        let (parent, name) = parent_of(&mut message, at);
        match parent {
            Value::Object(members) => {
                members.insert(name.to_owned(), value);
            }
            Value::Array(elements) => elements[name.parse::<usize>().expect("a place in the list")] = value,
            other => panic!("{at} is in {other}"),
        }
        message
    }

    fn without(&self, at: &str) -> Value {
        let mut message = self.full.clone();
        let (parent, name) = parent_of(&mut message, at);
        let gone = parent.as_object_mut().expect("an object").remove(name);
        assert!(gone.is_some(), "{at} is not in the full message");
        message
    }
}

fn parent_of<'a, 'b>(message: &'a mut Value, at: &'b str) -> (&'a mut Value, &'b str) {
    let (parent, name) = at.rsplit_once('/').expect("a pointer");
    (message.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")), name)
}

/// `/a/0/b` is `a[0].b` in an answer.
fn field_of(at: &str) -> String {
    let mut field = String::new();
    for part in at.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(field, "[{part}]");
        } else {
            field.push_str(if field.is_empty() { "" } else { "." });
            field.push_str(part);
        }
    }
    field
}
