//! Calls of a provider's own API that are passed on for a caller with the connection's token, and answered as they were.

use std::time::Duration;

use async_trait::async_trait;

use super::provider::ProviderError;
use crate::secret::AccessToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

/// One call, with an address below the API's base and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedCall {
    pub verb: Verb,
    /// Such as `106540352242922/whatsapp_business_profile`: made of parts that were checked, without a query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// A JSON text.
    pub json: Option<String>,
    /// The WhatsApp business account whose hourly calls it counts to; nothing for what counts as a message.
    pub waba_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedAnswer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// As the provider wrote it, without the token of the call and without any address of the provider that holds one.
    pub json: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassThroughError {
    /// The account's calls of this hour are used up: nothing was called.
    #[error("held back: {error}")]
    HeldBack { error: ProviderError, retry_after: Duration },
    /// No answer, or none that the API itself wrote. It may have been carried out.
    #[error("no answer: {error}")]
    Unanswered { error: ProviderError },
}

#[async_trait]
pub trait PassThrough: Send + Sync {
    /// Calls once. An answer that tells of an error is an answer.
    async fn call(&self, token: &AccessToken, call: PassedCall) -> Result<PassedAnswer, PassThroughError>;
}
