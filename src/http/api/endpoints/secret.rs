//! Signing secrets: making one, and replacing it without a moment in which receivers cannot verify.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::endpoint::{Endpoint, PreviousSecret};
use domain::ids::{BusinessKey, EndpointId};
use domain::secret::Sealed;
use gateway_actors::column;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{EndpointView, visible_endpoint};
use crate::deliver::SECRET_PREFIX;
use crate::http::auth::{May, scope};
use crate::http::error::Problem;
use crate::http::idempotency::{Key, Made, Request, of_seal, once};
use crate::http::json::{JsonOrNothing, named};
use crate::http::state::AppState;

/// Seconds, where the caller names none, and at most.
const USUAL_OVERLAP: u64 = 86_400;
const LONGEST_OVERLAP: u64 = 7 * 86_400;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Seconds for which deliveries are signed with the present secret too: a day when absent, a week at most.
    #[schema(example = 86_400)]
    overlap_s: Option<u64>,
}

impl Rotation {
    fn overlap(&self) -> Result<Duration, Problem> {
        let seconds = self.overlap_s.unwrap_or(USUAL_OVERLAP);
        if seconds > LONGEST_OVERLAP {
            let message = format!("overlap_s must be from 0 to {LONGEST_OVERLAP}");
            return Err(Problem::field("overlap_s", "out_of_range", message));
        }
        Ok(Duration::from_secs(seconds))
    }
}

/// In clear, for the one answer that shows it, and sealed.
pub(super) async fn made(
    state: &AppState,
    owner: BusinessKey,
    id: EndpointId,
) -> Result<(Zeroizing<String>, Sealed), Problem> {
    let secret = signing_secret()?;
    let sealing = state.gateway.keychain().seal(owner, id.uuid(), column::ENDPOINT_SECRET, secret.as_bytes());
    let sealed = sealing.await.map_err(of_seal)?;
    Ok((secret, sealed))
}

fn signing_secret() -> Result<Zeroizing<String>, Problem> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Problem::internal("making a secret", &error))?;
    let mut text = Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + 44));
    text.push_str(SECRET_PREFIX);
    STANDARD.encode_string(bytes.as_slice(), &mut text);
    Ok(text)
}

/// Replace the signing secret
///
/// Keep the `secret` of the answer: it is not shown again. Until `previous_secret_until` each delivery carries a
/// signature of both, so that receivers can change over at any moment; a secret before those two is forgotten at once.
/// In format `cloud_api` there is room for one signature, and it is the new secret's from now on.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/rotate-secret",
    tag = "endpoints",
    params(("id" = String, Path)),
    request_body = Option<Rotation>,
    responses((status = 200, body = EndpointView), (status = 422, body = crate::http::error::ProblemBody)),
)]
pub async fn rotate(
    caller: May<scope::EndpointsWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: JsonOrNothing<Rotation>,
) -> Result<HttpResponse, Problem> {
    // First of all: the answer to an earlier request with this key holds a secret.
    let endpoint = visible_endpoint(&state, &caller, named(&id)?).await?;
    let route = format!("POST /v1/endpoints/{}/rotate-secret", endpoint.id);
    let request = Request { account: caller.account(), key, route, body: &body.bytes };
    once(&state, request, rotated(&state, endpoint, &body.value)).await
}

async fn rotated(state: &AppState, endpoint: Endpoint, rotation: &Rotation) -> Result<Made, Problem> {
    let overlap = rotation.overlap()?;
    let now = state.clock.now();
    let owner = endpoint.key_owner();
    let (secret, sealed) = made(state, owner, endpoint.id).await?;
    let previous = PreviousSecret { sealed: endpoint.secret.clone(), until: now.plus(overlap) };
    let endpoint = Endpoint {
        secret: sealed,
        previous_secret: Some(previous).filter(|previous| previous.until > now),
        ..endpoint
    };
    let until = endpoint.previous_secret.as_ref().map(|previous| previous.until);
    if !state.store.rotate_secret(endpoint.account, endpoint.id, &endpoint.secret, until).await? {
        return Err(Problem::not_found());
    }
    state.gateway.endpoints_changed().await;
    tracing::info!(endpoint.id = %endpoint.id, overlap_s = overlap.as_secs(), "the signing secret of an endpoint was replaced");
    let answer = EndpointView::new(&endpoint, Some(&secret), now);
    Ok(Made::new(StatusCode::OK, &answer)?.holding_secret_of(owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_the_standard_says() {
        let secret = signing_secret().unwrap();
        assert!(standardwebhooks::Webhook::new(&secret).is_ok());
        assert_eq!(STANDARD.decode(secret.strip_prefix(SECRET_PREFIX).unwrap()).unwrap().len(), 32);
    }

    #[test]
    fn an_overlap_is_a_day_unless_asked_and_a_week_at_most() {
        let overlap = |overlap_s| Rotation { overlap_s }.overlap().map(|overlap| overlap.as_secs());
        assert_eq!(overlap(None), Ok(86_400));
        assert_eq!(overlap(Some(0)), Ok(0));
        assert_eq!(overlap(Some(604_800)), Ok(604_800));
        assert!(overlap(Some(604_801)).is_err());
    }
}
