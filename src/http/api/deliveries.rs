//! Deliveries that an endpoint did not take at the first try, and some of those that it took.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::Timestamp;
use domain::contracts::deliveries::DeliveryFilter;
use domain::endpoint::{DeliveryAttempt, DeliveryState, FailedDelivery};
use domain::event::StoredEvent;
use domain::ids::{EndpointId, EventId};
use gateway_actors::column;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::endpoints::{sees, visible_endpoint};
use super::page::{List, collect};
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Query, named};
use crate::http::state::AppState;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    #[schema(value_type = String)]
    id: Uuid,
    #[schema(value_type = String)]
    endpoint_id: EndpointId,
    /// The event; null when it is kept no more.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    event_type: Option<&'static str>,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    event_timestamp: Option<Timestamp>,
    /// `retrying`, `delivered`, or `parked`: given up, and replayable.
    #[schema(example = "retrying")]
    status: &'static str,
    /// How often it was tried. None yet: it waits for an earlier event of its contact, or for its replay.
    attempts: u32,
    /// Of a delivery to be retried.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// Somebody asked for it once more.
    replayed: bool,
    /// HTTP status of the last try.
    last_status: Option<u16>,
    /// A stable word for a try that had no answer, such as `timeout`.
    last_error: Option<String>,
}

/// One try, as the endpoint answered it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    latency_ms: u32,
    /// HTTP status; null when there was no answer.
    status: Option<u16>,
    /// A stable word for a try that had no answer, such as `timeout`.
    error: Option<String>,
    /// How the answer began.
    answer: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The newest tries, oldest first.
    tries: Vec<AttemptView>,
}

fn view(delivery: FailedDelivery, event: Option<&StoredEvent>) -> DeliveryView {
    DeliveryView {
        id: delivery.id,
        endpoint_id: delivery.endpoint,
        event_id: event.map(|event| event.id),
        event_type: event.map(|event| event.event_type.as_str()),
        event_timestamp: event.map(|event| event.occurred_at),
        status: delivery.state.as_str(),
        attempts: delivery.attempts,
        next_at: Some(delivery.next_at).filter(|_| delivery.state == DeliveryState::Retrying),
        replayed: delivery.replayed,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
    }
}

async fn shown(state: &AppState, deliveries: Vec<FailedDelivery>) -> Result<Vec<DeliveryView>, Problem> {
    let places: Vec<i64> = deliveries.iter().map(|delivery| delivery.event_seq).collect();
    let events = state.store.events_by_seq(&places).await?;
    let of = |seq| events.binary_search_by_key(&seq, |event| event.seq).ok().map(|at| &events[at]);
    let view = |delivery: FailedDelivery| {
        let event = of(delivery.event_seq);
        view(delivery, event)
    };
    Ok(deliveries.into_iter().map(view).collect())
}

/// List deliveries, newest first
///
/// Those that did not arrive at the first try, and a sample of those that did: of each endpoint the newest.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "endpoints",
    params(
        ("endpoint_id" = Option<String>, Query),
        ("state" = Option<String>, Query, description = "`retrying`, `delivered` or `parked`"),
        ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = List<DeliveryView>)),
)]
pub async fn list(
    caller: May<scope::EndpointsRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let endpoint: Option<EndpointId> = query.parsed("endpoint_id")?;
    let with_state = query.take("state").map(|word| state_of(&word)).transpose()?;
    let (limit, after) = (query.limit()?, query.parsed::<Uuid>("after")?);
    query.done()?;
    let filter = DeliveryFilter { endpoint, state: with_state };
    if let Some(id) = endpoint {
        visible_endpoint(&state, &caller, id).await?;
    }
    let mut known: HashMap<EndpointId, bool> = HashMap::new();
    let read = async |page| state.store.deliveries(caller.account(), &filter, page).await;
    let visible = async |rows: &[FailedDelivery]| {
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            let is_shown = match known.get(&row.endpoint) {
                Some(is_shown) => *is_shown,
                None => is_visible(&state, &caller, row.endpoint).await?,
            };
            known.insert(row.endpoint, is_shown);
            shown.push(is_shown);
        }
        Ok(shown)
    };
    let (rows, next) = collect(after, limit, read, visible, |row| row.id).await?;
    let data = shown(&state, rows).await?;
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

async fn is_visible(state: &AppState, caller: &Caller, id: EndpointId) -> Result<bool, Problem> {
    let endpoint = state.store.endpoint(caller.account(), id).await?;
    Ok(endpoint.is_some_and(|endpoint| sees(caller, &endpoint)))
}

fn state_of(word: &str) -> Result<DeliveryState, Problem> {
    DeliveryState::from_word(word)
        .ok_or_else(|| Problem::field("state", "invalid", "state must be retrying, delivered or parked"))
}

/// Read a delivery with its newest tries
#[utoipa::path(
    get,
    path = "/v1/deliveries/{id}",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = DeliveryWithAttempts),
        (status = 404, body = crate::http::error::ProblemBody),
    ),
)]
pub async fn read(
    caller: May<scope::EndpointsRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = state.store.delivery(caller.account(), named(&id)?).await?.ok_or(Problem::not_found())?;
    visible_endpoint(&state, &caller, found.endpoint).await?;
    let kept = state.store.delivery_attempts(found.id).await?;
    let event = state.store.events_by_seq(&[found.event_seq]).await?.pop();
    let mut tries = Vec::with_capacity(kept.len());
    for attempt in kept {
        tries.push(opened(&state, found.id, event.as_ref(), attempt).await);
    }
    let delivery = view(found, event.as_ref());
    Ok(HttpResponse::Ok().json(DeliveryWithAttempts { delivery, tries }))
}

/// An answer whose event is kept no longer, or that no key opens, is not shown.
async fn opened(
    state: &AppState,
    delivery: Uuid,
    event: Option<&StoredEvent>,
    attempt: DeliveryAttempt,
) -> AttemptView {
    let DeliveryAttempt { at, latency_ms, status, error, answer } = attempt;
    let answer = match answer.zip(event) {
        Some((sealed, event)) => {
            let keychain = state.gateway.keychain();
            let opened = keychain.open(event.business, delivery, column::DELIVERY_ANSWER, &sealed).await;
            opened.ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        None => None,
    };
    AttemptView { at, latency_ms, status, error, answer }
}

/// Deliver again, now
///
/// Under the same id and with its original time, and tried for the whole time again.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/replay",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses((status = 202, body = DeliveryView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn replay(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = state.store.delivery(caller.account(), named(&id)?).await?.ok_or(Problem::not_found())?;
    visible_endpoint(&state, &caller, found.endpoint).await?;
    let route = format!("POST /v1/deliveries/{}/replay", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        let now = state.clock.now();
        let due = state.store.replay_delivery(caller.account(), found.id, now).await?;
        let due = due.ok_or(Problem::not_found())?;
        state.gateway.retry_deliveries(due.endpoint).await;
        let event = state.store.events_by_seq(&[due.event_seq]).await?.pop();
        Made::new(StatusCode::ACCEPTED, &view(due, event.as_ref()))
    })
    .await
}
