//! Registering, reading, changing and removing endpoints.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::endpoint::{Endpoint, EndpointFormat, EndpointHealth};
use domain::ids::{BusinessKey, BusinessRef, EndpointId};
use domain::secret::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::checks::{checked_events, checked_token, checked_url, checked_words, confirmed};
use super::resume::resumed;
use super::{EndpointView, secret, sees, visible_endpoint};
use crate::http::api;
use crate::http::api::page::{List, collect};
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Json, Query, named};
use crate::http::state::AppState;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    /// https, and not inside our own network.
    #[schema(example = "https://app.example/hooks/whatsapp")]
    url: String,
    /// Only events of this business; of all of the account's when absent.
    #[schema(value_type = Option<String>)]
    business_id: Option<BusinessRef>,
    /// Only these types; all when absent or empty.
    #[serde(default)]
    #[schema(example = json!(["message.received", "message.status"]))]
    events: Vec<String>,
    /// `standard`: our event object, signed as Standard Webhooks says. `cloud_api`: Meta's webhook envelope, signed with
    /// `X-Hub-Signature-256` as Meta signs, by the `secret` of the answer where an app secret would stand; events that
    /// Meta has no words for are not delivered.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "standard")]
    format: EndpointFormat,
    /// Needed for format `cloud_api`, and for no other: 1 to 256 visible characters. The address is asked with it first,
    /// as Meta asks: `GET url?hub.mode=subscribe&hub.challenge=…&hub.verify_token=…` must be answered with 200 and the
    /// challenge alone. It is not kept.
    #[schema(value_type = Option<String>, max_length = 256)]
    verify_token: Option<SecretString>,
    /// Deliver events about one contact one after the other: one that is not taken holds back the later ones of its
    /// contact, and of no other, until it is taken or given up.
    #[serde(default)]
    ordered: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    url: Option<String>,
    events: Option<Vec<String>>,
    /// `standard` or `cloud_api`.
    #[schema(value_type = Option<String>, example = "standard")]
    format: Option<EndpointFormat>,
    /// Needed when events in format `cloud_api` are to go to an address that was not asked for them yet: when the format
    /// becomes `cloud_api`, and when an endpoint of that format moves. The address is asked as at registration.
    #[schema(value_type = Option<String>, max_length = 256)]
    verify_token: Option<SecretString>,
    /// Switching it on resumes it too.
    enabled: Option<bool>,
    ordered: Option<bool>,
}

/// Register an endpoint
///
/// It hears of what happens from now on. Keep the `secret` of the answer: it is not shown again. An address for format
/// `cloud_api` must answer Meta's handshake first, or nothing is stored.
#[utoipa::path(
    post,
    path = "/v1/endpoints",
    tag = "endpoints",
    request_body = NewEndpoint,
    responses((status = 201, body = EndpointView), (status = 422, body = crate::http::error::ProblemBody)),
)]
pub async fn create(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    key: Key,
    body: Json<NewEndpoint>,
) -> Result<HttpResponse, Problem> {
    let Json { value, bytes } = body;
    // First of all: the answer to an earlier request with this key holds a secret.
    let business = owner(&state, &caller, value.business_id.as_ref()).await?;
    let route = "POST /v1/endpoints".to_owned();
    let request = Request { account: caller.account(), key, route, body: &bytes };
    once(&state, request, make(&state, &caller, business, value)).await
}

/// Whose events it is to hear, if the caller may say so: `None` is everybody's.
async fn owner(
    state: &AppState,
    caller: &Caller,
    reference: Option<&BusinessRef>,
) -> Result<Option<(BusinessKey, BusinessRef)>, Problem> {
    match reference {
        Some(reference) => {
            let found = api::business(state, caller, reference).await?;
            Ok(Some((found.key, found.reference)))
        }
        None if caller.is_restricted() => {
            let message = "business_id is needed: this API key is for some businesses only";
            Err(Problem::field("business_id", "required", message))
        }
        None => Ok(None),
    }
}

async fn make(
    state: &AppState,
    caller: &Caller,
    business: Option<(BusinessKey, BusinessRef)>,
    new: NewEndpoint,
) -> Result<Made, Problem> {
    let url = checked_url(state, &new.url)?;
    let events = checked_events(&new.events)?;
    checked_words(new.format, &events)?;
    let token = checked_token(new.format, true, new.verify_token.as_ref())?;
    if let Some(token) = token {
        confirmed(state, &url, token).await?;
    }
    let id = EndpointId::from_uuid(state.ids.next());
    let owner = business.as_ref().map_or(BusinessKey::INSTALLATION, |(key, _)| *key);
    let (secret, sealed) = secret::made(state, owner, id).await?;
    let endpoint = Endpoint {
        id,
        account: caller.account(),
        business,
        url,
        events,
        format: new.format,
        enabled: true,
        ordered: new.ordered,
        secret: sealed,
        previous_secret: None,
        health: EndpointHealth::Taking,
        cursor: state.store.last_event().await?,
        created_at: state.clock.now(),
    };
    state.store.insert_endpoint(&endpoint).await?;
    state.gateway.endpoints_changed().await;
    tracing::info!(endpoint.id = %id, "an endpoint was registered");
    let made =
        Made::new(StatusCode::CREATED, &EndpointView::new(&endpoint, Some(&secret), endpoint.created_at))?;
    Ok(made.holding_secret_of(owner))
}

/// Read an endpoint
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses((status = 200, body = EndpointView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::EndpointsRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = visible_endpoint(&state, &caller, named(&id)?).await?;
    Ok(HttpResponse::Ok().json(EndpointView::new(&found, None, state.clock.now())))
}

/// List endpoints, oldest first
#[utoipa::path(
    get,
    path = "/v1/endpoints",
    tag = "endpoints",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = List<EndpointView>)),
)]
pub async fn list(
    caller: May<scope::EndpointsRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let (limit, after) = (query.limit()?, query.parsed::<EndpointId>("after")?);
    query.done()?;
    let read = async |page| state.store.endpoints(caller.account(), page).await;
    let visible = async |rows: &[Endpoint]| Ok(rows.iter().map(|row| sees(&caller, row)).collect());
    let (rows, next) = collect(after, limit, read, visible, |row| row.id).await?;
    let now = state.clock.now();
    let data = rows.iter().map(|row| EndpointView::new(row, None, now)).collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

/// Change an endpoint
///
/// One that is failing, parked or gone is resumed by a new address, and by `enabled: true`.
#[utoipa::path(
    patch,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = String, Path)),
    request_body = EndpointChange,
    responses((status = 200, body = EndpointView)),
)]
pub async fn change(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    body: Json<EndpointChange>,
) -> Result<HttpResponse, Problem> {
    let (id, change) = (named(&id)?, body.value);
    let resumes = change.url.is_some() || change.enabled == Some(true);
    let before = visible_endpoint(&state, &caller, id).await?;
    let (mut endpoint, token) = changed(&state, &before, &change)?;
    if let Some(token) = token {
        confirmed(&state, &endpoint.url, token).await?;
        // That may have taken long: what else changed meanwhile stays.
        let before = visible_endpoint(&state, &caller, id).await?;
        (endpoint, _) = changed(&state, &before, &change)?;
    }
    state.store.update_endpoint(&endpoint).await?;
    state.gateway.endpoints_changed().await;
    if resumes {
        endpoint = resumed(&state, endpoint).await?;
    }
    Ok(HttpResponse::Ok().json(EndpointView::new(&endpoint, None, state.clock.now())))
}

/// As it is to be, and what its address is to be asked with before.
fn changed<'a>(
    state: &AppState,
    before: &Endpoint,
    change: &'a EndpointChange,
) -> Result<(Endpoint, Option<&'a SecretString>), Problem> {
    let url = change.url.as_deref().map(|url| checked_url(state, url)).transpose()?;
    let events = change.events.as_deref().map(checked_events).transpose()?;
    let endpoint = Endpoint {
        url: url.unwrap_or_else(|| before.url.clone()),
        events: events.unwrap_or_else(|| before.events.clone()),
        format: change.format.unwrap_or(before.format),
        enabled: change.enabled.unwrap_or(before.enabled),
        ordered: change.ordered.unwrap_or(before.ordered),
        ..before.clone()
    };
    checked_words(endpoint.format, &endpoint.events)?;
    let moves = endpoint.format != before.format || endpoint.url != before.url;
    let token = checked_token(endpoint.format, moves, change.verify_token.as_ref())?;
    Ok((endpoint, token))
}

/// Remove an endpoint, and what it has not taken yet
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses((status = 204, description = "Removed"), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn remove(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = visible_endpoint(&state, &caller, named(&id)?).await?;
    state.store.delete_endpoint(caller.account(), found.id).await?;
    state.gateway.endpoints_changed().await;
    tracing::info!(endpoint.id = %found.id, "an endpoint was removed");
    Ok(HttpResponse::NoContent().finish())
}
