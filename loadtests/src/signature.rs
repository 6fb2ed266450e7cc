//! Signing as Meta signs, and checking as the receiver of our events would: with a public library.

use anyhow::{Result, anyhow};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use sha2::Sha256;
use standardwebhooks::Webhook;

/// The value of `X-Hub-Signature-256` for these bytes.
pub fn meta(app_secret: &str, body: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())?;
    mac.update(body);
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// Checks deliveries to one endpoint.
pub struct Checker(Webhook);

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checker")
    }
}

impl Checker {
    /// `secret` as `POST /v1/endpoints` answers it: `whsec_…`.
    pub fn new(secret: &str) -> Result<Self> {
        // The library's error may quote the secret.
        Webhook::new(secret).map(Self).map_err(|_| anyhow!("the endpoint's secret is not whsec_ and base64"))
    }

    pub fn is_good(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        self.0.verify(body, headers).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_signs_the_bytes_as_they_are() {
        let body = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"2"},"messages":[{"from":"16505551234","id":"wamid.A=","timestamp":"1749416383","type":"text","text":{"body":"\u00e9 \ud83d\ude00 https:\/\/x.y"}}]}}]}]}"#;
        assert_eq!(body.len(), 348);
        assert_eq!(
            meta("test_app_secret", body.as_bytes()).unwrap(),
            "sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a"
        );
    }

    #[test]
    fn a_changed_body_or_a_missing_header_is_noticed() {
        let secret = "whsec_bG9hZHRlc3RzLWxvYWR0ZXN0cy1sb2FkdGVzdHM=";
        let checker = Checker::new(secret).unwrap();
        let now = i64::try_from(crate::wall_clock().as_secs()).unwrap();
        let signed = Webhook::new(secret).unwrap().sign("evt_1", now, b"{}").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        assert!(!checker.is_good(&headers, b"{}"));
        headers.insert("webhook-signature", signed.parse().unwrap());
        assert!(checker.is_good(&headers, b"{}"));
        assert!(!checker.is_good(&headers, b"{ }"));
    }

    #[test]
    fn an_error_about_a_secret_does_not_show_it() {
        assert!(!format!("{:?}", Checker::new("whsec_!planted!").unwrap_err()).contains("planted"));
    }
}
