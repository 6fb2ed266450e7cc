//! Businesses: known by the caller's own reference.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::business::{NewBusiness, Routing};
use domain::ids::BusinessRef;
use domain::recipient::Country;
use domain::{Business, FieldError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::page::{List, collect};
use super::views::BusinessView;
use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Json, Query, named};
use crate::http::state::AppState;

const LONGEST_NAME: usize = 200;
/// Languages that the pages speak.
const LANGUAGES: [&str; 2] = ["sw", "en"];
/// What a business speaks about which nothing is said.
pub const USUAL_LOCALE: &str = "sw";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessBody {
    /// The caller's own reference: up to 64 characters without spaces.
    #[schema(value_type = String, max_length = 64)]
    id: BusinessRef,
    #[schema(max_length = 200)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "TZ")]
    country: Option<String>,
    /// `sw` or `en`, with or without a region.
    #[schema(example = "sw")]
    locale: Option<String>,
    #[schema(value_type = Option<String>, example = "official")]
    routing: Option<Routing>,
    /// Whether a customer who writes STOP, ACHA or SITISHA gets no more messages, until they write START or ANZA.
    opt_out_keywords: Option<bool>,
}

/// Members that are left out stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessChange {
    #[schema(max_length = 200)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "TZ")]
    country: Option<String>,
    /// `sw` or `en`, with or without a region.
    #[schema(example = "sw")]
    locale: Option<String>,
    #[schema(value_type = Option<String>, example = "official")]
    routing: Option<Routing>,
    /// Whether a customer who writes STOP, ACHA or SITISHA gets no more messages, until they write START or ANZA.
    opt_out_keywords: Option<bool>,
}

impl BusinessBody {
    fn change(self) -> BusinessChange {
        let Self { id: _, name, country, locale, routing, opt_out_keywords } = self;
        BusinessChange { name, country, locale, routing, opt_out_keywords }
    }
}

impl BusinessChange {
    fn applied_to(self, found: &Business) -> Result<Business, Problem> {
        let (country, locale) = checked(&self)?;
        Ok(Business {
            name: self.name.or_else(|| found.name.clone()),
            country: country.unwrap_or(found.country),
            locale: locale.unwrap_or_else(|| found.locale.clone()),
            routing: self.routing.unwrap_or(found.routing),
            opt_out_keywords: self.opt_out_keywords.unwrap_or(found.opt_out_keywords),
            ..found.clone()
        })
    }
}

/// Create a business, or change the members that are given
#[utoipa::path(
    post,
    path = "/v1/businesses",
    tag = "businesses",
    request_body = BusinessBody,
    responses(
        (status = 201, description = "New", body = BusinessView),
        (status = 200, description = "It was there", body = BusinessView),
    ),
)]
pub async fn create(
    caller: May<scope::BusinessesWrite>,
    state: Data<AppState>,
    key: Key,
    body: Json<BusinessBody>,
) -> Result<HttpResponse, Problem> {
    let Json { value, bytes } = body;
    if !caller.sees(&value.id) {
        return Err(Problem::not_found());
    }
    let route = "POST /v1/businesses".to_owned();
    let request = Request { account: caller.account(), key, route, body: &bytes };
    once(&state, request, async {
        let reference = value.id.clone();
        let change = value.change();
        let (country, locale) = checked(&change)?;
        let new = NewBusiness {
            reference,
            name: change.name.clone(),
            country: country.unwrap_or(Country::TANZANIA),
            locale: locale.unwrap_or_else(|| USUAL_LOCALE.to_owned()),
            routing: change.routing.unwrap_or_default(),
            opt_out_keywords: change.opt_out_keywords.unwrap_or_default(),
        };
        let (found, is_new) = state.store.ensure_business(caller.account(), &new, state.clock.now()).await?;
        if is_new {
            state.gateway.business_changed(caller.account(), &found.reference).await;
            let owner = found.key;
            return Ok(Made::new(StatusCode::CREATED, &BusinessView::from(found))?.holding_secret_of(owner));
        }
        let kept = keep(&state, found, change).await?;
        let owner = kept.key;
        Ok(Made::new(StatusCode::OK, &BusinessView::from(kept))?.holding_secret_of(owner))
    })
    .await
}

async fn keep(state: &AppState, found: Business, change: BusinessChange) -> Result<Business, Problem> {
    let changed = change.applied_to(&found)?;
    if changed != found {
        state.store.update_business(&changed).await?;
        state.gateway.business_changed(changed.account, &changed.reference).await;
    }
    Ok(changed)
}

/// Change a business
#[utoipa::path(
    patch,
    path = "/v1/businesses/{id}",
    tag = "businesses",
    params(("id" = String, Path)),
    request_body = BusinessChange,
    responses((status = 200, body = BusinessView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn change(
    caller: May<scope::BusinessesWrite>,
    state: Data<AppState>,
    id: Path<String>,
    body: Json<BusinessChange>,
) -> Result<HttpResponse, Problem> {
    let found = super::business(&state, &caller, &named(&id)?).await?;
    Ok(HttpResponse::Ok().json(BusinessView::from(keep(&state, found, body.value).await?)))
}

fn checked(body: &BusinessChange) -> Result<(Option<Country>, Option<String>), Problem> {
    let mut errors = Vec::new();
    if body.name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        let message = format!("name has at most {LONGEST_NAME} characters");
        errors.push(FieldError::new("name", "too_long", message));
    }
    let country = body.country.as_deref().map(Country::from_code);
    if country == Some(None) {
        errors.push(FieldError::new("country", "invalid", "country must be two capital letters such as TZ"));
    }
    let locale = body.locale.as_deref().map(language_of);
    if locale == Some(None) {
        errors.push(FieldError::new("locale", "invalid", "locale must be sw or en"));
    }
    if errors.is_empty() {
        Ok((country.flatten(), locale.flatten().map(str::to_owned)))
    } else {
        Err(Problem::fields(errors))
    }
}

/// The language of a BCP 47 tag, if the pages speak it.
pub fn language_of(tag: &str) -> Option<&'static str> {
    let language = tag.split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(language))
}

/// Read a business
#[utoipa::path(
    get,
    path = "/v1/businesses/{id}",
    tag = "businesses",
    params(("id" = String, Path)),
    responses((status = 200, body = BusinessView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::BusinessesRead>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = super::business(&state, &caller, &named(&id)?).await?;
    Ok(HttpResponse::Ok().json(BusinessView::from(found)))
}

/// List businesses by their references
#[utoipa::path(
    get,
    path = "/v1/businesses",
    tag = "businesses",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = List<BusinessView>)),
)]
pub async fn list(
    caller: May<scope::BusinessesRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let (limit, after) = (query.limit()?, query.parsed::<BusinessRef>("after")?);
    query.done()?;
    let read = async |page| state.store.businesses(caller.account(), page).await;
    let visible = async |rows: &[Business]| Ok(rows.iter().map(|row| caller.sees(&row.reference)).collect());
    let (rows, next) = collect(after, limit, read, visible, |row| row.reference.clone()).await?;
    let data = rows.into_iter().map(BusinessView::from).collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|reference| reference.to_string()) }))
}

/// Erase a business
///
/// Its keys are dropped first, so that nothing sealed for it can be read again, wherever a copy of it is.
#[utoipa::path(
    delete,
    path = "/v1/businesses/{id}",
    tag = "businesses",
    params(("id" = String, Path)),
    responses((status = 204, description = "Erased"), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn erase(
    caller: May<scope::BusinessesWrite>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = super::business(&state, &caller, &named(&id)?).await?;
    state.gateway.erase_business(&found).await?;
    tracing::info!(business.id = %found.reference, "a business was erased");
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_reduced_to_a_language_of_the_pages() {
        assert_eq!(language_of("sw-TZ"), Some("sw"));
        assert_eq!(language_of("EN_us"), Some("en"));
        assert_eq!(language_of("fr"), None);
        assert_eq!(language_of(""), None);
    }
}
