//! Connections: the numbers of a business. They are made by onboarding, never here.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::ids::{BusinessRef, ConnectionId};
use domain::onboarding::TransportChoice;
use domain::{Connection, ConnectionStatus, Transport};
use gateway_actors::MoveError;

use super::onboarding_sessions::{NewSession, SessionView, open};
use super::page::{List, collect};
use super::sending::{ConnectionChange, ConnectionDetail};
use crate::http::auth::{May, scope};
use crate::http::error::{Code, Problem};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Json, Query, named};
use crate::http::state::AppState;

/// Why a connection does not send, when its owner asked for that.
const BY_OWNER: &str = "disconnected_by_owner";

/// List connections, oldest first
#[utoipa::path(
    get,
    path = "/v1/connections",
    tag = "connections",
    params(
        ("business_id" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = List<ConnectionDetail>)),
)]
pub async fn list(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let business: Option<BusinessRef> = query.parsed("business_id")?;
    let (limit, after) = (query.limit()?, query.parsed::<ConnectionId>("after")?);
    query.done()?;
    let business = match business {
        Some(reference) => Some(super::business(&state, &caller, &reference).await?.key),
        None => None,
    };
    let read = async |page| state.store.connections(caller.account(), business, page).await;
    let visible =
        async |rows: &[Connection]| Ok(rows.iter().map(|row| caller.sees(&row.business_reference)).collect());
    let (rows, next) = collect(after, limit, read, visible, |row| row.id).await?;
    let mut data = Vec::with_capacity(rows.len());
    for row in rows {
        data.push(ConnectionDetail::of(&state, row).await?);
    }
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

/// Read a connection
#[utoipa::path(
    get,
    path = "/v1/connections/{id}",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectionDetail), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    Ok(HttpResponse::Ok().json(ConnectionDetail::of(&state, found).await?))
}

/// Change how a number sends
#[utoipa::path(
    patch,
    path = "/v1/connections/{id}",
    tag = "connections",
    params(("id" = String, Path)),
    request_body = ConnectionChange,
    responses(
        (status = 200, body = ConnectionDetail),
    ),
)]
pub async fn change(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    body: Json<ConnectionChange>,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    if let Some(pace) = body.value.pace()? {
        state.gateway.set_pace(&found, pace).await?;
    }
    let now = super::connection(&state, &caller, found.id).await?;
    Ok(HttpResponse::Ok().json(ConnectionDetail::of(&state, now).await?))
}

/// Let a number go on sending now
///
/// Ends whatever it waits for by itself, and a suspension whose reason is gone: should it not be gone, the next
/// message shows it and the number is suspended again. A number that was disconnected is connected again by its owner.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/resume",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectionDetail)),
)]
pub async fn resume(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/connections/{}/resume", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        state.gateway.resume_connection(&found).await.map_err(not_moved)?;
        let now = super::connection(&state, &caller, found.id).await?;
        Ok(Made::new(StatusCode::OK, &ConnectionDetail::of(&state, now).await?)?
            .holding_secret_of(found.business))
    })
    .await
}

fn not_moved(error: MoveError) -> Problem {
    match error {
        MoveError::Store(error) => error.into(),
        refused => Problem::new(Code::StateConflict).with_detail(refused.to_string()),
    }
}

/// Stop sending from a number
///
/// Messages that wait for it are kept until they expire, or until the number is connected again.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/disconnect",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectionDetail)),
)]
pub async fn disconnect(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/connections/{}/disconnect", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        if found.status != ConnectionStatus::Disconnected {
            let moved =
                state.gateway.move_connection(&found, ConnectionStatus::Disconnected, Some(BY_OWNER)).await;
            moved.map_err(not_moved)?;
        }
        let now = super::connection(&state, &caller, found.id).await?;
        Ok(Made::new(StatusCode::OK, &ConnectionDetail::of(&state, now).await?)?
            .holding_secret_of(found.business))
    })
    .await
}

/// Open an onboarding session that connects this number again
///
/// With the same number the connection keeps its id, its messages and its history; another number becomes a
/// connection of its own.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/reconnect",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 201, body = SessionView)),
)]
pub async fn reconnect(
    caller: May<scope::OnboardingWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/connections/{}/reconnect", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        let transport = match found.transport() {
            Transport::Official => TransportChoice::Official,
            Transport::Unofficial => TransportChoice::Unofficial,
        };
        let new =
            NewSession::for_connection(found.business_reference.clone(), transport, found.provider, found.id);
        open(&state, &caller, new).await
    })
    .await
}
