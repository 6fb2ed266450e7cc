//! Who does not want to be written to by a business. It holds on every transport and every number of it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use domain::contact::{Alias, Contact, ContactKey, Said, Scope};
use domain::recipient::normalise;
use domain::{Business, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::not_accepted;
use super::page::{List, collect};
use crate::http::auth::{May, scope};
use crate::http::error::{Problem, ProblemBody};
use crate::http::json::{Json, Query, named};
use crate::http::state::AppState;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOutBody {
    /// `all`, or `marketing` for advertising alone.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "all")]
    scope: Scope,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OptOut)]
pub struct OptOutView {
    /// E.164, where it is known.
    #[schema(example = "+255712345678")]
    phone: Option<String>,
    /// Business-scoped user id, where it is known.
    user_id: Option<String>,
    #[schema(value_type = String, example = "all")]
    scope: Scope,
    /// Through what it was heard: `api`, `keyword`, `user_preference` or `provider`.
    source: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl OptOutView {
    fn of(contact: &Contact, other_names: &[Alias]) -> Option<Self> {
        let opt_out = contact.opt_out?;
        let known_as = |rank: u8| {
            let mut all = contact.canonical.iter().chain(other_names);
            all.find(|name| name.rank() == rank).map(ToString::to_string)
        };
        Some(Self {
            phone: known_as(0),
            user_id: known_as(1),
            scope: opt_out.scope,
            source: opt_out.source.as_str(),
            at: opt_out.at,
        })
    }
}

/// A person in a path: a phone number as the business's country writes it, or a user id.
pub fn person(text: &str, business: &Business) -> Result<Alias, Problem> {
    if let Ok(user @ Alias::User(_)) = text.parse() {
        return Ok(user);
    }
    match normalise(text, business.country) {
        Ok(found) => Ok(Alias::Phone(found.number)),
        Err(invalid) => Err(Problem::fields(vec![invalid.in_field("phone")])),
    }
}

/// List who does not want to be written to
#[utoipa::path(
    get,
    path = "/v1/businesses/{id}/opt-outs",
    tag = "contacts",
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = List<OptOutView>)),
)]
pub async fn list(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    id: Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let business = super::business(&state, &caller, &named(&id)?).await?;
    let (limit, after) = (query.limit()?, query.parsed::<i64>("after")?.map(ContactKey));
    query.done()?;
    let read = async |page| state.store.opted_out(business.key, page).await;
    let visible = async |rows: &[Contact]| Ok(vec![true; rows.len()]);
    let (rows, next) = collect(after, limit, read, visible, |row| row.key).await?;
    let keys: Vec<ContactKey> = rows.iter().map(|row| row.key).collect();
    let names = state.store.other_names(business.key, &keys).await?;
    let data: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let own: Vec<Alias> =
                names.iter().filter(|(key, _)| *key == row.key).map(|(_, name)| name.clone()).collect();
            OptOutView::of(row, &own)
        })
        .collect();
    Ok(HttpResponse::Ok().json(List { data, next: next.map(|key| key.0.to_string()) }))
}

/// Whether a person does not want to be written to
#[utoipa::path(
    get,
    path = "/v1/businesses/{id}/opt-outs/{phone}",
    tag = "contacts",
    params(("id" = String, Path), ("phone" = String, Path)),
    responses((status = 200, body = OptOutView), (status = 404, description = "They may be written to", body = ProblemBody)),
)]
pub async fn read(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let business = super::business(&state, &caller, &named(&path.0)?).await?;
    shown(&state, &business, &person(&path.1, &business)?).await
}

async fn shown(state: &AppState, business: &Business, alias: &Alias) -> Result<HttpResponse, Problem> {
    let contact = state.gateway.contact(business, alias).await.map_err(not_accepted)?;
    let view = contact.and_then(|contact| OptOutView::of(&contact, std::slice::from_ref(alias)));
    let view = view.ok_or_else(|| Problem::not_found().with_detail("this person has not opted out"))?;
    Ok(HttpResponse::Ok().json(view))
}

/// Do not write to a person any more
///
/// What waits for them is not sent either.
#[utoipa::path(
    put,
    path = "/v1/businesses/{id}/opt-outs/{phone}",
    tag = "contacts",
    params(("id" = String, Path), ("phone" = String, Path)),
    request_body = OptOutBody,
    responses((status = 200, body = OptOutView)),
)]
pub async fn set(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    body: Json<OptOutBody>,
) -> Result<HttpResponse, Problem> {
    let business = super::business(&state, &caller, &named(&path.0)?).await?;
    let alias = person(&path.1, &business)?;
    let said = Said::Stop(body.value.scope);
    state.gateway.set_preference(&business, &alias, said).await.map_err(not_accepted)?;
    shown(&state, &business, &alias).await
}

/// A person wants to be written to again
#[utoipa::path(
    delete,
    path = "/v1/businesses/{id}/opt-outs/{phone}",
    tag = "contacts",
    params(("id" = String, Path), ("phone" = String, Path)),
    responses((status = 204, description = "They may be written to")),
)]
pub async fn lift(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let business = super::business(&state, &caller, &named(&path.0)?).await?;
    let alias = person(&path.1, &business)?;
    let said = Said::Resume(Scope::All);
    state.gateway.set_preference(&business, &alias, said).await.map_err(not_accepted)?;
    Ok(HttpResponse::NoContent().finish())
}
