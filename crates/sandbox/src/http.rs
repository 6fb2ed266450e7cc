//! The server: which address leads where.

use crate::control;
use crate::dialog::{self, Sdk};
use crate::graph;
use crate::world::World;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use actix_web::{Error, HttpResponse};
use serde_json::json;

const LARGEST_BODY: usize = 4 << 20;
/// Of an upload, and of what a customer sends. A little more than the largest document.
const LARGEST_MEDIA: usize = 150 << 20;

pub(crate) fn routes(world: Data<World>, sdk: Data<Sdk>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(world)
            .app_data(sdk)
            .app_data(PayloadConfig::new(LARGEST_BODY))
            .service(
                web::resource("/graph/{path:.*/media}")
                    .app_data(PayloadConfig::new(LARGEST_MEDIA))
                    .to(graph::handle),
            )
            .route("/graph/{path:.*}", web::to(graph::handle))
            .route("/media/{secret}", web::get().to(graph::content))
            .service(
                web::scope("/control")
                    .app_data(PayloadConfig::new(LARGEST_MEDIA))
                    .wrap(from_fn(keep_pages_out))
                    .configure(control::routes),
            )
            .service(
                web::resource(["/sdk.js", "/{locale}/sdk.js"])
                    .wrap(Compress::default())
                    .get(dialog::serve_sdk),
            )
            .service(
                web::resource([
                    "/dialog/oauth",
                    "/{version:v[0-9.]+}/dialog/oauth",
                    "/dialog/{version:v[0-9.]+}/oauth",
                ])
                .route(web::get().to(dialog::open))
                .route(web::post().to(dialog::step)),
            )
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .default_service(web::to(nothing_here));
    }
}

async fn keep_pages_out(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let world = request.app_data::<Data<World>>().cloned();
    if world.is_some_and(|world| control::is_from_elsewhere(request.request(), &world)) {
        let message = "Pages of other sites may not use the control endpoints.";
        let refusal = HttpResponse::Forbidden().json(json!({"error": {"message": message}}));
        return Ok(request.into_response(refusal));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn nothing_here() -> HttpResponse {
    let places = ["/graph/{version}/…", "/dialog/oauth", "/sdk.js", "/control/state"];
    HttpResponse::NotFound().json(json!({"error": {"message": "This is the sandbox.", "places": places}}))
}
