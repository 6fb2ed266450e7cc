//! Which version of Graph a client asks for. All that are taken are answered alike: nothing in them differs that
//! this door passes on.

use std::fmt;
use std::str::FromStr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use providers::meta::versions::DEFAULT;

use crate::http::error::{Code, Problem};
use crate::http::limits::refused;

/// Says which version answered, as Graph does.
const ANSWERED_IN: HeaderName = HeaderName::from_static("facebook-api-version");
/// Clients as old as this are still in use; Meta answers them in the oldest version that lives.
const OLDEST: Version = Version { major: 19, minor: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u16,
    minor: u16,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number = |text: &str| {
            let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(NotAVersion)
        };
        let (major, minor) =
            text.strip_prefix('v').and_then(|rest| rest.split_once('.')).ok_or(NotAVersion)?;
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

fn newest() -> Version {
    providers::meta::newest_version().parse().unwrap_or(OLDEST)
}

fn taken(text: &str) -> Result<Version, Problem> {
    let (oldest, newest) = (OLDEST, newest());
    text.parse().ok().filter(|version| (oldest..=newest).contains(version)).ok_or_else(|| {
        Problem::new(Code::BadRequest)
            .with_detail(format!("this version is not known here: use one from {oldest} to {newest}"))
    })
}

/// An id of Graph's in the place of a version: digits, and no fewer than any of Meta's ids has.
fn is_id(segment: &str) -> bool {
    (9..=20).contains(&segment.len()) && segment.bytes().all(|byte| byte.is_ascii_digit())
}

/// A call without a version is one in the usual version, as at Graph. Around everything, since it changes the path.
pub(in crate::http) async fn supplied<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let first = request.path().trim_start_matches('/').split('/').next().unwrap_or_default();
    if is_id(first) {
        let rest = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        if let Ok(uri) = format!("/{DEFAULT}{rest}").parse::<Uri>() {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
        }
    }
    next.call(request).await
}

/// Around everything of this door.
pub(super) async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let version = match taken(request.match_info().query("version")) {
        Ok(version) => version,
        Err(problem) => return Ok(refused(request, &problem)),
    };
    let mut response = next.call(request).await?.map_into_left_body();
    if let Ok(value) = HeaderValue::from_str(&version.to_string()) {
        response.headers_mut().insert(ANSWERED_IN, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpRequest, HttpResponse, web};

    #[actix_web::test]
    async fn a_call_without_a_version_is_one_in_the_usual_version() {
        let told = async |request: HttpRequest| HttpResponse::Ok().body(request.uri().to_string());
        let app = init_service(App::new().default_service(web::to(told)).wrap(from_fn(supplied))).await;
        let ask = async |path: &str| {
            let answer = call_service(&app, TestRequest::with_uri(path).to_request()).await;
            String::from_utf8(read_body(answer).await.to_vec()).unwrap()
        };
        assert_eq!(
            ask("/106540352242922/block_users?limit=2").await,
            "/v25.0/106540352242922/block_users?limit=2"
        );
        for other in ["/v24.0/106540352242922/messages", "/v1/messages", "/12/messages", "/"] {
            assert_eq!(ask(other).await, other);
        }
    }

    #[test]
    fn versions_from_v19_to_the_newest_that_is_known_are_taken() {
        for version in ["v19.0", "v24.0", "v25.0", providers::meta::newest_version()] {
            assert_eq!(taken(version).map(|version| version.to_string()), Ok(version.to_owned()));
        }
        for version in ["v18.0", "v2.10", "v999.0", "v25", "25.0", "v25.0.0", "v+25.0", ""] {
            let problem = taken(version).unwrap_err();
            assert!(problem.detail().contains("v19.0"), "{version}: {}", problem.detail());
        }
    }
}
