//! Sending again what did not arrive: as a new message that names the old one.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::contracts::store::StoredMessage;
use domain::ids::MessageId;
use domain::message::MessageStatus;
use domain::onboarding::Digest32;
use domain::{Priority, Timestamp};
use gateway_actors::{Acceptance, AcceptedMessage, IdempotencyKey, Route, Submission, Target, column};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::accept::{AcceptedView, LONGEST_WAIT};
use super::lookup::{Found, found, message};
use super::refusal::{not_accepted, not_routed};
use super::why::Again;
use crate::http::auth::{May, scope};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::http::idempotency::{Key, Made, Request, of_seal, once};
use crate::http::json::JsonOrNothing;
use crate::http::state::AppState;

const ROUTE: &str = "POST /v1/messages/{id}/replay";

/// What shall be different this time.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    #[schema(value_type = Option<String>, example = "high")]
    pub priority: Option<Priority>,
    /// The usual lifetime from now on when it is left out, whatever the old message had.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Needed where the first may have arrived, so that this may be a second one, which is billed.
    #[serde(default)]
    pub accept_duplicate: bool,
}

impl Replay {
    pub fn check(&self, now: Timestamp) -> Result<(), Problem> {
        match self.expires_at {
            Some(at) if at <= now => {
                Err(Problem::field("expires_at", "too_early", "expires_at must be in the future"))
            }
            Some(at) if at > now.plus(LONGEST_WAIT) => {
                Err(Problem::field("expires_at", "too_late", "expires_at must be within 30 days"))
            }
            _ => Ok(()),
        }
    }
}

/// Send again what failed, expired or was cancelled
///
/// Makes a new message that names the old one in `replay_of`. The old one stays as it is and names the new one in
/// `replayed_as`; it can be replayed once.
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/replay",
    tag = "messages",
    params(("id" = String, Path)),
    request_body = Replay,
    responses(
        (status = 202, description = "The new message is durable", body = AcceptedView),
        (status = 409, description = "It is not over, was replayed, or it is too soon", body = ProblemBody),
        (status = 410, description = "What it said is not kept any more", body = ProblemBody),
    ),
)]
pub async fn one(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: JsonOrNothing<Replay>,
) -> Result<HttpResponse, Problem> {
    let old = message(&state, &caller, &id).await?;
    let owner = old.business;
    let route = format!("POST /v1/messages/{}/replay", old.id);
    let request = Request { account: caller.account(), key, route, body: &body.bytes };
    once(&state, request, async {
        body.value.check(state.clock.now())?;
        let found = found(&state, old).await?;
        if let (Some(_), Some(_)) = (key.0, found.replayed_as)
            && let Some(record) =
                state.store.remembered(caller.account(), &replay_key(found.message.id)).await?
        {
            // The same request, whose own record was lost in a crash.
            return Ok(Made::from_json(StatusCode::ACCEPTED, record.answer).holding_secret_of(owner));
        }
        Ok(send_again(&state, found, &body.value).await?.holding_secret_of(owner))
    })
    .await
}

/// Accepts a message in the place of one that did not arrive.
pub(super) async fn send_again(state: &AppState, old: Found, replay: &Replay) -> Result<Made, Problem> {
    may_go_again(&old, replay, state.clock.now())?;
    let Found { message: old, .. } = old;
    let route = route(state, &old).await?;
    let json = said(state, &old).await?;
    let gone = || Problem::new(Code::BodyGone).with_detail("the message was written by another version");
    let submission = Submission {
        recipient: old.recipient.parse().map_err(|_| gone())?,
        marketing: false,
        kind: old.kind,
        json,
        opaque: old.opaque,
        client_ref: old.client_ref,
        priority: replay.priority.unwrap_or(old.priority),
        order: old.order,
        on_ambiguous: Some(old.on_ambiguous),
        send_at: None,
        expires_at: replay.expires_at,
        immediate: false,
        replay_of: Some(old.id),
        // Whoever comes second, in the same moment or after a crash, gets the first one's message.
        idempotency: Some(IdempotencyKey {
            key_hash: replay_key(old.id),
            route: ROUTE.to_owned(),
            body_hash: [0; 32],
            answer_status: StatusCode::ACCEPTED.as_u16(),
            answer: Arc::new(answer),
        }),
    };
    let accepted = state.gateway.accept(&route, submission).await.map_err(not_accepted)?;
    let json = match accepted {
        Acceptance::New(message) => answer(&message),
        Acceptance::Replayed(record) => record.answer,
    };
    Ok(Made::from_json(StatusCode::ACCEPTED, json))
}

fn answer(message: &AcceptedMessage) -> String {
    serde_json::to_string(&AcceptedView::of(message)).unwrap_or_default()
}

/// No key of a caller begins with what cannot be seen.
fn replay_key(old: MessageId) -> Digest32 {
    Sha256::digest(format!("\u{1}replay:{old}")).into()
}

fn may_go_again(old: &Found, replay: &Replay, now: Timestamp) -> Result<(), Problem> {
    let status = old.status();
    let over = matches!(status, MessageStatus::Failed | MessageStatus::Expired | MessageStatus::Cancelled);
    if !over {
        return Err(Problem::new(Code::StateConflict).with_detail(format!(
            "the message is {status}: only one that failed, expired or was cancelled can be replayed"
        )));
    }
    if let Some(new) = old.replayed_as {
        return Err(Problem::new(Code::AlreadyReplayed)
            .with_detail(format!("{new} was sent in its place: replay that one, should it fail too")));
    }
    match old.why.as_ref().map(|why| why.again) {
        Some(Again::NotBefore(at)) if now < at => Err(Problem::new(Code::RetryTooSoon)
            .with_detail(
                "the platform withheld it from the recipient, and must not be asked again within 24 hours",
            )
            .with_retry_after(at.since(now))),
        Some(Again::MayBeSecond) if !replay.accept_duplicate => Err(Problem::new(Code::MayBeDuplicate)
            .with_field(
                "accept_duplicate",
                "required",
                "nobody knows whether the first message arrived: send accept_duplicate true if a second one, \
                 which is billed, is better than none",
            )),
        _ => Ok(()),
    }
}

async fn route(state: &AppState, old: &StoredMessage) -> Result<Route, Problem> {
    let target = Target::Connection(old.connection);
    state.gateway.route(old.account, target, false).await.map_err(not_routed)
}

async fn said(state: &AppState, old: &StoredMessage) -> Result<String, Problem> {
    let gone = Problem::new(Code::BodyGone)
        .with_detail("what the message said was deleted when its time was over: send it anew");
    let sealed = state.store.message_body(old.id).await?.ok_or(gone)?;
    let opened =
        state.gateway.keychain().open(old.business, old.id.uuid(), column::MESSAGE_BODY, &sealed).await;
    Ok(String::from_utf8_lossy(&opened.map_err(of_seal)?).into_owned())
}
