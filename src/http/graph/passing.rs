//! What comes of a call that is passed on to the provider, as the client is told.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use domain::contracts::pass_through::{PassThroughError, PassedAnswer};
use gateway_actors::NotPassed;
use serde_json::Value;

use crate::http::error::{Chain, Code, Problem};
use crate::http::state::AppState;

/// The provider's answer as it is, an error too: it is written in the client's own dialect. Links to other pages lead
/// through this door.
pub(super) fn answered(state: &AppState, version: &str, answer: &PassedAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    if let Some(wait) = answer.retry_after {
        response.insert_header((RETRY_AFTER, wait.as_secs().max(1)));
    }
    response
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(linked(&answer.json, &state.link(&format!("/{version}"))).into_owned())
}

fn linked<'a>(json: &'a str, door: &str) -> Cow<'a, str> {
    if !json.contains("\"paging\"") {
        return Cow::Borrowed(json);
    }
    let Ok(mut body) = serde_json::from_str::<Value>(json) else { return Cow::Borrowed(json) };
    for link in ["/paging/next", "/paging/previous"] {
        if let Some(Value::String(link)) = body.pointer_mut(link) {
            *link = format!("{door}/{link}");
        }
    }
    Cow::Owned(body.to_string())
}

pub(super) fn not_passed(error: NotPassed) -> Problem {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_another_page_leads_through_this_door() {
        let json = r#"{"data":[],"paging":{"cursors":{"after":"b"},"next":"102/message_templates?after=b"}}"#;
        let linked: Value = serde_json::from_str(&linked(json, "https://gateway.example/v25.0")).unwrap();
        assert_eq!(linked["paging"]["next"], "https://gateway.example/v25.0/102/message_templates?after=b");
        assert_eq!(linked["paging"]["cursors"]["after"], "b");
    }
}
