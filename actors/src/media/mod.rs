//! Media: kept sealed for the businesses it belongs to, given to the provider when a message shows it, fetched from the
//! provider when a customer sent it, and deleted when its time is over.

mod door;
mod fetch;
mod named;
mod streams;
mod sweep;
mod upload;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::contracts::media::Media;
use domain::contracts::provider::SendError;
use domain::ids::MediaId;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Notify;

pub use door::{KeepError, NewMedia, Opened, ReadError};
pub(crate) use fetch::{Fetching, expected};
pub(crate) use named::check;
pub(crate) use sweep::Sweeping;
pub(crate) use upload::{NotGiven, given};

/// The most that is kept of one, which is what the platform takes of a document.
pub const LARGEST: u64 = 100 << 20;
/// So long a provider knows what it was given.
const PROVIDER_KEEPS: Duration = Duration::from_hours(30 * 24);

/// What of the settings' section `media` is about behaviour.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Days that content is kept.
    pub keep_days: u32,
}

impl Config {
    pub(crate) const fn kept_for(self) -> Duration {
        Duration::from_hours(self.keep_days as u64 * 24)
    }
}

type Uploading = Shared<BoxFuture<'static, Result<String, SendError>>>;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) contents: Arc<dyn Media>,
    pub(crate) kept_for: Duration,
    /// Uploads under way, so that two messages with the same picture make one.
    uploading: Arc<Mutex<HashMap<MediaId, Uploading>>>,
    /// Something is to be fetched.
    news: Arc<Notify>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

impl Shelf {
    pub(crate) fn new(contents: Arc<dyn Media>, config: Config) -> Self {
        Self { contents, kept_for: config.kept_for(), uploading: Arc::default(), news: Arc::default() }
    }

    pub(crate) fn has_news(&self) {
        self.news.notify_one();
    }
}
