//! Read marks: tell a customer that their message was read, and that an answer is being written.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::auth::{May, scope};
use crate::http::error::{Problem, ProblemBody};
use crate::http::json::{Json, named};
use crate::http::passing::refusal;
use crate::http::read_mark;
use crate::http::state::AppState;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadMark {
    /// The id of a message that was received, as its event has it. Earlier ones of the same person count as read too.
    message_id: String,
    /// Show that an answer is being written: until it comes, and for 25 seconds at most.
    #[serde(default)]
    typing: bool,
}

/// Mark a received message as read
///
/// Passed on to the provider at once, and not tried again.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/read-marks",
    tag = "messages",
    params(("id" = String, Path)),
    request_body = ReadMark,
    responses(
        (status = 204, description = "The provider took it"),
        (status = 409, description = "The provider refused it, or the number has none that could", body = ProblemBody),
        (status = 422, body = ProblemBody),
    ),
)]
pub async fn create(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    id: Path<String>,
    body: Json<ReadMark>,
) -> Result<HttpResponse, Problem> {
    let connection = super::connection(&state, &caller, named(&id)?).await?;
    let answer = read_mark::mark(&state, &connection, object(body.value)).await?;
    refusal(&answer).map_or_else(|| Ok(HttpResponse::NoContent().finish()), Err)
}

/// As the Cloud API has it.
fn object(mark: ReadMark) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("status".to_owned(), "read".into());
    object.insert("message_id".to_owned(), mark.message_id.into());
    if mark.typing {
        object.insert("typing_indicator".to_owned(), json!({ "type": "text" }));
    }
    object
}
