//! Calls that are passed on to the provider, and what comes of those that it did not carry out. For both doors.

use std::time::Duration;

use domain::contracts::pass_through::{PassThroughError, PassedAnswer};
use gateway_actors::NotPassed;
use serde_json::Value;

use super::error::{Chain, Code, Problem};

pub fn not_passed(error: NotPassed) -> Problem {
    match error {
        NotPassed::NotThere => Problem::new(Code::StateConflict)
            .with_detail("the provider of this number has nothing like it: only numbers of Meta have"),
        NotPassed::NoToken => Problem::new(Code::ConnectionNotReady)
            .with_detail("the number has no valid token: its owner has to connect it once more"),
        NotPassed::Missing => Problem::not_found(),
        NotPassed::Unreadable(error) => {
            tracing::warn!(error = %Chain(&*error), "a connection cannot be opened");
            Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
        }
        NotPassed::Failed(PassThroughError::HeldBack { error, retry_after }) => {
            Problem::new(Code::RateLimited).with_detail(error.message).with_retry_after(retry_after)
        }
        NotPassed::Failed(PassThroughError::Unanswered { error }) => Problem::new(Code::Unavailable)
            .with_detail(format!("the provider did not answer: {}", error.message)),
    }
}

/// An error of the provider's in the words of `/v1`; nothing when it did what it was asked.
pub fn refusal(answer: &PassedAnswer) -> Option<Problem> {
    if (200..300).contains(&answer.status) {
        return None;
    }
    let body: Value = serde_json::from_str(&answer.json).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let told = text("/error/error_data/details").or_else(|| text("/error/message"));
    let code = body.pointer("/error/code").and_then(Value::as_i64);
    let told = told.unwrap_or("it gave no reason");
    let detail = match code {
        Some(code) => format!("the provider refused: {told} (code {code})"),
        None => format!("the provider refused: {told}"),
    };
    let problem = Problem::new(Code::ProviderRefused).with_detail(detail);
    Some(match answer.retry_after {
        Some(wait) => problem.with_retry_after(wait),
        None => problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_providers_own_words() {
        let answer = |status, json: &str| PassedAnswer { status, retry_after: None, json: json.to_owned() };
        assert_eq!(refusal(&answer(200, "{}")), None);
        let json = r#"{"error":{"message":"(#131009) wrong","code":131009,"error_data":{"details":"no such message"}}}"#;
        let problem = refusal(&answer(400, json)).unwrap();
        assert_eq!(problem.detail(), "the provider refused: no such message (code 131009)");
        assert_eq!(refusal(&answer(500, "[]")).unwrap().code(), Code::ProviderRefused);
    }
}
