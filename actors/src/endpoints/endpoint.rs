//! One endpoint: reads the stream behind its cursor, delivers, keeps what was not taken for later.
//!
//! A slow or dead endpoint holds up nobody else: each has its own reading, its own posts in flight and its own rows
//! of failures. After a crash the events behind the saved cursor go out again under the same ids.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::contracts::deliver::{Deliver, DeliveryOutcome, DeliveryRequest};
use domain::contracts::store::{Batch, DeliveryProgress};
use domain::endpoint::{DeliveryState, Endpoint, FailedDelivery};
use domain::event::StoredEvent;
use domain::secret::SigningSecret;
use uuid::Uuid;

use super::payload;
use super::progress::Progress;
use super::retry::after_failure;
use crate::keychain::column;
use crate::metrics;
use crate::services::Services;

/// Events read at a time.
const READ: u32 = 256;
/// News comes often under load: one reading takes what came in so long.
const GATHER: Duration = Duration::from_millis(5);
/// How often the cursor is written down while it moves.
const SAVE: Duration = Duration::from_millis(250);
/// How often a look is taken that no hint asked for.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) struct EndpointActor {
    services: Services,
    deliver: Arc<dyn Deliver>,
    endpoint: Endpoint,
    secret: Option<SigningSecret>,
    progress: Progress,
    /// Where the next reading of the stream begins.
    read_to: i64,
    reading: bool,
    wanted: Wanted,
    /// A reading is due in a moment.
    gathering: bool,
    /// Failed deliveries are being looked up.
    looking_up: bool,
    /// Failed deliveries that are under way again, so that none is under way twice.
    retrying: HashSet<Uuid>,
}

/// Why the stream should be read once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    No,
    /// There may be more behind `read_to`.
    More,
    /// Nobody said so: a look from time to time.
    Look,
}

/// One event of the stream on its way, or one that failed before.
struct Attempt {
    event: StoredEvent,
    earlier: Option<FailedDelivery>,
}

impl EndpointActor {
    pub(crate) fn new(services: Services, deliver: Arc<dyn Deliver>, endpoint: Endpoint) -> Self {
        let cursor = endpoint.cursor;
        Self {
            services,
            deliver,
            endpoint,
            secret: None,
            progress: Progress::at(cursor),
            read_to: cursor,
            reading: false,
            wanted: Wanted::More,
            gathering: false,
            looking_up: false,
            retrying: HashSet::new(),
        }
    }

    fn open_secret(&self, ctx: &mut Context<Self>) {
        let (keychain, endpoint) = (self.services.keychain.clone(), self.endpoint.clone());
        let opening = async move {
            keychain
                .open(endpoint.key_owner(), endpoint.id.uuid(), column::ENDPOINT_SECRET, &endpoint.secret)
                .await
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        ctx.wait(opening.into_actor(self).map(|opened, this, ctx| match opened {
            Ok(secret) => {
                this.secret = Some(SigningSecret::new(secret));
                this.read(ctx);
            }
            Err(error) => {
                tracing::error!(endpoint.id = %this.endpoint.id, %error, "the endpoint's secret cannot be opened");
                // The next look at the list of endpoints starts it again.
                ctx.stop();
            }
        }));
    }

    fn room(&self) -> usize {
        (self.services.config.deliveries_in_flight.get() as usize).saturating_sub(self.progress.in_flight())
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.reading || self.wanted == Wanted::No || self.secret.is_none() || self.room() == 0 {
            return;
        }
        self.reading = true;
        let limit = READ.min(u32::try_from(self.room()).unwrap_or(READ));
        let (store, endpoint, after) =
            (Arc::clone(&self.services.store), self.endpoint.clone(), self.read_to);
        let business = self.endpoint.business.as_ref().map(|(key, _)| *key);
        // An endpoint that hears of nothing still moves along, so that a look never begins in the distant past.
        let idle = std::mem::replace(&mut self.wanted, Wanted::No) == Wanted::Look;
        let reading = async move {
            let end = if idle { Some(store.last_event().await?) } else { None };
            let events = store.events_after(endpoint.account, business, after, limit).await?;
            let skipped = end.filter(|_| events.is_empty());
            Ok::<_, domain::contracts::store::StoreError>((events, skipped))
        };
        ctx.spawn(reading.into_actor(self).map(move |read, this, ctx| {
            this.reading = false;
            let events = match read {
                Ok((events, skipped)) => {
                    if let Some(end) = skipped.filter(|end| *end > this.read_to) {
                        this.read_to = end;
                        this.progress.skipped_to(end);
                    }
                    events
                }
                Err(error) => {
                    tracing::warn!(endpoint.id = %this.endpoint.id, %error, "events cannot be read now");
                    return;
                }
            };
            if events.len() == limit as usize {
                this.wanted = this.wanted.max(Wanted::More);
            }
            for event in events {
                this.read_to = event.seq;
                if this.endpoint.wants(&event) {
                    this.progress.begun(event.seq);
                    this.attempt(Attempt { event, earlier: None }, ctx);
                } else {
                    this.progress.skipped_to(event.seq);
                }
            }
            this.read(ctx);
        }));
    }

    fn attempt(&self, attempt: Attempt, ctx: &mut Context<Self>) {
        let Some(secret) = self.secret.clone() else { return };
        let (services, deliver, endpoint) =
            (self.services.clone(), Arc::clone(&self.deliver), self.endpoint.clone());
        let trying = async move {
            let event = &attempt.event;
            let opened = services
                .keychain
                .open(event.business, event.id.uuid(), column::EVENT_BODY, &event.body)
                .await;
            let body = match opened.map(|opened| payload::standard(event, &opened)) {
                Ok(Ok(body)) => body,
                Ok(Err(_)) => return (attempt, DeliveryOutcome::NoAnswer { error: "event_unreadable" }),
                Err(_) => return (attempt, DeliveryOutcome::NoAnswer { error: "event_undecryptable" }),
            };
            let request = DeliveryRequest {
                url: endpoint.url,
                format: endpoint.format,
                secret,
                event: event.id,
                at: services.clock.now(),
                body,
            };
            let outcome = deliver.deliver(request).await;
            (attempt, outcome)
        };
        ctx.spawn(
            trying.into_actor(self).map(|(attempt, outcome), this, ctx| this.ended(&attempt, &outcome, ctx)),
        );
    }

    fn ended(&mut self, attempt: &Attempt, outcome: &DeliveryOutcome, ctx: &mut Context<Self>) {
        let taken = outcome.taken();
        metrics::delivered(taken);
        let seq = attempt.event.seq;
        if taken && attempt.earlier.is_none() {
            self.progress.finished(seq);
            self.read(ctx);
            return;
        }
        let failure = self.failure(attempt, outcome);
        let retried = attempt.earlier.as_ref().map(|earlier| earlier.id);
        let writing =
            self.services.writer.write(Batch { failed_deliveries: vec![failure], ..Batch::default() });
        ctx.spawn(writing.into_actor(self).map(move |written, this, ctx| {
            // Only once its row exists may the cursor pass an event that was not taken.
            match (retried, written) {
                (Some(id), _) => {
                    this.retrying.remove(&id);
                    this.retry(ctx);
                }
                (None, Ok(_)) => {
                    this.progress.finished(seq);
                    this.read(ctx);
                }
                (None, Err(_)) => ctx.stop(),
            }
        }));
    }

    fn failure(&self, attempt: &Attempt, outcome: &DeliveryOutcome) -> FailedDelivery {
        let attempts = attempt.earlier.as_ref().map_or(0, |earlier| earlier.attempts) + 1;
        let now = self.services.clock.now();
        let (state, next_at) = if outcome.taken() {
            (DeliveryState::Delivered, now)
        } else {
            after_failure(attempts, now, self.services.jitter())
        };
        let (last_status, last_error) = match outcome {
            DeliveryOutcome::Answered { status, .. } => (Some(*status), None),
            DeliveryOutcome::NoAnswer { error } => (None, Some((*error).to_owned())),
        };
        FailedDelivery {
            id: attempt.earlier.as_ref().map_or_else(|| self.services.ids.next(), |earlier| earlier.id),
            endpoint: self.endpoint.id,
            event_seq: attempt.event.seq,
            attempts,
            state,
            next_at,
            last_status,
            last_error,
        }
    }

    /// Deliveries that failed before and are due. They have a budget of their own, beside the stream's.
    fn retry(&mut self, ctx: &mut Context<Self>) {
        let budget = self.services.config.deliveries_in_flight.get();
        if self.looking_up || self.secret.is_none() || self.retrying.len() >= budget as usize {
            return;
        }
        self.looking_up = true;
        let (store, id, now) =
            (Arc::clone(&self.services.store), self.endpoint.id, self.services.clock.now());
        let looking = async move {
            let mut attempts = Vec::new();
            for earlier in store.due_deliveries(id, now, budget * 2).await? {
                if let Some(event) = store.event_by_seq(earlier.event_seq).await? {
                    attempts.push(Attempt { event, earlier: Some(earlier) });
                }
            }
            Ok::<_, domain::contracts::store::StoreError>(attempts)
        };
        ctx.spawn(looking.into_actor(self).map(move |found, this, ctx| {
            this.looking_up = false;
            for attempt in found.unwrap_or_default() {
                let Some(id) = attempt.earlier.as_ref().map(|earlier| earlier.id) else { continue };
                if this.retrying.len() < budget as usize && this.retrying.insert(id) {
                    this.attempt(attempt, ctx);
                }
            }
        }));
    }

    fn save(&mut self, ctx: &mut Context<Self>) {
        let Some(cursor) = self.progress.unsaved() else { return };
        let progress = vec![DeliveryProgress { endpoint: self.endpoint.id, cursor }];
        let writing = self.services.writer.write(Batch { progress, ..Batch::default() });
        ctx.spawn(writing.into_actor(self).map(|written, _, ctx| {
            if written.is_err() {
                ctx.stop();
            }
        }));
    }
}

impl Actor for EndpointActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.open_secret(ctx);
        ctx.run_interval(SAVE, Self::save);
        ctx.run_interval(LOOK, |this, ctx| {
            this.wanted = Wanted::Look;
            this.read(ctx);
            this.retry(ctx);
        });
    }
}

/// There may be something new.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub(crate) struct News;

impl Handler<News> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: News, ctx: &mut Self::Context) {
        self.wanted = self.wanted.max(Wanted::More);
        if self.gathering {
            return;
        }
        self.gathering = true;
        ctx.run_later(GATHER, |this, ctx| {
            this.gathering = false;
            this.read(ctx);
        });
    }
}

/// Something that failed may go again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retry;

impl Handler<Retry> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: Retry, ctx: &mut Self::Context) {
        self.retry(ctx);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

impl Handler<Close> for EndpointActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        self.save(ctx);
        ctx.stop();
    }
}
