//! Fetches what customers sent. A row is written before the webhook is acknowledged and says what is to be had; nothing
//! else is remembered, so that a process which starts goes on where the last one ended.

use std::collections::HashSet;
use std::time::Duration;

use domain::connection::Connection;
use domain::contracts::media::Cause;
use domain::contracts::provider::{Content, Update};
use domain::contracts::store::StoreError;
use domain::event::EventType;
use domain::ids::{ConnectionId, MediaId};
use domain::media::{Fetch, MediaDirection, MediaRow, MediaStage, MediaState};
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use super::LARGEST;
use super::door::keep;
use crate::connection::credentials;
use crate::keychain::column;
use crate::own_events::{self, OwnEvent};
use crate::services::Services;

const KINDS: [&str; 5] = ["image", "audio", "video", "document", "sticker"];
/// How often the table is looked at for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Fetched at the same time, by this process and of one number.
const AT_ONCE: usize = 8;
const AT_ONCE_OF_ONE: usize = 4;
const MOST: u32 = 64;
/// Before each further try. Every one begins with a fresh look-up.
const WAITS: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
];

/// The row of what a message shows or lets hear; nothing where it has none.
pub(crate) async fn expected(
    services: &Services,
    owner: &Connection,
    update: &Update,
) -> Result<bool, StoreError> {
    let Content::Message { message, .. } = &update.content else { return Ok(false) };
    let Some(kind) = message.get("type").and_then(Value::as_str).filter(|kind| KINDS.contains(kind)) else {
        return Ok(false);
    };
    let Some(object) = message.get(kind) else { return Ok(false) };
    let member = |name: &str| object.get(name).and_then(Value::as_str);
    let Some(provider_id) = member("id").filter(|id| !id.is_empty()) else { return Ok(false) };
    let provider = services.providers.get(&owner.provider).and_then(|provider| provider.media.as_ref());
    let Some(provider) = provider else { return Ok(false) };
    let (id, now) = (MediaId::from_uuid(services.ids.next()), services.clock.now());
    let file_name = match member("filename") {
        Some(name) => {
            let sealed =
                services.keychain.seal(owner.business, id.uuid(), column::MEDIA_FILE_NAME, name.as_bytes());
            // Without its name it can be read all the same.
            sealed.await.ok()
        }
        None => None,
    };
    let row = MediaRow {
        id,
        account: owner.account,
        business: owner.business,
        connection: owner.id,
        direction: MediaDirection::In,
        provider_id: Some(provider_id.to_owned()),
        provider_until: None,
        fetch: Some(Fetch {
            attempts: 0,
            due: now,
            sha256: member("sha256").and_then(|text| provider.read_hash(text)),
        }),
        mime_type: member("mime_type").unwrap_or("application/octet-stream").to_owned(),
        file_name,
        state: MediaState::Pending,
        created_at: now,
        expires_at: now.plus(services.media.kept_for),
    };
    match services.store.insert_media(&row).await {
        Ok(()) => Ok(true),
        // It was told before, or nobody wants it any more.
        Err(StoreError::Taken { .. } | StoreError::Gone { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Fetching(JoinHandle<()>);

impl Fetching {
    /// Call inside a runtime.
    pub(crate) fn start(services: Services) -> Self {
        Self(tokio::spawn(async move {
            let mut running = Running::default();
            loop {
                running.start_due(&services).await;
                tokio::select! {
                    Some(done) = running.tasks.join_next(), if !running.tasks.is_empty() => {
                        running.forget(done.ok());
                    }
                    () = services.media.news.notified() => {}
                    () = services.clock.sleep(LOOK) => {}
                }
            }
        }))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<MediaId>,
    of: HashSet<(MediaId, ConnectionId)>,
}

impl Running {
    fn forget(&mut self, done: Option<MediaId>) {
        match done {
            Some(id) => self.of.retain(|(running, _)| *running != id),
            // One that panicked does not say which it was; what still runs is started once more at worst.
            None => self.of.clear(),
        }
    }

    async fn start_due(&mut self, services: &Services) {
        if self.of.len() >= AT_ONCE {
            return;
        }
        let due = match services.store.media_to_fetch(services.clock.now(), MOST).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "what media is to be fetched cannot be read");
                return;
            }
        };
        for row in due {
            let of_number = self.of.iter().filter(|(_, connection)| *connection == row.connection).count();
            let place = self.of.len() < AT_ONCE && of_number < AT_ONCE_OF_ONE;
            if place && self.of.insert((row.id, row.connection)) {
                let services = services.clone();
                self.tasks.spawn(async move {
                    let id = row.id;
                    attempt(&services, row).await;
                    id
                });
            }
        }
    }
}

async fn attempt(services: &Services, row: MediaRow) {
    let Some(fetch) = row.fetch else { return };
    let error = match fetched(services, &row).await {
        Ok(true) => return,
        // Whoever owns the number fetches it.
        Ok(false) => None,
        Err(error) => Some(error),
    };
    let now = services.clock.now();
    let Some(error) = error else {
        put_off(services, row.id, fetch.attempts, now.plus(WAITS[1])).await;
        return;
    };
    tracing::info!(media.id = %row.id, attempts = fetch.attempts + 1, error = %error, "media was not fetched");
    match WAITS.get(usize::from(fetch.attempts)) {
        Some(wait) => put_off(services, row.id, fetch.attempts + 1, now.plus(*wait)).await,
        None => give_up(services, &row, fetch.attempts + 1, &error).await,
    }
}

async fn put_off(services: &Services, id: MediaId, attempts: u16, due: domain::clock::Timestamp) {
    if let Err(error) = services.store.put_off_media(id, attempts, due).await {
        tracing::warn!(media.id = %id, %error, "when media is tried again was not kept");
    }
}

/// False when it is not ours to fetch.
async fn fetched(services: &Services, row: &MediaRow) -> Result<bool, Cause> {
    let opened = credentials::load(&*services.store, &services.keychain, row.connection).await?;
    let connection = &opened.connection;
    if !services.holdings.may_act(connection.partition, &*services.clock) {
        return Ok(false);
    }
    let provider = services.providers.get(&connection.provider).and_then(|provider| provider.media.as_ref());
    let provider = provider.ok_or("the provider has no media")?;
    let token = opened.token.as_ref().ok_or("the number has no token that can be used")?;
    let graph_id = connection.graph_id.as_deref().unwrap_or_default();
    let id = row.provider_id.as_deref().unwrap_or_default();
    let found = provider.look_up(token, graph_id, id).await?;
    let content = provider.download(token, &found.url).await?;
    // What the look-up says is as good as what the webhook said, where that said nothing.
    let fetch = row.fetch.map(|fetch| Fetch { sha256: fetch.sha256.or(found.sha256), ..fetch });
    keep(services, &MediaRow { fetch, ..row.clone() }, content, LARGEST).await?;
    Ok(true)
}

/// Told as an event, so that somebody can ask the customer to send it again.
async fn give_up(services: &Services, row: &MediaRow, attempts: u16, why: &Cause) {
    match services.store.move_media(row.id, MediaStage::Pending, &MediaState::Failed).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::warn!(media.id = %row.id, %error, "that media cannot be had was not kept");
            return;
        }
    }
    let value = json!({
        "media_id": row.provider_id,
        "id": row.id,
        "mime_type": row.mime_type,
        "attempts": attempts,
        "reason": why.to_string(),
    });
    let event = OwnEvent {
        account: row.account,
        business: row.business,
        connection: Some(row.connection),
        event_type: EventType::AccountAlert,
        about: row.business.0.to_string(),
        key: &format!("media_not_fetched:{}", row.id),
        data: &json!({ "field": "media_not_fetched", "value": value }),
    };
    if let Err(error) = own_events::emit(services, event).await {
        tracing::warn!(media.id = %row.id, %error, "that media cannot be had was not told");
    }
}
