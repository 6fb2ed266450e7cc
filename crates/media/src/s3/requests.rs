//! Requests to the store, and what their failures mean.
//!
//! An address holds the signature that lets whoever has it act for a while, and an error of the HTTP client prints the
//! address. So no such error leaves this file: what leaves is a [`Failure`], in words and without the address.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::clock::Clock;
use domain::contracts::media::{MediaError, Result};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Response, StatusCode};
use rusty_s3::{Method, S3Action};

/// How long a signed address is good for: clocks differ, and a request may wait for a connection.
const SIGNED_FOR: Duration = Duration::from_mins(10);
const CONNECT: Duration = Duration::from_secs(10);
/// Without a byte coming; a part has to go out within it.
const SILENCE: Duration = Duration::from_mins(1);
const KEPT_IDLE: Duration = Duration::from_secs(30);
/// Between tries of what may be tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Of an answer that is no content: a code, or the id of an upload.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) struct Requests {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// What the store or the way to it said, fit for logs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(words, ": {error}");
            cause = error.source();
        }
        Self(words)
    }

    pub(super) fn unavailable(self) -> MediaError {
        MediaError::Unavailable(Box::new(self))
    }

    pub(super) fn refused(self) -> MediaError {
        MediaError::Refused(Box::new(self))
    }
}

impl Requests {
    /// `tls`: without it no root certificates are looked for, so that a machine that has none can use a plain address.
    pub(super) fn new(tls: bool, clock: Arc<dyn Clock>) -> Result<Self, String> {
        // An error means that the program has already chosen a provider, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .pool_idle_timeout(KEPT_IDLE)
            .tcp_nodelay(true);
        if !tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| Failure::of(error).0)?;
        Ok(Self { client, clock })
    }

    /// Makes the request once, and answers what succeeded; its content is not read yet.
    pub(super) async fn once<'a>(&self, action: &impl S3Action<'a>, body: Option<Bytes>) -> Result<Response> {
        let now = jiff::Timestamp::from_microsecond(self.clock.now().as_micros()).unwrap_or_default();
        let address = action.sign_with_time(SIGNED_FOR, &now);
        let mut request = self.client.request(method(action), address);
        // Stores ask for the length of a body also where there is none, and the client says none then.
        if !matches!(method(action), reqwest::Method::GET | reqwest::Method::DELETE) {
            request = request.header(CONTENT_LENGTH, body.as_ref().map_or(0, Bytes::len));
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.map_err(|error| Failure::of(error).unavailable())?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }

    /// The same, and again where the store did not answer. For what does no harm when it is done twice.
    pub(super) async fn steadily<'a>(
        &self,
        action: &impl S3Action<'a>,
        body: Option<Bytes>,
    ) -> Result<Response> {
        for pause in PAUSES {
            match self.once(action, body.clone()).await {
                Err(MediaError::Unavailable(_)) => self.clock.sleep(pause).await,
                outcome => return outcome,
            }
        }
        self.once(action, body).await
    }
}

fn method<'a, A: S3Action<'a>>(_: &A) -> reqwest::Method {
    match A::METHOD {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// A short answer, whole.
pub(super) async fn text(mut answer: Response) -> Result<String> {
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| Failure::of(error).unavailable())? {
        text.extend_from_slice(&piece);
        if text.len() > LONGEST_ANSWER {
            return Err(Failure::new("it answered at too great a length").refused());
        }
    }
    String::from_utf8(text).map_err(|_| Failure::new("its answer is not text").refused())
}

async fn refusal(answer: Response) -> MediaError {
    let status = answer.status();
    let text = text(answer).await.unwrap_or_default();
    failure(status, code(&text).unwrap_or(""))
}

/// `code`: the store's own word for it; empty where it gave none.
pub(super) fn failure(status: StatusCode, code: &str) -> MediaError {
    let failure = Failure(format!("it answered {} {code}", status.as_u16()).trim_end().to_owned());
    match (status.as_u16(), code) {
        (404, "" | "NoSuchKey" | "NoSuchUpload" | "NotFound") => MediaError::NotThere,
        (408 | 409 | 425 | 429 | 500.., _) | (_, "RequestTimeout" | "SlowDown" | "InternalError") => {
            failure.unavailable()
        }
        _ => failure.refused(),
    }
}

/// The code of an error, which may come with status 200 too where an upload is completed.
pub(super) fn code(text: &str) -> Option<&str> {
    member(text, "Code")
        .filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Found by its name alone: stores disagree about namespaces. `None` for what would have to be unescaped.
pub(super) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    (!value.is_empty() && !value.contains(['<', '&'])).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, text: &str) -> &'static str {
        match failure(StatusCode::from_u16(status).unwrap(), code(text).unwrap_or("")) {
            MediaError::NotThere => "not there",
            MediaError::Unavailable(_) => "unavailable",
            MediaError::Refused(_) => "refused",
            _ => "another",
        }
    }

    #[test]
    fn an_answer_means_what_its_status_and_code_say() {
        let error = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        for (status, code, meaning) in [
            (404, "NoSuchKey", "not there"),
            (404, "NoSuchBucket", "refused"),
            (403, "SignatureDoesNotMatch", "refused"),
            (301, "PermanentRedirect", "refused"),
            (400, "RequestTimeout", "unavailable"),
            (503, "SlowDown", "unavailable"),
            (500, "", "unavailable"),
            (429, "", "unavailable"),
            (404, "", "not there"),
        ] {
            assert_eq!(kind(status, &error(code)), meaning, "{status} {code}");
        }
    }

    #[test]
    fn a_code_that_is_no_word_is_not_repeated() {
        assert_eq!(code("<Error><Code>AccessDenied</Code></Error>"), Some("AccessDenied"));
        for text in ["", "<Code></Code>", "<Code>a b</Code>", "<Code>unfinished", "<Code>a&amp;b</Code>"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
