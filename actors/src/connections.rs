//! Moves a connection's status and tells the world.

use domain::connection::{Connection, ConnectionStatus, Probe, Reason, SendingChange};
use domain::contracts::store::StoreError;
use domain::event::EventType;
use serde_json::json;

use crate::acceptance::AcceptError;
use crate::own_events::{self, OwnEvent};
use crate::services::Services;

/// Writes the status that `connection` carries where it is still `from`, and emits `connection.status`. False when
/// somebody else moved it, and told so.
pub(crate) async fn announce(
    services: &Services,
    connection: &Connection,
    from: ConnectionStatus,
) -> Result<bool, StoreError> {
    let now = services.clock.now();
    let (to, reason) = (connection.status, connection.reason.as_deref());
    // When it may try by itself is there by the time that somebody sees it suspended.
    let probe: Option<Probe> = connection.sending.probe.filter(|_| to == ConnectionStatus::Suspended);
    services.store.change_sending(connection.id, SendingChange::Probe(probe), now).await?;
    let moved = services.store.move_connection(connection.id, from, to, reason, now).await?;
    if moved {
        services.directory.forget_business(connection.account, &connection.business_reference).await;
        emit(services, connection).await;
    }
    Ok(moved)
}

/// Emits `connection.status` for the status that the connection has now.
pub(crate) async fn emit(services: &Services, connection: &Connection) {
    let now = services.clock.now();
    let data = json!({
        "status": connection.status,
        "reason": connection.reason,
        "remedy": connection.reason.as_deref().and_then(Reason::remedy),
        "transport": connection.transport(),
        "provider": connection.provider,
        "phone_number_id": connection.graph_id,
    });
    let key = format!("{}:{}", connection.status, now.as_micros());
    let event = OwnEvent {
        account: connection.account,
        business: connection.business,
        connection: Some(connection.id),
        event_type: EventType::ConnectionStatus,
        about: connection.id.to_string(),
        key: &key,
        data: &data,
    };
    if let Err(AcceptError::Seal(_)) = own_events::emit(services, event).await {
        tracing::error!(connection.id = %connection.id, "an event could not be sealed");
    }
}
