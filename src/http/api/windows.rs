//! Whether somebody may be written to freely through a number.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use domain::Timestamp;
use domain::Transport;
use domain::contact::Window;
use serde::Serialize;
use utoipa::ToSchema;

use super::messages::not_accepted;
use super::opt_outs::person;
use crate::http::auth::{May, scope};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::http::json::named;
use crate::http::state::AppState;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Window)]
pub struct WindowView {
    /// Whether free text surely goes.
    open: bool,
    /// `open`; `closed`, so that only templates go; or `unknown`: free text is tried.
    #[schema(example = "open")]
    state: &'static str,
    /// When it ends, or ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Kept open by an advertisement.
    free_entry: bool,
}

impl From<Window> for WindowView {
    fn from(window: Window) -> Self {
        let (expires_at, free_entry) = match window {
            Window::Open { until, free_entry } => (Some(until), free_entry),
            Window::Closed { since } => (Some(since), false),
            Window::Unknown => (None, false),
        };
        Self { open: window.is_open(), state: window.as_str(), expires_at, free_entry }
    }
}

/// Read the service window of a person
///
/// Official numbers only: linked devices have no windows.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/windows/{phone}",
    tag = "contacts",
    params(("id" = String, Path), ("phone" = String, Path)),
    responses((status = 200, body = WindowView), (status = 404, body = ProblemBody)),
)]
pub async fn read(
    caller: May<scope::MessagesRead>,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let connection = super::connection(&state, &caller, named(&path.0)?).await?;
    if connection.transport() != Transport::Official {
        return Err(Problem::new(Code::StateConflict).with_detail(
            "the number is a linked device: it may write at any time, and has no service windows",
        ));
    }
    let business = super::business(&state, &caller, &connection.business_reference).await?;
    let alias = person(&path.1, &business)?;
    let window = state.gateway.window(&connection, &alias).await.map_err(not_accepted)?;
    Ok(HttpResponse::Ok().json(WindowView::from(window)))
}
