//! Graph's error object, and what is known about the codes.

use crate::chance::random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) code: u32,
    kind: &'static str,
    subcode: Option<u32>,
    message: String,
    data: Data,
    transient: Option<bool>,
}

/// Clients have to cope with all three forms.
#[derive(Clone, Debug)]
enum Data {
    Absent,
    Object(String),
    Text(String),
}

impl GraphError {
    fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            kind: "OAuthException",
            subcode: None,
            message: message.into(),
            data: Data::Absent,
            transient: None,
        }
    }

    /// An error from the table, with details as the WhatsApp endpoints give them.
    pub(crate) fn known(code: u32, details: impl Into<String>) -> Self {
        let known = lookup(code);
        Self {
            subcode: known.subcode,
            data: Data::Object(details.into()),
            transient: (code == 2 || code == 131_016).then_some(true),
            ..Self::new(known.status, code, format!("(#{code}) {}", known.title))
        }
    }

    /// A parameter that is missing or wrong for Graph itself: no details.
    pub(crate) fn parameter(message: impl std::fmt::Display) -> Self {
        Self::new(400, 100, format!("(#100) {message}"))
    }

    pub(crate) fn parameter_with_text(message: impl std::fmt::Display, text: impl Into<String>) -> Self {
        Self { data: Data::Text(text.into()), ..Self::parameter(message) }
    }

    pub(crate) fn token(subcode: Option<u32>, message: impl Into<String>) -> Self {
        Self { subcode, ..Self::new(401, 190, message) }
    }

    pub(crate) fn no_token() -> Self {
        Self::new(401, 104, "An access token is required to request this resource.")
    }

    pub(crate) fn proof(message: &'static str) -> Self {
        Self { kind: "GraphMethodException", ..Self::new(400, 100, message) }
    }

    pub(crate) fn permission(code: u32, permission: &str) -> Self {
        Self::new(
            403,
            code,
            format!("(#{code}) This call needs the permission {permission}, which is not granted."),
        )
    }

    /// It does not exist, or this token cannot see it: Graph does not tell the difference.
    pub(crate) fn unknown_object(method: &str, id: &str) -> Self {
        let verb = method.to_ascii_lowercase();
        Self {
            kind: "GraphMethodException",
            subcode: Some(33),
            ..Self::new(
                400,
                100,
                format!(
                    "Unsupported {verb} request. No object with the id '{id}' can be loaded: it does not exist, \
                     permissions are missing, or it does not support this operation."
                ),
            )
        }
    }

    pub(crate) fn unknown_path(path: &str) -> Self {
        Self::new(400, 2500, format!("Unknown path components: /{path}"))
    }

    pub(crate) fn code_exchange(subcode: u32, message: &'static str) -> Self {
        Self { subcode: Some(subcode), ..Self::new(400, 100, message) }
    }

    pub(crate) fn code_exchange_missing(parameter: &str) -> Self {
        Self::new(400, 101, format!("Missing {parameter} parameter."))
    }

    pub(crate) fn client_secret() -> Self {
        Self::new(400, 1, "Error validating client secret.")
    }

    pub(crate) fn client_id() -> Self {
        Self::new(400, 101, "Error validating application. The application cannot be found or is disabled.")
    }

    /// The journal cannot be written: nothing was accepted.
    pub(crate) fn unavailable() -> Self {
        Self { transient: Some(true), ..Self::new(503, 2, "(#2) The service is temporarily unavailable.") }
    }

    /// As a fault rule describes it: `code` and whatever members it wants to have exactly so.
    pub(crate) fn scripted(members: &Map<String, Value>, status: Option<u16>) -> (u16, Value) {
        let code = members
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|code| u32::try_from(code).ok())
            .unwrap_or(1);
        let mut error = match code {
            190 => Self::token(None, "Error validating access token: the session is not valid."),
            code => Self::known(code, "Asked for by a fault rule."),
        };
        error.status = status.unwrap_or(error.status);
        let mut body = error.json();
        if let Some(object) = body["error"].as_object_mut() {
            for (key, value) in members {
                if value.is_null() {
                    object.remove(key);
                } else {
                    object.insert(key.clone(), value.clone());
                }
            }
        }
        (error.status, body)
    }

    /// A rule that gives only a status: the code that usually comes with it.
    pub(crate) fn for_status(status: u16) -> Self {
        let error = match status {
            401 => Self::token(None, "Error validating access token: the session is not valid."),
            403 => Self::permission(10, "whatsapp_business_messaging"),
            404 => Self::unknown_object("get", "0"),
            429 => Self::known(4, "Asked for by a fault rule."),
            _ => Self::known(1, "Asked for by a fault rule."),
        };
        Self { status, ..error }
    }

    pub(crate) fn json(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": format!("A{}", URL_SAFE_NO_PAD.encode(random::<16>())),
        });
        match &self.data {
            Data::Absent => {}
            Data::Object(details) => {
                error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
            }
            Data::Text(text) => error["error_data"] = json!(text),
        }
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if let Some(transient) = self.transient {
            error["is_transient"] = json!(transient);
        }
        json!({"error": error})
    }
}

/// The error object inside a `failed` status.
pub(crate) fn for_webhook(members: &Map<String, Value>) -> Map<String, Value> {
    let code = members
        .get("code")
        .and_then(Value::as_u64)
        .and_then(|code| u32::try_from(code).ok())
        .unwrap_or(131_000);
    let title = lookup(code).title;
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(code));
    error.insert("title".to_owned(), json!(title));
    error.insert("message".to_owned(), json!(title));
    error.insert("error_data".to_owned(), json!({"details": format!("{title}.")}));
    error.insert(
        "href".to_owned(),
        json!(
            "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/"
        ),
    );
    error.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
    error
}

struct Known {
    status: u16,
    subcode: Option<u32>,
    title: &'static str,
}

#[rustfmt::skip]
fn lookup(code: u32) -> Known {
    let (status, title) = match code {
        0 => (401, "Authentication failed"),
        1 => (400, "Unknown error"),
        2 => (503, "Service temporarily unavailable"),
        3 => (500, "The app lacks this capability"),
        4 => (400, "Application request limit reached"),
        10 => (403, "Permission denied"),
        33 => (400, "Parameter value is not valid"),
        100 => (400, "Invalid parameter"),
        104 => (401, "An access token is required"),
        190 => (401, "Invalid access token"),
        200..=299 => (403, "Permissions error"),
        368 => (403, "Temporarily blocked for policy violations"),
        80007 => (400, "Rate limit of the account reached"),
        130_403 => (400, "The business has blocked this user"),
        130_429 => (400, "Rate limit hit"),
        130_472 => (400, "The user's number is part of an experiment"),
        130_497 => (400, "The business may not message users in this country"),
        131_000 => (500, "Something went wrong"),
        131_005 => (403, "Access denied"),
        131_008 => (400, "Required parameter is missing"),
        131_009 => (400, "Parameter value is not valid"),
        131_016 => (500, "Service unavailable"),
        131_021 => (400, "Recipient cannot be sender"),
        131_026 => (400, "Message undeliverable"),
        131_030 => (400, "Recipient phone number not in allowed list"),
        131_031 => (403, "Account has been locked"),
        131_037 => (400, "The number's display name is not approved"),
        131_042 => (400, "Business eligibility payment issue"),
        131_045 => (500, "Incorrect certificate"),
        131_047 => (400, "Re-engagement message"),
        131_048 => (400, "Spam rate limit hit"),
        131_049 => (400, "Meta chose not to deliver"),
        131_050 => (400, "The user has stopped marketing messages"),
        131_051 => (400, "Unsupported message type"),
        131_052 => (400, "Media download error"),
        131_053 => (400, "Media upload error"),
        131_056 => (400, "Business account and consumer account pair rate limit hit"),
        131_057 => (500, "Account in maintenance mode"),
        131_059 => (400, "Invalid paging cursor"),
        131_062 => (400, "A business-scoped user id cannot be used for this message"),
        132_000 => (400, "Number of template parameters does not match"),
        132_001 => (404, "Template does not exist"),
        132_005 => (400, "Template text too long"),
        132_007 => (400, "Template content policy violated"),
        132_012 => (400, "Template parameter format mismatch"),
        132_015 => (400, "Template is paused"),
        132_016 => (400, "Template is disabled"),
        133_000 => (500, "Incomplete deregistration"),
        133_004 => (503, "Server temporarily unavailable"),
        133_005 => (400, "Two-step verification PIN mismatch"),
        133_006 => (400, "Phone number needs to be verified before registering"),
        133_008 => (400, "Too many two-step verification PIN guesses"),
        133_009 => (400, "Two-step verification PIN guessed too fast"),
        133_010 => (400, "Account not registered"),
        133_015 => (400, "Please wait before registering this number"),
        133_016 => (400, "Account registration blocked by rate limit"),
        134_100 => (400, "Only marketing messages are supported"),
        135_000 => (400, "Generic user error"),
        136_024 => (400, "Request code error"),
        136_025 => (400, "Verify code error"),
        137_000 => (400, "Identity key hash mismatch"),
        _ => (400, "Unknown error"),
    };
    let subcode = match code {
        130_429 => Some(2_494_055),
        131_056 => Some(2_494_071),
        _ => None,
    };
    Known { status, subcode, title }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_error_keeps_the_members_it_is_given() {
        let members = json!({"code": 131_056, "message": "slow down", "error_data": null});
        let (status, body) = GraphError::scripted(members.as_object().unwrap(), None);
        assert_eq!(status, 400);
        assert_eq!(body["error"]["message"], "slow down");
        assert_eq!(body["error"]["error_subcode"], 2_494_071);
        assert!(body["error"].get("error_data").is_none());
    }

    #[test]
    fn a_rule_may_choose_another_status_for_a_code() {
        let members = json!({"code": 130_429});
        assert_eq!(GraphError::scripted(members.as_object().unwrap(), Some(429)).0, 429);
    }
}
