//! Reads control bodies member by member, so that a complaint can name the member.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};
use std::fmt;

#[derive(Debug)]
pub(super) struct Problem {
    status: u16,
    field: Option<String>,
    message: String,
}

impl Problem {
    pub(super) fn new(status: u16, field: Option<String>, message: impl fmt::Display) -> Self {
        Self { status, field, message: message.to_string() }
    }

    pub(super) fn unknown(field: &str, what: &str) -> Self {
        Self::new(404, Some(field.to_owned()), format!("{field}: there is no such {what}"))
    }

    pub(super) fn at(path: &str, why: &str) -> Self {
        Self::new(422, Some(path.to_owned()), format!("{path} {why}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut error = json!({"message": self.message});
        if let Some(field) = &self.field {
            error["field"] = json!(field);
        }
        HttpResponse::build(self.status_code()).json(json!({"error": error}))
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(400, None, format!("the body is not JSON: {error}")))
}

/// An object and where it is in the body. Members that are null count as absent.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, known: &[&str]) -> Result<Self, Problem> {
        Self::within(value, String::new(), known)
    }

    pub(super) fn within(value: &'a Value, path: String, known: &[&str]) -> Result<Self, Problem> {
        let Some(object) = value.as_object() else {
            let name = if path.is_empty() { "the body" } else { &path };
            return Err(Problem::at(name, "must be an object"));
        };
        let fields = Self { object, path };
        if let Some(stranger) = object.keys().find(|key| !known.contains(&key.as_str())) {
            let known = known.join(", ");
            return Err(Problem::at(
                &fields.path_of(stranger),
                &format!("is not known here; known are: {known}"),
            ));
        }
        Ok(fields)
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn problem(&self, key: &str, why: &str) -> Problem {
        Problem::at(&self.path_of(key), why)
    }

    /// Numbers are taken for text too: ids are easily written without quotes.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(self.problem(key, "must be a string")),
        }
    }

    pub(super) fn required_text(&self, key: &str) -> Result<String, Problem> {
        self.text(key)?.filter(|text| !text.is_empty()).ok_or_else(|| self.problem(key, "is required"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Problem> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.problem(key, "must be true or false")),
        }
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, Problem> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| self.problem(key, "must be a whole number, 0 or more"))
            }
        }
    }

    pub(super) fn probability(&self, key: &str) -> Result<Option<f64>, Problem> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
                Some(number) => Ok(Some(number)),
                None => Err(self.problem(key, "must be a number from 0 to 1")),
            },
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a [Value], Problem> {
        match self.value(key) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.problem(key, "must be a list")),
        }
    }
}
