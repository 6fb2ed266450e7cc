//! Sending again everything that did not arrive, of one business or number, a part at a time.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use domain::contracts::store::{MessageFilter, Page, StoredMessage};
use domain::ids::{BusinessRef, ConnectionId, MessageId};
use domain::outbox::StateCode;
use domain::{Priority, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lookup::found;
use super::replay::{Replay, send_again};
use crate::http::api;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::Json;
use crate::http::state::AppState;

const MOST: u32 = 200;
const USUAL: u32 = 50;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayMany {
    /// One of `business_id` and `connection_id` is needed.
    #[schema(value_type = Option<String>)]
    business_id: Option<BusinessRef>,
    #[schema(value_type = Option<String>)]
    connection_id: Option<ConnectionId>,
    #[serde(default)]
    status: Over,
    /// Accepted at or after this …
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// … and before this.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only those that ended for this reason, as their timelines have it.
    reason: Option<String>,
    /// How many messages are looked at, from 1 to 200.
    limit: Option<u32>,
    /// `next` of the call before.
    #[schema(value_type = Option<String>)]
    after: Option<MessageId>,
    #[schema(value_type = Option<String>, example = "bulk")]
    priority: Option<Priority>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    accept_duplicate: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    #[default]
    Failed,
    Expired,
    Cancelled,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayedMessage)]
pub struct Line {
    #[schema(value_type = String)]
    id: MessageId,
    /// The new message; null where there is none.
    #[schema(value_type = Option<String>)]
    replayed_as: Option<MessageId>,
    /// Why there is none, as the code of an error.
    code: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayedList {
    data: Vec<Line>,
    /// To be sent as `after` for the rest; null at the end.
    #[schema(value_type = Option<String>)]
    next: Option<MessageId>,
}

/// Send again many that failed, expired or were cancelled
///
/// Newest first. What was replayed before is left out, so that repeating the call sends nothing twice.
#[utoipa::path(
    post,
    path = "/v1/messages/replay",
    tag = "messages",
    request_body = ReplayMany,
    responses((status = 200, body = ReplayedList), (status = 422, body = ProblemBody)),
)]
pub async fn many(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    key: Key,
    body: Json<ReplayMany>,
) -> Result<HttpResponse, Problem> {
    let Json { value, bytes } = body;
    let route = "POST /v1/messages/replay".to_owned();
    // Before anything is repeated: a key opens no answer about what its caller may not see.
    let filter = filter(&state, &caller, &value).await?;
    let request = Request { account: caller.account(), key, route, body: &bytes };
    let owner = filter.business;
    let work = async {
        let made = Made::new(StatusCode::OK, &replayed(&state, &caller, value, filter).await?)?;
        Ok(match owner {
            Some(owner) => made.holding_secret_of(owner),
            None => made,
        })
    };
    Box::pin(once(&state, request, work)).await
}

async fn replayed(
    state: &AppState,
    caller: &Caller,
    asked: ReplayMany,
    filter: MessageFilter,
) -> Result<ReplayedList, Problem> {
    let ReplayMany { priority, expires_at, accept_duplicate, .. } = asked;
    let replay = Replay { priority, expires_at, accept_duplicate };
    replay.check(state.clock.now())?;
    let limit = asked.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::field("limit", "out_of_range", format!("limit must be from 1 to {MOST}")));
    }
    let page = Page { after: asked.after, limit };
    let rows = state.store.messages(caller.account(), &filter, page).await?;
    let mut next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.id)).flatten();
    let mut data = Vec::with_capacity(rows.len());
    let mut done = asked.after;
    for row in rows {
        let id = row.id;
        match replay_row(state, row, &replay).await {
            Ok(Some(line)) => data.push(line),
            // Replayed before, or it did arrive after all.
            Ok(None) => {}
            // The rest is for another call.
            Err(problem) if concerns_all(problem.code()) => {
                if data.is_empty() {
                    return Err(problem);
                }
                next = done;
                break;
            }
            Err(problem) => {
                data.push(Line { id, replayed_as: None, code: Some(problem.code().as_str()) });
            }
        }
        done = Some(id);
    }
    Ok(ReplayedList { data, next })
}

/// The next message would hear the same.
const fn concerns_all(code: Code) -> bool {
    matches!(
        code,
        Code::Overloaded | Code::Unavailable | Code::Internal | Code::NoConnection | Code::ConnectionNotReady
    )
}

async fn replay_row(state: &AppState, row: StoredMessage, replay: &Replay) -> Result<Option<Line>, Problem> {
    let id = row.id;
    let found = found(state, row).await?;
    if found.why.is_none() || found.replayed_as.is_some() {
        return Ok(None);
    }
    let made = send_again(state, found, replay).await?;
    let accepted: serde_json::Value = serde_json::from_str(made.json()).unwrap_or_default();
    let replayed_as = accepted["id"].as_str().and_then(|id| id.parse().ok());
    Ok(Some(Line { id, replayed_as, code: None }))
}

async fn filter(state: &AppState, caller: &Caller, asked: &ReplayMany) -> Result<MessageFilter, Problem> {
    if asked.business_id.is_none() && asked.connection_id.is_none() {
        let message = "business_id or connection_id is needed";
        return Err(Problem::field("business_id", "required", message));
    }
    if let (Some(from), Some(to)) = (asked.from, asked.to)
        && from >= to
    {
        return Err(Problem::field("from", "too_late", "from must be before to"));
    }
    let (failed, ended) = match asked.status {
        Over::Failed => (true, None),
        Over::Expired => (false, Some(StateCode::Expired)),
        Over::Cancelled => (false, Some(StateCode::Cancelled)),
    };
    let mut filter = MessageFilter {
        failed,
        state: ended,
        from: asked.from,
        to: asked.to,
        reason: asked.reason.clone(),
        ..MessageFilter::default()
    };
    if let Some(reference) = &asked.business_id {
        filter.business = Some(api::business(state, caller, reference).await?.key);
    }
    if let Some(id) = asked.connection_id {
        let connection = api::connection(state, caller, id).await?;
        filter.business.get_or_insert(connection.business);
        filter.connection = Some(connection.id);
    }
    Ok(filter)
}
