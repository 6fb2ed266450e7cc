//! The table of public error codes, and the answer that carries one: problem details after RFC 9457.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use domain::FieldError;
use domain::contracts::store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($variant:ident = $word:literal, $status:ident, $retryable:literal, $title:literal;)*) => {
        /// What went wrong, by a word that does not change. One line of the table is one public error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// Whether the very same request may succeed later.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable),* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    BadRequest = "bad_request", BAD_REQUEST, false, "The request cannot be understood";
    MalformedJson = "malformed_json", BAD_REQUEST, false, "The body is not JSON";
    Unauthorized = "unauthorized", UNAUTHORIZED, false, "The API key is missing or not valid";
    InvalidSignature = "invalid_signature", UNAUTHORIZED, false, "The signature is missing or wrong";
    InsufficientScope = "insufficient_scope", FORBIDDEN, false, "The API key does not allow this";
    Forbidden = "forbidden", FORBIDDEN, false, "This is not allowed";
    NotFound = "not_found", NOT_FOUND, false, "There is no such thing";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false, "The address does not take this method";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, true, "The request did not arrive in time";
    IdempotencyConflict = "idempotency_conflict", CONFLICT, false, "The idempotency key was used for another request";
    StateConflict = "state_conflict", CONFLICT, false, "The present state does not allow this";
    NoConnection = "no_connection", CONFLICT, false, "The business has no connected number";
    ConnectionNotReady = "connection_not_ready", CONFLICT, true, "The number does not send at the moment";
    WindowClosed = "window_closed", CONFLICT, false, "The recipient has not written for 24 hours: only a template may be sent";
    TemplateNotApproved = "template_not_approved", CONFLICT, false, "The template is not there, or may not be sent now";
    OptedOut = "opted_out", CONFLICT, false, "The recipient does not want this";
    RecipientCapped = "recipient_capped", CONFLICT, true, "The platform withholds marketing from the recipient for now";
    DailyCapReached = "daily_cap_reached", TOO_MANY_REQUESTS, true, "The portfolio has written to as many people as it may within 24 hours";
    RetryTooSoon = "retry_too_soon", CONFLICT, true, "It is too soon to send this again";
    MayBeDuplicate = "may_be_duplicate", CONFLICT, false, "It may have been sent, so that this may be a second time";
    AlreadyReplayed = "already_replayed", CONFLICT, false, "Another message was sent in its place";
    ProviderRefused = "provider_refused", CONFLICT, false, "The provider does not do this";
    BodyGone = "body_gone", GONE, false, "What the message said is not kept any more";
    SessionExpired = "session_expired", GONE, false, "The session is over";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, false, "The body is too large";
    UnsupportedMedia = "unsupported_media", UNSUPPORTED_MEDIA_TYPE, false, "The body must be JSON";
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, false, "A field has a value that is not allowed";
    TemplateParamMismatch = "template_param_mismatch", UNPROCESSABLE_ENTITY, false, "The template is filled with something else than it takes";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, true, "There were too many requests";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, false, "There are too many headers";
    Internal = "internal", INTERNAL_SERVER_ERROR, true, "Something went wrong on our side";
    Overloaded = "overloaded", TOO_MANY_REQUESTS, true, "There is too much work at the moment: nothing was accepted";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, true, "The gateway cannot do this at the moment";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as the caller sees it. Its texts are for people and hold no secret, number or body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    errors: Vec<FieldError>,
}

impl Problem {
    pub const fn new(code: Code) -> Self {
        Self { code, detail: None, retry_after: None, errors: Vec::new() }
    }

    /// What is missing and what belongs to somebody else are answered alike.
    pub const fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::ValidationFailed) }
    }

    pub fn field(field: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(field, rule, message)])
    }

    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Names what the caller can change about it.
    #[must_use]
    pub fn with_field(
        mut self,
        field: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError::new(field, rule, message));
        self
    }

    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Logs an error of ours with its causes, once, and answers without them.
    pub fn internal(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), doing, "a request failed on our side");
        Self::new(Code::Internal)
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// What is wrong, for a person.
    pub fn detail(&self) -> &str {
        let first = self.errors.first().map(|error| error.message.as_str());
        self.detail.as_deref().or(first).unwrap_or(self.code.title())
    }

    /// The answer, with the id under which the log knows the request.
    pub fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)));
        if let Some(seconds) = self.retry_after_seconds() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if self.code == Code::Unauthorized {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        response.body(serde_json::to_vec(&self.body(request_id)).unwrap_or_default())
    }

    /// Whole seconds, at least one: a client that waits no time at all has not been told anything.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|s| s.max(1))
    }

    fn body<'a>(&'a self, request_id: Option<&'a str>) -> ProblemBody<'a> {
        let mut errors: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for error in &self.errors {
            errors.entry(&error.field).or_default().push(&error.message);
            rules.entry(&error.field).or_default().push(error.rule);
        }
        ProblemBody {
            r#type: format!("/docs/problems#{}", self.code),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail(),
            code: self.code.as_str(),
            retryable: self.code.is_retryable(),
            retry_after: self.retry_after_seconds(),
            errors,
            rules,
            request_id,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// The middleware that knows the request's id writes the answer again with it.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.response(None)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Taken { what } => {
                Self::new(Code::StateConflict).with_detail(format!("{what} is already taken"))
            }
            StoreError::Unavailable(_) => {
                tracing::warn!(error = %Chain(&error), "the database did not answer");
                Self::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
            }
            // Erased while we looked at it.
            StoreError::Gone { .. } => Self::not_found(),
            StoreError::Unreadable { .. } => Self::internal("reading the database", &error),
            StoreError::Refused(_) => Self::internal("writing to the database", &error),
        }
    }
}

/// An error with its causes, in one line.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Problem details (RFC 9457) with what a client needs to decide what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Where the code is explained, relative to this server.
    r#type: String,
    title: &'static str,
    status: u16,
    /// For a person.
    detail: &'a str,
    /// For a program; never changes its meaning.
    code: &'static str,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// What is wrong, by the path of the field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, Vec<String>>)]
    errors: BTreeMap<&'a str, Vec<&'a str>>,
    /// The same as `errors`, by the names of the rules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, Vec<String>>)]
    rules: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body_of(problem: &Problem) -> Value {
        serde_json::to_value(problem.body(Some("7"))).unwrap()
    }

    #[test]
    fn every_code_is_a_word_of_its_own_with_an_error_status() {
        let words: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
            let body = body_of(&Problem::new(*code));
            assert_eq!(body["status"], code.status().as_u16());
            assert_eq!(body["type"], format!("/docs/problems#{code}"));
            assert_eq!(body["detail"], body["title"]);
        }
    }

    #[test]
    fn field_errors_stand_under_their_paths() {
        let problem = Problem::fields(vec![
            FieldError::new("message.to", "too_short", "one digit is missing"),
            FieldError::new("message.text.body", "too_long", "4096 characters at most"),
            FieldError::new("message.text.body", "wrong_type", "must be a text"),
        ]);
        let body = body_of(&problem);
        assert_eq!(body["errors"]["message.text.body"], json!(["4096 characters at most", "must be a text"]));
        assert_eq!(body["rules"]["message.to"], json!(["too_short"]));
        assert_eq!(body["detail"], "one digit is missing");
        assert_eq!(body["request_id"], "7");
    }

    #[test]
    fn a_wait_is_told_in_the_body_and_in_the_header_and_never_is_zero() {
        let problem = Problem::new(Code::Overloaded).with_retry_after(Duration::from_millis(1_200));
        assert_eq!(body_of(&problem)["retry_after"], 2);
        assert_eq!(problem.response(None).headers().get(RETRY_AFTER).unwrap(), "2");
        let at_once = Problem::new(Code::Overloaded).with_retry_after(Duration::ZERO);
        assert_eq!(body_of(&at_once)["retry_after"], 1);
        assert_eq!(body_of(&Problem::not_found()).get("retry_after"), None);
    }

    #[test]
    fn the_answer_is_problem_json() {
        let response = Problem::new(Code::Unauthorized).response(None);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        assert_eq!(response.headers().get(WWW_AUTHENTICATE).unwrap(), "Bearer");
    }
}
