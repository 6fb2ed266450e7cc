//! Around every request: its id, its metrics, its line in the log, and the headers that every answer carries.
//!
//! The log knows routes by their templates (`/v1/messages/{id}`). A path or a query as it came is never logged:
//! either may hold a secret or somebody's number.

use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, web};
use uuid::Uuid;

use super::error::{Code, Problem};
use super::graph;
use super::limits;
use super::state::AppState;
use crate::metrics;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
/// Longer than this is worth a line.
const SLOW: Duration = Duration::from_secs(5);

/// Under which the caller, the log and we speak of one request.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The caller's, when it is a UUID; anything else could be something that must not be logged.
    fn of(request: &HttpRequest, state: &AppState) -> Self {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        Self(given.and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_else(|| state.ids.next()))
    }
}

pub async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let started = state.clock.boottime();
    let id = RequestId::of(request.request(), &state);
    request.extensions_mut().insert(id);
    let mut id_text = Uuid::encode_buffer();
    let id_text: &str = id.0.hyphenated().encode_lower(&mut id_text);

    let response = match limits::too_many_headers(request.request()) {
        Some(problem) => limits::refused(request, &problem),
        None => next.call(request).await?.map_into_left_body(),
    };
    let mut response = told_with_id(response, id_text);
    let https = state.is_https();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id_text) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    finished(&response, id_text, state.clock.boottime().saturating_sub(started));
    Ok(response)
}

/// Errors are written again with the request's id; those of the framework become ours.
fn told_with_id<B>(response: ServiceResponse<EitherBody<B>>, id: &str) -> ServiceResponse<EitherBody<B>> {
    let Some(error) = response.response().error() else { return response };
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None => of_framework(response.status()),
    };
    let (request, _) = response.into_parts();
    let told = if graph::speaks(request.path()) {
        graph::error::response(&problem, id)
    } else {
        problem.response(Some(id))
    };
    ServiceResponse::new(request, told.map_into_right_body())
}

fn of_framework(status: StatusCode) -> Problem {
    Problem::new(match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMedia,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    })
}

fn finished<B>(response: &ServiceResponse<B>, id: &str, took: Duration) {
    let request = response.request();
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let status = response.status().as_u16();
    let method = method_word(request.method());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 || (took > SLOW && status < 400) {
        tracing::warn!(
            request.id = id,
            http.route = route,
            http.method = method,
            http.status = status,
            duration_ms,
            "a request failed or was slow"
        );
    } else {
        tracing::debug!(
            request.id = id,
            http.route = route,
            http.method = method,
            http.status = status,
            duration_ms,
            "a request was answered"
        );
    }
    metrics::request(route, method, status, took);
}

/// Methods are made up by clients, labels are not.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
