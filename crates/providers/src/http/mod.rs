//! The one door to a provider's API: how we connect, how much we read, and what may be told of a failure.
//!
//! Some addresses carry secrets in their query (`client_secret`, `code`), and an error of the HTTP client
//! prints the address. So no such error leaves this file: what leaves is a [`Failure`] with the causes in
//! words, without the address, and without any of the [`Secrets`] of the call.
//!
//! A POST is made once. reqwest's own policy of repeating after an HTTP/2 refusal is switched off, because
//! it also repeats after a GOAWAY that does not prove that the stream was unprocessed. Beneath it, the
//! connection pool repeats a request in one case that cannot be switched off here and need not be: a kept
//! connection turned out closed before hyper took the request from its queue, so that not a byte of it was
//! written (HTTP/1 only; hyper hands the unwritten request back and the pool looks for that).

mod waits;

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use domain::contracts::media::Incoming;
use futures_util::StreamExt as _;
use reqwest::header::{HeaderName, LOCATION};
use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;
use url::Url;

use crate::redact::Secrets;
pub(crate) use waits::Usage;

const USER_AGENT: &str = concat!("safarichat-gateway/", env!("CARGO_PKG_VERSION"));
/// The longest answer that is read. Lists of numbers or templates come in pages and stay far below.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// Shorter than servers and load balancers keep a silent connection, so that a request seldom meets one that
/// is just being closed: its outcome would be unknown.
const KEPT_IDLE: Duration = Duration::from_secs(30);
const GRAPH_VERSION: HeaderName = HeaderName::from_static("facebook-api-version");

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ClientError(String);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Name look-up, TCP and TLS.
    pub(crate) connect: Duration,
    /// The whole call.
    pub(crate) total: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    provider: &'static str,
}

/// A whole answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// How long it asks us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The version of the API that really answered.
    pub(crate) api_version: Option<String>,
    pub(crate) body: Bytes,
}

/// What a GET of content came to.
pub(crate) enum Opened {
    Content(Incoming),
    /// It is at another address.
    Elsewhere(Url),
}

/// No answer, by what is known about the request. The text is fit for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection, so nothing was sent.
    NotConnected(String),
    /// It may have been carried out. The status is there when the answer broke off after its head.
    NoAnswer { status: Option<u16>, cause: String },
}

/// Who calls what, for metrics, and what must not come out.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    /// What it counts as.
    pub(crate) usage: Usage,
    pub(crate) secrets: &'a Secrets,
}

impl Http {
    /// `tls`: whether any address is https. Without one, no root certificates are looked for, so that the
    /// demo runs on a machine that has none.
    pub(crate) fn new(provider: &'static str, timeouts: Timeouts, tls: bool) -> Result<Self, ClientError> {
        // An error means that the program has already chosen a provider, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .pool_idle_timeout(KEPT_IDLE)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEPT_IDLE)
            .http2_keep_alive_timeout(timeouts.total);
        #[cfg(target_os = "linux")]
        {
            builder = builder.tcp_user_timeout(timeouts.total);
        }
        if !tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| ClientError(causes(error, &Secrets::default())))?;
        Ok(Self { client, provider })
    }

    pub(crate) fn get(&self, url: &str) -> RequestBuilder {
        self.client.get(url)
    }

    pub(crate) fn post(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    pub(crate) fn delete(&self, url: &str) -> RequestBuilder {
        self.client.delete(url)
    }

    /// Makes the request once, and leaves what is answered with success to be read: the status and the body.
    pub(crate) async fn open(
        &self,
        request: RequestBuilder,
        call: Call<'_>,
    ) -> Result<Result<Opened, Answer>, Failure> {
        let secrets = call.secrets.clone();
        let response = send(request, call.secrets).await?;
        if response.status().is_success() {
            let content = response
                .bytes_stream()
                .map(move |piece| piece.map_err(|error| causes(error, &secrets).into()));
            return Ok(Ok(Opened::Content(content.boxed())));
        }
        if response.status().is_redirection()
            && let Some(to) = response.headers().get(LOCATION).and_then(|to| to.to_str().ok())
            && let Ok(to) = response.url().join(to)
        {
            return Ok(Ok(Opened::Elsewhere(to)));
        }
        answer(response, call).await.map(Err)
    }

    /// Makes the request once and reads the whole answer.
    pub(crate) async fn call(&self, request: RequestBuilder, call: Call<'_>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let result = exchange(request, call).await;
        let outcome = match &result {
            Ok(answer) => match answer.status {
                200..=299 => "ok",
                429 => "throttled",
                500..=599 => "server_error",
                _ => "refused",
            },
            Err(Failure::NotConnected(_)) => "not_connected",
            Err(Failure::NoAnswer { .. }) => "no_answer",
        };
        crate::metrics::record(self.provider, call.operation, outcome, started.elapsed());
        result
    }
}

async fn exchange(request: RequestBuilder, call: Call<'_>) -> Result<Answer, Failure> {
    let response = send(request, call.secrets).await?;
    answer(response, call).await
}

async fn send(request: RequestBuilder, secrets: &Secrets) -> Result<Response, Failure> {
    request.send().await.map_err(|error| {
        let nothing_sent = error.is_connect() || error.is_builder();
        let cause = causes(error, secrets);
        if nothing_sent { Failure::NotConnected(cause) } else { Failure::NoAnswer { status: None, cause } }
    })
}

async fn answer(mut response: Response, call: Call<'_>) -> Result<Answer, Failure> {
    let secrets = call.secrets;
    let status = response.status().as_u16();
    let body = read(&mut response)
        .await
        .map_err(|cause| Failure::NoAnswer { status: Some(status), cause: secrets.clean(&cause) })?;
    let headers = response.headers();
    Ok(Answer {
        status,
        retry_after: waits::asked(headers, call.usage),
        api_version: headers.get(GRAPH_VERSION).and_then(|value| value.to_str().ok()).map(str::to_owned),
        body,
    })
}

async fn read(response: &mut Response) -> Result<Bytes, String> {
    let too_long = || format!("the answer is longer than {LONGEST_ANSWER} bytes");
    if response.content_length().is_some_and(|length| length > LONGEST_ANSWER as u64) {
        return Err(too_long());
    }
    // Nearly every answer comes in one piece, which is then handed on as it is.
    let Some(first) = next_chunk(response).await? else { return Ok(Bytes::new()) };
    let Some(second) = next_chunk(response).await? else { return Ok(first) };
    let mut whole = Vec::with_capacity(first.len() + second.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(next) = next_chunk(response).await? {
        if whole.len() + next.len() > LONGEST_ANSWER {
            return Err(too_long());
        }
        whole.extend_from_slice(&next);
    }
    Ok(Bytes::from(whole))
}

async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, String> {
    response.chunk().await.map_err(|error| causes(error, &Secrets::default()))
}

/// The error and what caused it, in words: without the address, and without the secrets of the call.
fn causes(error: reqwest::Error, secrets: &Secrets) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    secrets.clean(&text)
}

#[cfg(test)]
mod tests;
