//! `POST /control/numbers`: many businesses that are onboarded already, as an installation with a history has them.

use super::Answered;
use super::read::{Fields, Problem, parse};
use crate::samples;
use crate::world::World;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::{Value, json};

const MOST_AT_ONCE: u32 = 10_000;

/// `{"count", "first"?}`: the connected businesses from index `first` on. Those that exist already stay as they are.
/// The one control answer with tokens in it, of a platform that is pretended: without them nobody could be them.
pub(super) async fn post(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["count", "first"])?;
    let count = fields.count("count")?.and_then(|count| u32::try_from(count).ok());
    let count = count
        .filter(|count| (1..=MOST_AT_ONCE).contains(count))
        .ok_or_else(|| fields.problem("count", &format!("must be from 1 to {MOST_AT_ONCE}")))?;
    let first = u32::try_from(fields.count("first")?.unwrap_or(0)).ok();
    let indexes = first.and_then(|first| Some(first..first.checked_add(count)?));
    let indexes = indexes.ok_or_else(|| fields.problem("first", "is too high"))?;
    let connected = samples::connected(&world, indexes).await;
    let connected = connected.map_err(|error| Problem::new(500, None, error))?;
    let shown = connected.iter().map(|business| {
        json!({
            "business_id": business.business_id, "waba_id": business.waba_id,
            "phone_number_id": business.phone_number_id,
            "display_phone_number": business.display_phone_number, "verified_name": business.verified_name,
            "access_token": business.access_token.expose(),
        })
    });
    Ok(HttpResponse::Ok().json(json!({"data": shown.collect::<Vec<Value>>()})))
}
