//! `GET /control/media`: what the platform holds.

use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

pub(super) async fn get(world: Data<World>) -> HttpResponse {
    let held = locked(&world.media);
    let media: Vec<_> = held.media.values().collect();
    HttpResponse::Ok().json(json!({ "data": media }))
}
