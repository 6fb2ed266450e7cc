//! What is wrong with one field of a request, in words that name the remedy.

use serde::Serialize;

/// One entry of `errors` in an answer: which field, by its path, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Path from the root of the request body, such as `message.text.body` or `message.contacts[0].name`.
    pub field: String,
    /// Stable name of the rule that was broken, such as `too_long`.
    pub rule: &'static str,
    /// For a person: what is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.into(), rule, message: message.into() }
    }

    /// The same error, for a body that stands deeper in the request.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.field =
            if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        self
    }
}
