//! Messages as they stand, one by one and in lists, and the end of one that is not being sent yet.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::contracts::store::{MessageFilter, Report, StoredMessage};
use domain::delivery_status::DeliveryStatus;
use domain::ids::{BusinessRef, ConnectionId, MessageId};
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::StateCode;
use gateway_actors::{Cancellation, column};
use serde_json::Value;

use super::refusal::not_accepted;
use super::timeline;
use super::why::Why;
use crate::http::api;
use crate::http::api::page::{List, collect};
use crate::http::api::views::MessageView;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::{Code, Problem};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Query, named};
use crate::http::state::AppState;

pub(super) async fn message(state: &AppState, caller: &Caller, id: &str) -> Result<StoredMessage, Problem> {
    let found = state.store.message(caller.account(), named(id)?).await?;
    found.filter(|found| caller.sees(&found.business_reference)).ok_or(Problem::not_found())
}

/// A message with everything that is known of it.
pub(super) struct Found {
    pub(super) message: StoredMessage,
    reports: Vec<Report>,
    written: Vec<TimelineEntry>,
    pub(super) why: Option<Why>,
    pub(super) replayed_as: Option<MessageId>,
}

impl Found {
    pub(super) fn status(&self) -> MessageStatus {
        MessageStatus::of(self.message.state.code(), self.reported())
    }

    fn reported(&self) -> Option<DeliveryStatus> {
        DeliveryStatus::of_reports(self.reports.iter().map(|report| report.status))
    }

    fn view(self) -> MessageView {
        let status = self.status();
        let timeline = timeline::merge(&self.message, self.written, &self.reports);
        MessageView::new(self.message, status, self.why, self.replayed_as).with_timeline(timeline)
    }
}

pub(super) async fn found(state: &AppState, message: StoredMessage) -> Result<Found, Problem> {
    let about = [(message.connection, message.id)];
    let old = [message.id];
    let (reports, written, replays) = futures_util::try_join!(
        state.store.reports(&about),
        state.store.timeline(message.id),
        state.store.replays(&old)
    )?;
    let replayed_as = replays.first().map(|(_, new)| *new);
    let mut found = Found { message, reports, written, why: None, replayed_as };
    found.why = why(state, &found).await?;
    Ok(found)
}

/// Why it is over without having arrived, if it is.
async fn why(state: &AppState, found: &Found) -> Result<Option<Why>, Problem> {
    let Found { message, reports, written, .. } = found;
    let failed = reports.iter().find(|report| report.status == DeliveryStatus::Failed);
    let report = match failed.filter(|_| found.status() == MessageStatus::Failed) {
        Some(report) => failed_report(state, message).await?.map(|data| (report.at, data)),
        None => None,
    };
    let state = message.state.code();
    Ok(Why::of(found.status(), state, written, message.error.as_deref(), report))
}

/// What the provider reported, which is kept sealed. What cannot be opened is not told.
async fn failed_report(state: &AppState, message: &StoredMessage) -> Result<Option<Value>, Problem> {
    let Some((id, sealed)) = state.store.failed_report(message.connection, message.id).await? else {
        return Ok(None);
    };
    let opened =
        state.gateway.keychain().open(message.business, id.uuid(), column::EVENT_BODY, &sealed).await;
    Ok(opened.ok().and_then(|opened| serde_json::from_slice(&opened).ok()))
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
    Ok(HttpResponse::Ok().json(found(&state, message).await?.view()))
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
        ("reason" = Option<String>, Query, description = "The word for why it ended, as its timeline has it"),
        ("from" = Option<String>, Query, description = "Accepted at or after this, RFC 3339"),
        ("to" = Option<String>, Query, description = "Accepted before this, RFC 3339"),
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
    let (reason, from, to) = (query.take("reason"), query.time("from")?, query.time("to")?);
    query.done()?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Problem::field("from", "too_late", "from must be before to"));
    }
    let failed = status == Some(MessageStatus::Failed);
    let state_code = status.and_then(stored_as);
    let mut filter =
        MessageFilter { client_ref, state: state_code, failed, from, to, reason, ..MessageFilter::default() };
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
    let mut data = Vec::with_capacity(rows.len());
    for row in rows {
        let status = MessageStatus::of(row.state.code(), reported.get(&row.id).copied());
        data.push(match status {
            // Few, and each of interest for its reason.
            MessageStatus::Failed | MessageStatus::Expired | MessageStatus::Cancelled => {
                let found = found(&state, row).await?;
                MessageView::new(found.message, status, found.why, found.replayed_as)
            }
            _ => MessageView::new(row, status, None, None),
        });
    }
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
    let asked = message(&state, &caller, &id).await?;
    let route = format!("POST /v1/messages/{}/cancel", asked.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        match state.gateway.cancel(asked.connection, asked.id).await.map_err(not_accepted)? {
            Cancellation::Cancelled => {}
            Cancellation::TooLate if asked.state.code() == StateCode::Cancelled => {}
            Cancellation::TooLate => {
                let detail = "the message is being sent, or is over: it can not be cancelled any more";
                return Err(Problem::new(Code::StateConflict).with_detail(detail));
            }
        }
        let cancelled = message(&state, &caller, &id).await?;
        let view = found(&state, cancelled).await?.view();
        Ok(Made::new(StatusCode::OK, &view)?.holding_secret_of(asked.business))
    })
    .await
}
