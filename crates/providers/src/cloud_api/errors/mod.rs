//! Graph's error object, and what is known about a message after an answer that is no receipt.
//!
//! The rule is to say "not sent" only where the platform said so: by its error code in an answer of 4xx, or
//! by a code that it gives before it looks at a message at all (a rate, the token). Everything else may have
//! been sent.

use std::time::Duration;

use domain::contracts::provider::{Block, Fault, ProviderError, SendError, ThrottleScope};
use serde_json::{Map, Value};

use super::class::{Class, class_of};
use crate::http::{Answer, Failure};
use crate::redact::Secrets;

/// How long until it is worth asking whether the operator has mended the app's secret.
const WRONG_SECRET: Duration = Duration::from_mins(1);

/// Graph's error object out of an answer's body; `None` where there is none.
///
/// Shape: `{"error":{"message","type","code","error_subcode"?,"error_data"?,"is_transient"?,"fbtrace_id"?}}`, with
/// `error_data` an object, a plain text or absent. Source: Graph API error handling, Cloud API error codes.
pub fn graph_error(status: u16, body: &[u8]) -> Option<ProviderError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    if let Value::String(message) = error {
        return Some(ProviderError {
            message: message.clone(),
            http_status: Some(status),
            ..ProviderError::default()
        });
    }
    let error = error.as_object()?;
    Some(read(error, Some(status)))
}

/// An error object of an answer or of a webhook.
fn read(error: &Map<String, Value>, http_status: Option<u16>) -> ProviderError {
    let text = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let details = match error.get("error_data") {
        Some(Value::String(details)) => Some(details.as_str()),
        Some(data) => data.get("details").and_then(Value::as_str),
        None => text("details"),
    };
    let message = ["message", "title", "error_user_title"].into_iter().find_map(text);
    ProviderError {
        code: error.get("code").and_then(number),
        subcode: error.get("error_subcode").and_then(number),
        message: message.unwrap_or("the provider gave no message").to_owned(),
        details: details.or(text("error_user_msg")).map(str::to_owned),
        trace_id: text("fbtrace_id").map(str::to_owned),
        http_status,
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn says_transient(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|body| body.pointer("/error/is_transient").and_then(Value::as_bool) == Some(true))
}

pub(crate) fn cleaned(error: ProviderError, secrets: &Secrets) -> ProviderError {
    ProviderError {
        message: secrets.clean(&error.message),
        details: error.details.map(|details| secrets.clean(&details)),
        trace_id: error.trace_id.map(|trace_id| secrets.clean(&trace_id)),
        ..error
    }
}

/// The error of an answer, readable or not, without any secret of the call.
pub(crate) fn error_of(answer: &Answer, secrets: &Secrets) -> ProviderError {
    let error = graph_error(answer.status, &answer.body).unwrap_or_else(|| ProviderError {
        message: format!("the provider answered {} without an error it documents", answer.status),
        http_status: Some(answer.status),
        ..ProviderError::default()
    });
    cleaned(error, secrets)
}

/// The error of a call that got no answer. Its text is already clean.
pub(crate) fn error_of_failure(failure: Failure) -> ProviderError {
    let (message, http_status) = match failure {
        Failure::NotConnected(cause) => (format!("no connection to the provider: {cause}"), None),
        Failure::NoAnswer { status, cause } => (format!("no answer from the provider: {cause}"), status),
    };
    ProviderError { message, http_status, ..ProviderError::default() }
}

pub(crate) fn send_failure(failure: Failure) -> SendError {
    let nothing_sent = matches!(failure, Failure::NotConnected(_));
    let throttled = matches!(failure, Failure::NoAnswer { status: Some(429), .. });
    let error = error_of_failure(failure);
    if nothing_sent {
        SendError::NotSent { error, retry_after: None, attempts: None }
    } else if throttled {
        SendError::Throttled { scope: ThrottleScope::Number, error, retry_after: None }
    } else {
        SendError::OutcomeUnknown { error }
    }
}

pub(crate) fn send_refusal(answer: &Answer, secrets: &Secrets) -> SendError {
    send_error(error_of(answer, secrets), says_transient(&answer.body), answer.retry_after)
}

/// What an error answer says about the message.
///
/// `transient` is Graph's own `is_transient`; `retry_after` what the answer asked us to wait.
pub fn send_error(error: ProviderError, transient: bool, retry_after: Option<Duration>) -> SendError {
    let status = error.http_status.unwrap_or(0);
    let class = error.code.and_then(|code| class_of(code, error.subcode));
    // Said before the message was looked at, so the status does not matter; Meta gives these with several.
    let said_at_the_door = matches!(
        class,
        Some(
            Class::RatePair
                | Class::RateNumber
                | Class::RateWaba
                | Class::RateApp
                | Class::Auth
                | Class::Permission
        )
    );
    match (class, status) {
        _ if said_at_the_door => {}
        (_, 429) => return SendError::Throttled { scope: ThrottleScope::Number, error, retry_after },
        (_, 401) => return SendError::Reauthenticate { error },
        (None, 403) if error.code.is_some() => {
            return SendError::Blocked { block: Block::Permission, error, retry_after };
        }
        (_, 400..500) if error.code.is_some() => {}
        _ => return SendError::OutcomeUnknown { error },
    }
    // The installation's app secret is wrong, which is no message's fault: they wait until it is put right.
    if error.code == Some(100) && error.message.contains("appsecret_proof") {
        let retry_after = retry_after.max(Some(WRONG_SECRET));
        return SendError::NotSent { error, retry_after, attempts: None };
    }
    if class.is_none() && transient {
        return SendError::NotSent { error, retry_after, attempts: None };
    }
    meaning(class, error, retry_after)
}

/// What an error means of a message that was certainly not sent.
fn meaning(class: Option<Class>, error: ProviderError, retry_after: Option<Duration>) -> SendError {
    let at_least = |seconds: u32| retry_after.max(Some(Duration::from_secs(u64::from(seconds))));
    let throttled = |scope, error| SendError::Throttled { scope, error, retry_after };
    let blocked = |block, error, retry_after| SendError::Blocked { block, error, retry_after };
    let rejected = |fault, error| SendError::Rejected { fault, error };
    match class {
        Some(Class::Transient) => SendError::NotSent { error, retry_after, attempts: None },
        Some(Class::Tries(most)) => SendError::NotSent { error, retry_after, attempts: Some(most) },
        Some(Class::Later(seconds)) => {
            SendError::NotSent { error, retry_after: at_least(seconds), attempts: None }
        }
        Some(Class::RatePair) => throttled(ThrottleScope::Pair, error),
        Some(Class::RateNumber) => throttled(ThrottleScope::Number, error),
        Some(Class::RateWaba) => throttled(ThrottleScope::Waba, error),
        Some(Class::RateApp) => throttled(ThrottleScope::App, error),
        Some(Class::Auth) => SendError::Reauthenticate { error },
        Some(Class::Permission) => blocked(Block::Permission, error, retry_after),
        Some(Class::Billing) => blocked(Block::Billing, error, retry_after),
        Some(Class::Policy) => blocked(Block::Policy, error, retry_after),
        Some(Class::Number(wait)) => {
            blocked(Block::NumberNotReady, error, wait.map_or(retry_after, at_least))
        }
        Some(Class::Recipient) => rejected(Fault::Recipient, error),
        Some(Class::RecipientForNow) => rejected(Fault::RecipientForNow, error),
        Some(Class::Template) => rejected(Fault::Template, error),
        Some(Class::Configuration | Class::Management) => rejected(Fault::Configuration, error),
        Some(Class::Message) | None => rejected(Fault::Message, error),
    }
}

/// What the errors of a failed status mean, by the first of them. The platform has given up, so this judges the
/// number, the recipient and the template; the message is over.
///
/// Shape: `[{"code","title","message"?,"error_data"?:{"details"},"href"?}]`; old ones have `details` beside the title.
pub(crate) fn of_failed_status(status: &Value) -> Option<SendError> {
    let first = status.get("errors")?.as_array()?.first()?.as_object()?;
    let error = read(first, None);
    let class = error.code.and_then(|code| class_of(code, error.subcode));
    Some(meaning(class, error, None))
}

#[cfg(test)]
mod tests;
