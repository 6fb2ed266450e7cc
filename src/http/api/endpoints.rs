//! Endpoints: where events go.
//!
//! The signing secret is made here and shown once. It is kept sealed, in the endpoint's row and, when the request had
//! an idempotency key, in that key's record, so that the same request has the same answer.

use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::FieldError;
use domain::Timestamp;
use domain::endpoint::{Endpoint, EndpointFormat};
use domain::event::EventType;
use domain::ids::{BusinessKey, BusinessRef, EndpointId};
use gateway_actors::column;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::page::{List, collect};
use crate::deliver::SECRET_PREFIX;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, of_seal, once};
use crate::http::json::{Json, Query, named};
use crate::http::state::AppState;

const LONGEST_URL: usize = 2_048;

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
    /// `standard`; `cloud_api` is not available yet.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "standard")]
    format: EndpointFormat,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    url: Option<String>,
    events: Option<Vec<String>>,
    /// `standard`; `cloud_api` is not available yet.
    #[schema(value_type = Option<String>, example = "standard")]
    format: Option<EndpointFormat>,
    enabled: Option<bool>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub struct EndpointView<'a> {
    #[schema(value_type = String)]
    id: EndpointId,
    url: String,
    /// What deliveries are signed with; only in the answer that made the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    business_id: Option<String>,
    events: Vec<&'static str>,
    format: &'static str,
    enabled: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl fmt::Debug for EndpointView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointView({})", self.id)
    }
}

impl<'a> EndpointView<'a> {
    fn new(endpoint: &Endpoint, secret: Option<&'a str>) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url.to_string(),
            secret,
            business_id: endpoint.business.as_ref().map(|(_, reference)| reference.to_string()),
            events: endpoint.events.iter().map(|event| event.as_str()).collect(),
            format: endpoint.format.as_str(),
            enabled: endpoint.enabled,
            created_at: endpoint.created_at,
        }
    }
}

/// Register an endpoint
///
/// It hears of what happens from now on. Keep the `secret` of the answer: it is not shown again.
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
            let found = super::business(state, caller, reference).await?;
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
    let format = checked_format(new.format)?;
    let id = EndpointId::from_uuid(state.ids.next());
    let owner = business.as_ref().map_or(BusinessKey::INSTALLATION, |(key, _)| *key);
    let secret = signing_secret()?;
    let sealed =
        state.gateway.keychain().seal(owner, id.uuid(), column::ENDPOINT_SECRET, secret.as_bytes()).await;
    let endpoint = Endpoint {
        id,
        account: caller.account(),
        business,
        url,
        events,
        format,
        enabled: true,
        secret: sealed.map_err(of_seal)?,
        cursor: state.store.last_event().await?,
        created_at: state.clock.now(),
    };
    state.store.insert_endpoint(&endpoint).await?;
    state.gateway.endpoints_changed().await;
    tracing::info!(endpoint.id = %id, "an endpoint was registered");
    let made = Made::new(StatusCode::CREATED, &EndpointView::new(&endpoint, Some(&secret)))?;
    Ok(made.holding_secret_of(owner))
}

fn signing_secret() -> Result<Zeroizing<String>, Problem> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Problem::internal("making a secret", &error))?;
    let mut text = Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + 44));
    text.push_str(SECRET_PREFIX);
    STANDARD.encode_string(bytes.as_slice(), &mut text);
    Ok(text)
}

fn checked_url(state: &AppState, text: &str) -> Result<Url, Problem> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URL);
    let url = url.ok_or_else(|| Problem::field("url", "invalid", "url must be an https address"))?;
    // Looked at again at each delivery: a name can lead elsewhere by then.
    state.guard.check(&url).map_err(|refused| Problem::field("url", "refused", format!("url: {refused}")))?;
    Ok(url)
}

fn checked_events(words: &[String]) -> Result<Vec<EventType>, Problem> {
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    for (index, word) in words.iter().enumerate() {
        match EventType::from_word(word) {
            Some(event) if events.contains(&event) => {}
            Some(event) => events.push(event),
            None => {
                let known: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
                let message = format!("there is no such type of event; there are {}", known.join(", "));
                errors.push(FieldError::new(format!("events[{index}]"), "invalid", message));
            }
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(Problem::fields(errors)) }
}

/// Bodies of the Cloud API are not made yet, and a signature alone would promise them.
fn checked_format(format: EndpointFormat) -> Result<EndpointFormat, Problem> {
    match format {
        EndpointFormat::Standard => Ok(format),
        EndpointFormat::CloudApi => {
            Err(Problem::field("format", "unsupported", "format cloud_api is not available yet"))
        }
    }
}

/// An endpoint that the caller may know of: one for all businesses is none of a restricted key's business.
pub async fn visible_endpoint(
    state: &AppState,
    caller: &Caller,
    id: EndpointId,
) -> Result<Endpoint, Problem> {
    let found = state.store.endpoint(caller.account(), id).await?;
    found.filter(|found| sees(caller, found)).ok_or(Problem::not_found())
}

pub fn sees(caller: &Caller, endpoint: &Endpoint) -> bool {
    match &endpoint.business {
        Some((_, reference)) => caller.sees(reference),
        None => !caller.is_restricted(),
    }
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
    Ok(HttpResponse::Ok().json(EndpointView::new(&found, None)))
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
    let data = rows.iter().map(|row| EndpointView::new(row, None)).collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|id| id.to_string()) }))
}

/// Change an endpoint
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
    let change = body.value;
    let mut endpoint = visible_endpoint(&state, &caller, named(&id)?).await?;
    if let Some(url) = &change.url {
        endpoint.url = checked_url(&state, url)?;
    }
    if let Some(events) = &change.events {
        endpoint.events = checked_events(events)?;
    }
    if let Some(format) = change.format {
        endpoint.format = checked_format(format)?;
    }
    endpoint.enabled = change.enabled.unwrap_or(endpoint.enabled);
    state.store.update_endpoint(&endpoint).await?;
    state.gateway.endpoints_changed().await;
    Ok(HttpResponse::Ok().json(EndpointView::new(&endpoint, None)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_the_standard_says() {
        let secret = signing_secret().unwrap();
        assert!(standardwebhooks::Webhook::new(&secret).is_ok());
        assert_eq!(STANDARD.decode(secret.strip_prefix(SECRET_PREFIX).unwrap()).unwrap().len(), 32);
    }

    #[test]
    fn a_format_without_bodies_of_its_own_is_refused() {
        assert_eq!(checked_format(EndpointFormat::Standard), Ok(EndpointFormat::Standard));
        let problem = checked_format(EndpointFormat::CloudApi).unwrap_err();
        assert_eq!(problem, Problem::field("format", "unsupported", "format cloud_api is not available yet"));
    }

    #[test]
    fn an_unknown_type_of_event_is_named_by_its_place() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(checked_events(&words(&["message.status", "message.status"])).unwrap().len(), 1);
        let problem = checked_events(&words(&["message.status", "message.sent"])).unwrap_err();
        assert_eq!(
            problem,
            Problem::field(
                "events[1]",
                "invalid",
                "there is no such type of event; there are message.received, message.status, message.echo, \
                 connection.status, onboarding.updated, template.status, account.alert"
            )
        );
    }
}
