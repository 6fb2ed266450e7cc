//! Bodies, queries and path members of the API: read with limits, and refused by the name of the field.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use bytes::Bytes;
use domain::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::error::{Code, Problem};
use super::limits::API_BODY;
use super::state::AppState;

/// A JSON body, with the bytes it came in.
#[derive(Debug)]
pub struct Json<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = body(&request, payload).await?;
            if !is_json(request.headers()) {
                return Err(
                    Problem::new(Code::UnsupportedMedia).with_detail("send content-type: application/json")
                );
            }
            Ok(Self { value: read(&bytes)?, bytes })
        })
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub struct JsonOrNothing<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for JsonOrNothing<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = body(&request, payload).await?;
            let value = if bytes.is_empty() { T::default() } else { read(&bytes)? };
            Ok(Self { value, bytes })
        })
    }
}

/// A body that is not looked at, but belongs to what an idempotency key stands for.
#[derive(Debug)]
pub struct Ignored(pub Bytes);

impl FromRequest for Ignored {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { body(&request, payload).await.map(Self) })
    }
}

async fn body(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let state = request.app_data::<web::Data<AppState>>().ok_or(Problem::new(Code::Internal))?;
    state.limits.read(payload, request.headers(), API_BODY).await
}

/// A client that names no type is believed to send what the API takes.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A list would be taken for the members of an object in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| problem_of("", &error))?;
        return Err(Problem::field("body", "wrong_type", "the body must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner());
        let broken = error.classify() != Category::Data;
        if broken && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
            return not_taken(&path);
        }
        problem_of(&path, error)
    })?;
    reader.end().map_err(|error| problem_of("", &error))?;
    Ok(value)
}

/// A value that serde_json calls broken JSON and that is none of it: an object where a word is expected, a number that
/// no machine holds.
fn not_taken(path: &str) -> Problem {
    let field = if path.is_empty() || path == "." { "body" } else { path };
    Problem::field(field, "invalid", format!("{field} has a value that is not taken here"))
}

fn problem_of(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() == Category::Data {
        let (field, rule, message) = field_of(path, &without_position(&error.to_string()));
        return Problem::field(field, rule, message);
    }
    let (line, column) = (error.line(), error.column());
    Problem::new(Code::MalformedJson)
        .with_detail(format!("the body is not JSON at line {line} column {column}"))
}

/// The field that serde complains about. A missing one is told by its parent; its name stands in the text.
fn field_of(path: &str, text: &str) -> (String, &'static str, String) {
    let parent = if path == "." { "" } else { path };
    if let Some(name) = quoted_behind(text, "missing field ") {
        let field = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let message = format!("{field} is missing");
        return (field, "required", message);
    }
    if let Some(name) = quoted_behind(text, "duplicate field ") {
        let field = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let message = format!("{field} is there twice");
        return (field, "duplicate", message);
    }
    if let Some(name) = quoted_behind(text, "unknown field ") {
        let known = parent == name || parent.ends_with(&format!(".{name}"));
        let field = if known || parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let field = if known { parent.to_owned() } else { field };
        let message = format!("there is no field {field}: check its spelling");
        return (field, "unknown_field", message);
    }
    let field = if parent.is_empty() { "body".to_owned() } else { parent.to_owned() };
    let rule = if text.starts_with("invalid type") { "wrong_type" } else { "invalid" };
    let message = format!("{field}: {}", without_value(text));
    (field, rule, message)
}

fn quoted_behind<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_prefix('`')?.split('`').next()
}

fn without_position(text: &str) -> Cow<'_, str> {
    text.rfind(" at line ").map_or(Cow::Borrowed(text), |at| Cow::Borrowed(&text[..at]))
}

/// What was sent is not repeated: it may be a number or a secret, and the caller knows it.
fn without_value(text: &str) -> Cow<'_, str> {
    match text.split_once(", expected ") {
        Some((_, expected)) if expected.starts_with("struct ") => Cow::Borrowed("expected an object"),
        Some((_, expected)) => Cow::Owned(format!("expected {expected}")),
        None => Cow::Borrowed(text),
    }
}

/// The members of a query, taken one by one; what is left over is a mistake.
pub struct Query(Vec<(String, String)>);

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query")
    }
}

const LONGEST_PAGE: u32 = 200;
const USUAL_PAGE: u32 = 50;

impl Query {
    fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1).filter(|value| !value.is_empty())
    }

    pub fn parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: fmt::Display,
    {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| Problem::field(name, "invalid", format!("{name}: {error}")))
    }

    /// A time as RFC 3339 writes it.
    pub fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        serde_json::from_value(text.into()).map(Some).map_err(|_| {
            let message = format!("{name} must be an RFC 3339 time such as 2026-11-22T08:30:00Z");
            Problem::field(name, "invalid", message)
        })
    }

    /// How many entries an answer has at most.
    pub fn limit(&mut self) -> Result<u32, Problem> {
        let Some(text) = self.take("limit") else { return Ok(USUAL_PAGE) };
        let limit = text.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
        limit.ok_or_else(|| {
            Problem::field("limit", "out_of_range", format!("limit must be from 1 to {LONGEST_PAGE}"))
        })
    }

    /// Every value of this name: it may stand in a query more than once.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What was not taken.
    pub fn rest(self) -> Vec<(String, String)> {
        self.0
    }

    pub fn done(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("there is no parameter {name}: check its spelling");
                Err(Problem::field(name.clone(), "unknown_field", message))
            }
        }
    }
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::parse(request.query_string())))
    }
}

/// An id in a path. What cannot be an id names nothing.
pub fn named<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what goes wrong is looked at")]
    struct Order {
        id: String,
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what goes wrong is looked at")]
    struct Line {
        count: u32,
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    fn problem(text: &str) -> serde_json::Value {
        let problem = read::<Order>(text.as_bytes()).unwrap_err();
        let bytes = actix_web::body::MessageBody::try_into_bytes(problem.response(None).into_body()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn what_is_no_json_is_400_with_its_place() {
        for (text, place) in [
            ("{\"id\":", "line 1 column 6"),
            ("", "line 1 column 0"),
            ("{\"id\":\"a\",\n\"lines\":[]}}", "line 2 column 12"),
            ("[1,", "line 1 column 3"),
        ] {
            let problem = problem(text);
            assert_eq!(problem["status"], 400, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains(place), "{problem}");
        }
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        for (text, field, rule) in [
            (r#"{"id":"a","lines":[{"count":"many"}]}"#, "lines[0].count", "wrong_type"),
            (r#"{"id":"a","lines":[{"count":-1}]}"#, "lines[0].count", "invalid"),
            (r#"{"id":"a","lines":[{}]}"#, "lines[0].count", "required"),
            (r#"{"id":"a","lines":[{"count":1,"colour":"blue"}]}"#, "lines[0].colour", "invalid"),
            (r#"{"id":"a","lines":[{"count":1,"colour":{}}]}"#, "lines[0].colour", "invalid"),
            (r#"{"id":"a","lines":[{"count":1,"colour":[]}]}"#, "lines[0].colour", "invalid"),
            (r#"{"id":"a","lines":[{"count":1e999}]}"#, "lines[0].count", "invalid"),
            (r#"{"lines":[]}"#, "id", "required"),
            (r#"{"id":"a","lines":[],"colour":1}"#, "colour", "unknown_field"),
            (r#"{"id":"a","lines":[{"count":1,"size":2}]}"#, "lines[0].size", "unknown_field"),
            (r#"{"id":"a","id":"b","lines":[]}"#, "id", "duplicate"),
            (r#"{"id":"a","lines":[{"count":1,"count":2}]}"#, "lines[0].count", "duplicate"),
            (r#"["a",[]]"#, "body", "wrong_type"),
            (r#"{"id":"a","lines":["x"]}"#, "lines[0]", "wrong_type"),
        ] {
            let problem = problem(text);
            assert_eq!(problem["status"], 422, "{text}: {problem}");
            assert_eq!(problem["rules"][field][0], rule, "{text}: {problem}");
        }
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let problem = problem(r#"{"id":"a","lines":"+255712345678"}"#);
        assert!(!problem.to_string().contains("255712345678"), "{problem}");
    }

    #[test]
    fn a_body_nested_too_deeply_is_refused_and_not_followed() {
        let deep = format!("{{\"id\":{}", "[".repeat(100_000));
        assert!(matches!(problem(&deep)["status"].as_u64(), Some(400 | 422)));
        assert!(read::<serde_json::Value>("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_query_names_what_it_does_not_know() {
        let mut query = Query::parse("limit=7&business_id=duka-1&colour=red&after=");
        assert_eq!(query.limit(), Ok(7));
        assert_eq!(query.take("business_id").as_deref(), Some("duka-1"));
        assert_eq!(query.take("after"), None);
        assert!(query.done().is_err());
        for wrong in ["limit=0", "limit=201", "limit=many"] {
            assert!(Query::parse(wrong).limit().is_err(), "{wrong}");
        }
    }
}
