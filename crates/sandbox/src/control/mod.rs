//! What a test or a person uses to look behind the platform's scenes and to move things there. No password:
//! the sandbox listens on loopback, and requests that a web page of another site makes are refused.

mod accounts;
mod app;
mod faults;
mod inbound;
mod media;
mod numbers;
mod posted;
mod read;
mod sent;
mod templates;
mod webhooks;

use crate::journal::Synced;
use crate::world::World;
use actix_web::http::header::ORIGIN;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use read::Problem;
use serde_json::{Value, json};

type Answered = Result<HttpResponse, Problem>;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .route("/inbound", web::post().to(inbound::post))
        .route("/media", web::get().to(media::get))
        .route("/sent", web::get().to(sent::get))
        .route("/webhooks", web::get().to(posted::get))
        .route("/faults", web::put().to(faults::put))
        .route("/faults", web::get().to(faults::get))
        .route("/reset", web::post().to(app::reset))
        .route("/state", web::get().to(accounts::state))
        .route("/app", web::put().to(app::put))
        .route("/app", web::get().to(app::get))
        .route("/limits", web::put().to(app::put_limits))
        .route("/limits", web::get().to(app::get_limits))
        .route("/clock", web::post().to(app::advance))
        .route("/businesses", web::post().to(accounts::add_business))
        .route("/numbers", web::post().to(numbers::post))
        .route("/numbers/{id}", web::patch().to(accounts::change_number))
        .route("/templates/{waba_id}", web::put().to(templates::put))
        .route("/templates/{waba_id}", web::get().to(templates::get))
        .route("/tokens/{waba_id}/{action}", web::post().to(accounts::change_tokens))
        .route("/signup", web::post().to(accounts::sign_up))
        .route("/change", web::post().to(webhooks::change))
        .route("/raw", web::post().to(webhooks::raw))
        .default_service(web::to(nothing_here));
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    let message = format!("There is no control endpoint {} {}.", request.method(), request.path());
    HttpResponse::NotFound().json(json!({"error": {"message": message}}))
}

/// Waits until a change is on disk, then answers.
async fn kept(synced: Vec<Synced>, body: Value) -> Answered {
    for synced in synced {
        synced.wait().await.map_err(|error| Problem::new(500, None, error))?;
    }
    Ok(HttpResponse::Ok().json(body))
}

/// A page of another site may make a browser send requests here, but cannot hide where it comes from.
pub(crate) fn is_from_elsewhere(request: &HttpRequest, world: &Data<World>) -> bool {
    let Some(origin) = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return false;
    };
    origin != world.public_url && !crate::dialog::is_loopback(origin)
}
