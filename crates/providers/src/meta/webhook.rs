//! Meta's webhooks: the handshake, and the signature of the app that a path belongs to.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::contracts::provider::{Update, Webhook, WebhookError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::config::{App, Config, DEFAULT_APP};
use crate::cloud_api::{signature, webhook};

/// Far more than Meta's challenges have.
const LONGEST_CHALLENGE: usize = 256;

#[derive(Debug)]
pub struct MetaWebhook {
    apps: BTreeMap<String, Keys>,
}

#[derive(Debug)]
struct Keys {
    secrets: Vec<SecretString>,
    verify_token: SecretString,
}

impl Keys {
    fn of(app: &App) -> Self {
        Self {
            secrets: [Some(&app.secret), app.previous_secret.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            verify_token: app.verify_token.clone(),
        }
    }
}

impl MetaWebhook {
    pub fn new(config: &Config) -> Self {
        Self { apps: config.apps.iter().map(|(name, app)| (name.clone(), Keys::of(app))).collect() }
    }

    fn app(&self, name: Option<&str>) -> Result<&Keys, WebhookError> {
        self.apps.get(name.unwrap_or(DEFAULT_APP)).ok_or(WebhookError::UnknownApp)
    }
}

impl Webhook for MetaWebhook {
    fn handshake(
        &self,
        app: Option<&str>,
        mode: &str,
        token: &str,
        challenge: &str,
    ) -> Result<String, WebhookError> {
        let expected = &self.app(app)?.verify_token;
        // Digests have one length, so that the comparison tells nothing about the token's.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let same = digest(token).ct_eq(&digest(expected.expose_secret()));
        if !bool::from(same) {
            return Err(WebhookError::VerifyTokenWrong);
        }
        let plain = !challenge.is_empty()
            && challenge.len() <= LONGEST_CHALLENGE
            && challenge
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if mode == "subscribe" && plain { Ok(challenge.to_owned()) } else { Err(WebhookError::Malformed) }
    }

    fn signature_shape(&self, signature: Option<&[u8]>) -> Result<(), WebhookError> {
        signature::digest_of(signature).map(|_| ())
    }

    fn verify(&self, app: Option<&str>, signature: Option<&[u8]>, body: &[u8]) -> Result<(), WebhookError> {
        signature::verify(&self.app(app)?.secrets, signature, body)
    }

    fn parse(&self, body: &[u8], received_at: Timestamp) -> Result<Vec<Update>, WebhookError> {
        webhook::parse(body, received_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = include_bytes!("../../fixtures/meta/signed.json");
    const HEADER: &[u8] = b"sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a";

    fn app(secret: &str, previous: Option<&str>, verify_token: &str) -> App {
        App {
            id: "1".to_owned(),
            secret: secret.into(),
            previous_secret: previous.map(SecretString::from),
            config_id: "2".to_owned(),
            verify_token: verify_token.into(),
        }
    }

    fn webhook() -> MetaWebhook {
        let apps = BTreeMap::from([
            (DEFAULT_APP.to_owned(), app("new_app_secret", Some("test_app_secret"), "first_token")),
            ("second".to_owned(), app("second_app_secret", None, "second_token")),
        ]);
        MetaWebhook::new(&Config { apps, ..Config::default() })
    }

    #[test]
    fn the_handshake_gives_the_challenge_back_to_whoever_knows_the_token_of_that_app() {
        let shake = |app, token| webhook().handshake(app, "subscribe", token, "1158201444");
        assert_eq!(shake(None, "first_token").as_deref(), Ok("1158201444"));
        assert_eq!(shake(Some("second"), "second_token").as_deref(), Ok("1158201444"));
        assert_eq!(shake(Some("second"), "first_token"), Err(WebhookError::VerifyTokenWrong));
        assert_eq!(shake(None, ""), Err(WebhookError::VerifyTokenWrong));
        assert_eq!(shake(Some("third"), "first_token"), Err(WebhookError::UnknownApp));
    }

    #[test]
    fn the_handshake_gives_back_nothing_that_a_browser_could_take_for_a_page() {
        let shake = |mode, challenge| webhook().handshake(None, mode, "first_token", challenge);
        assert_eq!(shake("subscribe", "<script>"), Err(WebhookError::Malformed));
        assert_eq!(shake("subscribe", ""), Err(WebhookError::Malformed));
        assert_eq!(shake("unsubscribe", "1"), Err(WebhookError::Malformed));
    }

    #[test]
    fn a_signature_counts_for_the_app_of_its_path_with_the_old_secret_too() {
        let webhook = webhook();
        assert_eq!(webhook.signature_shape(Some(HEADER)), Ok(()));
        assert_eq!(webhook.verify(None, Some(HEADER), BODY), Ok(()));
        assert_eq!(webhook.verify(Some("second"), Some(HEADER), BODY), Err(WebhookError::SignatureWrong));
        assert_eq!(webhook.verify(Some("third"), Some(HEADER), BODY), Err(WebhookError::UnknownApp));
    }
}
