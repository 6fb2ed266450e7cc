//! One request to Graph, whichever way its parameters came: query, form or JSON.

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use actix_web::{HttpMessage, HttpRequest};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::borrow::Cow;

use super::form::{File, Form};
use crate::sent::Received;

pub(crate) const OLDEST_VERSION: (u32, u32) = (19, 0);
const DEFAULT_VERSION: (u32, u32) = (25, 0);

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) version: (u32, u32),
    /// The path behind the version.
    pub(crate) path: String,
    pub(crate) json: Map<String, Value>,
    pub(crate) body: Bytes,
    /// Of a form that holds one.
    pub(crate) file: Option<File>,
    /// By which name the caller reached us.
    host: String,
    params: Vec<(String, String)>,
    bearer: Option<String>,
}

impl Call {
    /// `path` is what follows `/graph/`.
    pub(crate) fn read(request: &HttpRequest, path: &str, body: Bytes) -> Self {
        let (version, path) = split_version(path);
        let mut params: Vec<_> =
            url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let (mut json, mut file) = (Map::new(), None);
        if body.first().is_some_and(|first| *first == b'{' || first.is_ascii_whitespace()) {
            // Like Graph, take a body that cannot be read as one without parameters: the complaint will be
            // about the first one that is missing.
            json = serde_json::from_slice(&body).unwrap_or_default();
        } else if !body.is_empty() && request.content_type() == "application/x-www-form-urlencoded" {
            params.extend(url::form_urlencoded::parse(&body).into_owned());
        } else if request.content_type().eq_ignore_ascii_case("multipart/form-data") {
            let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let form = Form::read(kind.unwrap_or_default(), &body);
            params.extend(form.texts);
            file = form.file;
        }
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            method: request.method().clone(),
            version,
            path: path.to_owned(),
            json,
            body,
            file,
            host: host.to_owned(),
            params,
            bearer,
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn received(&self) -> Received<'_> {
        Received { host: &self.host, body: &self.body }
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// A parameter as text; numbers and booleans of a JSON body are written out.
    pub(crate) fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some((_, value)) = self.params.iter().find(|(key, _)| key == name) {
            return Some(Cow::Borrowed(value));
        }
        match self.json.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }

    /// The header wins over the parameter, as with Graph.
    pub(crate) fn token(&self) -> Option<Cow<'_, str>> {
        match &self.bearer {
            Some(token) if !token.is_empty() => Some(Cow::Borrowed(token)),
            _ => self.param("access_token").filter(|token| !token.is_empty()),
        }
    }
}

/// A call without a version, or to one that has ended, is served by another version without a word.
fn split_version(path: &str) -> ((u32, u32), &str) {
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let version = first.strip_prefix('v').and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    match version {
        Some(version) => (OLDEST_VERSION.max(version), rest),
        None => (DEFAULT_VERSION, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_optional_and_never_older_than_the_oldest() {
        assert_eq!(split_version("v25.0/1/messages"), ((25, 0), "1/messages"));
        assert_eq!(split_version("v3.1/me"), ((19, 0), "me"));
        assert_eq!(split_version("oauth/access_token"), ((25, 0), "oauth/access_token"));
        assert_eq!(split_version("v25.0"), ((25, 0), ""));
    }
}
