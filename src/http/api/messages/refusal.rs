//! Why a message was not accepted, as its caller is told.

use std::time::Duration;

use domain::contact::{Refusal, Scope};
use gateway_actors::{AcceptError, Refusal as NoRoute, RouteError, UnknownQuote};

use crate::http::api::templates;
use crate::http::error::{Chain, Code, Problem};
use crate::http::idempotency::of_seal;

pub fn not_routed(error: RouteError) -> Problem {
    match error {
        RouteError::Unknown => Problem::not_found(),
        RouteError::Refused(NoRoute::NoConnection) => Problem::new(Code::NoConnection)
            .with_detail("the business has no connected number yet: send its owner an onboarding link"),
        RouteError::Refused(NoRoute::NotSending { status, .. }) => Problem::new(Code::ConnectionNotReady)
            .with_detail(format!("the number is {status}; with mode queued the message would wait for it")),
        RouteError::Unavailable(error) => {
            tracing::warn!(error = %Chain(&*error), "a message could not be routed");
            Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
        }
    }
}

pub fn not_accepted(error: AcceptError) -> Problem {
    match error {
        AcceptError::Route(error) => not_routed(error),
        AcceptError::Overloaded { retry_after } => {
            Problem::new(Code::Overloaded).with_retry_after(retry_after)
        }
        AcceptError::Unavailable { retry_after } => Problem::new(Code::Unavailable)
            .with_detail("whether this was accepted is not known: ask again with the same Idempotency-Key")
            .with_retry_after(retry_after),
        AcceptError::Erased => Problem::not_found(),
        AcceptError::Refused { refusal, retry_after } => refused(refusal, retry_after),
        AcceptError::Template(problem) => templates::refused(problem),
        AcceptError::Quote(UnknownQuote::Unknown { field }) => Problem::field(
            format!("message.{field}"),
            "unknown_message",
            format!(
                "message.{field} names no message that was sent from this number, nor one of the platform"
            ),
        ),
        AcceptError::Quote(UnknownQuote::NoMedia { field }) => Problem::field(
            format!("message.{field}"),
            "unknown_media",
            format!("message.{field} names no media that was uploaded for this number and is still kept"),
        ),
        AcceptError::Quote(UnknownQuote::Unreadable(error)) => {
            tracing::warn!(error = %Chain(&*error), "a quoted message cannot be looked up");
            Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
        }
        AcceptError::Seal(error) => of_seal(error),
    }
}

/// Each names the member of the request that would have to be another one, and what would do.
fn refused(refusal: Refusal, retry_after: Option<Duration>) -> Problem {
    let rule = refusal.as_str();
    let problem = match refusal {
        Refusal::WindowClosed { since } => Problem::new(Code::WindowClosed).with_field(
            "message.type",
            rule,
            format!("the recipient's service window is closed since {since}: send a template, or wait until they write"),
        ),
        Refusal::OptedOut { scope: Scope::All } => Problem::new(Code::OptedOut).with_field(
            "message.to",
            rule,
            "the recipient wants no messages: only an answer within 24 hours after they wrote, or a one-time code, \
             may go; lift the opt-out if they asked for it",
        ),
        Refusal::OptedOut { scope: Scope::Marketing } => Problem::new(Code::OptedOut).with_field(
            "message.to",
            rule,
            "the recipient wants no marketing: marketing templates and messages of priority bulk do not go to them",
        ),
        Refusal::DailyCapReached { until } => Problem::new(Code::DailyCapReached).with_field(
            "message.to",
            rule,
            format!(
                "the numbers of the account may write to no more people first within 24 hours: there is room after \
                 {until}; whoever writes to the number may be answered meanwhile"
            ),
        ),
        Refusal::RecipientCapped { until } => Problem::new(Code::RecipientCapped).with_field(
            "message.to",
            rule,
            format!("the platform shows the recipient no more marketing for now: try again after {until}"),
        ),
    };
    match retry_after {
        Some(wait) => problem.with_retry_after(wait),
        None => problem,
    }
}
