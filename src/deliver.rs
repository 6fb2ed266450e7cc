//! One signed HTTP delivery of an event to an endpoint. When, and to whom, is decided in the actors.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ExposeSecret;
use domain::Timestamp;
use domain::clock::Clock;
use domain::contracts::deliver::{Answer, Deliver, DeliveryOutcome, DeliveryRequest};
use domain::endpoint::EndpointFormat;
use domain::secret::SigningSecret;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use jiff::fmt::rfc2822;
use serde::Deserialize;
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::handshake::Handshake;
use crate::url_guard::{UrlGuard, is_refusal};

/// How much of an answer is read and kept: enough to use the connection again, never enough to hurt.
const LONGEST_ANSWER: usize = 1024;
/// What the secrets of Standard Webhooks begin with.
pub const SECRET_PREFIX: &str = "whsec_";

/// Section `endpoints` of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Plain http, and addresses of this machine and its networks.
    pub allow_private_addresses: bool,
    /// For a whole delivery, and for a handshake.
    pub timeout_s: u64,
}

pub struct HttpDeliver {
    client: reqwest::Client,
    guard: UrlGuard,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for HttpDeliver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpDeliver")
    }
}

impl HttpDeliver {
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> reqwest::Result<Self> {
        let guard = UrlGuard::new(config.allow_private_addresses);
        Ok(Self { client: guard.client(Duration::from_secs(config.timeout_s))?, guard, clock })
    }

    /// Asks under the same limits and the same guard as it delivers.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(self.client.clone(), self.guard)
    }

    async fn post(&self, request: DeliveryRequest) -> Result<Answer, &'static str> {
        self.guard.check(&request.url).map_err(|_| "address_refused")?;
        let headers = signature_headers(&request).ok_or("secret_unusable")?;
        let mut call =
            self.client.post(request.url).header("content-type", "application/json").body(request.body);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let mut response = call.send().await.map_err(|error| word_for(&error))?;
        let status = response.status();
        let retry_after = retry_after(status, response.headers(), self.clock.now());
        let mut body = Vec::new();
        while body.len() < LONGEST_ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = LONGEST_ANSWER - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                // The status is there; what becomes of the rest changes nothing.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Answer { status: status.as_u16(), retry_after, body })
    }
}

/// What an endpoint asks for that is overloaded: seconds, or a time.
fn retry_after(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(asked).ok()?.timestamp().as_second();
    u64::try_from(at.checked_sub(now.as_seconds())?).ok().map(Duration::from_secs)
}

#[async_trait]
impl Deliver for HttpDeliver {
    async fn deliver(&self, request: DeliveryRequest) -> DeliveryOutcome {
        match self.post(request).await {
            Ok(answer) => DeliveryOutcome::Answered(answer),
            Err(error) => DeliveryOutcome::NoAnswer { error },
        }
    }
}

/// Never the error's own text: it holds the address, and an address may hold a secret of its owner.
pub(crate) fn word_for(error: &reqwest::Error) -> &'static str {
    if is_refusal(error) {
        return "address_refused";
    }
    if error.is_timeout() {
        return "timeout";
    }
    if !error.is_connect() {
        return "broken_off";
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        let wrapped = this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if this.is::<rustls::Error>()
            || wrapped.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return "tls";
        }
        cause = this.source();
    }
    "connect"
}

/// The headers that let the receiver verify, and tell a repetition; `None` when a secret is not one of ours.
fn signature_headers(request: &DeliveryRequest) -> Option<Vec<(&'static str, String)>> {
    let id = request.event.to_string();
    if request.format == EndpointFormat::CloudApi {
        let signature = as_meta_signs(request.secrets.first()?, &request.body)?;
        return Some(vec![("x-hub-signature-256", signature), ("webhook-id", id)]);
    }
    let timestamp = request.at.as_seconds().to_string();
    let signatures = request.secrets.iter().map(|secret| standard(secret, &id, &timestamp, &request.body));
    let signatures: Vec<String> = signatures.collect::<Option<_>>()?;
    let signatures = signatures.join(" ");
    Some(vec![("webhook-signature", signatures), ("webhook-id", id), ("webhook-timestamp", timestamp)])
}

/// Keyed with the whole text of the secret, as its owner copied it to where an app secret would stand.
fn as_meta_signs(secret: &SigningSecret, body: &[u8]) -> Option<String> {
    let key = secret.expose_secret();
    key.starts_with(SECRET_PREFIX).then(|| hub_signature(key, body))
}

fn hub_signature(key: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(keyed(key.as_bytes()).chain_update(body).finalize().into_bytes()))
}

/// `v1,` and base64 of the HMAC over `id.timestamp.body`, keyed with what the secret's base64 stands for.
fn standard(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let encoded = secret.expose_secret().strip_prefix(SECRET_PREFIX)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let signed = keyed(&key)
        .chain_update(id)
        .chain_update(".")
        .chain_update(timestamp)
        .chain_update(".")
        .chain_update(body)
        .finalize();
    Some(format!("v1,{}", STANDARD.encode(signed.into_bytes())))
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::EventId;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn request(secrets: &[&str]) -> DeliveryRequest {
        DeliveryRequest {
            url: "https://example.com/hook".parse().unwrap(),
            format: EndpointFormat::Standard,
            secrets: secrets.iter().map(|secret| SigningSecret::new(*secret)).collect(),
            event: EventId::from_uuid(Uuid::from_u128(7)),
            at: NOW,
            body: br#"{"type":"message.received"}"#.to_vec(),
        }
    }

    fn header(headers: &[(&'static str, String)], name: &str) -> String {
        headers.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    #[test]
    fn a_library_of_standard_webhooks_makes_the_same_signatures() {
        let secrets = [7, 8].map(|byte| format!("{SECRET_PREFIX}{}", STANDARD.encode([byte; 32])));
        let request = request(&[&secrets[0], &secrets[1]]);
        let headers = signature_headers(&request).unwrap();
        let id = header(&headers, "webhook-id");
        assert_eq!(id, "evt_00000000000000000000000000000007");
        let theirs = secrets.map(|secret| {
            let timestamp = header(&headers, "webhook-timestamp").parse().unwrap();
            standardwebhooks::Webhook::new(&secret).unwrap().sign(&id, timestamp, &request.body).unwrap()
        });
        assert_eq!(header(&headers, "webhook-signature"), theirs.join(" "));
    }

    #[test]
    fn the_exact_bytes_are_signed_as_meta_signs_them() {
        let body = concat!(
            r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":"#,
            r#"{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","#,
            r#""phone_number_id":"2"},"messages":[{"from":"16505551234","id":"wamid.A=","#,
            r#""timestamp":"1749416383","type":"text","text":{"body":"\u00e9 \ud83d\ude00 https:\/\/x.y"}}]}}]}]}"#,
        );
        let expected = "sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a";
        assert_eq!(hub_signature("test_app_secret", body.as_bytes()), expected);
    }

    #[test]
    fn metas_format_has_one_signature_by_the_present_secret_as_it_was_shown() {
        let secrets = [7, 8].map(|byte| format!("{SECRET_PREFIX}{}", STANDARD.encode([byte; 32])));
        let request =
            DeliveryRequest { format: EndpointFormat::CloudApi, ..request(&[&secrets[0], &secrets[1]]) };
        let headers = signature_headers(&request).unwrap();
        assert_eq!(header(&headers, "x-hub-signature-256"), hub_signature(&secrets[0], &request.body));
        assert_eq!(header(&headers, "webhook-id"), "evt_00000000000000000000000000000007");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn a_secret_that_is_not_ours_signs_nothing() {
        assert!(signature_headers(&request(&["secret"])).is_none());
        let of_meta = |secrets| DeliveryRequest { format: EndpointFormat::CloudApi, ..request(secrets) };
        assert!(signature_headers(&of_meta(&["secret"])).is_none());
        assert!(signature_headers(&of_meta(&[])).is_none());
        assert!(signature_headers(&request(&["whsec_%%"])).is_none());
    }

    #[test]
    fn an_overloaded_endpoint_says_in_seconds_or_by_a_time_when_to_come_back() {
        let wait = |status, value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(status, &headers, NOW).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(StatusCode::TOO_MANY_REQUESTS, "7"), Some(7));
        assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, "Mon, 21 Sep 2026 14:14:20 GMT"), Some(60));
        assert_eq!(
            wait(StatusCode::SERVICE_UNAVAILABLE, "Mon, 21 Sep 2026 14:00:00 GMT"),
            None,
            "it is over"
        );
        assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, "soon"), None);
        assert_eq!(wait(StatusCode::INTERNAL_SERVER_ERROR, "7"), None);
        assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), NOW), None);
    }
}
