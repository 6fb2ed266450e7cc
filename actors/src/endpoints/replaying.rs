//! Asking for a stretch of time once more: what was parked in it, or everything.
//!
//! Each call does a bounded piece and says where the next one goes on, so that a long stretch neither holds a request
//! nor a database for long. It is safe to ask twice: what is on its way already is left as it is.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::store::{EventFilter, StoreError};
use domain::endpoint::{DeliveryState, Endpoint, FailedDelivery};
use domain::event::StoredEvent;

use super::contact::order_key;
use super::reading::{ReadError, open_all};
use crate::keychain::SealError;
use crate::services::Services;

/// Events asked for in one call at most.
const MOST: u64 = 10_000;
/// A call ends after so long, with what it has.
const PATIENCE: Duration = Duration::from_secs(5);
/// Events read at a time.
const PAGE: u32 = 500;
/// Places of the stream looked through at a time.
const STRETCH: i64 = 20_000;

/// Which events of an endpoint go once more: those that happened from `from` until before `to`.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Also what was delivered; only what was given up otherwise.
    pub everything: bool,
    /// Behind this place: where the call before ended.
    pub after: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many go once more.
    pub count: u64,
    /// Where to go on; nothing at the end.
    pub next: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Seal(error) => Self::Seal(error),
        }
    }
}

pub(crate) async fn replay(
    services: &Services,
    endpoint: &Endpoint,
    replay: Replay,
) -> Result<Replayed, ReplayError> {
    let begun = services.clock.boottime();
    let mut done = Replayed { count: 0, next: Some(replay.after) };
    while let Some(after) = done.next {
        if done.count >= MOST || services.clock.boottime().saturating_sub(begun) >= PATIENCE {
            break;
        }
        let (events, next) = if replay.everything {
            stretch(services, endpoint, replay, after).await?
        } else {
            parked(services, endpoint, replay, after).await?
        };
        let rows = rows(services, endpoint, events).await?;
        done.count += services.store.replay_deliveries(&rows).await?;
        done.next = next;
    }
    Ok(done)
}

/// What the endpoint wants of a stretch of the stream. What it has not come to yet it hears anyway.
async fn stretch(
    services: &Services,
    endpoint: &Endpoint,
    replay: Replay,
    after: i64,
) -> Result<(Vec<StoredEvent>, Option<i64>), ReplayError> {
    let Some(stored) = services.store.endpoint(endpoint.account, endpoint.id).await? else {
        return Ok((Vec::new(), None));
    };
    let last = stored.cursor.min(after.saturating_add(STRETCH));
    let filter = EventFilter {
        business: endpoint.business.as_ref().map(|(key, _)| *key),
        types: endpoint.events.clone(),
        from: Some(replay.from),
        to: Some(replay.to),
        last: Some(last),
    };
    let events = services.store.events_after(endpoint.account, &filter, after, PAGE).await?;
    let next = match events.last() {
        Some(event) if events.len() == PAGE as usize => event.seq,
        _ => last,
    };
    Ok((events, (next < stored.cursor).then_some(next)))
}

async fn parked(
    services: &Services,
    endpoint: &Endpoint,
    replay: Replay,
    after: i64,
) -> Result<(Vec<StoredEvent>, Option<i64>), ReplayError> {
    let rows = services.store.parked_deliveries(endpoint.id, after, PAGE).await?;
    let next = rows.last().filter(|_| rows.len() == PAGE as usize).map(|row| row.event_seq);
    let places: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
    let mut events = services.store.events_by_seq(&places).await?;
    events.retain(|event| replay.from <= event.occurred_at && event.occurred_at < replay.to);
    Ok((events, next))
}

async fn rows(
    services: &Services,
    endpoint: &Endpoint,
    mut events: Vec<StoredEvent>,
) -> Result<Vec<FailedDelivery>, ReplayError> {
    events.retain(|event| endpoint.format.tells_of(event.event_type, event.connection));
    let now = services.clock.now();
    let row = |event_seq, order_key| FailedDelivery {
        id: services.ids.next(),
        endpoint: endpoint.id,
        event_seq,
        attempts: 0,
        state: DeliveryState::Retrying,
        next_at: now,
        order_key,
        replayed: true,
        last_status: None,
        last_error: None,
    };
    if !endpoint.ordered {
        return Ok(events.iter().map(|event| row(event.seq, None)).collect());
    }
    // Whose contact it is stands in the body alone.
    let opened = open_all(&services.keychain, events).await?;
    let key = |event: &Arc<crate::stream::OpenedEvent>| order_key(event.connection, event.body.as_ref()?);
    Ok(opened.iter().map(|event| row(event.seq, key(event))).collect())
}
