//! Taking events of the stream: out of memory where they are there, out of the database where they are not.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::contracts::deliveries::DeliveryWrite;
use domain::contracts::store::{EventFilter, StoreError};
use domain::endpoint::{DeliveryState, FailedDelivery};
use domain::event::StoredEvent;
use domain::ids::MessageId;

use super::actor::{A_MOMENT, EndpointActor, Pending};
use super::contact::order_key;
use super::keeping::Passing;
use super::order::{Order, Turn};
use crate::apart::Apart as _;
use crate::keychain::{Keychain, SealError, column};
use crate::services::Services;
use crate::stream::OpenedEvent;
use crate::tail::{Next, looked_to};

/// Events read from the database at a time.
const READ: usize = 256;
/// A number that is missing is waited for so long: it may be told in a moment.
const GRACE: Duration = Duration::from_millis(5);

#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl EndpointActor {
    /// Reads on, as long as fewer than `most` events are in memory.
    pub(super) fn read(&mut self, most: usize, ctx: &mut Context<Self>) {
        while !self.reading {
            if self.order.as_ref().is_some_and(Order::is_full) {
                self.make_room(ctx);
                return;
            }
            let room = most.saturating_sub(self.progress.in_flight());
            if room == 0 {
                return;
            }
            let run = self.services.stream.after(self.read_to, room, &self.endpoint);
            self.take(run.events, run.read_to, ctx);
            match run.next {
                Next::Full => {}
                Next::End => {
                    self.hole = None;
                    self.stands_at_end();
                    return;
                }
                _ if self.reading => return,
                Next::Hole { .. } if self.hole != Some(self.read_to) => {
                    self.hole = Some(self.read_to);
                    ctx.run_later(GRACE, Self::pump);
                    return;
                }
                next @ (Next::Hole { end } | Next::Behind { end }) => {
                    let room = most.saturating_sub(self.progress.in_flight());
                    let left_memory = matches!(next, Next::Behind { .. });
                    self.fetch(end, room.min(READ), left_memory, ctx);
                    return;
                }
            }
        }
    }

    /// Nothing that happened before was missed. Of a stream of which nothing is kept nobody knows the end.
    fn stands_at_end(&mut self) {
        if self.services.stream.end() == self.read_to {
            self.missed.at_end(self.services.clock.now());
        }
    }

    /// Reads the database where memory has a gap. `end` is how far the stream was known to go before; `left_memory`:
    /// what follows is so old that it may have left the database too.
    fn fetch(&mut self, end: i64, limit: usize, left_memory: bool, ctx: &mut Context<Self>) {
        if limit == 0 {
            return;
        }
        self.reading = true;
        let (services, account, after) = (self.services.clone(), self.endpoint.account, self.read_to);
        let filter = EventFilter {
            business: self.endpoint.business.as_ref().map(|(key, _)| *key),
            types: self.endpoint.events.clone(),
            ..EventFilter::default()
        };
        let asked = u32::try_from(limit).unwrap_or(u32::MAX);
        let may_miss = left_memory && self.missed.is_possible(self.services.clock.now());
        let reading = async move {
            let oldest = if may_miss { services.store.oldest_event().await? } else { None };
            let rows = services.store.events_after(account, &filter, after, asked).await?;
            let read_to = looked_to(after, end, rows.len(), limit, rows.last().map(|last| last.seq));
            Ok::<_, ReadError>((open_all(&services.keychain, rows).await?, read_to, oldest))
        };
        ctx.spawn(reading.apart(self).map(move |read, this, ctx| {
            this.reading = false;
            match read {
                Ok((events, read_to, oldest)) => {
                    let gap = oldest.and_then(|oldest| this.missed.reads_on(after, oldest));
                    if let Some(gap) = gap {
                        this.missed_events(gap, events.first().map(|event| event.business), ctx);
                    }
                    this.take(events, read_to, ctx);
                    this.pump(ctx);
                }
                Err(error) => {
                    tracing::warn!(endpoint.id = %this.endpoint.id, %error, "events cannot be read now");
                    this.wake_at(this.services.clock.now().plus(A_MOMENT), ctx);
                }
            }
        }));
    }

    /// These are all that concern the endpoint up to `read_to`.
    fn take(&mut self, events: Vec<Arc<OpenedEvent>>, read_to: i64, ctx: &mut Context<Self>) {
        for event in &events {
            self.progress.begun(event.seq);
        }
        self.read_to = read_to;
        self.progress.looked_to(read_to);
        self.save_later(events.is_empty(), ctx);
        let unknown = self.look_up(&events);
        if unknown.is_empty() {
            self.line_up(events, ctx);
            return;
        }
        self.reading = true;
        let reading = read_references(self.services.clone(), unknown);
        ctx.spawn(reading.apart(self).map(move |(), this, ctx| {
            this.reading = false;
            // A message that is forgotten again already is looked up again.
            this.take_up(events, ctx);
            this.pump(ctx);
        }));
    }

    fn take_up(&mut self, events: Vec<Arc<OpenedEvent>>, ctx: &mut Context<Self>) {
        for event in &events {
            if let Some(message) = event.message {
                let said = self.services.references.get(event.business, message).flatten();
                event.said.get_or_init(|| said);
            }
        }
        self.line_up(events, ctx);
    }

    /// Messages of which neither the event nor memory knows what their caller said.
    fn look_up(&self, events: &[Arc<OpenedEvent>]) -> Vec<MessageId> {
        let mut unknown = Vec::new();
        for event in events.iter().filter(|event| event.said.get().is_none()) {
            match event
                .message
                .map(|message| (message, self.services.references.get(event.business, message)))
            {
                Some((_, Some(said))) => {
                    event.said.get_or_init(|| said);
                }
                Some((message, None)) => unknown.push(message),
                None => {}
            }
        }
        unknown
    }

    /// In the order of the stream: may each go, has it to wait, or was it dealt with before?
    fn line_up(&mut self, events: Vec<Arc<OpenedEvent>>, ctx: &mut Context<Self>) {
        let mut held: Vec<DeliveryWrite> = Vec::new();
        for event in events {
            let seq = event.seq;
            // What the endpoint's format has no words for is passed over, as if it were not wanted.
            if self.known.remove(&seq) || !self.endpoint.format.tells_of(event.event_type, event.connection) {
                self.progress.finished(seq);
                continue;
            }
            let key = self.order.as_ref().zip(event.body.as_ref());
            let key = key.and_then(|(_, body)| order_key(event.connection, body));
            let turn = self.order.as_mut().zip(key).map(|(order, key)| order.offer(key, seq));
            let pending = Pending { event, key };
            match turn {
                None | Some(Turn::Now) => self.ready.push_back(pending),
                Some(Turn::Wait) => {
                    self.waiting.insert(seq, pending);
                }
                Some(Turn::Hold) => held.push(self.held(&pending).into()),
            }
        }
        if !held.is_empty() {
            let passed = held.iter().map(|row| row.delivery.event_seq).collect();
            self.write_rows(held, Passing::stream(passed), ctx);
        }
    }

    /// A row that waits for earlier ones of its contact.
    pub(super) fn held(&self, pending: &Pending) -> FailedDelivery {
        FailedDelivery {
            id: self.services.ids.next(),
            endpoint: self.endpoint.id,
            event_seq: pending.event.seq,
            attempts: 0,
            state: DeliveryState::Retrying,
            next_at: self.services.clock.now(),
            order_key: pending.key,
            replayed: false,
            last_status: None,
            last_error: None,
        }
    }
}

/// Those of an erased business are none any more; what no key opens has no body.
pub(super) async fn open_all(
    keychain: &Keychain,
    rows: Vec<StoredEvent>,
) -> Result<Vec<Arc<OpenedEvent>>, ReadError> {
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        match keychain.open(row.business, row.id.uuid(), column::EVENT_BODY, &row.body).await {
            Ok(body) => events.push(Arc::new(OpenedEvent::read(row, Some(body)))),
            Err(SealError::Undecryptable(_)) => events.push(Arc::new(OpenedEvent::read(row, None))),
            Err(SealError::Erased) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(events)
}

/// No event goes out without its caller's word, so this goes on until it is known.
async fn read_references(services: Services, messages: Vec<MessageId>) {
    while let Err(error) = services.references.read(&*services.store, &messages).await {
        tracing::warn!(%error, "what callers said about messages cannot be read now");
        services.clock.sleep(A_MOMENT).await;
    }
}
