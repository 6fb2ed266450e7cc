//! Deliveries that an endpoint did not take at the first try.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::Timestamp;
use domain::contracts::store::Batch;
use domain::endpoint::{DeliveryState, FailedDelivery};
use domain::ids::{EndpointId, EventId};
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
    /// `retrying`, `delivered`, or `parked`: given up, and replayable.
    #[schema(example = "retrying")]
    status: &'static str,
    attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    next_at: Timestamp,
    /// HTTP status of the last try.
    last_status: Option<u16>,
    /// A stable word for a try that had no answer, such as `timeout`.
    last_error: Option<String>,
}

async fn shown(state: &AppState, delivery: FailedDelivery) -> Result<DeliveryView, Problem> {
    let event = state.store.event_by_seq(delivery.event_seq).await?;
    Ok(DeliveryView {
        id: delivery.id,
        endpoint_id: delivery.endpoint,
        event_id: event.as_ref().map(|event| event.id),
        event_type: event.as_ref().map(|event| event.event_type.as_str()),
        status: delivery.state.as_str(),
        attempts: delivery.attempts,
        next_at: delivery.next_at,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
    })
}

/// List deliveries that did not arrive at the first try, newest first
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "endpoints",
    params(
        ("endpoint_id" = Option<String>, Query),
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
    let (limit, after) = (query.limit()?, query.parsed::<Uuid>("after")?);
    query.done()?;
    if let Some(id) = endpoint {
        visible_endpoint(&state, &caller, id).await?;
    }
    let mut known: HashMap<EndpointId, bool> = HashMap::new();
    let read = async |page| state.store.deliveries(caller.account(), endpoint, page).await;
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
    let mut data = Vec::with_capacity(rows.len());
    for row in rows {
        data.push(shown(&state, row).await?);
    }
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

async fn is_visible(state: &AppState, caller: &Caller, id: EndpointId) -> Result<bool, Problem> {
    let endpoint = state.store.endpoint(caller.account(), id).await?;
    Ok(endpoint.is_some_and(|endpoint| sees(caller, &endpoint)))
}

/// Deliver again, now
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
        // Counted from the start again, so that it is tried for the whole time.
        let due = FailedDelivery {
            state: DeliveryState::Retrying,
            attempts: 0,
            next_at: state.clock.now(),
            ..found
        };
        let batch = Batch { failed_deliveries: vec![due.clone()], ..Batch::default() };
        state.store.commit(&[], &batch).await?;
        state.gateway.retry_deliveries(due.endpoint).await;
        Made::new(StatusCode::ACCEPTED, &shown(&state, due).await?)
    })
    .await
}
