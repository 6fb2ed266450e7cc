//! What every actor works with.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::connection::ProviderName;
use domain::contracts::provider::Provider;
use domain::contracts::store::Store;
use domain::ids::Ids;
use domain::outbox::AmbiguityTimers;
use serde::Deserialize;
use tokio::sync::watch;

use crate::breaker::Breakers;
use crate::connection::limiter;
use crate::contacts::Contacts;
use crate::directory::Directory;
use crate::endpoints;
use crate::hearing::Hearing;
use crate::holdings::Holdings;
use crate::keychain::Keychain;
use crate::media::Shelf;
use crate::outcomes::Outcomes;
use crate::permits::Permits;
use crate::references::References;
use crate::stream::Stream;
use crate::templates::Templates;
use crate::writer::WriterHandle;

/// How the gateway behaves. Times in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How long after its claim an ambiguous message may be decided, given proof.
    pub ambiguous_settle_s: u64,
    /// How long after its claim an ambiguous message without proof fails.
    pub ambiguous_limit_s: u64,
    /// How long a message waits to be sent when the caller names no `expires_at`.
    pub message_lifetime_s: u64,
    /// Posts of one number that may be under way at the same time.
    pub posts_in_flight: NonZeroU32,
    /// Posts of all numbers that may be under way at the same time.
    pub posts_in_flight_total: NonZeroU32,
    /// Messages of one number that may wait; beyond it a new one is refused before it is accepted.
    pub backlog_per_connection: u64,
    /// How long a lane waits for the delivery of a message whose order is `delivered`.
    pub delivered_order_timeout_s: u64,
    /// How long errors that may be the app's fault are watched before they count as the connection's.
    pub app_trouble_grace_s: u64,
    /// A connection without work leaves memory after so long.
    pub idle_after_s: u64,
    /// How often connections with unfinished work are looked for.
    pub sweep_s: u64,
    /// Deliveries to one endpoint that may be under way at the same time.
    pub deliveries_in_flight: NonZeroU32,
    /// When deliveries that failed are tried again, and when an endpoint is left alone.
    pub deliveries: endpoints::Config,
    /// Whether a message that is no template is refused when its recipient's service window is surely closed.
    pub service_window: bool,
    /// How fast one number sends.
    pub limiter: limiter::Config,
}

impl Config {
    pub(crate) const fn ambiguity(&self) -> AmbiguityTimers {
        AmbiguityTimers {
            settle: Duration::from_secs(self.ambiguous_settle_s),
            limit: Duration::from_secs(self.ambiguous_limit_s),
        }
    }

    pub(crate) const fn delivered_order_timeout(&self) -> Duration {
        Duration::from_secs(self.delivered_order_timeout_s)
    }

    pub(crate) const fn app_trouble_grace(&self) -> Duration {
        Duration::from_secs(self.app_trouble_grace_s)
    }
}

#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keychain: Keychain,
    pub(crate) writer: WriterHandle,
    pub(crate) directory: Directory,
    pub(crate) contacts: Contacts,
    pub(crate) templates: Templates,
    pub(crate) providers: Arc<HashMap<ProviderName, Provider>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) holdings: Holdings,
    pub(crate) permits: Permits,
    pub(crate) breakers: Breakers,
    pub(crate) config: Arc<Config>,
    pub(crate) hearing: Hearing,
    pub(crate) media: Shelf,
    /// The stream of events, as far as it is in memory.
    pub(crate) stream: Stream,
    /// What callers said about their newest messages.
    pub(crate) references: References,
    /// Who waits for what becomes of a message.
    pub(crate) outcomes: Outcomes,
    /// Raised whenever events were committed that the stream was not told of.
    pub(crate) news: watch::Sender<()>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    /// A number from 0 to 1 that spreads retries.
    pub(crate) fn jitter(&self) -> f64 {
        let bytes = self.ids.next().into_bytes();
        f64::from(u16::from_be_bytes([bytes[14], bytes[15]])) / f64::from(u16::MAX)
    }
}
