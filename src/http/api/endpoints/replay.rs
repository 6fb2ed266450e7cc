//! Asking for a stretch of time once more.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::Timestamp;
use gateway_actors::{Replay, ReplayError, Replayed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visible_endpoint;
use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, of_seal, once};
use crate::http::json::{Json, named};
use crate::http::state::AppState;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayStretch {
    /// Events that happened at or after this …
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// … and before this.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    #[serde(default)]
    state: Which,
    /// `next` of the call before.
    #[schema(example = "184467")]
    after: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// What was given up.
    #[default]
    Parked,
    /// Also what was delivered.
    All,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayedStretch {
    /// How many deliveries were made due again by this call.
    count: u64,
    /// To be sent as `after` for the rest; null when there is none.
    next: Option<String>,
}

impl ReplayStretch {
    fn read(&self) -> Result<Replay, Problem> {
        if self.from >= self.to {
            return Err(Problem::field("to", "out_of_range", "to must be later than from"));
        }
        let after = self.after.as_deref().map(str::parse).transpose();
        let after = after
            .map_err(|_| Problem::field("after", "invalid", "after must be the `next` of the call before"))?;
        let everything = self.state == Which::All;
        Ok(Replay { from: self.from, to: self.to, everything, after: after.unwrap_or(0) })
    }
}

/// Deliver a stretch of time once more
///
/// What is on its way already is left as it is; everything else of the stretch that the endpoint wants goes out again
/// under the same ids, with its original times and `replayed: true`. One call makes some thousand deliveries due and
/// answers where to go on.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replay",
    tag = "endpoints",
    params(("id" = String, Path)),
    request_body = ReplayStretch,
    responses((status = 202, body = ReplayedStretch), (status = 422, body = crate::http::error::ProblemBody)),
)]
pub async fn replay(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Json<ReplayStretch>,
) -> Result<HttpResponse, Problem> {
    let endpoint = visible_endpoint(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/endpoints/{}/replay", endpoint.id);
    let request = Request { account: caller.account(), key, route, body: &body.bytes };
    once(&state, request, async {
        let replay = body.value.read()?;
        let Replayed { count, next } =
            state.gateway.replay_deliveries(&endpoint, replay).await.map_err(of_replay)?;
        tracing::info!(endpoint.id = %endpoint.id, count, "deliveries of an endpoint were replayed");
        let next = next.map(|place| place.to_string());
        Made::new(StatusCode::ACCEPTED, &ReplayedStretch { count, next })
    })
    .await
}

fn of_replay(error: ReplayError) -> Problem {
    match error {
        ReplayError::Store(error) => error.into(),
        ReplayError::Seal(error) => of_seal(error),
    }
}
