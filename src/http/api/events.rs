//! The stream of events, for whoever would rather ask than listen.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::event::StoredEvent;
use domain::ids::BusinessRef;
use gateway_actors::{column, payload};
use serde_json::value::RawValue;

use super::page::{List, collect};
use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::of_seal;
use crate::http::json::Query;
use crate::http::state::AppState;

/// List events, oldest first
///
/// Each is what an endpoint is sent, with its `id`, by which repeated ones are told, and its `cursor`: to be sent as
/// `after` for what follows it, now or later.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(
        ("business_id" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = List<Object>)),
)]
pub async fn list(
    caller: May<scope::EventsRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let business: Option<BusinessRef> = query.parsed("business_id")?;
    let (limit, after) = (query.limit()?, query.parsed::<i64>("after")?);
    query.done()?;
    let business = match business {
        Some(reference) => Some(super::business(&state, &caller, &reference).await?.key),
        None => None,
    };
    let read = async |page: domain::contracts::store::Page<i64>| {
        state.store.events_after(caller.account(), business, page.after.unwrap_or(0), page.limit).await
    };
    let visible = async |rows: &[StoredEvent]| {
        Ok(rows.iter().map(|row| caller.sees(&row.business_reference)).collect())
    };
    let (rows, next) = collect(after, limit, read, visible, |row| row.seq).await?;
    let mut data = Vec::with_capacity(rows.len());
    for row in &rows {
        data.push(shown(&state, row).await?);
    }
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|seq| seq.to_string()) }))
}

/// The delivered object with two members before its own.
async fn shown(state: &AppState, event: &StoredEvent) -> Result<Box<RawValue>, Problem> {
    let keychain = state.gateway.keychain();
    let opened = keychain.open(event.business, event.id.uuid(), column::EVENT_BODY, &event.body).await;
    let opened = opened.map_err(of_seal)?;
    let unreadable = |error| Problem::internal("reading an event", &error);
    let delivered = payload::listed(event, &opened).map_err(unreadable)?;
    let members = delivered.get().trim_start().strip_prefix('{').unwrap_or("}");
    let text = format!("{{\"id\":\"{}\",\"cursor\":\"{}\",{members}", event.id, event.seq);
    RawValue::from_string(text).map_err(|error| Problem::internal("writing an event", &error))
}
