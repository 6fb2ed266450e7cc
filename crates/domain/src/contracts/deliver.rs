//! One signed HTTP delivery to an endpoint. When, and to whom, is decided in the actors.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use crate::clock::Timestamp;
use crate::endpoint::EndpointFormat;
use crate::ids::EventId;
use crate::secret::SigningSecret;

/// One event for one endpoint; how it is signed follows from the format.
#[derive(Debug, Clone)]
pub struct DeliveryRequest {
    pub url: Url,
    pub format: EndpointFormat,
    /// Two while a rotation overlaps, the present one first. The standard format is signed with each of them; Meta's
    /// has room for one signature, by the present one.
    pub secrets: Arc<[SigningSecret]>,
    /// What receivers deduplicate by.
    pub event: EventId,
    /// When this attempt is made, for the signature.
    pub at: Timestamp,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The endpoint answered; 2xx means it took the event.
    Answered(Answer),
    /// No answer, with a short stable word for why: `timeout`, `connect`, `address_refused`, `tls`, `broken_off`
    /// or `secret_unusable`.
    NoAnswer { error: &'static str },
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    pub status: u16,
    /// How long the endpoint wants to be left alone.
    pub retry_after: Option<Duration>,
    /// How the body begins.
    pub body: Vec<u8>,
}

impl DeliveryOutcome {
    pub const fn taken(&self) -> bool {
        matches!(self, Self::Answered(Answer { status: 200..=299, .. }))
    }
}

#[async_trait]
pub trait Deliver: Send + Sync {
    async fn deliver(&self, request: DeliveryRequest) -> DeliveryOutcome;
}
