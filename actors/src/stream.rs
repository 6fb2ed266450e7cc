//! The stream of events as this process knows it: the newest of them opened, and whom the news concern.
//!
//! Whoever commits events tells them here, with the text that it had in hand, so that endpoints need neither read nor
//! decrypt them. That is a shortcut and never the truth: what is not told is found in the database.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use domain::clock::Timestamp;
use domain::endpoint::Endpoint;
use domain::event::{EventType, NewEvent, StoredEvent};
use domain::ids::{AccountKey, BusinessKey, BusinessRef, ConnectionId, EventId, MessageId};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::references::Said;
use crate::tail::{Run, Tail};

/// Events kept in memory, and bytes of their bodies.
const MOST_EVENTS: usize = 4_096;
const MOST_BYTES: usize = 8 << 20;
/// After so many events every endpoint takes a look, so that one that wants few of them does not fall out of the tail.
const LOOK_AFTER: usize = 1_024;

/// An event with its body opened.
pub(crate) struct OpenedEvent {
    pub(crate) seq: i64,
    pub(crate) id: EventId,
    pub(crate) event_type: EventType,
    pub(crate) account: AccountKey,
    pub(crate) business: BusinessKey,
    pub(crate) business_reference: BusinessRef,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) message: Option<MessageId>,
    pub(crate) occurred_at: Timestamp,
    /// JSON of `data`, an object; nothing when no key opens it.
    pub(crate) body: Option<Zeroizing<Vec<u8>>>,
    /// What the caller said about the message, once it was looked up.
    pub(crate) said: OnceLock<Option<Arc<Said>>>,
}

impl fmt::Debug for OpenedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedEvent({}, {})", self.seq, self.event_type.as_str())
    }
}

impl OpenedEvent {
    /// One that is about to be committed.
    pub(crate) fn untold(event: &NewEvent, business_reference: &BusinessRef, body: String) -> Self {
        Self {
            seq: 0,
            id: event.id,
            event_type: event.event_type,
            account: event.account,
            business: event.business,
            business_reference: business_reference.clone(),
            connection: event.connection,
            message: event.message,
            occurred_at: event.occurred_at,
            body: Some(Zeroizing::new(body.into_bytes())),
            said: OnceLock::new(),
        }
    }

    /// It was, at this place.
    pub(crate) fn at(self, seq: i64) -> Self {
        Self { seq, ..self }
    }

    /// One that was read, with what its message adds.
    pub(crate) fn read(event: StoredEvent, body: Option<Zeroizing<Vec<u8>>>) -> Self {
        let said = (event.client_ref.is_some() || event.opaque.is_some()).then(|| {
            Arc::new(Said { business: event.business, client_ref: event.client_ref, opaque: event.opaque })
        });
        Self {
            seq: event.seq,
            id: event.id,
            event_type: event.event_type,
            account: event.account,
            business: event.business,
            business_reference: event.business_reference,
            connection: event.connection,
            message: event.message,
            occurred_at: event.occurred_at,
            body,
            said: OnceLock::from(said),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.as_ref().map_or(0, |body| body.len())
    }
}

/// Whom news concern.
#[derive(Debug, Default)]
pub(crate) struct News {
    everyone: bool,
    of: HashMap<(AccountKey, BusinessKey), Types>,
}

/// A set of event types.
#[derive(Debug, Clone, Copy, Default)]
struct Types(u32);

impl Types {
    const fn add(&mut self, event_type: EventType) {
        self.0 |= 1 << event_type as u32;
    }

    fn has_any(self, wanted: &[EventType]) -> bool {
        wanted.is_empty() || wanted.iter().any(|wanted| self.0 & (1 << *wanted as u32) != 0)
    }
}

impl News {
    pub(crate) fn concern(&self, endpoint: &Endpoint) -> bool {
        self.everyone
            || match &endpoint.business {
                Some((business, _)) => {
                    let types = self.of.get(&(endpoint.account, *business));
                    types.is_some_and(|types| types.has_any(&endpoint.events))
                }
                None => self.of.iter().any(|((account, _), types)| {
                    *account == endpoint.account && types.has_any(&endpoint.events)
                }),
            }
    }
}

#[derive(Debug)]
struct State {
    tail: Tail<Arc<OpenedEvent>>,
    news: News,
    /// Told since every endpoint was last asked to look.
    unseen: usize,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stream(Arc<(Mutex<State>, Notify)>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Default for Stream {
    fn default() -> Self {
        let tail = Tail::new(MOST_EVENTS, MOST_BYTES);
        Self(Arc::new((Mutex::new(State { tail, news: News::default(), unseen: 0 }), Notify::new())))
    }
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These were committed.
    pub(crate) fn tell(&self, events: impl IntoIterator<Item = OpenedEvent>) {
        let mut state = self.state();
        for event in events {
            state.news.of.entry((event.account, event.business)).or_default().add(event.event_type);
            state.unseen += 1;
            state.tail.append(event.seq, event.bytes(), Arc::new(event));
        }
        if state.unseen >= LOOK_AFTER {
            state.unseen = 0;
            state.news.everyone = true;
        }
        drop(state);
        self.0.1.notify_one();
    }

    /// The database's stream goes this far.
    pub(crate) fn goes_to(&self, end: i64) {
        let mut state = self.state();
        if end > state.tail.end() {
            state.tail.goes_to(end);
            state.news.everyone = true;
            drop(state);
            self.0.1.notify_one();
        }
    }

    pub(crate) fn end(&self) -> i64 {
        self.state().tail.end()
    }

    /// The events behind `read_to` that the endpoint wants, at most `limit`, as far as they are here.
    pub(crate) fn after(&self, read_to: i64, limit: usize, endpoint: &Endpoint) -> Run<Arc<OpenedEvent>> {
        let wanted =
            |event: &Arc<OpenedEvent>| endpoint.wants(event.account, event.business, event.event_type);
        self.state().tail.after(read_to, limit, wanted)
    }

    /// An erased business leaves memory too.
    pub(crate) fn forget(&self, business: BusinessKey) {
        self.state().tail.retain(|event| event.business != business);
    }

    /// Waits until there is something to take with [`Self::news`].
    pub(crate) async fn changed(&self) {
        self.0.1.notified().await;
    }

    pub(crate) fn news(&self) -> News {
        std::mem::take(&mut self.state().news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::endpoint::{EndpointFormat, EndpointHealth};
    use domain::ids::EndpointId;
    use domain::secret::Sealed;
    use uuid::Uuid;

    fn endpoint(business: Option<i64>, events: &[EventType]) -> Endpoint {
        Endpoint {
            id: EndpointId::from_uuid(Uuid::from_u128(1)),
            account: AccountKey(1),
            business: business.map(|key| (BusinessKey(key), "duka".parse().unwrap())),
            url: "https://hooks.example/".parse().unwrap(),
            events: events.to_vec(),
            format: EndpointFormat::Standard,
            enabled: true,
            ordered: false,
            secret: Sealed::from_bytes(Vec::new()),
            previous_secret: None,
            health: EndpointHealth::Taking,
            cursor: 0,
            created_at: Timestamp::from_seconds(0),
        }
    }

    fn event(seq: i64, account: i64, business: i64, event_type: EventType) -> OpenedEvent {
        OpenedEvent {
            seq,
            id: EventId::from_uuid(Uuid::from_u128(2)),
            event_type,
            account: AccountKey(account),
            business: BusinessKey(business),
            business_reference: "duka".parse().unwrap(),
            connection: None,
            message: None,
            occurred_at: Timestamp::from_seconds(0),
            body: Some(Zeroizing::new(b"{}".to_vec())),
            said: OnceLock::new(),
        }
    }

    #[test]
    fn news_concern_those_who_want_to_hear_them() {
        use EventType::{MessageReceived, MessageStatus};
        let stream = Stream::default();
        stream.tell([event(1, 1, 7, MessageStatus)]);
        let news = stream.news();
        for (endpoint, concerned) in [
            (endpoint(None, &[]), true),
            (endpoint(Some(7), &[]), true),
            (endpoint(Some(7), &[MessageReceived, MessageStatus]), true),
            (endpoint(Some(7), &[MessageReceived]), false),
            (endpoint(None, &[MessageReceived]), false),
            (endpoint(Some(8), &[]), false),
            (Endpoint { account: AccountKey(2), ..endpoint(None, &[]) }, false),
        ] {
            assert_eq!(news.concern(&endpoint), concerned, "{endpoint:?}");
        }
        assert!(!stream.news().concern(&endpoint(None, &[])), "news are told once");
    }

    #[test]
    fn what_was_committed_elsewhere_concerns_everyone_once() {
        let stream = Stream::default();
        stream.goes_to(5);
        assert!(stream.news().concern(&endpoint(Some(8), &[])));
        stream.goes_to(5);
        assert!(!stream.news().concern(&endpoint(Some(8), &[])));
    }

    #[test]
    fn an_erased_business_leaves_memory() {
        let stream = Stream::default();
        stream.tell((1..=3).map(|seq| event(seq, 1, 7 + seq % 2, EventType::MessageReceived)));
        stream.forget(BusinessKey(7));
        let run = stream.after(0, 10, &endpoint(None, &[]));
        assert_eq!(run.events.len(), 1);
        assert_eq!(run.read_to, 1);
    }
}
