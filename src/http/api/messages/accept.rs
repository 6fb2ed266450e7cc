//! `POST /v1/messages`: 202 means durable.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use domain::ids::{BusinessRef, ConnectionId, MessageId};
use domain::message::{MessageStatus, Order};
use domain::outbox::OnAmbiguous;
use domain::{FieldError, Priority, Timestamp};
use gateway_actors::{Acceptance, AcceptedMessage, AnswerText, IdempotencyKey, Route, Submission, Target};
use providers::cloud_api::{self, Options, Prepared};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::refusal::{not_accepted, not_routed};
use crate::http::api;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, replay};
use crate::http::json::Json;
use crate::http::state::AppState;

const ROUTE: &str = "POST /v1/messages";
const LONGEST_CLIENT_REF: usize = 128;
/// Meta keeps a message for an unreachable phone for 30 days; longer we do not wait either.
pub const LONGEST_WAIT: Duration = Duration::from_hours(30 * 24);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Whose message it is. One of `business_id` and `connection_id` is needed.
    #[schema(value_type = Option<String>)]
    business_id: Option<BusinessRef>,
    /// The number to send from; otherwise the business's routing decides.
    #[schema(value_type = Option<String>)]
    connection_id: Option<ConnectionId>,
    /// A Cloud API message object: `to`, `type`, and the member that the type names.
    #[schema(value_type = Object)]
    message: Map<String, Value>,
    /// The caller's own reference, repeated in every event about the message.
    #[schema(max_length = 128)]
    client_ref: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "normal")]
    priority: Priority,
    /// `strict`: sent when the provider has accepted what was accepted before it for the same recipient. `relaxed`:
    /// waits for nobody, and nobody waits for it. `delivered`: as strict, and what follows waits for its delivery,
    /// for a limited time.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "strict")]
    order: Order,
    #[serde(default)]
    mode: Mode,
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    on_ambiguous: Option<WhenAmbiguous>,
    /// Pass a message of a type that is not known here on to the provider, unchecked.
    #[serde(default)]
    allow_unknown: bool,
    /// Not available yet.
    #[serde(default)]
    fallback: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Wait for the number if it does not send now.
    #[default]
    Queued,
    /// Refuse if the number does not send now.
    Immediate,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenAmbiguous {
    /// Send again, on proof that the first attempt did not.
    Resend,
    /// Never a second time.
    Fail,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedView<'a> {
    #[schema(value_type = String)]
    id: MessageId,
    #[schema(value_type = String, example = "accepted")]
    status: MessageStatus,
    #[schema(value_type = String)]
    connection_id: ConnectionId,
    /// The recipient in one form: E.164 for a phone number.
    to: &'a str,
    /// The number was written in a wrong way that has one meaning, and was put right.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    corrected: bool,
    /// The number is certainly no mobile line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_mobile: bool,
    /// The message in whose place it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    replay_of: Option<MessageId>,
}

impl<'a> AcceptedView<'a> {
    pub fn of(message: &'a AcceptedMessage) -> Self {
        let AcceptedMessage { id, status, connection_id, to, replay_of } = message;
        let (id, status, connection_id, replay_of) = (*id, *status, *connection_id, *replay_of);
        Self { id, status, connection_id, to, corrected: false, not_mobile: false, replay_of }
    }
}

/// Send a message
///
/// 202 means that the message is durable. What becomes of it is told by events, and by `GET /v1/messages/{id}`.
#[utoipa::path(
    post,
    path = "/v1/messages",
    tag = "messages",
    request_body(content = NewMessage, example = json!({
        "business_id": "demo", "message": {"to": "+255712345678", "type": "text", "text": {"body": "Habari"}},
    })),
    responses(
        (status = 202, description = "Durable", body = AcceptedView),
        (status = 503, description = "Come back after `retry_after` seconds", body = crate::http::error::ProblemBody),
    ),
)]
pub async fn create(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    key: Key,
    body: Json<NewMessage>,
) -> Result<HttpResponse, Problem> {
    let Json { value, bytes } = body;
    let Some(key_hash) = key.0 else { return accept(&state, &caller, value, None).await };
    let body_hash = Sha256::digest(&bytes).into();
    let (business, connection) = (value.business_id.clone(), value.connection_id);
    let problem = match accept(&state, &caller, value, Some((key_hash, body_hash))).await {
        Ok(answer) => return Ok(answer),
        Err(problem) => problem,
    };
    // What was accepted once stays so, even if the same request would be refused by now.
    let sees = match (business, connection) {
        _ if !caller.is_restricted() => true,
        (Some(business), _) => caller.sees(&business),
        (None, Some(id)) => api::connection(&state, &caller, id).await.is_ok(),
        (None, None) => false,
    };
    let record = if sees { state.store.remembered(caller.account(), &key_hash).await? } else { None };
    match record {
        Some(record) => replay(&state, &record, ROUTE, &body_hash).await,
        None => Err(problem),
    }
}

async fn accept(
    state: &AppState,
    caller: &Caller,
    new: NewMessage,
    key: Option<([u8; 32], [u8; 32])>,
) -> Result<HttpResponse, Problem> {
    check(&new, state.clock.now())?;
    let route = route(state, caller, &new).await?;
    let options = Options { allow_unknown: new.allow_unknown };
    let prepared = cloud_api::prepare(new.message, route.business.country, options);
    let prepared = prepared.map_err(|errors| {
        Problem::fields(errors.into_iter().map(|error| error.under("message")).collect())
    })?;
    let Prepared { recipient, kind, json, opaque, corrected, not_mobile } = prepared;
    let answer = answer_with(corrected, not_mobile);
    let body_hash = key.map(|(_, body_hash)| body_hash);
    let submission = Submission {
        recipient,
        kind,
        json,
        opaque,
        client_ref: new.client_ref,
        priority: new.priority,
        order: new.order,
        on_ambiguous: new.on_ambiguous.map(|when| match when {
            WhenAmbiguous::Resend => OnAmbiguous::Resend,
            WhenAmbiguous::Fail => OnAmbiguous::Fail,
        }),
        send_at: new.send_at,
        expires_at: new.expires_at,
        marketing: false,
        immediate: new.mode == Mode::Immediate,
        replay_of: None,
        idempotency: key.map(|(key_hash, body_hash)| IdempotencyKey {
            key_hash,
            route: ROUTE.to_owned(),
            body_hash,
            answer_status: StatusCode::ACCEPTED.as_u16(),
            answer: Arc::clone(&answer),
        }),
    };
    match state.gateway.accept(&route, submission).await.map_err(not_accepted)? {
        Acceptance::New(message) => Ok(HttpResponse::Accepted()
            .insert_header((CONTENT_TYPE, "application/json"))
            .body(answer(&message))),
        Acceptance::Replayed(record) => replay(state, &record, ROUTE, &body_hash.unwrap_or_default()).await,
    }
}

/// What can be said without knowing the business.
fn check(new: &NewMessage, now: Timestamp) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, rule, message: String| errors.push(FieldError::new(field, rule, message));
    if new.business_id.is_none() && new.connection_id.is_none() {
        wrong("business_id", "required", "business_id or connection_id is needed".to_owned());
    }
    if new.client_ref.as_ref().is_some_and(|text| text.chars().count() > LONGEST_CLIENT_REF) {
        wrong("client_ref", "too_long", format!("client_ref has at most {LONGEST_CLIENT_REF} characters"));
    }
    let latest = now.plus(LONGEST_WAIT);
    if new.send_at.is_some_and(|at| at > latest) {
        wrong("send_at", "too_late", "send_at must be within 30 days".to_owned());
    }
    if let Some(expires_at) = new.expires_at {
        let start = new.send_at.unwrap_or(now).max(now);
        if expires_at <= start {
            wrong(
                "expires_at",
                "too_early",
                "expires_at must be in the future, and after send_at".to_owned(),
            );
        }
        if expires_at > latest {
            wrong("expires_at", "too_late", "expires_at must be within 30 days".to_owned());
        }
    }
    if new.fallback {
        wrong("fallback", "unsupported", "fallback to another transport is not available yet".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

async fn route(state: &AppState, caller: &Caller, new: &NewMessage) -> Result<Route, Problem> {
    if new.business_id.as_ref().is_some_and(|business| !caller.sees(business)) {
        return Err(Problem::not_found());
    }
    let target = match (new.connection_id, &new.business_id) {
        (Some(id), _) => Target::Connection(id),
        (None, Some(reference)) => Target::Business(reference.clone()),
        (None, None) => return Err(Problem::not_found()),
    };
    if let (Target::Connection(id), true) = (&target, caller.is_restricted()) {
        // Before anything is said about it.
        api::connection(state, caller, *id).await?;
    }
    let immediate = new.mode == Mode::Immediate;
    let route = state.gateway.route(caller.account(), target, immediate).await.map_err(not_routed)?;
    let reference = &route.business.reference;
    if !caller.sees(reference) || new.business_id.as_ref().is_some_and(|named| named != reference) {
        return Err(Problem::not_found());
    }
    Ok(route)
}

/// The answer must be the same when it is repeated from its record, notes included.
fn answer_with(corrected: bool, not_mobile: bool) -> AnswerText {
    Arc::new(move |message| {
        let view = AcceptedView { corrected, not_mobile, ..AcceptedView::of(message) };
        serde_json::to_string(&view).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn new(json: &str) -> NewMessage {
        serde_json::from_str(&format!("{{\"message\":{{}},{json}}}")).unwrap()
    }

    #[test]
    fn times_are_in_order_and_in_the_future() {
        let good =
            r#""business_id":"duka","send_at":"2026-09-22T00:00:00Z","expires_at":"2026-09-23T00:00:00Z""#;
        assert_eq!(check(&new(good), NOW), Ok(()));
        for wrong in [
            r#""business_id":"duka","expires_at":"2026-09-21T00:00:00Z""#,
            r#""business_id":"duka","send_at":"2026-09-23T00:00:00Z","expires_at":"2026-09-22T00:00:00Z""#,
            r#""business_id":"duka","send_at":"2027-09-23T00:00:00Z""#,
            r#""business_id":"duka","expires_at":"2027-09-23T00:00:00Z""#,
            r#""business_id":"duka","fallback":true"#,
            r#""client_ref":"x""#,
        ] {
            assert!(check(&new(wrong), NOW).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_answer_says_only_what_is_worth_saying() {
        let message = AcceptedMessage {
            id: MessageId::from_uuid(uuid::Uuid::from_u128(1)),
            status: MessageStatus::Accepted,
            connection_id: ConnectionId::from_uuid(uuid::Uuid::from_u128(2)),
            to: "+255712345678".to_owned(),
            replay_of: None,
        };
        let plain: Value = serde_json::from_str(&answer_with(false, false)(&message)).unwrap();
        assert_eq!(plain.as_object().unwrap().len(), 4);
        let noted: Value = serde_json::from_str(&answer_with(true, true)(&message)).unwrap();
        assert_eq!((noted["corrected"].as_bool(), noted["not_mobile"].as_bool()), (Some(true), Some(true)));
    }
}
