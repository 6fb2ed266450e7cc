//! News from providers: whose it is, what it tells, and its row. Committed before the provider hears 200.

use std::collections::HashMap;
use std::sync::Arc;

use domain::clock::Timestamp;
use domain::connection::{Connection, ProviderName};
use domain::contracts::provider::{Content, StatusUpdate, Subject, Update};
use domain::contracts::store::{Batch, Quarantined};
use domain::event::{EventType, NewEvent, report_id, update_id};
use domain::ids::{BusinessKey, ConnectionId, EventId, MessageId};
use serde_json::{Value, json};

use crate::keychain::{SealError, column};
use crate::metrics;
use crate::services::Services;
use crate::supervisor::registry::Registry;
use crate::writer::WriteError;

/// What became of the pieces of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    pub new: u64,
    /// Heard before.
    pub known: u64,
    /// About a number or account that is not ours.
    pub quarantined: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the database did not answer")]
    Store(#[source] Arc<domain::contracts::store::StoreError>),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

pub(crate) async fn ingest(
    services: &Services,
    registry: &Registry,
    provider: ProviderName,
    updates: Vec<Update>,
) -> Result<Ingested, IngestError> {
    let now = services.clock.now();
    let ours = messages_without_echo(services, &updates).await?;
    let mut batch = Batch::default();
    let mut reported: Vec<ConnectionId> = Vec::new();
    for update in updates {
        let owners = services.directory.subject(&update.subject).await.map_err(IngestError::Store)?;
        if owners.is_empty() {
            batch.quarantine.push(quarantine(services, provider, update, now).await?);
            continue;
        }
        for owner in listeners(&owners) {
            let told = tell(update.clone(), owner, &ours);
            if told.message.is_some() && !reported.contains(&owner.id) {
                reported.push(owner.id);
            }
            batch.events.push(seal(services, owner, told).await?);
        }
    }
    let quarantined = batch.quarantine.len() as u64;
    let committed = services.writer.write(batch).await?;
    let new = committed.events.iter().filter(|&&new| new).count() as u64;
    let known = committed.events.len() as u64 - new;
    metrics::updates("new", new);
    metrics::updates("known", known);
    metrics::updates("quarantined", quarantined);
    if new > 0 {
        services.news.send_replace(());
    }
    for id in reported {
        // A hint: a connection that is not told looks by itself a second later.
        if let Some(running) = registry.get(id)
            && running.has_ambiguous()
        {
            let _ = running.address.try_send(crate::connection::messages::Reported);
        }
    }
    Ok(Ingested { new, known, quarantined })
}

/// Who hears of a piece of news: a number has one owner, an account may be shared by several businesses, and each of
/// them hears once, through a connection that lives if it has one.
fn listeners(owners: &[Arc<Connection>]) -> Vec<&Connection> {
    let mut heard: Vec<&Connection> = Vec::with_capacity(1);
    for owner in owners {
        match heard.iter_mut().find(|known| known.business == owner.business) {
            Some(known) if !known.status.sends() && owner.status.sends() => *known = owner,
            Some(_) => {}
            None => heard.push(owner),
        }
    }
    heard
}

/// An event in clear.
struct Told {
    id: EventId,
    event_type: EventType,
    message: Option<MessageId>,
    status: Option<domain::DeliveryStatus>,
    at: Timestamp,
    data: Value,
}

/// What an update tells the endpoints of its owner.
fn tell(update: Update, owner: &Connection, ours: &HashMap<String, MessageId>) -> Told {
    let about = match &update.subject {
        Subject::Number(id) => id.clone(),
        // The same news is an event of its own for each business of the account.
        Subject::Waba(id) => format!("{id}:{}", owner.business.0),
    };
    let plain = |event_type, key: &str, data| Told {
        id: update_id(update.at, &about, key),
        event_type,
        message: None,
        status: None,
        at: update.at,
        data,
    };
    match update.content {
        Content::Message { key, message, contact, metadata } => {
            let data = json!({ "message": message, "contact": contact, "metadata": metadata });
            plain(EventType::MessageReceived, &format!("message:{key}"), data)
        }
        Content::Echo { key, message, metadata } => {
            let data = json!({ "message": message, "metadata": metadata });
            plain(EventType::MessageEcho, &format!("echo:{key}"), data)
        }
        Content::Other { field, key, value } => {
            let event_type = if field.starts_with("message_template") {
                EventType::TemplateStatus
            } else {
                EventType::AccountAlert
            };
            plain(event_type, &format!("{field}:{key}"), json!({ "field": field, "value": value }))
        }
        Content::Status(status) => tell_status(*status, update.at, &about, owner, ours),
    }
}

/// A status of a message of ours carries our id and the caller's opaque data, never what we put there.
fn tell_status(
    status: StatusUpdate,
    at: Timestamp,
    about: &str,
    owner: &Connection,
    ours: &HashMap<String, MessageId>,
) -> Told {
    let message = status.echo.map(|echo| echo.message).or_else(|| ours.get(&status.provider_id).copied());
    let mut object = status.object;
    let mut data = json!({});
    if let (Some(message), Some(members)) = (message, object.as_object_mut()) {
        members.insert("id".to_owned(), json!(message.to_wamid()));
        members.remove("biz_opaque_callback_data");
        data["provider_message_id"] = json!(status.provider_id);
    }
    data["status"] = object;
    data["metadata"] = status.metadata;
    let id = match message {
        Some(message) => report_id(owner.id, message, &status.word, &status.participant),
        None => update_id(
            at,
            about,
            &format!("status:{}:{}:{}", status.provider_id, status.word, status.participant),
        ),
    };
    // A status of one member of a group says nothing about the message as a whole.
    let known = status.status.filter(|_| status.participant.is_empty() && message.is_some());
    Told { id, event_type: EventType::MessageStatus, message, status: known, at, data }
}

async fn seal(services: &Services, owner: &Connection, told: Told) -> Result<NewEvent, SealError> {
    let text = told.data.to_string();
    let body =
        services.keychain.seal(owner.business, told.id.uuid(), column::EVENT_BODY, text.as_bytes()).await?;
    Ok(NewEvent {
        with_transition: false,
        id: told.id,
        event_type: told.event_type,
        account: owner.account,
        business: owner.business,
        connection: Some(owner.id),
        message: told.message,
        status: told.status,
        occurred_at: told.at,
        body,
    })
}

/// Statuses whose echo did not come back are matched by the provider's id.
async fn messages_without_echo(
    services: &Services,
    updates: &[Update],
) -> Result<HashMap<String, MessageId>, IngestError> {
    let mut by_subject: HashMap<&Subject, Vec<String>> = HashMap::new();
    for update in updates {
        if let Content::Status(status) = &update.content
            && status.echo.is_none()
        {
            by_subject.entry(&update.subject).or_default().push(status.provider_id.clone());
        }
    }
    let mut ours = HashMap::new();
    for (subject, ids) in by_subject {
        for owner in services.directory.subject(subject).await.map_err(IngestError::Store)? {
            let found = services.store.messages_by_provider_id(owner.id, &ids).await;
            ours.extend(found.map_err(|error| IngestError::Store(Arc::new(error)))?);
        }
    }
    Ok(ours)
}

async fn quarantine(
    services: &Services,
    provider: ProviderName,
    update: Update,
    received_at: Timestamp,
) -> Result<Quarantined, SealError> {
    let id = services.ids.next();
    let subject = update.subject.id().to_owned();
    tracing::warn!(%provider, "a webhook names a number or account that is not connected here");
    let text = match update.content {
        Content::Message { message, .. } | Content::Echo { message, .. } => message,
        Content::Status(status) => status.object,
        Content::Other { value, .. } => value,
    }
    .to_string();
    let body = services
        .keychain
        .seal(BusinessKey::INSTALLATION, id, column::QUARANTINE_BODY, text.as_bytes())
        .await?;
    Ok(Quarantined { id, provider, subject, received_at, body })
}
