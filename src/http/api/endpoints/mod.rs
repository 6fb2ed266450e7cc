//! Endpoints: where events go.
//!
//! The signing secret is made here and shown once. It is kept sealed, in the endpoint's row and, when the request had
//! an idempotency key, in that key's record, so that the same request has the same answer.

mod checks;
pub mod replay;
pub mod resource;
pub mod resume;
pub mod secret;
mod view;

use domain::endpoint::Endpoint;
use domain::ids::EndpointId;

use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::state::AppState;

pub use view::EndpointView;

/// An endpoint that the caller may know of: one for all businesses is none of a restricted key's business.
pub async fn visible_endpoint(
    state: &AppState,
    caller: &Caller,
    id: EndpointId,
) -> Result<Endpoint, Problem> {
    let found = state.store.endpoint(caller.account(), id).await?;
    found.filter(|found| sees(caller, found)).ok_or(Problem::not_found())
}

pub fn sees(caller: &Caller, endpoint: &Endpoint) -> bool {
    match &endpoint.business {
        Some((_, reference)) => caller.sees(reference),
        None => !caller.is_restricted(),
    }
}
