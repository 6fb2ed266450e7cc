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
use super::views::ConnectionView;
use crate::http::auth::{May, scope};
use crate::http::error::{Code, Problem};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Query, named};
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
    responses((status = 200, body = List<ConnectionView>)),
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
    let data = rows.into_iter().map(ConnectionView::from).collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

/// Read a connection
#[utoipa::path(
    get,
    path = "/v1/connections/{id}",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = super::connection(&state, &caller, named(&id)?).await?;
    Ok(HttpResponse::Ok().json(ConnectionView::from(found)))
}

/// Stop sending from a number
///
/// Messages that wait for it are kept until they expire, or until the number is connected again.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/disconnect",
    tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView)),
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
            moved.map_err(|error| match error {
                MoveError::Store(error) => error.into(),
                refused => Problem::new(Code::StateConflict).with_detail(refused.to_string()),
            })?;
        }
        let now = super::connection(&state, &caller, found.id).await?;
        Made::new(StatusCode::OK, &ConnectionView::from(now))
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
