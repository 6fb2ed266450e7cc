//! What a provider of WhatsApp is to us: three small contracts, send, webhook and onboard.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use super::pass_through::PassThrough;
use super::provider_media::ProviderMedia;
use crate::clock::Timestamp;
use crate::connection::ProviderName;
use crate::delivery_status::DeliveryStatus;
use crate::message::Echo;
use crate::news::NumberNews;
use crate::secret::{AccessToken, AuthorizationCode, Pin};
use crate::template::{Template, TemplateNews};

/// The provider's own account of what went wrong, fit for logs and answers: no token, no URL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subcode: Option<i64>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{} (code {code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// One POST of one message.
#[derive(Debug, Clone, Copy)]
pub struct SendRequest<'a> {
    /// The number to send from, as the provider names it.
    pub graph_id: &'a str,
    pub token: &'a AccessToken,
    /// A Cloud API message object as JSON text, without `messaging_product` and `biz_opaque_callback_data`.
    pub message: &'a str,
    /// What every status of it must carry back.
    pub echo: Echo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// The provider's id of the message.
    pub provider_id: String,
    /// The recipient as the platform knows it; may differ from what was sent to.
    pub wa_id: Option<String>,
    pub user_id: Option<String>,
}

/// What a throttle applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleScope {
    /// This number to this recipient.
    Pair,
    /// The whole number.
    Number,
    /// Every number of the WhatsApp business account, for calls that manage it.
    Waba,
    /// Every number of the app.
    App,
}

/// Why a number may not send, this message or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// The account cannot pay.
    Billing,
    /// The platform restricted the account or the number.
    Policy,
    /// The number is not registered, has no approved name, or is in maintenance.
    NumberNotReady,
    /// A permission is missing, or the number was taken from the app.
    Permission,
}

/// What is wrong about a message that will never be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The message itself.
    Message,
    /// This recipient cannot or does not want to get it.
    Recipient,
    /// The platform withholds it from this recipient for now: not again within 24 hours.
    RecipientForNow,
    /// Its template cannot be used.
    Template,
    /// Our request or set-up: an operator has to look.
    Configuration,
}

/// The outcome of a POST that did not end in a receipt, by what is *known*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not sent; the same message may go again, in all `attempts` times at most where that is given.
    #[error("not sent: {error}")]
    NotSent { error: ProviderError, retry_after: Option<Duration>, attempts: Option<u16> },
    /// Certainly not sent, because of a rate.
    #[error("throttled: {error}")]
    Throttled { scope: ThrottleScope, error: ProviderError, retry_after: Option<Duration> },
    /// Certainly not sent: the token is gone, for this and every other message.
    #[error("not authorised: {error}")]
    Reauthenticate { error: ProviderError },
    /// Certainly not sent: the number may not send, this message or any other. `retry_after` where the platform, or
    /// its documentation, says when it will.
    #[error("the number is blocked: {error}")]
    Blocked { block: Block, error: ProviderError, retry_after: Option<Duration> },
    /// Certainly not sent, and never will be.
    #[error("rejected: {error}")]
    Rejected { fault: Fault, error: ProviderError },
    /// It may have been sent.
    #[error("outcome unknown: {error}")]
    OutcomeUnknown { error: ProviderError },
}

#[async_trait]
pub trait Send: std::marker::Send + Sync {
    /// Posts once. Never repeats by itself, whatever happens.
    async fn send(&self, request: SendRequest<'_>) -> Result<SendReceipt, SendError>;
}

/// What a webhook is about, by the provider's ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One number (Meta's phone number id).
    Number(String),
    /// A WhatsApp business account, with all its numbers.
    Waba(String),
}

impl Subject {
    pub fn id(&self) -> &str {
        match self {
            Self::Number(id) | Self::Waba(id) => id,
        }
    }
}

/// One piece of news out of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub subject: Subject,
    /// By the provider's clock; the time of arrival where it names none.
    pub at: Timestamp,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A customer wrote. `key` deduplicates it within its subject.
    Message {
        key: String,
        message: serde_json::Value,
        contact: Option<serde_json::Value>,
        metadata: serde_json::Value,
    },
    /// The business wrote from its phone app.
    Echo {
        key: String,
        message: serde_json::Value,
        metadata: serde_json::Value,
    },
    Status(Box<StatusUpdate>),
    /// Anything else, kept as it came.
    Other {
        field: String,
        key: String,
        value: serde_json::Value,
        /// What it says about sending from the number or account it is about.
        means: Option<Box<NumberNews>>,
        /// What it changes about one template.
        template: Option<Box<TemplateNews>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct StatusUpdate {
    pub provider_id: String,
    /// The provider's word, known to us or not.
    pub word: String,
    pub status: Option<DeliveryStatus>,
    /// What we had put into the message, when it is ours and came back.
    pub echo: Option<Echo>,
    /// The member of a group that the status is about; empty otherwise.
    pub participant: String,
    /// Of a failed status: what the first of its errors means, as if a POST had been answered with it.
    pub judged: Option<SendError>,
    /// The status object as received.
    pub object: serde_json::Value,
    /// Who the recipient is, where it was told beside the status.
    pub contact: Option<serde_json::Value>,
    pub metadata: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("no app of this name is configured")]
    UnknownApp,
    #[error("the signature header is missing or malformed")]
    SignatureMissing,
    #[error("the signature does not match the body")]
    SignatureWrong,
    #[error("the verify token is wrong")]
    VerifyTokenWrong,
    #[error("the body is not what this provider sends")]
    Malformed,
}

/// Verify on the untouched bytes, then parse.
pub trait Webhook: std::marker::Send + Sync {
    /// Answers a handshake: the challenge to send back as it is.
    fn handshake(
        &self,
        app: Option<&str>,
        mode: &str,
        token: &str,
        challenge: &str,
    ) -> Result<String, WebhookError>;

    /// Whether the header has the shape of a signature; asked before the body is read.
    fn signature_shape(&self, signature: Option<&[u8]>) -> Result<(), WebhookError>;

    fn verify(&self, app: Option<&str>, signature: Option<&[u8]>, body: &[u8]) -> Result<(), WebhookError>;

    /// Every entry, change, message and status of the body, in its order.
    fn parse(&self, body: &[u8], received_at: Timestamp) -> Result<Vec<Update>, WebhookError>;
}

/// What the browser needs to open the provider's window. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginWindow {
    pub app_id: String,
    pub config_id: String,
    pub graph_version: String,
    /// The provider's JavaScript.
    pub sdk_url: Url,
    /// Origins whose window messages are believed, compared exactly.
    pub message_origins: Vec<String>,
    /// The dialog for browsers without a popup; `state` and `redirect_uri` are appended.
    pub dialog_url: Url,
}

/// What a token allows, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `None`: never expires.
    pub expires_at: Option<Timestamp>,
    pub scopes: Vec<String>,
    /// WABAs it was granted for; empty when granted for all.
    pub waba_ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedNumber {
    pub waba_id: String,
    pub phone_number_id: String,
    /// E.164 where it could be read.
    pub phone_number: Option<String>,
    pub verified_name: Option<String>,
    pub quality_rating: Option<String>,
    /// The owner proved that the number is theirs.
    pub verified: bool,
    /// Already registered for the Cloud API: registering again only costs budget.
    pub registered: bool,
    /// Also used in the WhatsApp Business app: never register.
    pub coexistence: bool,
    /// What the platform lets it send, where that is not the usual.
    pub messages_per_second: Option<u32>,
}

/// Why a step of onboarding did not succeed, by a stable code that the pages have words for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {error}")]
pub struct OnboardError {
    pub problem: OnboardProblem,
    pub error: ProviderError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnboardProblem {
    CodeExpired,
    CodeUsed,
    RedirectMismatch,
    TokenInvalid,
    ScopeMissing,
    WabaNotGranted,
    NoNumber,
    NumberUnverified,
    PinWrong,
    PinLocked,
    RegistrationLocked,
    NotAllowed,
    ProviderUnavailable,
    ProviderRefused,
}

impl OnboardProblem {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeExpired => "code_expired",
            Self::CodeUsed => "code_used",
            Self::RedirectMismatch => "redirect_mismatch",
            Self::TokenInvalid => "token_invalid",
            Self::ScopeMissing => "scope_missing",
            Self::WabaNotGranted => "waba_not_granted",
            Self::NoNumber => "no_number",
            Self::NumberUnverified => "number_unverified",
            Self::PinWrong => "pin_wrong",
            Self::PinLocked => "pin_locked",
            Self::RegistrationLocked => "registration_locked",
            Self::NotAllowed => "not_allowed",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderRefused => "provider_refused",
        }
    }
}

impl fmt::Display for OnboardProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The calls of Embedded Signup, one by one, so that each can be recorded and repeated alone.
#[async_trait]
pub trait Onboard: std::marker::Send + Sync {
    fn login_window(&self) -> LoginWindow;

    /// Spends the code. `redirect_uri` only for the redirect variant. Never queue this: a code lives 30 s.
    async fn exchange_code(
        &self,
        code: &AuthorizationCode,
        redirect_uri: Option<&str>,
    ) -> Result<AccessToken, OnboardError>;

    async fn inspect_token(&self, token: &AccessToken) -> Result<Grant, OnboardError>;

    /// Every number of a WABA, all pages.
    async fn numbers(&self, token: &AccessToken, waba_id: &str) -> Result<Vec<OfferedNumber>, OnboardError>;

    async fn subscribe(&self, token: &AccessToken, waba_id: &str) -> Result<(), OnboardError>;

    /// Whether the provider sends us the webhooks of a WABA, asked anew.
    async fn is_subscribed(&self, token: &AccessToken, waba_id: &str) -> Result<bool, OnboardError>;

    async fn register(
        &self,
        token: &AccessToken,
        phone_number_id: &str,
        pin: &Pin,
    ) -> Result<(), OnboardError>;
}

/// Why templates could not be read. Each is worth another try, the last only after somebody did something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplatesError {
    /// Called too often, or held back here so that it is not.
    #[error("called too often: {error}")]
    Throttled { error: ProviderError, retry_after: Option<Duration> },
    #[error("not available: {error}")]
    Unavailable { error: ProviderError },
    #[error("refused: {error}")]
    Refused { error: ProviderError },
}

#[async_trait]
pub trait Templates: std::marker::Send + Sync {
    /// Every template of a WABA, all pages.
    async fn list(&self, token: &AccessToken, waba_id: &str) -> Result<Vec<Template>, TemplatesError>;
}

/// A provider, whole. What it cannot do is said here, not by a method that fails.
#[derive(Clone)]
pub struct Provider {
    pub name: ProviderName,
    pub send: std::sync::Arc<dyn Send>,
    pub webhook: std::sync::Arc<dyn Webhook>,
    pub onboard: Option<std::sync::Arc<dyn Onboard>>,
    pub templates: Option<std::sync::Arc<dyn Templates>>,
    /// An API like Graph's, for what is neither a message nor onboarding.
    pub pass_through: Option<std::sync::Arc<dyn PassThrough>>,
    /// It keeps what messages show or let hear, under ids of its own.
    pub media: Option<std::sync::Arc<dyn ProviderMedia>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}
