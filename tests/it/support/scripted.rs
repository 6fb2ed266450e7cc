//! A provider that does as the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::contracts::provider::{
    Grant, LoginWindow, OfferedNumber, Onboard, OnboardError, OnboardProblem, Provider, ProviderError, Send,
    SendError, SendReceipt, SendRequest, Update, Webhook, WebhookError,
};
use domain::secret::{AccessToken, AuthorizationCode, Pin};
use domain::{ProviderName, Timestamp};
use tokio::time::Instant;

/// What the provider is asked (the how-manieth post, and its text or the name of its template), and what it answers.
pub(crate) type Script = Arc<dyn Fn(usize, &str) -> Step + std::marker::Send + Sync>;

#[derive(Clone)]
pub(crate) enum Step {
    Accept,
    Fail(SendError),
    Panic,
    /// Answer after so long.
    AcceptAfter(Duration),
}

/// A post as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) text: String,
    pub(crate) at: Instant,
}

pub(crate) type Posts = Arc<Mutex<Vec<Post>>>;

pub(crate) fn provider(script: Script, posts: &Posts, subscribed: bool) -> Provider {
    Provider {
        name: ProviderName::Meta,
        send: Arc::new(Scripted { script, posts: Arc::clone(posts) }),
        webhook: Arc::new(Deaf),
        onboard: Some(Arc::new(Subscribed(subscribed))),
        templates: None,
        pass_through: None,
        media: None,
    }
}

struct Scripted {
    script: Script,
    posts: Posts,
}

#[async_trait]
impl Send for Scripted {
    async fn send(&self, request: SendRequest<'_>) -> Result<SendReceipt, SendError> {
        let body: serde_json::Value = serde_json::from_str(request.message).expect("the message is JSON");
        let text = body["text"]["body"].as_str().or(body["template"]["name"].as_str());
        let text = text.expect("a text, or a template").to_owned();
        let number = {
            let mut posts = self.posts.lock().expect("not poisoned");
            posts.push(Post { text: text.clone(), at: Instant::now() });
            posts.len()
        };
        match (self.script)(number, &text) {
            Step::Accept => {}
            Step::AcceptAfter(wait) => tokio::time::sleep(wait).await,
            Step::Fail(error) => return Err(error),
            Step::Panic => panic!("as the test asked"),
        }
        Ok(SendReceipt { provider_id: format!("wamid.{number}"), wa_id: None, user_id: None })
    }
}

/// No webhook arrives in these tests through HTTP.
struct Deaf;

impl Webhook for Deaf {
    fn handshake(&self, _: Option<&str>, _: &str, _: &str, _: &str) -> Result<String, WebhookError> {
        Err(WebhookError::UnknownApp)
    }

    fn signature_shape(&self, _: Option<&[u8]>) -> Result<(), WebhookError> {
        Err(WebhookError::SignatureMissing)
    }

    fn verify(&self, _: Option<&str>, _: Option<&[u8]>, _: &[u8]) -> Result<(), WebhookError> {
        Err(WebhookError::SignatureMissing)
    }

    fn parse(&self, _: &[u8], _: Timestamp) -> Result<Vec<Update>, WebhookError> {
        Err(WebhookError::Malformed)
    }
}

/// Says whether reports are sent, and can do nothing else.
struct Subscribed(bool);

fn cannot<T>() -> Result<T, OnboardError> {
    Err(OnboardError { problem: OnboardProblem::NotAllowed, error: ProviderError::default() })
}

#[async_trait]
impl Onboard for Subscribed {
    fn login_window(&self) -> LoginWindow {
        unreachable!("nobody is connected in these tests")
    }

    async fn exchange_code(
        &self,
        _: &AuthorizationCode,
        _: Option<&str>,
    ) -> Result<AccessToken, OnboardError> {
        cannot()
    }

    async fn inspect_token(&self, _: &AccessToken) -> Result<Grant, OnboardError> {
        cannot()
    }

    async fn numbers(&self, _: &AccessToken, _: &str) -> Result<Vec<OfferedNumber>, OnboardError> {
        cannot()
    }

    async fn subscribe(&self, _: &AccessToken, _: &str) -> Result<(), OnboardError> {
        cannot()
    }

    async fn is_subscribed(&self, _: &AccessToken, _: &str) -> Result<bool, OnboardError> {
        Ok(self.0)
    }

    async fn register(&self, _: &AccessToken, _: &str, _: &Pin) -> Result<(), OnboardError> {
        cannot()
    }
}
