//! Errors as Graph writes them: one object `error` with a number that clients know.
//!
//! Source: Meta's error codes of the Cloud API, October 2026. Where Meta has no code for something of ours, the one
//! stands here that makes a client do the right thing: wait, look at its key, or leave the message.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use domain::contracts::provider::ProviderError;
use serde::Serialize;

use crate::http::error::{Code, Problem};

/// "Object does not exist, cannot be loaded due to missing permissions".
const NO_SUCH_OBJECT: i64 = 33;
/// The fields of `/v1/messages` stand one level deeper than those of this door.
const DEEPER: &str = "message.";

#[derive(Debug, Serialize)]
struct Body<'a> {
    error: GraphError<'a>,
}

#[derive(Debug, Serialize)]
struct GraphError<'a> {
    message: String,
    r#type: &'static str,
    code: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_subcode: Option<i64>,
    error_data: ErrorData<'a>,
    is_transient: bool,
    fbtrace_id: &'a str,
}

#[derive(Debug, Serialize)]
struct ErrorData<'a> {
    messaging_product: &'static str,
    details: String,
    /// Names of the rules that were broken, by the path of the field. Ours, beside what Graph has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<&'a str, Vec<&'a str>>,
}

/// Graph's number for a problem, and the HTTP status it comes with.
const fn told(code: Code) -> (i64, StatusCode) {
    match code {
        Code::Unauthorized | Code::InvalidSignature => (190, StatusCode::UNAUTHORIZED),
        Code::InsufficientScope | Code::Forbidden => (10, StatusCode::FORBIDDEN),
        Code::Overloaded | Code::RateLimited => (130_429, StatusCode::TOO_MANY_REQUESTS),
        Code::DailyCapReached => (131_048, StatusCode::BAD_REQUEST),
        Code::WindowClosed => (131_047, StatusCode::BAD_REQUEST),
        Code::OptedOut => (131_050, StatusCode::BAD_REQUEST),
        Code::RecipientCapped => (131_049, StatusCode::BAD_REQUEST),
        Code::TemplateNotApproved => (132_001, StatusCode::NOT_FOUND),
        Code::TemplateParamMismatch => (132_000, StatusCode::BAD_REQUEST),
        Code::NoConnection => (133_010, StatusCode::BAD_REQUEST),
        Code::ConnectionNotReady => (131_016, StatusCode::SERVICE_UNAVAILABLE),
        Code::Unavailable => (2, StatusCode::SERVICE_UNAVAILABLE),
        Code::RequestTimeout => (2, StatusCode::REQUEST_TIMEOUT),
        Code::Internal => (1, StatusCode::INTERNAL_SERVER_ERROR),
        Code::TooLarge => (100, StatusCode::PAYLOAD_TOO_LARGE),
        Code::HeadersTooLarge => (100, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Code::BadRequest
        | Code::MalformedJson
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::IdempotencyConflict
        | Code::StateConflict
        | Code::RetryTooSoon
        | Code::MayBeDuplicate
        | Code::ProviderRefused
        | Code::AlreadyReplayed
        | Code::BodyGone
        | Code::SessionExpired
        | Code::UnsupportedMedia
        | Code::ValidationFailed => (100, StatusCode::BAD_REQUEST),
    }
}

pub(in crate::http) fn response(problem: &Problem, request_id: &str) -> HttpResponse {
    let (code, status) = told(problem.code());
    let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for error in problem.errors() {
        rules.entry(here(&error.field)).or_default().push(error.rule);
    }
    let texts: Vec<&str> = problem.errors().iter().map(|error| here(&error.message)).collect();
    let details = if texts.is_empty() { problem.detail().to_owned() } else { texts.join("; ") };
    let unknown = matches!(problem.code(), Code::NotFound | Code::MethodNotAllowed);
    let error = GraphError {
        message: format!("(#{code}) {}", problem.code().title()),
        r#type: "OAuthException",
        code,
        error_subcode: unknown.then_some(NO_SUCH_OBJECT),
        error_data: ErrorData { messaging_product: "whatsapp", details, rules },
        is_transient: problem.code().is_retryable(),
        fbtrace_id: request_id,
    };
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = problem.retry_after_seconds() {
        response.insert_header((RETRY_AFTER, seconds));
    }
    if problem.code() == Code::Unauthorized {
        response.insert_header((WWW_AUTHENTICATE, "OAuth \"Facebook Platform\" \"invalid_token\""));
    }
    response.json(Body { error })
}

/// Why the provider did not take a message, in its own words.
pub(super) fn of_provider(error: &ProviderError) -> HttpResponse {
    let code = error.code.unwrap_or(131_000);
    let status = error.http_status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    let error = GraphError {
        message: error.message.clone(),
        r#type: "OAuthException",
        code,
        error_subcode: error.subcode,
        error_data: ErrorData {
            messaging_product: "whatsapp",
            details: error.details.clone().unwrap_or_else(|| error.message.clone()),
            rules: BTreeMap::new(),
        },
        is_transient: false,
        fbtrace_id: error.trace_id.as_deref().unwrap_or_default(),
    };
    HttpResponse::build(status.unwrap_or(StatusCode::BAD_REQUEST)).json(Body { error })
}

/// A path of `/v1`, as it is at this door; texts begin with the path they are about.
fn here(text: &str) -> &str {
    text.strip_prefix(DEEPER).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody as _;
    use serde_json::{Value, json};

    fn body(response: HttpResponse) -> Value {
        serde_json::from_slice(&response.into_body().try_into_bytes().unwrap()).unwrap()
    }

    #[test]
    fn every_problem_has_a_number_and_the_status_of_an_error() {
        for code in Code::ALL {
            let (number, status) = told(*code);
            assert!(number > 0 && (status.is_client_error() || status.is_server_error()), "{code}");
        }
    }

    #[test]
    fn every_number_is_explained_in_the_guide() {
        let guide = include_str!("../../../docs/CLOUD_API.md");
        let table = guide.split_once("## Errors of the gateway").unwrap().1;
        let table = table.split_once("\n## ").unwrap().0;
        for code in Code::ALL {
            let (number, _) = told(*code);
            let named =
                table.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == number.to_string());
            assert!(named, "{number}, for {code}");
        }
    }

    #[test]
    fn a_field_is_named_with_its_rule_as_it_stands_at_this_door() {
        let problem = Problem::field("message.text.body", "too_long", "message.text.body is too long");
        let error = &body(response(&problem, "7"))["error"];
        assert_eq!((error["code"].as_i64(), error["type"].as_str()), (Some(100), Some("OAuthException")));
        assert_eq!(error["error_data"]["details"], "text.body is too long");
        assert_eq!(error["error_data"]["rules"], json!({"text.body": ["too_long"]}));
        assert_eq!(error["fbtrace_id"], "7");
    }

    #[test]
    fn what_is_missing_and_what_is_somebody_elses_are_told_alike() {
        let error = &body(response(&Problem::not_found(), "7"))["error"];
        assert_eq!((error["code"].as_i64(), error["error_subcode"].as_i64()), (Some(100), Some(33)));
    }

    #[test]
    fn what_the_provider_said_is_repeated() {
        let error = ProviderError {
            code: Some(131_026),
            message: "(#131026) Message undeliverable".to_owned(),
            details: Some("no such user".to_owned()),
            http_status: Some(400),
            ..ProviderError::default()
        };
        let response = of_provider(&error);
        assert_eq!(response.status(), 400);
        let error = &body(response)["error"];
        assert_eq!(
            (error["code"].as_i64(), error["error_data"]["details"].as_str()),
            (Some(131_026), Some("no such user"))
        );
    }
}
