//! Endings that the gateway decided itself, for a Cloud API client.
//!
//! Meta has no word for most of them, so all are told as `failed`: what a client takes for final. The reason stands in
//! the error's details.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An ending that the gateway decided itself, as it was kept.
#[derive(Deserialize)]
struct Ending<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    recipient_id: Cow<'a, str>,
    #[serde(default, borrow)]
    errors: Vec<Cause<'a>>,
}

#[derive(Deserialize)]
struct Cause<'a> {
    code: i64,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    error_data: Details<'a>,
}

#[derive(Serialize, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    details: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Failed<'a> {
    id: Cow<'a, str>,
    status: &'static str,
    timestamp: Cow<'a, str>,
    recipient_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    errors: [Told<'a>; 1],
}

#[derive(Serialize)]
struct Told<'a> {
    code: i64,
    title: Cow<'a, str>,
    message: Cow<'a, str>,
    error_data: Details<'a>,
}

impl<'a> Failed<'a> {
    /// `None` for what is no ending.
    pub(super) fn of(status: &'a RawValue, opaque: Option<&'a str>) -> Option<Self> {
        let ending: Ending<'_> = serde_json::from_str(status.get()).ok()?;
        let word = ending.status;
        if !matches!(&*word, "failed" | "expired" | "cancelled") {
            return None;
        }
        let told = match ending.errors.into_iter().next() {
            Some(Cause { code, title, error_data }) if code != 0 => {
                Told { code, message: title.clone(), title, error_data }
            }
            // The reason is its own title where nothing more was known.
            Some(Cause { title, error_data: Details { details }, .. }) if title != details => {
                Told { message: title, ..of_ours(details) }
            }
            Some(Cause { error_data: Details { details }, .. }) => of_ours(details),
            None => of_ours(word),
        };
        Some(Self {
            id: ending.id,
            status: "failed",
            timestamp: ending.timestamp,
            recipient_id: ending.recipient_id,
            biz_opaque_callback_data: opaque,
            errors: [told],
        })
    }
}

/// `reason`: one of those of a timeline. Where Meta has a code for the very same it is told with it, so that clients
/// act on it as they would; everything else is 131000, Meta's word for a failure of unknown cause. 131026 would make
/// some clients give up the recipient, who has nothing to do with it.
fn of_ours(reason: Cow<'_, str>) -> Told<'_> {
    let code = match &*reason {
        "window_closed" => 131_047,
        "recipient_capped" => 131_049,
        "opted_out" => 131_050,
        "template_unusable" => 132_001,
        _ => 131_000,
    };
    let title = match &*reason {
        "outcome_unknown" => "It is not known whether the message was sent",
        "cancelled" => "The message was cancelled before it was sent",
        "expired" => "The message's time was over before it was sent",
        _ => "The message was not sent",
    };
    Told { code, title: title.into(), message: title.into(), error_data: Details { details: reason } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::Timestamp;
    use domain::contracts::provider::ProviderError;
    use domain::ids::MessageId;
    use domain::message::MessageStatus;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::connection::own_status;

    const ID: MessageId = MessageId::from_uuid(Uuid::from_u128(6));

    fn told(status: MessageStatus, reason: &str, error: Option<&ProviderError>) -> Value {
        let at = Timestamp::from_seconds(1_790_000_000);
        let kept = own_status(ID, "+255712345678", status, at, reason, error);
        let status = RawValue::from_string(kept["status"].to_string()).unwrap();
        serde_json::to_value(Failed::of(&status, Some("mine")).expect("an ending")).unwrap()
    }

    #[test]
    fn an_ending_of_ours_is_told_as_failed_with_a_code_that_clients_know() {
        let expected = json!({
            "id": ID.to_wamid(),
            "status": "failed",
            "timestamp": "1790000000",
            "recipient_id": "255712345678",
            "biz_opaque_callback_data": "mine",
            "errors": [{
                "code": 131_000,
                "title": "The message's time was over before it was sent",
                "message": "The message's time was over before it was sent",
                "error_data": { "details": "expired" },
            }],
        });
        assert_eq!(told(MessageStatus::Expired, "expired", None), expected);
        let code = |status, reason| {
            let told = told(status, reason, None);
            assert_eq!(told["errors"][0]["error_data"]["details"], reason, "{told}");
            told["errors"][0]["code"].as_i64().unwrap()
        };
        assert_eq!(code(MessageStatus::Cancelled, "cancelled"), 131_000);
        assert_eq!(code(MessageStatus::Failed, "outcome_unknown"), 131_000);
        assert_eq!(code(MessageStatus::Failed, "window_closed"), 131_047);
        assert_eq!(code(MessageStatus::Failed, "recipient_capped"), 131_049);
        assert_eq!(code(MessageStatus::Failed, "opted_out"), 131_050);
    }

    #[test]
    fn an_error_of_the_platform_keeps_its_code_and_words() {
        let message = "(#131008) Required parameter is missing";
        let error =
            ProviderError { code: Some(131_008), message: message.to_owned(), ..ProviderError::default() };
        let told = told(MessageStatus::Failed, "rejected", Some(&error));
        let details = json!({ "details": "rejected" });
        let expected =
            json!([{ "code": 131_008, "title": message, "message": message, "error_data": details }]);
        assert_eq!(told["errors"], expected);
    }

    #[test]
    fn what_was_found_wrong_here_is_said_in_the_message() {
        let error = ProviderError { message: "order_ready is paused".to_owned(), ..ProviderError::default() };
        let error = &told(MessageStatus::Failed, "template_unusable", Some(&error))["errors"][0];
        assert_eq!((&error["code"], &error["message"]), (&json!(132_001), &json!("order_ready is paused")));
        assert_eq!(error["error_data"]["details"], "template_unusable");
    }

    #[test]
    fn a_status_that_is_no_ending_is_left_as_it_is() {
        for status in [r#"{"id":"x","status":"read","timestamp":"1","recipient_id":"2"}"#, "{}"] {
            assert!(
                Failed::of(&RawValue::from_string(status.to_owned()).unwrap(), None).is_none(),
                "{status}"
            );
        }
    }
}
