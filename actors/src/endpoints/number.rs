//! The number that an event is about, as Meta's webhooks name it.

use std::sync::Arc;

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
        let Some(connection) = connection else { return Self::named(None, None, None) };
        let Connection { waba_id, graph_id, phone_number, .. } = connection;
        Self::named(waba_id.as_deref(), graph_id.as_deref(), phone_number.as_deref())
    }

    fn named(waba_id: Option<&str>, graph_id: Option<&str>, phone_number: Option<&str>) -> Self {
        let graph_id = graph_id.unwrap_or(NOBODY);
        Self {
            waba_id: waba_id.unwrap_or(graph_id).to_owned(),
            graph_id: graph_id.to_owned(),
            shown: phone_number.unwrap_or_default().trim_start_matches('+').to_owned(),
        }
    }

    /// No event goes out without it, so this goes on until the connection was read or is known to be gone.
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

async fn find(services: &Services, event: &OpenedEvent) -> Result<Option<Connection>, Arc<StoreError>> {
    let Some(id) = event.connection else { return Ok(None) };
    let entry = services.directory.connection(event.account, id).await?;
    let known = entry.and_then(|entry| entry.connections.iter().find(|known| known.id == id).cloned());
    match known {
        Some(known) => Ok(Some(known)),
        // One of more numbers than the directory holds of a business.
        None => Ok(services.store.connection(id).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_an_account_stands_for_itself_and_one_without_an_id_for_nobody() {
        let told = |waba_id, graph_id, phone_number| {
            let Number { waba_id, graph_id, shown } = Number::named(waba_id, graph_id, phone_number);
            [waba_id, graph_id, shown]
        };
        assert_eq!(told(Some("102"), Some("106"), Some("+255754000111")), ["102", "106", "255754000111"]);
        assert_eq!(told(None, Some("106"), None), ["106", "106", ""]);
        assert_eq!(told(None, None, None), ["0", "0", ""]);
    }
}
