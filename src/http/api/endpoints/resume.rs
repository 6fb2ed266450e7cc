//! Telling the gateway that an endpoint is back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::endpoint::{Endpoint, EndpointHealth};

use super::{EndpointView, visible_endpoint};
use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, named};
use crate::http::state::AppState;

/// Deliver to an endpoint again that is failing, parked or gone
///
/// What waits goes out at once, in order. An endpoint that takes events already is left as it is.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/resume",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses((status = 200, body = EndpointView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn resume(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let endpoint = visible_endpoint(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/endpoints/{}/resume", endpoint.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        let owner = endpoint.key_owner();
        let endpoint = resumed(&state, endpoint).await?;
        let view = EndpointView::new(&endpoint, None, state.clock.now());
        Ok(Made::new(StatusCode::OK, &view)?.holding_secret_of(owner))
    })
    .await
}

pub(super) async fn resumed(state: &AppState, endpoint: Endpoint) -> Result<Endpoint, Problem> {
    if endpoint.health == EndpointHealth::Taking {
        return Ok(endpoint);
    }
    let now = state.clock.now();
    state.store.save_health(endpoint.id, EndpointHealth::Taking).await?;
    state.store.make_due(endpoint.id, now).await?;
    state.gateway.retry_deliveries(endpoint.id).await;
    tracing::info!(endpoint.id = %endpoint.id, was = endpoint.health.as_str(), "an endpoint was resumed");
    Ok(Endpoint { health: EndpointHealth::Taking, ..endpoint })
}
