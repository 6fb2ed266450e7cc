//! Media of a number: `POST /{version}/{number}/media`, `GET` and `DELETE /{version}/{media}`.
//!
//! What was uploaded is known by a number of ours, what a customer sent by Meta's.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::ids::MediaId;
use domain::media::{MediaRow, MediaState};
use serde_json::json;

use super::edges;
use super::number::{number, unknown};
use crate::http::auth::{Caller, May, scope};
use crate::http::error::{Code, Problem};
use crate::http::json::Query;
use crate::http::media::{link_to, not_kept, receive, unreadable};
use crate::http::state::AppState;

/// How long a look-up waits for what is being fetched: clients ask as soon as they hear of a message.
const PATIENCE: Duration = Duration::from_secs(8);
const A_MOMENT: Duration = Duration::from_secs(2);

pub(super) async fn upload(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: actix_web::web::Payload,
) -> Result<HttpResponse, Problem> {
    let connection = number(&state, &caller, &path.1).await?;
    let payload: Payload = payload.into_inner();
    let row = receive(&state, &connection, &request, payload).await?;
    Ok(HttpResponse::Ok().json(json!({ "id": row.id.to_graph() })))
}

/// Media, or else whatever the id names. The one needs another right than the other.
pub(super) async fn read(
    reader: Result<May<scope::MessagesRead>, Problem>,
    owner: Result<May<scope::ConnectionsRead>, Problem>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let of_ours = MediaId::from_graph(&path.1).is_some();
    let reader = match reader {
        Ok(reader) => Some(reader),
        Err(problem) if of_ours => return Err(problem),
        Err(_) => None,
    };
    if let Some(reader) = reader
        && let Some(row) = found(&state, &reader, &path.1).await?
    {
        belongs(&state, &row, query.take("phone_number_id"), &path.1).await?;
        return described(&state, row, &path.1).await;
    }
    if of_ours {
        return Err(unknown(&path.1));
    }
    edges::read(owner?, state, path, query).await
}

pub(super) async fn delete(
    caller: May<scope::MessagesWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let row = found(&state, &caller, &path.1).await?.ok_or_else(|| unknown(&path.1))?;
    belongs(&state, &row, query.take("phone_number_id"), &path.1).await?;
    state.gateway.delete_media(&row).await.map_err(|error| not_kept(&error))?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Media of a business that the caller may act for, and that is not gone.
async fn found(state: &AppState, caller: &Caller, id: &str) -> Result<Option<MediaRow>, Problem> {
    let rows = match MediaId::from_graph(id) {
        Some(id) => state.store.media(caller.account(), id).await.map(|row| row.into_iter().collect()),
        None if id.bytes().all(|byte| byte.is_ascii_digit()) => {
            state.store.media_known_as(caller.account(), id).await
        }
        None => return Ok(None),
    };
    for row in rows.map_err(|error| unreadable(&error))? {
        let connection = state.store.connection(row.connection).await.map_err(|error| unreadable(&error))?;
        let seen = connection.is_some_and(|connection| caller.sees(&connection.business_reference));
        if seen && !matches!(row.state, MediaState::Gone | MediaState::Failed) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// A caller that names a number wants media of that number only.
async fn belongs(state: &AppState, row: &MediaRow, named: Option<String>, id: &str) -> Result<(), Problem> {
    let Some(named) = named else { return Ok(()) };
    let connection = state.store.connection(row.connection).await.map_err(|error| unreadable(&error))?;
    let is_its = connection.is_some_and(|connection| connection.graph_id.as_deref() == Some(&named));
    if is_its { Ok(()) } else { Err(unknown(id)) }
}

async fn described(state: &AppState, row: MediaRow, id: &str) -> Result<HttpResponse, Problem> {
    let row = state.gateway.fetched_media(row, PATIENCE).await.map_err(|error| unreadable(&error))?;
    let content = match row.state {
        MediaState::Stored(content) => content,
        MediaState::Pending => {
            return Err(Problem::new(Code::Unavailable)
                .with_detail("the content is still being fetched")
                .with_retry_after(A_MOMENT));
        }
        MediaState::Failed | MediaState::Gone => return Err(unknown(id)),
    };
    Ok(HttpResponse::Ok().json(json!({
        "messaging_product": "whatsapp",
        "url": link_to(state, &row).await?,
        "mime_type": row.mime_type,
        "sha256": hex::encode(content.sha256),
        "file_size": content.size,
        "id": id,
    })))
}
