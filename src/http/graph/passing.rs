//! The answer to a call that was passed on to the provider, as a client of Graph is told it.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use domain::contracts::pass_through::PassedAnswer;
use serde_json::Value;

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
