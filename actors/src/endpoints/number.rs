//! The number that an event is about, as Meta's webhooks name it.

use domain::connection::Connection;
use domain::contracts::store::StoreError;

use super::actor::A_MOMENT;
use crate::services::Services;
use crate::stream::OpenedEvent;

/// Ids are numeric for a Cloud API client, so whoever has none is told as this.
const NOBODY: &str = "0";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// The id of its account; a number without one stands for itself.
    pub(super) waba_id: String,
    pub(super) graph_id: String,
    /// Digits alone; empty while it is not known.
    pub(super) shown: String,
}

impl Number {
    fn of(connection: Option<&Connection>) -> Self {
        let graph_id = connection.and_then(|connection| connection.graph_id.as_deref()).unwrap_or(NOBODY);
        let waba_id = connection.and_then(|connection| connection.waba_id.as_deref()).unwrap_or(graph_id);
        let shown = connection.and_then(|connection| connection.phone_number.as_deref()).unwrap_or_default();
        Self {
            waba_id: waba_id.to_owned(),
            graph_id: graph_id.to_owned(),
            shown: shown.trim_start_matches('+').to_owned(),
        }
    }

    /// No event goes out without its number, so this goes on until the connection was read or is known to be gone.
    pub(super) async fn look_up(services: &Services, event: &OpenedEvent) -> Self {
        loop {
            match find(services, event).await {
                Ok(connection) => return Self::of(connection.as_ref()),
                Err(error) => {
                    tracing::warn!(%error, "the number of an event cannot be read now");
                    services.clock.sleep(A_MOMENT).await;
                }
            }
        }
    }
}

async fn find(
    services: &Services,
    event: &OpenedEvent,
) -> Result<Option<Connection>, std::sync::Arc<StoreError>> {
    let Some(id) = event.connection else { return Ok(None) };
    let entry = services.directory.connection(event.account, id).await?;
    let known = entry.and_then(|entry| entry.connections.iter().find(|known| known.id == id).cloned());
    match known {
        Some(known) => Ok(Some(known)),
        // One of more numbers than the directory holds of a business.
        None => Ok(services.store.connection(id).await?),
    }
}
