//! The stream of events, for whoever would rather ask than listen.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::contracts::store::EventFilter;
use domain::event::{EventType, StoredEvent};
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
        ("types" = Option<String>, Query, description = "Only these types, with commas between them"),
        ("from" = Option<String>, Query, description = "Happened at or after this time …"),
        ("to" = Option<String>, Query, description = "… and before this one"),
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
    let types = query.take("types").map(|words| types_of(&words)).transpose()?.unwrap_or_default();
    let (from, to) = (query.time("from")?, query.time("to")?);
    let (limit, after) = (query.limit()?, query.parsed::<i64>("after")?);
    query.done()?;
    let business = match business {
        Some(reference) => Some(super::business(&state, &caller, &reference).await?.key),
        None => None,
    };
    let filter = EventFilter { business, types, from, to, last: None };
    let read = async |page: domain::contracts::store::Page<i64>| {
        state.store.events_after(caller.account(), &filter, page.after.unwrap_or(0), page.limit).await
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

fn types_of(words: &str) -> Result<Vec<EventType>, Problem> {
    words.split(',').map(|word| EventType::from_word(word.trim())).collect::<Option<Vec<_>>>().ok_or_else(
        || {
            let known: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
            Problem::field("types", "invalid", format!("types must be some of {}", known.join(", ")))
        },
    )
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
