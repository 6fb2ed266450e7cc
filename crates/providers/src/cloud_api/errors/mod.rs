//! Graph's error object, and what is known about a message after an answer that is no receipt.
//!
//! The rule is to say "not sent" only where the platform said so: by its error code in an answer of 4xx, or
//! by a code that it gives before it looks at a message at all (a rate, the token). Everything else may have
//! been sent.

use std::time::Duration;

use domain::contracts::provider::{ProviderError, SendError, ThrottleScope};
use serde_json::Value;

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
    let text = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let details = match error.get("error_data") {
        Some(Value::String(details)) => Some(details.as_str()),
        Some(data) => data.get("details").and_then(Value::as_str),
        None => None,
    };
    Some(ProviderError {
        code: error.get("code").and_then(number),
        subcode: error.get("error_subcode").and_then(number),
        message: text("message")
            .or(text("error_user_title"))
            .unwrap_or("the provider gave no message")
            .to_owned(),
        details: details.or(text("error_user_msg")).map(str::to_owned),
        trace_id: text("fbtrace_id").map(str::to_owned),
        http_status: Some(status),
    })
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
        SendError::NotSent { error, retry_after: None }
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
    let throttled = |scope, error| SendError::Throttled { scope, error, retry_after };
    let class = error.code.and_then(|code| class_of(code, error.subcode));
    match class {
        // Said before the message was looked at, so the status does not matter; Meta gives these with several.
        Some(Class::RatePair) => return throttled(ThrottleScope::Pair, error),
        Some(Class::RateNumber) => return throttled(ThrottleScope::Number, error),
        Some(Class::RateApp) => return throttled(ThrottleScope::App, error),
        Some(Class::Auth | Class::Permission) => return SendError::Reauthenticate { error },
        _ => {}
    }
    if status == 429 {
        return throttled(ThrottleScope::Number, error);
    }
    if status == 401 || (status == 403 && class.is_none() && error.code.is_some()) {
        return SendError::Reauthenticate { error };
    }
    if !(400..500).contains(&status) || error.code.is_none() {
        return SendError::OutcomeUnknown { error };
    }
    // The installation's app secret is wrong, which is no message's fault: they wait until it is put right.
    if error.code == Some(100) && error.message.contains("appsecret_proof") {
        return SendError::NotSent { error, retry_after: retry_after.max(Some(WRONG_SECRET)) };
    }
    match class {
        Some(Class::Transient) => SendError::NotSent { error, retry_after },
        Some(Class::Later(seconds) | Class::Number(seconds)) => {
            let wait = Duration::from_secs(u64::from(seconds));
            SendError::NotSent { error, retry_after: retry_after.max(Some(wait)) }
        }
        None if transient => SendError::NotSent { error, retry_after },
        _ => SendError::Rejected { error },
    }
}

#[cfg(test)]
mod tests;
