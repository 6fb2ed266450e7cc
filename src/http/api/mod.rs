//! `/v1`: one file per resource.

pub mod businesses;
pub mod connections;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod messages;
pub mod onboarding_sessions;
mod page;
mod timeline;
pub mod views;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, delete, get, patch, post};
use actix_web::{HttpResponse, Resource};
use domain::contracts::store::StoreError;
use domain::ids::{BusinessRef, ConnectionId};
use domain::{Business, Connection};

use super::auth::{Caller, with_api_key};
use super::error::{Code, Problem};
use super::limits::among_requests;
use super::state::AppState;

pub use page::List;

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::scope("/v1")
            .service(resource("/messages").route(get().to(messages::list)).route(post().to(messages::create)))
            .service(resource("/messages/{id}").route(get().to(messages::read)))
            .service(resource("/messages/{id}/cancel").route(post().to(messages::cancel)))
            .service(
                resource("/businesses")
                    .route(get().to(businesses::list))
                    .route(post().to(businesses::create)),
            )
            .service(
                resource("/businesses/{id}")
                    .route(get().to(businesses::read))
                    .route(delete().to(businesses::erase)),
            )
            .service(resource("/onboarding-sessions").route(post().to(onboarding_sessions::create)))
            .service(resource("/onboarding-sessions/{id}").route(get().to(onboarding_sessions::read)))
            .service(
                resource("/onboarding-sessions/{id}/cancel").route(post().to(onboarding_sessions::cancel)),
            )
            .service(resource("/connections").route(get().to(connections::list)))
            .service(resource("/connections/{id}").route(get().to(connections::read)))
            .service(resource("/connections/{id}/disconnect").route(post().to(connections::disconnect)))
            .service(resource("/connections/{id}/reconnect").route(post().to(connections::reconnect)))
            .service(
                resource("/endpoints").route(get().to(endpoints::list)).route(post().to(endpoints::create)),
            )
            .service(
                resource("/endpoints/{id}")
                    .route(get().to(endpoints::read))
                    .route(patch().to(endpoints::change))
                    .route(delete().to(endpoints::remove)),
            )
            .service(resource("/events").route(get().to(events::list)))
            .service(resource("/deliveries").route(get().to(deliveries::list)))
            .service(resource("/deliveries/{id}/replay").route(post().to(deliveries::replay)))
            .default_service(web::to(not_found))
            .wrap(from_fn(with_api_key))
            .wrap(from_fn(among_requests)),
    );
}

/// An address whose other methods are answered 405.
fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found())
}

pub async fn method_not_allowed() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::MethodNotAllowed))
}

/// A business that the caller may act for.
async fn business(state: &AppState, caller: &Caller, reference: &BusinessRef) -> Result<Business, Problem> {
    if !caller.sees(reference) {
        return Err(Problem::not_found());
    }
    state.store.business(caller.account(), reference).await?.ok_or(Problem::not_found())
}

/// A connection of a business that the caller may act for.
async fn connection(state: &AppState, caller: &Caller, id: ConnectionId) -> Result<Connection, Problem> {
    let found: Result<Option<Connection>, StoreError> = state.store.connection(id).await;
    found?
        .filter(|found| found.account == caller.account() && caller.sees(&found.business_reference))
        .ok_or(Problem::not_found())
}
