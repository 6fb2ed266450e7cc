//! Events of our own, which no provider told: sealed, written, and endpoints woken.

use domain::contracts::store::Batch;
use domain::event::{EventType, NewEvent, update_id};
use domain::ids::{AccountKey, BusinessKey, ConnectionId};
use serde_json::Value;

use crate::acceptance::AcceptError;
use crate::keychain::column;
use crate::services::Services;

pub(crate) struct OwnEvent<'a> {
    pub(crate) account: AccountKey,
    pub(crate) business: BusinessKey,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) event_type: EventType,
    /// What it is about, and which of the events about that: the same of both at the same moment is the same event.
    pub(crate) about: String,
    pub(crate) key: &'a str,
    /// An object.
    pub(crate) data: &'a Value,
}

pub(crate) async fn emit(services: &Services, own: OwnEvent<'_>) -> Result<(), AcceptError> {
    let OwnEvent { account, business, connection, event_type, about, key, data } = own;
    let now = services.clock.now();
    let id = update_id(now, &about, key);
    let text = data.to_string();
    let body = services.keychain.seal(business, id.uuid(), column::EVENT_BODY, text.as_bytes()).await?;
    let event = NewEvent {
        with_transition: false,
        id,
        event_type,
        account,
        business,
        connection,
        message: None,
        status: None,
        occurred_at: now,
        body,
    };
    let written = services.writer.write(Batch { events: vec![event], ..Batch::default() }).await;
    written.map_err(|_| AcceptError::UNAVAILABLE)?;
    services.news.send_replace(());
    Ok(())
}
