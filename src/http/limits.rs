//! What a request may cost before it is understood: headers, body, and a place among those under way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::config::ServerConfig;
use super::error::{Code, Problem};
use super::state::AppState;

/// Bodies of the API.
pub const API_BODY: usize = 1024 * 1024;
/// Meta sends up to 3 MB.
pub const WEBHOOK_BODY: usize = 4 * 1024 * 1024;
/// A well-behaved client, its proxy and a tracing library together send some thirty.
const MOST_HEADERS: usize = 64;
/// A body that outgrows this needs one of a few places, so that many senders of large bodies cannot fill the memory.
const LARGE: usize = 256 * 1024;
const LARGE_AT_ONCE: usize = 32;
/// Uploads of media, of which each holds a few pieces in memory.
const UPLOADS_AT_ONCE: usize = 64;
const A_MOMENT: Duration = Duration::from_secs(1);

/// Places for requests under way.
#[derive(Clone)]
pub struct Limits(Arc<Places>);

struct Places {
    requests: Semaphore,
    webhooks: Semaphore,
    large_bodies: Semaphore,
    uploads: Semaphore,
    body_timeout: Duration,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

impl Limits {
    pub fn new(config: &ServerConfig) -> Self {
        let places = |number: usize| Semaphore::new(number.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Places {
            requests: places(config.max_requests),
            webhooks: places(config.max_webhooks),
            large_bodies: places(LARGE_AT_ONCE),
            uploads: places(UPLOADS_AT_ONCE),
            body_timeout: config.body_timeout(),
        }))
    }

    fn place(semaphore: &Semaphore) -> Result<SemaphorePermit<'_>, Problem> {
        semaphore.try_acquire().map_err(|_| Problem::new(Code::Overloaded).with_retry_after(A_MOMENT))
    }

    /// A place among the uploads of media.
    pub fn upload(&self) -> Result<SemaphorePermit<'_>, Problem> {
        Self::place(&self.0.uploads)
    }

    /// The whole body, if it is no longer than `limit` and arrives in time.
    pub async fn read(&self, payload: Payload, headers: &HeaderMap, limit: usize) -> Result<Bytes, Problem> {
        match tokio::time::timeout(self.0.body_timeout, self.read_all(payload, headers, limit)).await {
            Ok(read) => read,
            Err(_) => Err(Problem::new(Code::RequestTimeout)),
        }
    }

    async fn read_all(
        &self,
        mut payload: Payload,
        headers: &HeaderMap,
        limit: usize,
    ) -> Result<Bytes, Problem> {
        let too_large =
            || Problem::new(Code::TooLarge).with_detail(format!("at most {limit} bytes are taken"));
        let announced: Option<usize> =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let broken = |_| Problem::new(Code::BadRequest).with_detail("the body broke off");
        let first = payload.next().await.transpose().map_err(broken)?.unwrap_or_default();
        if announced == Some(first.len()) && first.len() <= limit {
            return Ok(first);
        }
        let mut body = BytesMut::from(first.as_ref());
        let mut place = None;
        loop {
            if body.len() > limit {
                return Err(too_large());
            }
            if body.len() > LARGE && place.is_none() {
                place = Some(Self::place(&self.0.large_bodies)?);
            }
            match payload.next().await.transpose().map_err(broken)? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body.freeze()),
            }
        }
    }
}

type Answer<B> = Result<ServiceResponse<EitherBody<B>>, actix_web::Error>;

/// A place among the API's and the pages' requests, or 429.
pub async fn among_requests<B: actix_web::body::MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Answer<B> {
    let limits = limits_of(request.request());
    let place = limits.as_ref().map(|limits| Limits::place(&limits.0.requests)).transpose();
    let _place = match place {
        Ok(place) => place,
        Err(problem) => return Ok(refused(request, &problem)),
    };
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// A place among the webhooks, or 429: the provider repeats.
pub async fn among_webhooks<B: actix_web::body::MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Answer<B> {
    let limits = limits_of(request.request());
    let place = limits.as_ref().map(|limits| Limits::place(&limits.0.webhooks)).transpose();
    let _place = match place {
        Ok(place) => place,
        Err(problem) => {
            if let Some(state) = request.app_data::<web::Data<AppState>>() {
                state.gateway.missed_news();
            }
            return Ok(refused(request, &problem));
        }
    };
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// The parser's own limits are 96 headers and 128 KB; ours are tighter, and answered.
pub fn too_many_headers(request: &HttpRequest) -> Option<Problem> {
    (request.headers().len() > MOST_HEADERS).then(|| Problem::new(Code::HeadersTooLarge))
}

fn limits_of(request: &HttpRequest) -> Option<Limits> {
    request.app_data::<web::Data<AppState>>().map(|state| state.limits.clone())
}

/// An answer of a middleware. It keeps the problem, for whoever writes it again with the request's id.
pub fn refused<B>(request: ServiceRequest, problem: &Problem) -> ServiceResponse<EitherBody<B>> {
    let (request, _) = request.into_parts();
    let response = HttpResponse::<BoxBody>::from_error(problem.clone());
    ServiceResponse::new(request, response).map_into_right_body()
}
