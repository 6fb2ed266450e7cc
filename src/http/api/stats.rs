//! What was sent and received, counted by hour. The counting runs behind and costs the sending nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::Timestamp;
use domain::contracts::stats::{Count, Counter, GroupBy, StatsQuery};
use domain::ids::{BusinessRef, ConnectionId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::json::Query;
use crate::http::state::AppState;

const USUAL_SPAN: Duration = Duration::from_hours(24);
const LONGEST_SPAN: Duration = Duration::from_hours(93 * 24);
const HOUR_MICROS: i64 = 3_600_000_000;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct StatsView {
    /// Whole hours of UTC that were asked for: from this …
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// … to this.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    data: Vec<Group>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatsGroup)]
pub struct Group {
    /// When the hour or the day of UTC began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Cloud API type of the messages; empty where it is not known, as of what customers write.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// Every counter, also those at 0: accepted, sent, delivered, read, failed, expired, cancelled, ambiguous, resent,
    /// retried, inbound, echoes.
    counters: BTreeMap<&'static str, u64>,
}

/// Count messages by hour, day or type
#[utoipa::path(
    get,
    path = "/v1/stats",
    tag = "stats",
    params(
        ("business_id" = Option<String>, Query),
        ("connection_id" = Option<String>, Query),
        ("from" = Option<String>, Query, description = "RFC 3339; 24 hours before `to` when left out"),
        ("to" = Option<String>, Query, description = "RFC 3339; now when left out"),
        ("group_by" = Option<String>, Query, description = "`hour` (usual), `day` or `type`"),
    ),
    responses((status = 200, body = StatsView)),
)]
pub async fn read(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let business: Option<BusinessRef> = query.parsed("business_id")?;
    let connection: Option<ConnectionId> = query.parsed("connection_id")?;
    let (from, to) = (query.time("from")?, query.time("to")?);
    let group_by = group_by(query.take("group_by").as_deref())?;
    query.done()?;
    let (from, to) = span(from, to, state.clock.now())?;
    if business.is_none() && connection.is_none() && caller.is_restricted() {
        let message = "business_id or connection_id is needed: the key may act for some businesses only";
        return Err(Problem::field("business_id", "required", message));
    }
    let business = match business {
        Some(reference) => Some(super::business(&state, &caller, &reference).await?.key),
        None => None,
    };
    let connection = match connection {
        Some(id) => Some(super::connection(&state, &caller, id).await?),
        None => None,
    };
    let asked = StatsQuery {
        account: caller.account(),
        // Rows stand by business.
        business: business.or(connection.as_ref().map(|connection| connection.business)),
        connection: connection.map(|connection| connection.id),
        from,
        to,
        group_by,
    };
    let data = grouped(state.store.stats(&asked).await?);
    Ok(HttpResponse::Ok().json(StatsView { from, to, data }))
}

fn group_by(word: Option<&str>) -> Result<GroupBy, Problem> {
    match word {
        None | Some("hour") => Ok(GroupBy::Hour),
        Some("day") => Ok(GroupBy::Day),
        Some("type") => Ok(GroupBy::Type),
        Some(_) => Err(Problem::field("group_by", "invalid", "group_by must be hour, day or type")),
    }
}

/// Whole hours: the one that `from` is in, up to and with the one that `to` is in.
fn span(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Problem> {
    let to = to.unwrap_or(now);
    let from = from.unwrap_or_else(|| to.minus(USUAL_SPAN));
    if from >= to {
        return Err(Problem::field("from", "too_late", "from must be before to"));
    }
    if to.since(from) > LONGEST_SPAN {
        return Err(Problem::field(
            "from",
            "too_early",
            "from and to may be 93 days apart: ask for less at a time",
        ));
    }
    let hour = |at: Timestamp| at.as_micros().div_euclid(HOUR_MICROS);
    let last = hour(Timestamp::from_micros(to.as_micros() - 1));
    Ok((Timestamp::from_micros(hour(from) * HOUR_MICROS), Timestamp::from_micros((last + 1) * HOUR_MICROS)))
}

/// The counts come in the order of their groups.
fn grouped(counts: Vec<Count>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for Count { from, kind, counter, total } in counts {
        let is_same = groups.last().is_some_and(|group| group.from == from && group.r#type == kind);
        if !is_same {
            let counters = Counter::ALL.iter().map(|counter| (counter.as_str(), 0)).collect();
            groups.push(Group { from, r#type: kind, counters });
        }
        if let Some(group) = groups.last_mut() {
            group.counters.insert(counter.as_str(), total);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn a_span_is_of_whole_hours_and_bounded() {
        let now = at("2026-09-22T10:30:00Z");
        assert_eq!(span(None, None, now), Ok((at("2026-09-21T10:00:00Z"), at("2026-09-22T11:00:00Z"))));
        let midnight = at("2026-09-22T00:00:00Z");
        assert_eq!(
            span(Some(at("2026-09-21T00:00:00Z")), Some(midnight), now),
            Ok((at("2026-09-21T00:00:00Z"), midnight))
        );
        for (from, to) in [(midnight, midnight), (now, midnight), (at("2026-01-01T00:00:00Z"), now)] {
            assert!(span(Some(from), Some(to), now).is_err());
        }
    }

    #[test]
    fn a_group_has_every_counter() {
        let hour = Some(at("2026-09-22T10:00:00Z"));
        let count = |from, counter, total| Count { from, kind: None, counter, total };
        let groups = grouped(vec![
            count(hour, Counter::Accepted, 3),
            count(hour, Counter::Read, 1),
            count(Some(at("2026-09-22T11:00:00Z")), Counter::Accepted, 5),
        ]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].counters.len(), Counter::ALL.len());
        assert_eq!((groups[0].counters["accepted"], groups[0].counters["sent"]), (3, 0));
        assert_eq!(groups[1].counters["accepted"], 5);
        let unknown = Count { from: None, kind: Some(String::new()), counter: Counter::Inbound, total: 1 };
        let json = serde_json::to_value(grouped(vec![unknown])).unwrap();
        assert_eq!(json[0]["type"], "");
        assert!(json[0].get("from").is_none());
    }
}
