//! Media as a provider keeps it: given to it for messages that go out, fetched from it for those that came in.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::media::Incoming;
use super::provider::{ProviderError, SendError};
use crate::ids::MediaId;
use crate::onboarding::Digest32;
use crate::secret::AccessToken;

/// One upload. It is made once; to make it again is safe, and leaves the provider with two.
pub struct Upload<'a> {
    /// The number whose messages will show it, as the provider names it.
    pub graph_id: &'a str,
    pub token: &'a AccessToken,
    pub id: MediaId,
    pub mime_type: &'a str,
    pub length: u64,
    pub content: Incoming,
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({}, {} bytes)", self.id, self.length)
    }
}

/// Where content can be had for a few minutes, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub url: String,
    pub mime_type: Option<String>,
    pub sha256: Option<Digest32>,
    pub size: Option<u64>,
}

/// Why media could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The next try may succeed.
    #[error("not available: {error}")]
    Unavailable { error: ProviderError, retry_after: Option<Duration> },
    /// The token is refused, or may not see it. It may be replaced.
    #[error("refused: {error}")]
    Refused { error: ProviderError },
    /// The provider has it no longer, or the address is over.
    #[error("not there: {error}")]
    NotThere { error: ProviderError },
}

impl FetchError {
    pub const fn error(&self) -> &ProviderError {
        match self {
            Self::Unavailable { error, .. } | Self::Refused { error } | Self::NotThere { error } => error,
        }
    }
}

#[async_trait]
pub trait ProviderMedia: Send + Sync {
    /// The provider's id of what it was given. [`SendError::OutcomeUnknown`] leaves nothing behind that matters.
    async fn upload(&self, upload: Upload<'_>) -> Result<String, SendError>;

    /// A SHA-256 as the provider's webhooks write it.
    fn read_hash(&self, text: &str) -> Option<Digest32>;

    async fn look_up(&self, token: &AccessToken, graph_id: &str, id: &str) -> Result<Found, FetchError>;

    /// What is at the address of a look-up.
    async fn download(&self, token: &AccessToken, url: &str) -> Result<Incoming, FetchError>;

    async fn delete(&self, token: &AccessToken, graph_id: &str, id: &str) -> Result<(), FetchError>;
}
