//! To whom a message goes: Meta's reading of `to` and `recipient`.

use super::error::GraphError;
use crate::webhooks::Recipient;
use serde_json::{Map, Value, json};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addressed {
    pub(super) input: String,
    pub(super) recipient: Recipient,
}

impl Addressed {
    /// `to` wins if both are given.
    pub(super) fn read(body: &Map<String, Value>, own_country: &str) -> Result<Self, GraphError> {
        let member = |name: &str| match body.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let group = body.get("recipient_type").and_then(Value::as_str) == Some("group");
        let recipient = match (member("to"), member("recipient")) {
            (Some(input), _) if group => {
                let recipient = Recipient { group_id: Some(input.clone()), ..Recipient::default() };
                return Ok(Self { input, recipient });
            }
            (Some(input), _) => {
                let wa_id = wa_id(&input, own_country).ok_or_else(|| {
                    GraphError::known(131_009, format!("Param to is not a phone number: {input}"))
                })?;
                return Ok(Self {
                    input,
                    recipient: Recipient { wa_id: Some(wa_id), ..Recipient::default() },
                });
            }
            (None, Some(recipient)) => recipient,
            (None, None) => return Err(GraphError::parameter("The parameter to is required.")),
        };
        if !is_user_id(&recipient) {
            return Err(GraphError::known(131_009, "Param recipient is not a business-scoped user id."));
        }
        let user_id = Some(recipient.clone());
        Ok(Self { input: recipient, recipient: Recipient { user_id, ..Recipient::default() } })
    }

    /// The `contacts` member of the answer.
    pub(super) fn contact(&self) -> Value {
        let Recipient { wa_id, user_id, group_id, .. } = &self.recipient;
        match (wa_id, user_id, group_id) {
            (Some(wa_id), ..) => json!({"input": self.input, "wa_id": wa_id}),
            (_, Some(user_id), _) => json!({"input": self.input, "user_id": user_id}),
            _ => json!({"input": self.input}),
        }
    }

    /// What the pair limit counts by.
    pub(super) fn key(&self) -> &str {
        let Recipient { wa_id, user_id, group_id, .. } = &self.recipient;
        wa_id.as_deref().or(user_id.as_deref()).or(group_id.as_deref()).unwrap_or_default()
    }
}

pub(crate) fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Without a `+`, a number that is too short to be international gets the business's own country code: the message
/// goes to whoever that is. Brazilian and Mexican numbers come out as they are known to WhatsApp.
fn wa_id(input: &str, own_country: &str) -> Option<String> {
    if !input.chars().all(|c| c.is_ascii_digit() || "+-() ".contains(c)) {
        return None;
    }
    let mut digits = digits_of(input);
    if !input.trim_start().starts_with('+') && digits.len() <= 10 {
        digits = format!("{own_country}{}", digits.trim_start_matches('0'));
    }
    if !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
        return None;
    }
    Some(match digits.len() {
        13 if digits.starts_with("55") && digits.as_bytes()[4] == b'9' => {
            format!("{}{}", &digits[..4], &digits[5..])
        }
        12 if digits.starts_with("52") => format!("521{}", &digits[2..]),
        _ => digits,
    })
}

/// Two capital letters, a dot, and up to 128 letters and digits; parent ids have `ENT.` in between.
fn is_user_id(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|c| c.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<Addressed, GraphError> {
        Addressed::read(body.as_object().unwrap(), "255")
    }

    #[test]
    fn phone_numbers_become_wa_ids() {
        for (input, expected) in [
            ("+255712345678", "255712345678"),
            ("+255 (712) 345-678", "255712345678"),
            ("255712345678", "255712345678"),
            ("0712345678", "255712345678"),
            ("5551234567", "2555551234567"),
            ("+5511987654321", "551187654321"),
            ("+525512345678", "5215512345678"),
        ] {
            let contact = read(&json!({"to": input})).unwrap().contact();
            assert_eq!(contact, json!({"input": input, "wa_id": expected}));
        }
    }

    #[test]
    fn a_user_id_is_answered_without_a_wa_id() {
        let contact = read(&json!({"recipient": "TZ.134912"})).unwrap().contact();
        assert_eq!(contact, json!({"input": "TZ.134912", "user_id": "TZ.134912"}));
    }

    #[test]
    fn to_wins_over_recipient() {
        let body = json!({"to": "+255712345678", "recipient": "TZ.134912"});
        assert_eq!(read(&body).unwrap().key(), "255712345678");
    }

    #[test]
    fn what_is_nobody_is_refused() {
        let codes = [json!({}), json!({"to": "Asha"}), json!({"to": "+123"}), json!({"recipient": "134912"})]
            .map(|body| read(&body).unwrap_err().code);
        assert_eq!(codes, [100, 131_009, 131_009, 131_009]);
    }
}
