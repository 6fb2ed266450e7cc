//! `/webhooks/{provider}`: verify, keep, acknowledge. No call to anyone else stands in between.
//!
//! 200 means durable; anything else makes the provider send it again. What verified but belongs to no connection of
//! ours is kept aside and acknowledged, since sending it again would not change whose it is.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::ProviderName;
use domain::contracts::provider::{Webhook, WebhookError};

use super::api::method_not_allowed;
use super::client_address;
use super::error::{Chain, Code, Problem};
use super::json::Query;
use super::limits::{WEBHOOK_BODY, among_webhooks};
use super::state::AppState;
use crate::metrics;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const META: ProviderName = ProviderName::Meta;

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::scope("/webhooks")
            .service(
                web::resource(["/meta", "/meta/{app}"])
                    .get(meta_handshake)
                    .post(meta)
                    .default_service(web::to(method_not_allowed)),
            )
            .wrap(from_fn(among_webhooks)),
    );
}

fn webhook(state: &AppState) -> Result<&dyn Webhook, Problem> {
    state.provider(META).map(|provider| &*provider.webhook).ok_or(Problem::not_found())
}

/// The app of the path; without one, the default app.
fn app_of(path: Option<&Path<String>>) -> Option<&str> {
    path.map(|app| app.as_str())
}

async fn meta_handshake(
    request: HttpRequest,
    state: Data<AppState>,
    app: Option<Path<String>>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let mut take = |name| query.take(name).unwrap_or_default();
    let (mode, token, challenge) = (take("hub.mode"), take("hub.verify_token"), take("hub.challenge"));
    match webhook(&state)?.handshake(app_of(app.as_ref()), &mode, &token, &challenge) {
        Ok(challenge) => {
            Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(challenge))
        }
        Err(error) => Err(refused(&state, &request, &error)),
    }
}

async fn meta(
    request: HttpRequest,
    state: Data<AppState>,
    app: Option<Path<String>>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (webhook, app) = (webhook(&state)?, app_of(app.as_ref()));
    let signature = request.headers().get(SIGNATURE).map(HeaderValue::as_bytes);
    let refuse = |error: WebhookError| refused(&state, &request, &error);
    webhook.signature_shape(signature).map_err(refuse)?;
    let body = state.limits.read(payload.into_inner(), request.headers(), WEBHOOK_BODY).await;
    let body = body.inspect_err(|_| state.gateway.missed_news())?;
    webhook.verify(app, signature, &body).map_err(refuse)?;
    let updates = webhook.parse(&body, state.clock.now()).map_err(refuse)?;
    drop(body);
    if updates.is_empty() {
        metrics::webhook(META.as_str());
        return Ok(HttpResponse::Ok().finish());
    }
    match state.gateway.ingest(META, updates).await {
        Ok(_) => {
            metrics::webhook(META.as_str());
            Ok(HttpResponse::Ok().finish())
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "a webhook could not be kept: the provider will repeat it");
            metrics::webhook_refused(META.as_str(), "not_kept");
            Ok(HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, 1)).finish())
        }
    }
}

fn refused(state: &AppState, request: &HttpRequest, error: &WebhookError) -> Problem {
    let (code, reason) = match error {
        WebhookError::UnknownApp => (Code::NotFound, "unknown_app"),
        WebhookError::SignatureMissing => (Code::InvalidSignature, "signature_missing"),
        WebhookError::SignatureWrong => (Code::InvalidSignature, "signature_wrong"),
        WebhookError::VerifyTokenWrong => (Code::Forbidden, "verify_token_wrong"),
        WebhookError::Malformed => (Code::BadRequest, "malformed"),
    };
    metrics::webhook_refused(META.as_str(), reason);
    match error {
        // Anyone can send these all day; they are counted.
        WebhookError::UnknownApp | WebhookError::SignatureMissing => {}
        _ => {
            let from = client_address::of(request, &state.server).map(tracing::field::display);
            tracing::warn!(provider = META.as_str(), reason, client.address = from, "a webhook was refused");
        }
    }
    Problem::new(code).with_detail(error.to_string())
}
