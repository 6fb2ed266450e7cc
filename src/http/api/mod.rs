//! `/v1`: one file per resource.

pub mod businesses;
pub mod connections;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod messages;
mod onboarding_checks;
pub mod onboarding_sessions;
pub mod opt_outs;
mod page;
pub mod read_marks;
mod sending;
pub mod stats;
pub mod templates;
pub mod views;
pub mod windows;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource, Scope};
use domain::contracts::store::StoreError;
use domain::ids::{BusinessRef, ConnectionId};
use domain::{Business, Connection};

use super::auth::{Caller, with_api_key};
use super::error::{Code, Problem};
use super::limits::among_requests;
use super::state::AppState;

pub use page::List;

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(routes().wrap(from_fn(with_api_key)).wrap(from_fn(among_requests)));
}

fn routes() -> Scope {
    use messages::{accept, lookup, replay, replay_many};
    web::scope("/v1")
        .service(resource("/messages").route(get().to(lookup::list)).route(post().to(accept::create)))
        .service(resource("/messages/replay").route(post().to(replay_many::many)))
        .service(resource("/messages/{id}").route(get().to(lookup::read)))
        .service(resource("/messages/{id}/cancel").route(post().to(lookup::cancel)))
        .service(resource("/messages/{id}/replay").route(post().to(replay::one)))
        .service(
            resource("/businesses").route(get().to(businesses::list)).route(post().to(businesses::create)),
        )
        .service(
            resource("/businesses/{id}")
                .route(get().to(businesses::read))
                .route(patch().to(businesses::change))
                .route(delete().to(businesses::erase)),
        )
        .service(resource("/businesses/{id}/opt-outs").route(get().to(opt_outs::list)))
        .service(
            resource("/businesses/{id}/opt-outs/{phone}")
                .route(get().to(opt_outs::read))
                .route(put().to(opt_outs::set))
                .route(delete().to(opt_outs::lift)),
        )
        .service(resource("/onboarding-sessions").route(post().to(onboarding_sessions::create)))
        .service(resource("/onboarding-sessions/{id}").route(get().to(onboarding_sessions::read)))
        .service(resource("/onboarding-sessions/{id}/cancel").route(post().to(onboarding_sessions::cancel)))
        .service(resource("/connections").route(get().to(connections::list)))
        .service(
            resource("/connections/{id}")
                .route(get().to(connections::read))
                .route(patch().to(connections::change)),
        )
        .service(resource("/connections/{id}/templates").route(get().to(templates::list)))
        .service(resource("/connections/{id}/templates/{name}").route(get().to(templates::read)))
        .service(resource("/connections/{id}/windows/{phone}").route(get().to(windows::read)))
        .service(resource("/connections/{id}/read-marks").route(post().to(read_marks::create)))
        .service(resource("/connections/{id}/resume").route(post().to(connections::resume)))
        .service(resource("/connections/{id}/disconnect").route(post().to(connections::disconnect)))
        .service(resource("/connections/{id}/reconnect").route(post().to(connections::reconnect)))
        .service(
            resource("/endpoints")
                .route(get().to(endpoints::resource::list))
                .route(post().to(endpoints::resource::create)),
        )
        .service(
            resource("/endpoints/{id}")
                .route(get().to(endpoints::resource::read))
                .route(patch().to(endpoints::resource::change))
                .route(delete().to(endpoints::resource::remove)),
        )
        .service(resource("/endpoints/{id}/rotate-secret").route(post().to(endpoints::secret::rotate)))
        .service(resource("/endpoints/{id}/resume").route(post().to(endpoints::resume::resume)))
        .service(resource("/endpoints/{id}/replay").route(post().to(endpoints::replay::replay)))
        .service(resource("/events").route(get().to(events::list)))
        .service(resource("/deliveries").route(get().to(deliveries::list)))
        .service(resource("/deliveries/{id}").route(get().to(deliveries::read)))
        .service(resource("/deliveries/{id}/replay").route(post().to(deliveries::replay)))
        .service(resource("/stats").route(get().to(stats::read)))
        .default_service(web::to(not_found))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, http::Method};

    #[actix_web::test]
    async fn every_call_that_is_described_is_routed_and_asks_for_a_scope() {
        let app = init_service(App::new().service(routes())).await;
        let calls = openapi::calls();
        assert!(calls.len() > 20, "{calls:?}");
        for (method, path) in calls {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let request = TestRequest::with_uri(&path.replace("{id}", "x")).method(method.clone());
            // Without the middleware that authenticates there is no caller, and so nobody may do anything.
            let status = call_service(&app, request.to_request()).await.status();
            assert_eq!(status, 401, "{method} {path}");
        }
    }

    #[actix_web::test]
    async fn another_method_is_405_and_another_address_404() {
        let app = init_service(App::new().service(routes())).await;
        for (method, path, expected) in [
            (Method::DELETE, "/v1/messages", 405),
            (Method::PUT, "/v1/endpoints/x", 405),
            (Method::GET, "/v1/nothing", 404),
            (Method::GET, "/v1/messages/x/y", 404),
        ] {
            let request = TestRequest::with_uri(path).method(method.clone());
            let status = call_service(&app, request.to_request()).await.status();
            assert_eq!(status, expected, "{method} {path}");
        }
    }
}
