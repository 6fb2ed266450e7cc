//! Says again and again that this installation hears what providers tell, so that its absence can be told afterwards.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::contracts::store::Store;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_mins(1);
/// Providers repeat what was not taken, at first within minutes: so short an absence loses nothing for long.
const TOLERATED: Duration = Duration::from_mins(15);

/// Ends when it is dropped.
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    pub(super) fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = store.heard(clock.now(), TOLERATED).await {
                    tracing::warn!(%error, "that webhooks are heard cannot be written now");
                }
                clock.sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}
