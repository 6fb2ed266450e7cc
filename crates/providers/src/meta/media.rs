//! `POST /{phone}/media`, `GET` and `DELETE /{media}`, and the address that a look-up gives. Source: Cloud API, media.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::contracts::media::{Cause, Incoming};
use domain::contracts::provider::{ProviderError, SendError};
use domain::contracts::provider_media::{FetchError, Found, ProviderMedia, Upload};
use domain::onboarding::Digest32;
use domain::{AccessToken, ExposeSecret as _};
use futures_util::{StreamExt as _, stream};
use reqwest::Body;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;
use url::Url;

use super::config::{Config, is_decimal};
use super::graph::Graph;
use crate::cloud_api::send::unsendable;
use crate::cloud_api::{Class, class_of, error_of, send_failure, send_refusal};
use crate::http::{Answer, Failure, Opened};
use crate::redact::Secrets;

/// 100 MB at a pace below which nothing works.
const LONGEST: Duration = Duration::from_mins(5);
/// Addresses that one download may lead through.
const MOST_HOPS: usize = 3;

#[derive(Debug)]
pub struct MetaMedia {
    graph: Arc<Graph>,
    config: Config,
}

impl MetaMedia {
    pub(crate) fn new(graph: Arc<Graph>, config: &Config) -> Self {
        Self { graph, config: config.clone() }
    }
}

#[async_trait]
impl ProviderMedia for MetaMedia {
    async fn upload(&self, upload: Upload<'_>) -> Result<String, SendError> {
        let Upload { graph_id, token, id, mime_type, length, content } = upload;
        if !is_decimal(graph_id) {
            return Err(unsendable("the number has no phone number id of Meta"));
        }
        // Random to whoever made the content: it got its id afterwards.
        let boundary = format!("gateway-{}", id.uuid().simple());
        let (before, after) = around(&boundary, mime_type);
        let whole = before.len() as u64 + length + after.len() as u64;
        let piece = |text: String| stream::once(async move { Ok::<_, Cause>(Bytes::from(text)) });
        let body = piece(before).chain(content).chain(piece(after));
        let secrets = self.graph.secrets([token.expose_secret()]);
        let request = self
            .graph
            .post_form(&format!("{graph_id}/media"), token)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, whole)
            .body(Body::wrap_stream(body))
            .timeout(LONGEST);
        let answer = self.graph.ask("upload_media", request, &secrets).await.map_err(send_failure)?;
        if !(200..300).contains(&answer.status) {
            return Err(send_refusal(&answer, &secrets));
        }
        let named = read(&answer).and_then(|body| body.get("id").and_then(text));
        named.ok_or_else(|| SendError::OutcomeUnknown { error: error_of(&answer, &secrets) })
    }

    fn read_hash(&self, text: &str) -> Option<Digest32> {
        digest(text)
    }

    async fn look_up(&self, token: &AccessToken, graph_id: &str, id: &str) -> Result<Found, FetchError> {
        if !is_decimal(id) {
            return Err(FetchError::NotThere { error: saying("this is not an id of media") });
        }
        let secrets = self.graph.secrets([token.expose_secret()]);
        let request = self.graph.get(id, token, &[("phone_number_id", graph_id)]);
        let answer = self.graph.ask("look_up_media", request, &secrets).await.map_err(unanswered)?;
        if answer.status != 200 {
            return Err(refusal(&answer, &secrets));
        }
        let body = read(&answer).unwrap_or_default();
        let member = |name: &str| body.get(name).and_then(text);
        let url = member("url").ok_or_else(|| later(saying("the look-up of media has no address")))?;
        Ok(Found {
            url,
            mime_type: member("mime_type"),
            sha256: member("sha256").and_then(|text| digest(&text)),
            size: member("file_size").and_then(|text| text.parse().ok()),
        })
    }

    async fn download(&self, token: &AccessToken, url: &str) -> Result<Incoming, FetchError> {
        let secrets = self.graph.secrets([token.expose_secret()]);
        let strange = || FetchError::NotThere { error: saying("the address of media is not one of Meta's") };
        let mut url = Url::parse(url).map_err(|_| strange())?;
        for _ in 0..MOST_HOPS {
            // The token goes along.
            if !self.config.is_medias(&url) {
                return Err(strange());
            }
            let request = self.graph.get_address(url.as_str(), token).timeout(LONGEST);
            match self.graph.open("download_media", request, &secrets).await.map_err(unanswered)? {
                Ok(Opened::Content(content)) => return Ok(content),
                Ok(Opened::Elsewhere(next)) => url = next,
                Err(answer) => return Err(refusal(&answer, &secrets)),
            }
        }
        Err(later(saying("the address of media leads from one to the next")))
    }

    async fn delete(&self, token: &AccessToken, graph_id: &str, id: &str) -> Result<(), FetchError> {
        let secrets = self.graph.secrets([token.expose_secret()]);
        let request = self.graph.delete(id, token, None).query(&[("phone_number_id", graph_id)]);
        let answer = self.graph.ask("delete_media", request, &secrets).await.map_err(unanswered)?;
        if answer.status == 200 { Ok(()) } else { Err(refusal(&answer, &secrets)) }
    }
}

/// A form, up to its file and behind it.
fn around(boundary: &str, mime_type: &str) -> (String, String) {
    let mut before = String::new();
    // What could end a header cannot stand in one.
    let mime_type: String = mime_type.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    for (name, value) in [("messaging_product", "whatsapp"), ("type", &mime_type)] {
        before.push_str("--");
        before.push_str(boundary);
        before.push_str("\r\nContent-Disposition: form-data; name=\"");
        before.push_str(name);
        before.push_str("\"\r\n\r\n");
        before.push_str(value);
        before.push_str("\r\n");
    }
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"file\"";
    let head = format!("--{boundary}\r\n{file}\r\nContent-Type: {mime_type}\r\n\r\n");
    before.push_str(&head);
    (before, format!("\r\n--{boundary}--\r\n"))
}

fn read(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// Sizes and ids come as text and as numbers.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A SHA-256 as Meta writes it: hexadecimal in look-ups, base64 in webhooks.
fn digest(text: &str) -> Option<Digest32> {
    let bytes = if text.len() == 64 { hex::decode(text).ok()? } else { STANDARD.decode(text).ok()? };
    bytes.try_into().ok()
}

fn saying(message: &str) -> ProviderError {
    ProviderError { message: message.to_owned(), ..ProviderError::default() }
}

const fn later(error: ProviderError) -> FetchError {
    FetchError::Unavailable { error, retry_after: None }
}

fn unanswered(failure: Failure) -> FetchError {
    let (Failure::NotConnected(cause) | Failure::NoAnswer { cause, .. }) = failure;
    later(saying(&cause))
}

fn refusal(answer: &Answer, secrets: &Secrets) -> FetchError {
    let error = error_of(answer, secrets);
    let class = error.code.and_then(|code| class_of(code, error.subcode));
    match (answer.status, class) {
        (429 | 500.., _) => FetchError::Unavailable { error, retry_after: answer.retry_after },
        (401 | 403, _) | (_, Some(Class::Auth | Class::Permission)) => FetchError::Refused { error },
        (404, _) => FetchError::NotThere { error },
        (_, _) if matches!((error.code, error.subcode), (Some(100), Some(33)) | (Some(33), _)) => {
            FetchError::NotThere { error }
        }
        _ => FetchError::Unavailable { error, retry_after: answer.retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_either_form() {
        let hash = [7; 32];
        assert_eq!(digest(&hex::encode(hash)), Some(hash));
        assert_eq!(digest(&STANDARD.encode(hash)), Some(hash));
        assert_eq!(digest("AAAA"), None);
    }

    #[test]
    fn a_type_cannot_add_headers_or_parts() {
        let (before, _) = around("x", "image/png\r\nX: y\r\n\r\n--x");
        assert_eq!(before.matches("\r\n--x").count(), 2);
        assert!(!before.contains("\nX: y"));
    }

    #[test]
    fn tokens_go_to_metas_own_hosts_only() {
        let config = Config::default();
        let may = |text: &str| config.is_medias(&Url::parse(text).unwrap());
        assert!(may("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1"));
        for strange in ["http://lookaside.fbsbx.com/", "https://evilfbsbx.com/", "https://169.254.169.254/"] {
            assert!(!may(strange), "{strange}");
        }
    }
}
