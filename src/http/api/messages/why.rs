//! Why a message did not arrive, and what sending it again would mean.

use std::time::Duration;

use domain::Timestamp;
use domain::contracts::dead_letters::REPORTED_FAILED;
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::StateCode;
use providers::cloud_api::{Class, class_of};
use serde_json::{Map, Value, json};

const OUTCOME_UNKNOWN: &str = "outcome_unknown";
/// How long the platform is not asked again after it withheld a message from somebody.
const WITHHELD: Duration = Duration::from_hours(24);
/// Outside the window: the message is right, and may go once the recipient has written.
const WINDOW_CLOSED: i64 = 131_047;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Stable word.
    pub reason: Option<String>,
    /// The provider's error, as one object whichever way it came.
    pub error: Option<Value>,
    pub again: Again,
}

/// What is to be said about sending the same message once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Fine,
    /// It will be refused again, as it is.
    Useless,
    NotBefore(Timestamp),
    /// The first may have arrived.
    MayBeSecond,
}

impl Why {
    /// Of a message that is over without having arrived; `None` of any other. `reported` is the provider's report
    /// that it failed, with its time.
    pub fn of(
        status: MessageStatus,
        state: StateCode,
        written: &[TimelineEntry],
        row_error: Option<&str>,
        reported: Option<(Timestamp, Value)>,
    ) -> Option<Self> {
        match status {
            MessageStatus::Expired | MessageStatus::Cancelled => {
                let reason = ending(written, status).and_then(|line| line.reason.clone());
                Some(Self { reason, error: read(row_error), again: Again::Fine })
            }
            MessageStatus::Failed => {
                let own = ending(written, status).filter(|_| state == StateCode::Failed);
                let (reason, error, at) = match (own, reported) {
                    (Some(line), _) => (line.reason.clone(), read(row_error), Some(line.at)),
                    (None, Some((at, report))) => {
                        (Some(REPORTED_FAILED.to_owned()), of_report(&report), Some(at))
                    }
                    (None, None) => (Some(REPORTED_FAILED.to_owned()), read(row_error), None),
                };
                let again = if reason.as_deref() == Some(OUTCOME_UNKNOWN) {
                    Again::MayBeSecond
                } else {
                    again(error.as_ref(), at)
                };
                Some(Self { reason, error, again })
            }
            _ => None,
        }
    }
}

fn ending(written: &[TimelineEntry], status: MessageStatus) -> Option<&TimelineEntry> {
    written.iter().rev().find(|line| line.status == status)
}

fn read(json: Option<&str>) -> Option<Value> {
    json.and_then(|json| serde_json::from_str(json).ok())
}

/// Shaped as the error of an answer: `{"code","message","details"?}`.
fn of_report(data: &Value) -> Option<Value> {
    let first = data.pointer("/status/errors/0")?.as_object()?;
    let text = |name: &str| first.get(name).filter(|value| value.is_string()).cloned();
    let mut error = Map::new();
    if let Some(code) = first.get("code") {
        error.insert("code".to_owned(), code.clone());
    }
    error
        .insert("message".to_owned(), text("message").or_else(|| text("title")).unwrap_or_else(|| json!("")));
    if let Some(details) = first.get("error_data").and_then(|data| data.get("details")) {
        error.insert("details".to_owned(), details.clone());
    }
    Some(Value::Object(error))
}

fn again(error: Option<&Value>, at: Option<Timestamp>) -> Again {
    let number = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_i64);
    let Some(code) = number("code") else { return Again::Fine };
    match class_of(code, number("subcode")) {
        _ if code == WINDOW_CLOSED => Again::Fine,
        Some(Class::Message | Class::Recipient) => Again::Useless,
        Some(Class::RecipientForNow) => at.map_or(Again::Fine, |at| Again::NotBefore(at.plus(WITHHELD))),
        _ => Again::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: MessageStatus, reason: &str) -> TimelineEntry {
        let at = Timestamp::from_seconds(100);
        TimelineEntry { at, status, attempt: None, reason: Some(reason.to_owned()), error: None }
    }

    fn failed(reason: &str, error: Option<&str>) -> Why {
        let written = [line(MessageStatus::Retrying, "throttled"), line(MessageStatus::Failed, reason)];
        Why::of(MessageStatus::Failed, StateCode::Failed, &written, error, None).unwrap()
    }

    fn reported(code: i64) -> Why {
        let data = json!({ "status": { "errors": [{ "code": code, "title": "no", "error_data": { "details": "why" } }] } });
        let report = Some((Timestamp::from_seconds(100), data));
        Why::of(MessageStatus::Failed, StateCode::Sent, &[], None, report).unwrap()
    }

    #[test]
    fn what_arrived_or_is_on_its_way_needs_no_reason() {
        for status in [MessageStatus::Accepted, MessageStatus::Sent, MessageStatus::Read] {
            assert_eq!(Why::of(status, StateCode::Sent, &[], Some("{}"), None), None);
        }
    }

    #[test]
    fn our_own_decision_is_told_with_its_word_and_the_providers_error() {
        let why = failed("rejected", Some(r#"{"code":132000,"message":"wrong count"}"#));
        assert_eq!(why.reason.as_deref(), Some("rejected"));
        assert_eq!(why.error.unwrap()["code"], 132_000);
        assert_eq!(failed("outcome_unknown", None).again, Again::MayBeSecond);
        let expired = [line(MessageStatus::Expired, "expired")];
        let why = Why::of(MessageStatus::Expired, StateCode::Expired, &expired, None, None).unwrap();
        assert_eq!((why.reason.as_deref(), why.again), (Some("expired"), Again::Fine));
    }

    #[test]
    fn a_report_is_told_in_the_same_shape() {
        let why = reported(131_026);
        assert_eq!(why.reason.as_deref(), Some("reported_failed"));
        assert_eq!(why.error, Some(json!({ "code": 131_026, "message": "no", "details": "why" })));
        assert_eq!(why.again, Again::Useless);
    }

    #[test]
    fn again_depends_on_what_was_wrong() {
        assert_eq!(reported(131_049).again, Again::NotBefore(Timestamp::from_seconds(100 + 86_400)));
        assert_eq!(reported(WINDOW_CLOSED).again, Again::Fine);
        assert_eq!(reported(131_042).again, Again::Fine, "the account pays again");
        assert_eq!(failed("rejected", Some(r#"{"code":131051}"#)).again, Again::Useless);
        assert_eq!(failed("window_closed", None).again, Again::Fine);
    }
}
