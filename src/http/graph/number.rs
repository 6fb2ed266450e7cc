//! Which connection a client means by a number's id.

use std::sync::Arc;
use std::time::Duration;

use domain::Connection;
use domain::contracts::store::StoreError;

use crate::http::auth::Caller;
use crate::http::error::{Chain, Code, Problem};
use crate::http::state::AppState;

/// Names no number of ours that the caller may act for: told as Graph tells it.
pub(super) fn unknown(id: &str) -> Problem {
    // What is no id is not repeated.
    let id = if id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_digit()) { id } else { "given" };
    Problem::not_found().with_detail(format!(
        "Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does not support this \
         operation"
    ))
}

pub(super) async fn number(state: &AppState, caller: &Caller, id: &str) -> Result<Arc<Connection>, Problem> {
    let found = state.gateway.number(caller.account(), id).await.map_err(|error| unreadable(&error))?;
    found.filter(|found| caller.sees(&found.business_reference)).ok_or_else(|| unknown(id))
}

pub(super) fn unreadable(error: &StoreError) -> Problem {
    tracing::warn!(error = %Chain(error), "a number cannot be looked up");
    Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
}
