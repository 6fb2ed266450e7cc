//! `POST /{version}/{phone_number_id}/messages`: a message that is kept before it is answered, or a read mark.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path};
use domain::contracts::provider::ProviderError;
use domain::contracts::store::StoredMessage;
use domain::ids::MessageId;
use domain::message::MessageStatus;
use domain::outbox::StateCode;
use domain::recipient::Recipient;
use domain::{Connection, Priority};
use gateway_actors::{Acceptance, AnswerText, IdempotencyKey, Submission, Target};
use providers::cloud_api::{self, Options, Prepared};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error;
use super::number::number;
use super::passing::answered;
use crate::http::api::messages::{not_accepted, not_routed};
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, replay};
use crate::http::json::{Json, Query};
use crate::http::read_mark;
use crate::http::state::AppState;

/// Longer than Meta takes to answer, and shorter than clients wait.
const PATIENCE: Duration = Duration::from_secs(20);

type Hashes = ([u8; 32], [u8; 32]);

pub(super) async fn send(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    key: Key,
    query: Query,
    body: Json<Map<String, Value>>,
) -> Result<HttpResponse, Problem> {
    let connection = number(&state, &caller, &path.1).await?;
    if body.value.contains_key("status") {
        let marked = read_mark::mark(&state, &connection, body.value).await?;
        return Ok(answered(&state, &path.0, &marked));
    }
    let wishes = Wishes::read(query, caller.waits())?;
    let hashes = key.0.map(|key| (key, Sha256::digest(&body.bytes).into()));
    let kept = match accept(&state, &caller, &connection, &wishes, body.value, hashes).await {
        Ok(kept) => kept,
        Err(problem) => accepted_before(&state, &caller, &connection, hashes).await?.ok_or(problem)?,
    };
    if !wishes.waits {
        return Ok(kept.answer);
    }
    let told = match kept.message {
        Some(id) => state.gateway.outcome(caller.account(), id, PATIENCE).await?,
        None => None,
    };
    Ok(told.as_ref().and_then(refused).unwrap_or(kept.answer))
}

/// What a client may ask for beyond what Graph knows.
struct Wishes {
    /// The answer is given when the provider has answered, or after a while.
    waits: bool,
    priority: Priority,
    allow_unknown: bool,
}

impl Wishes {
    /// Whatever else stands in the query is Graph's, and means nothing here.
    fn read(mut query: Query, waits: bool) -> Result<Self, Problem> {
        let waits = match query.take("wait").as_deref() {
            None => waits,
            Some("accepted") => false,
            Some("sent") => true,
            Some(_) => return Err(Problem::field("wait", "invalid", "wait must be accepted or sent")),
        };
        let priority = match query.take("priority") {
            None => Priority::default(),
            Some(word) => serde_json::from_value(word.into()).map_err(|_| {
                Problem::field("priority", "invalid", "priority must be otp, high, normal or bulk")
            })?,
        };
        Ok(Self { waits, priority, allow_unknown: query.take("allow_unknown").as_deref() == Some("true") })
    }
}

/// A message that is durable.
struct Kept {
    message: Option<MessageId>,
    answer: HttpResponse,
}

async fn accept(
    state: &AppState,
    caller: &Caller,
    connection: &Connection,
    wishes: &Wishes,
    message: Map<String, Value>,
    hashes: Option<Hashes>,
) -> Result<Kept, Problem> {
    let target = Target::Connection(connection.id);
    let route = state.gateway.route(caller.account(), target, false).await.map_err(not_routed)?;
    let input = ["to", "recipient"].iter().find_map(|name| message.get(*name)?.as_str()).map(str::to_owned);
    let options = Options { allow_unknown: wishes.allow_unknown };
    let prepared = cloud_api::prepare(message, route.business.country, options).map_err(Problem::fields)?;
    let Prepared { recipient, kind, json, opaque, .. } = prepared;
    let answer = answer_to(&input.unwrap_or_default(), &recipient);
    let submission = Submission {
        priority: wishes.priority,
        idempotency: hashes.map(|(key_hash, body_hash)| IdempotencyKey {
            key_hash,
            route: route_of(connection),
            body_hash,
            answer_status: StatusCode::OK.as_u16(),
            answer: Arc::clone(&answer),
        }),
        ..Submission::plain(recipient, kind, json, opaque)
    };
    match state.gateway.accept(&route, submission).await.map_err(not_accepted)? {
        Acceptance::New(message) => {
            let body = answer(&message);
            let answer = HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body);
            Ok(Kept { message: Some(message.id), answer })
        }
        Acceptance::Replayed(record) => {
            let (_, body_hash) = hashes.unwrap_or_default();
            again(state, &record, connection, &body_hash).await
        }
    }
}

/// What was accepted once stays so, even if the same request would be refused by now.
async fn accepted_before(
    state: &AppState,
    caller: &Caller,
    connection: &Connection,
    hashes: Option<Hashes>,
) -> Result<Option<Kept>, Problem> {
    let Some((key, body_hash)) = hashes else { return Ok(None) };
    match state.store.remembered(caller.account(), &key).await? {
        Some(record) => again(state, &record, connection, &body_hash).await.map(Some),
        None => Ok(None),
    }
}

async fn again(
    state: &AppState,
    record: &domain::contracts::store::IdempotencyRecord,
    connection: &Connection,
    body_hash: &[u8; 32],
) -> Result<Kept, Problem> {
    let answer = replay(state, record, &route_of(connection), body_hash).await?;
    let told: Value = serde_json::from_str(&record.answer).unwrap_or_default();
    let id = told.pointer("/messages/0/id").and_then(Value::as_str);
    Ok(Kept { message: id.and_then(MessageId::from_wamid), answer })
}

/// One key at two numbers is two requests.
fn route_of(connection: &Connection) -> String {
    format!("POST /{}/messages", connection.id)
}

/// Graph's answer to a message: who it goes to, and under which id its statuses will come.
fn answer_to(input: &str, recipient: &Recipient) -> AnswerText {
    let mut contact = json!({ "input": input });
    let mut group = None;
    match recipient {
        Recipient::Phone(number) => {
            contact["wa_id"] = number.to_string().trim_start_matches('+').into();
        }
        Recipient::User(user) => contact["user_id"] = user.to_string().into(),
        Recipient::Group(id) => {
            contact["wa_id"] = id.as_str().into();
            group = Some(id.as_str().to_owned());
        }
    }
    Arc::new(move |accepted| {
        let mut message = json!({ "id": accepted.id.to_wamid() });
        if let Some(group) = &group {
            message["group_id"] = group.as_str().into();
        }
        json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [message] }).to_string()
    })
}

/// The error that a message ended with, for a caller that waited for it.
fn refused(message: &StoredMessage) -> Option<HttpResponse> {
    if !matches!(message.state.code(), StateCode::Failed | StateCode::Expired) {
        return None;
    }
    let told = message.error.as_deref().and_then(|error| serde_json::from_str::<ProviderError>(error).ok());
    let error = told.unwrap_or_else(|| ProviderError {
        message: "(#131000) The message was not sent".to_owned(),
        details: Some(format!(
            "its status is {}: its timeline says why",
            MessageStatus::of(message.state.code(), None)
        )),
        ..ProviderError::default()
    });
    Some(error::of_provider(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::ConnectionId;
    use gateway_actors::AcceptedMessage;
    use uuid::Uuid;

    fn answered(input: &str, recipient: &str) -> Value {
        let message = AcceptedMessage {
            id: MessageId::from_uuid(Uuid::from_u128(1)),
            status: MessageStatus::Accepted,
            connection_id: ConnectionId::from_uuid(Uuid::from_u128(2)),
            to: recipient.to_owned(),
            replay_of: None,
        };
        serde_json::from_str(&answer_to(input, &recipient.parse().unwrap())(&message)).unwrap()
    }

    #[test]
    fn an_answer_names_the_recipient_as_given_and_as_known_and_an_id_of_ours() {
        let phone = answered("0712 345 678", "+255712345678");
        assert_eq!(phone["contacts"], json!([{"input": "0712 345 678", "wa_id": "255712345678"}]));
        let id = phone["messages"][0]["id"].as_str().unwrap();
        assert_eq!(MessageId::from_wamid(id), Some(MessageId::from_uuid(Uuid::from_u128(1))));
        let user = answered("US.13491208655302741918", "US.13491208655302741918");
        assert_eq!(user["contacts"][0]["user_id"], "US.13491208655302741918");
        assert!(user["contacts"][0].get("wa_id").is_none());
    }
}
