//! The body of a POST of one message, and the receipt in its answer.

use domain::contracts::provider::{Fault, ProviderError, SendError, SendReceipt};
use domain::message::Echo;
use serde::Deserialize;

use super::errors::{error_of, send_failure, send_refusal};
use crate::http::{Answer, Failure};
use crate::redact::Secrets;

/// The body to post: the stored text with what every message of ours carries in front, spliced so that
/// nothing is parsed again. `None` when the text is no object with members.
pub(crate) fn body(message: &str, echo: Echo) -> Option<String> {
    let members = message.strip_prefix('{').filter(|members| members.len() > 2)?;
    Some(format!(r#"{{"messaging_product":"whatsapp","biz_opaque_callback_data":"{echo}",{members}"#))
}

#[derive(Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
    #[serde(default)]
    contacts: Vec<AcceptedContact>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: String,
}

#[derive(Deserialize)]
struct AcceptedContact {
    #[serde(default)]
    wa_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

/// What a POST came to. Only a 2xx with the id of a message is a receipt.
#[expect(clippy::result_large_err, reason = "the contract's error, made once for each failed call")]
pub(crate) fn outcome(answer: Result<Answer, Failure>, secrets: &Secrets) -> Result<SendReceipt, SendError> {
    let answer = answer.map_err(send_failure)?;
    if !(200..300).contains(&answer.status) {
        return Err(send_refusal(&answer, secrets));
    }
    receipt(&answer.body).ok_or_else(|| {
        let mut error = error_of(&answer, secrets);
        if error.code.is_none() {
            "the provider answered with success but named no message".clone_into(&mut error.message);
        }
        SendError::OutcomeUnknown { error }
    })
}

fn receipt(body: &[u8]) -> Option<SendReceipt> {
    let accepted: Accepted = serde_json::from_slice(body).ok()?;
    let provider_id = accepted.messages.into_iter().next()?.id;
    // An empty `wa_id` has been seen where the number is hidden.
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let contact = accepted.contacts.into_iter().next();
    let (wa_id, user_id) =
        contact.map_or((None, None), |contact| (filled(contact.wa_id), filled(contact.user_id)));
    (!provider_id.is_empty()).then_some(SendReceipt { provider_id, wa_id, user_id })
}

/// A message that cannot even be posted: our own mistake, found before anything left.
pub(crate) fn unsendable(why: &str) -> SendError {
    let error = ProviderError { message: why.to_owned(), ..ProviderError::default() };
    SendError::Rejected { fault: Fault::Message, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::MessageId;
    use serde_json::{Value, json};

    #[expect(clippy::result_large_err, reason = "the contract's error")]
    fn outcome_of(status: u16, body: &str) -> Result<SendReceipt, SendError> {
        let answer = Answer { status, retry_after: None, api_version: None, body: body.to_owned().into() };
        outcome(Ok(answer), &Secrets::default())
    }

    #[test]
    fn the_body_is_the_stored_text_with_ours_in_front() {
        let echo = Echo {
            message: "msg_00000000000000000000000000000007".parse::<MessageId>().unwrap(),
            attempt: 2,
        };
        let body = body(r#"{"to":"+255712345678","type":"text","text":{"body":"Habari"}}"#, echo).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "messaging_product": "whatsapp",
                "biz_opaque_callback_data": "v1.msg_00000000000000000000000000000007.2",
                "to": "+255712345678", "type": "text", "text": {"body": "Habari"},
            })
        );
        for no_object in ["", "{}", "[1]", "null"] {
            assert_eq!(super::body(no_object, echo), None);
        }
    }

    #[test]
    fn a_receipt_names_the_message_and_who_the_platform_took_the_recipient_for() {
        let sent = outcome_of(
            200,
            r#"{"messaging_product":"whatsapp","contacts":[{"input":"+16505551234","wa_id":"16505551234","user_id":"US.1349"}],"messages":[{"id":"wamid.A","message_status":"accepted"}]}"#,
        );
        assert_eq!(
            sent,
            Ok(SendReceipt {
                provider_id: "wamid.A".to_owned(),
                wa_id: Some("16505551234".to_owned()),
                user_id: Some("US.1349".to_owned()),
            })
        );
        let hidden = outcome_of(
            200,
            r#"{"contacts":[{"input":"US.1349","wa_id":"","user_id":"US.1349"}],"messages":[{"id":"wamid.B"}]}"#,
        );
        assert_eq!(hidden.unwrap().wa_id, None);
    }

    #[test]
    fn a_success_without_a_message_id_is_no_receipt() {
        for body in
            ["", "{}", "<html>", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, r#"{"success":true}"#]
        {
            assert!(matches!(outcome_of(200, body), Err(SendError::OutcomeUnknown { .. })), "{body}");
        }
        let strange = outcome_of(200, r#"{"error":{"message":"odd","code":131026}}"#);
        assert!(matches!(strange, Err(SendError::OutcomeUnknown { error }) if error.code == Some(131_026)));
    }
}
