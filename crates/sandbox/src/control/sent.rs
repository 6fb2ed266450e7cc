//! `GET /control/sent`: what reached the platform, in order.

use super::Answered;
use super::read::Problem;
use crate::clock::rfc3339;
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const USUAL_LIMIT: usize = 10_000;
const HIGHEST_LIMIT: usize = 100_000;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    after: Option<String>,
    limit: Option<String>,
    phone_number_id: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Entry<'a>>,
    next: Option<u64>,
}

#[derive(Serialize)]
struct Entry<'a> {
    seq: u64,
    at: String,
    phone_number_id: &'a str,
    host: &'a str,
    id: Option<&'a str>,
    outcome: crate::sent::Outcome,
    body: &'a RawValue,
}

impl Asked {
    /// Behind which entry to begin, and how many to show.
    pub(super) fn place(&self) -> Result<(u64, usize), Problem> {
        let number = |name: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| Problem::at(name, "must be a whole number"))
            }
        };
        let after = number("after", &self.after)?.unwrap_or(0);
        let limit = match number("limit", &self.limit)? {
            None => USUAL_LIMIT,
            Some(limit) => usize::try_from(limit).unwrap_or(HIGHEST_LIMIT).clamp(1, HIGHEST_LIMIT),
        };
        Ok((after, limit))
    }
}

pub(super) async fn get(world: Data<World>, asked: Query<Asked>) -> Answered {
    let (after, limit) = asked.place()?;
    let log = locked(&world.sent);
    let (entries, next) = log.page(after, limit, asked.phone_number_id.as_deref());
    let entries = entries.into_iter().map(|entry| Entry {
        seq: entry.seq,
        at: rfc3339(entry.at_ms),
        phone_number_id: &entry.phone_number_id,
        host: &entry.host,
        id: entry.id.as_deref(),
        outcome: entry.outcome,
        body: &entry.body,
    });
    Ok(HttpResponse::Ok().json(Page { data: entries.collect(), next }))
}
