//! `GET /control/webhooks`: what was posted to the callback, and how it was answered.

use super::Answered;
use super::sent::Asked;
use crate::clock::rfc3339;
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Page {
    data: Vec<Entry>,
    next: Option<u64>,
}

#[derive(Serialize)]
struct Entry {
    seq: u64,
    started_at: String,
    ended_at: String,
    status: Option<u16>,
    body: Box<RawValue>,
}

pub(super) async fn get(world: Data<World>, asked: Query<Asked>) -> Answered {
    let (after, limit) = asked.place()?;
    let (entries, next) = locked(&world.posted).page(after, limit);
    let entries = entries.into_iter().map(|entry| Entry {
        seq: entry.seq,
        started_at: rfc3339(entry.started_ms),
        ended_at: rfc3339(entry.ended_ms),
        status: entry.status,
        body: RawValue::from_string(String::from_utf8_lossy(&entry.body).into_owned())
            .unwrap_or_else(|_| RawValue::NULL.to_owned()),
    });
    Ok(HttpResponse::Ok().json(Page { data: entries.collect(), next }))
}
