//! Messages as they stand, one by one and in lists, and the end of one that is not being sent yet.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::contracts::store::{MessageFilter, StoredMessage};
use domain::delivery_status::DeliveryStatus;
use domain::ids::{BusinessRef, ConnectionId, MessageId};
use domain::message::MessageStatus;
use domain::outbox::StateCode;
use gateway_actors::Cancellation;
use serde_json::Value;

use super::accept::not_accepted;
use super::timeline;
use crate::http::api;
use crate::http::api::page::{List, collect};
use crate::http::api::views::MessageView;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::{Code, Problem};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Query, named};
use crate::http::state::AppState;

async fn message(state: &AppState, caller: &Caller, id: &str) -> Result<StoredMessage, Problem> {
    let found = state.store.message(caller.account(), named(id)?).await?;
    found.filter(|found| caller.sees(&found.business_reference)).ok_or(Problem::not_found())
}

async fn shown(state: &AppState, message: StoredMessage) -> Result<MessageView, Problem> {
    let about = [(message.connection, message.id)];
    let (reports, written) =
        futures_util::try_join!(state.store.reports(&about), state.store.timeline(message.id))?;
    let reported = DeliveryStatus::of_reports(reports.iter().map(|report| report.status));
    let timeline = timeline::merge(&message, written, &reports);
    Ok(MessageView::new(message, reported, Some(timeline)))
}

/// Read a message with its history
#[utoipa::path(
    get,
    path = "/v1/messages/{id}",
    tag = "messages",
    params(("id" = String, Path)),
    responses((status = 200, body = MessageView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let message = message(&state, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&state, message).await?))
}

/// List messages, newest first
#[utoipa::path(
    get,
    path = "/v1/messages",
    tag = "messages",
    params(
        ("business_id" = Option<String>, Query),
        ("connection_id" = Option<String>, Query),
        ("client_ref" = Option<String>, Query),
        ("status" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = List<MessageView>)),
)]
pub async fn list(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let business: Option<BusinessRef> = query.parsed("business_id")?;
    let connection: Option<ConnectionId> = query.parsed("connection_id")?;
    let status = query.take("status").map(|word| status_of(&word)).transpose()?;
    let (limit, after) = (query.limit()?, query.parsed("after")?);
    let client_ref = query.take("client_ref");
    query.done()?;
    let mut filter =
        MessageFilter { client_ref, state: status.and_then(stored_as), ..MessageFilter::default() };
    if let Some(reference) = business {
        filter.business = Some(api::business(&state, &caller, &reference).await?.key);
    }
    if let Some(id) = connection {
        filter.connection = Some(api::connection(&state, &caller, id).await?.id);
    }
    let mut reported: HashMap<MessageId, DeliveryStatus> = HashMap::new();
    let read = async |page| state.store.messages(caller.account(), &filter, page).await;
    let visible = async |rows: &[StoredMessage]| {
        let about: Vec<_> = rows.iter().map(|row| (row.connection, row.id)).collect();
        for report in state.store.reports(&about).await? {
            let status = reported.entry(report.message).or_insert(report.status);
            *status = status.advanced_by(report.status);
        }
        Ok(rows
            .iter()
            .map(|row| {
                let is = MessageStatus::of(row.state.code(), reported.get(&row.id).copied());
                caller.sees(&row.business_reference) && status.is_none_or(|wanted| wanted == is)
            })
            .collect())
    };
    let (rows, next) = collect(after, limit, read, visible, |row| row.id).await?;
    let data = rows
        .into_iter()
        .map(|row| {
            let reported = reported.get(&row.id).copied();
            MessageView::new(row, reported, None)
        })
        .collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

fn status_of(word: &str) -> Result<MessageStatus, Problem> {
    serde_json::from_value(Value::String(word.to_owned())).map_err(|_| {
        Problem::field("status", "invalid", "status must be one of the ten statuses of a message")
    })
}

/// In which state of the outbox messages of this status are, where there is one. What a provider reported lies
/// beside the outbox, and a message that failed may have done so in either place.
const fn stored_as(status: MessageStatus) -> Option<StateCode> {
    match status {
        MessageStatus::Accepted => Some(StateCode::Accepted),
        MessageStatus::Sending => Some(StateCode::Sending),
        MessageStatus::Ambiguous => Some(StateCode::Ambiguous),
        MessageStatus::Retrying => Some(StateCode::RetryWait),
        MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read => Some(StateCode::Sent),
        MessageStatus::Failed => None,
        MessageStatus::Expired => Some(StateCode::Expired),
        MessageStatus::Cancelled => Some(StateCode::Cancelled),
    }
}

/// Cancel a message that is not being sent yet
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/cancel",
    tag = "messages",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = MessageView),
        (status = 409, description = "It is being sent, or is over", body = crate::http::error::ProblemBody),
    ),
)]
pub async fn cancel(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = message(&state, &caller, &id).await?;
    let route = format!("POST /v1/messages/{}/cancel", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        match state.gateway.cancel(found.connection, found.id).await.map_err(not_accepted)? {
            Cancellation::Cancelled => {}
            Cancellation::TooLate if found.state.code() == StateCode::Cancelled => {}
            Cancellation::TooLate => {
                let detail = "the message is being sent, or is over: it can not be cancelled any more";
                return Err(Problem::new(Code::StateConflict).with_detail(detail));
            }
        }
        let cancelled = message(&state, &caller, &id).await?;
        Made::new(StatusCode::OK, &shown(&state, cancelled).await?)
    })
    .await
}
