//! What comes of a call that is passed on to the provider, as the client is told.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use domain::contracts::pass_through::{PassThroughError, PassedAnswer};
use gateway_actors::NotPassed;

use crate::http::error::{Chain, Code, Problem};

/// The provider's answer as it is, an error too: it is written in the client's own dialect.
pub(super) fn answered(answer: &PassedAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    if let Some(wait) = answer.retry_after {
        response.insert_header((RETRY_AFTER, wait.as_secs().max(1)));
    }
    response.insert_header((CONTENT_TYPE, "application/json")).body(answer.json.clone())
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
