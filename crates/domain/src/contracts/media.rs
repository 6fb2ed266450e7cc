//! Where the content of media is kept: bytes under an id, in and out as streams, never whole in memory.
//!
//! It knows nothing of what it keeps. Content is sealed before it comes here and opened behind it, so that whoever
//! runs the place it is kept at can neither read nor change it unnoticed. What there is, whose, and for how long
//! stands in rows ([`super::media_rows`]); a listing is deliberately absent.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::ids::MediaId;

pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// What keeps media did not answer, or has no room. Trying again is safe for every call of this contract.
    #[error("the place where media is kept did not answer")]
    Unavailable(#[source] Cause),
    /// It does not let us, and would not the next time: the settings or its own are wrong.
    #[error("the place where media is kept refuses us")]
    Refused(#[source] Cause),
    #[error("there is no such media")]
    NotThere,
    #[error("the content is longer than {at_most} bytes")]
    TooLarge { at_most: u64 },
    /// What was to be kept broke off; the cause is the stream's own.
    #[error("the content broke off before its end")]
    Broken(#[source] Cause),
}

pub type Result<T, E = MediaError> = std::result::Result<T, E>;

/// What is to be kept, in pieces of any size.
pub type Incoming = BoxStream<'static, Result<Bytes, Cause>>;

/// What is kept, from its beginning.
pub struct Outgoing {
    pub length: u64,
    /// Ends with an error, and never early without one.
    pub content: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} bytes)", self.length)
    }
}

#[async_trait]
pub trait Media: Send + Sync {
    /// Keeps the content under this id, in the place of what was there, and answers how long it is. It can be read
    /// once all of it is safe and not before: where the call fails or is dropped, nothing of it can be, and what was
    /// there before may be gone too.
    async fn put(&self, id: MediaId, content: Incoming, at_most: u64) -> Result<u64>;

    async fn read(&self, id: MediaId) -> Result<Outgoing>;

    /// Nothing is left afterwards, whether there was anything or not.
    async fn delete(&self, id: MediaId) -> Result<()>;
}
