//! News from providers: whose it is, what it tells, and its row. Committed before the provider hears 200.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::{Connection, ProviderName};
use domain::contracts::provider::{Content, Update};
use domain::contracts::retention::EVENTS_KEPT_AT_LEAST;
use domain::contracts::store::{Batch, Quarantined};
use domain::event::NewEvent;
use domain::ids::BusinessKey;

use crate::contacts::{LearnError, Lessons};
use crate::hints::Hints;
use crate::keychain::{SealError, column};
use crate::media;
use crate::metrics;
use crate::services::Services;
use crate::stream::OpenedEvent;
use crate::supervisor::registry::Registry;
use crate::tell::{Told, tell};
use crate::templates::Gathered;
use crate::unechoed::Matched;
use crate::writer::WriteError;

/// So far a provider's clock may be ahead of ours.
const AHEAD_AT_MOST: Duration = Duration::from_hours(24);

/// What became of the pieces of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    pub new: u64,
    /// Heard before.
    pub known: u64,
    /// About a number or account that is not ours, or of too long ago, or of a time to come.
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

impl From<LearnError> for IngestError {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::Unreadable(unreadable) => Self::Store(unreadable.0),
            LearnError::Seal(error) => Self::Seal(error),
            LearnError::Write(error) => Self::Write(error),
        }
    }
}

pub(crate) async fn ingest(
    services: &Services,
    registry: &Registry,
    provider: ProviderName,
    updates: Vec<Update>,
) -> Result<Ingested, IngestError> {
    let now = services.clock.now();
    let ours = Matched::look_up(services, &updates).await.map_err(IngestError::Store)?;
    let mut batch = Batch::default();
    let mut lessons = Lessons::default();
    let mut templates = Gathered::default();
    let mut hints = Hints::default();
    let mut shows_media = false;
    // The events of the batch as endpoints need them, in its order.
    let mut opened: Vec<OpenedEvent> = Vec::new();
    for update in updates {
        let owners = services.directory.subject(&update.subject).await.map_err(IngestError::Store)?;
        if let Some(why) = no_place(!owners.is_empty(), update.at, now) {
            tracing::warn!(%provider, "{why}");
            let owner = owners.first().map_or(BusinessKey::INSTALLATION, |owner| owner.business);
            batch.quarantine.push(quarantine(services, provider, owner, update, now).await?);
            continue;
        }
        templates.gather(&owners, &update);
        hints.gather_news(&owners, &update, batch.events.len());
        for owner in listeners(&owners) {
            lessons.hear(services, owner, &update).await?;
            // Its row is the only thing that makes sure of it, so it stands before anything is acknowledged.
            let expected = media::expected(services, owner, &update).await;
            shows_media |= expected.map_err(|error| IngestError::Store(Arc::new(error)))?;
            let told = tell(&update, owner, &ours);
            hints.gather(owner, &update, told.message, batch.events.len(), now);
            let (event, plain) = seal(services, owner, told).await?;
            batch.events.push(event);
            opened.push(plain);
        }
    }
    let quarantined = batch.quarantine.len() as u64;
    batch.events.append(&mut lessons.events);
    batch.contacts.clone_from(&lessons.changes);
    let committed = services.writer.write(batch).await?;
    if shows_media {
        services.media.has_news();
    }
    let (told, untold) = committed.events.split_at(opened.len().min(committed.events.len()));
    if untold.iter().any(Option::is_some) {
        services.news.send_replace(());
    }
    let new_ones = opened.into_iter().zip(told).filter_map(|(event, seq)| seq.map(|seq| event.at(seq)));
    services.stream.tell(new_ones);
    services.contacts.learnt(&lessons.changes);
    templates.tell(services).await;
    let new = committed.events.iter().flatten().count() as u64;
    let known = committed.events.len() as u64 - new;
    metrics::updates("new", new);
    metrics::updates("known", known);
    metrics::updates("quarantined", quarantined);
    hints.tell(services, registry, |event| committed.events.get(event).is_some_and(Option::is_some)).await;
    Ok(Ingested { new, known, quarantined })
}

/// Why news is set aside. Nobody can tell whether what is older than the events that are kept was heard before. What
/// is far ahead would be the newest event for as long as that: nothing behind it would ever be old enough to go, and
/// as the latest status of its number it would prove that every message of that time was lost.
fn no_place(is_ours: bool, told_at: Timestamp, now: Timestamp) -> Option<&'static str> {
    if !is_ours {
        return Some("a webhook names a number or account that is not connected here");
    }
    if now.since(told_at) > EVENTS_KEPT_AT_LEAST {
        return Some("a webhook tells of what is too long ago to be new");
    }
    (told_at.since(now) > AHEAD_AT_MOST).then_some("a webhook tells of what has not happened yet")
}

/// Who hears of a piece of news: a number has one owner, an account may be shared by several businesses, and each of
/// them hears once, through a connection that lives if it has one.
fn listeners(owners: &[Arc<Connection>]) -> Vec<&Arc<Connection>> {
    let mut heard: Vec<&Arc<Connection>> = Vec::with_capacity(1);
    for owner in owners {
        match heard.iter_mut().find(|known| known.business == owner.business) {
            Some(known) if !known.status.sends() && owner.status.sends() => *known = owner,
            Some(_) => {}
            None => heard.push(owner),
        }
    }
    heard
}

/// As it is kept, and as endpoints need it.
async fn seal(
    services: &Services,
    owner: &Connection,
    told: Told,
) -> Result<(NewEvent, OpenedEvent), SealError> {
    let body = services
        .keychain
        .seal(owner.business, told.id.uuid(), column::EVENT_BODY, told.text.as_bytes())
        .await?;
    let event = NewEvent {
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
    };
    let plain = OpenedEvent::untold(&event, &owner.business_reference, told.text);
    Ok((event, plain))
}

async fn quarantine(
    services: &Services,
    provider: ProviderName,
    owner: BusinessKey,
    update: Update,
    received_at: Timestamp,
) -> Result<Quarantined, SealError> {
    let id = services.ids.next();
    let subject = update.subject.id().to_owned();
    let text = match update.content {
        Content::Message { message, .. } | Content::Echo { message, .. } => message,
        Content::Status(status) => status.object,
        Content::Other { value, .. } => value,
    }
    .to_string();
    let body = services.keychain.seal(owner, id, column::QUARANTINE_BODY, text.as_bytes()).await?;
    Ok(Quarantined { id, provider, subject, received_at, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn news_of_a_number_that_is_not_ours_has_no_place() {
        assert!(no_place(false, NOW, NOW).unwrap().contains("not connected here"));
        assert_eq!(no_place(true, NOW, NOW), None);
    }

    #[test]
    fn news_that_is_older_than_the_events_that_are_kept_has_no_place() {
        let oldest = NOW.minus(EVENTS_KEPT_AT_LEAST);
        assert_eq!(no_place(true, oldest, NOW), None);
        assert!(no_place(true, oldest.minus(SECOND), NOW).unwrap().contains("too long ago"));
        assert!(no_place(true, Timestamp::from_micros(i64::MIN), NOW).is_some());
    }

    #[test]
    fn news_of_more_than_a_day_ahead_has_no_place() {
        let latest = NOW.plus(AHEAD_AT_MOST);
        assert_eq!(no_place(true, latest, NOW), None);
        assert!(no_place(true, latest.plus(SECOND), NOW).unwrap().contains("not happened yet"));
        assert!(no_place(true, Timestamp::from_micros(i64::MAX), NOW).is_some());
    }
}
