//! One post of one event, and what follows from its outcome.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::deliver::{Answer, Deliver, DeliveryOutcome, DeliveryRequest};
use domain::contracts::deliveries::DeliveryWrite;
use domain::contracts::store::Store;
use domain::endpoint::{DeliveryAttempt, DeliveryState, EndpointFormat, FailedDelivery};

use super::actor::{EndpointActor, Pending};
use super::envelope;
use super::health::Which;
use super::keeping::Passing;
use super::number::Number;
use super::order::key_before_new;
use super::payload::{self, NotAnObject};
use super::samples::Sample;
use super::schedule::Tries;
use super::target::Target;
use crate::apart::Apart as _;
use crate::keychain::{Keychain, column};
use crate::metrics;
use crate::services::Services;
use crate::stream::OpenedEvent;

/// The endpoint is gone for good, says Standard Webhooks.
const GONE: u16 = 410;

/// A post that ended.
pub(super) struct Tried {
    at: Timestamp,
    /// When the event was tried first.
    first: Timestamp,
    latency: Duration,
    outcome: DeliveryOutcome,
}

impl Tried {
    fn latency_ms(&self) -> u32 {
        u32::try_from(self.latency.as_millis()).unwrap_or(u32::MAX)
    }

    /// What it came to, in the words of a row.
    fn told(&self) -> (Option<u16>, Option<String>) {
        match &self.outcome {
            DeliveryOutcome::Answered(answer) => (Some(answer.status), None),
            DeliveryOutcome::NoAnswer { error } => (None, Some((*error).to_owned())),
        }
    }

    /// The answer is sealed, since it may repeat what it was sent. One that cannot be sealed is not kept.
    pub(super) async fn kept(
        &self,
        keychain: &Keychain,
        owner: domain::BusinessKey,
        delivery: uuid::Uuid,
    ) -> DeliveryAttempt {
        let (latency_ms, (status, error)) = (self.latency_ms(), self.told());
        let answer = match &self.outcome {
            DeliveryOutcome::Answered(answer) if !answer.body.is_empty() => {
                keychain.seal(owner, delivery, column::DELIVERY_ANSWER, &answer.body).await.ok()
            }
            _ => None,
        };
        DeliveryAttempt { at: self.at, latency_ms, status, error, answer }
    }
}

impl EndpointActor {
    pub(super) fn post_ready(&mut self, most: usize, ctx: &mut Context<Self>) {
        while self.posting < most {
            let Some(pending) = self.ready.pop_front() else { return };
            self.posting += 1;
            self.post(pending, None, ctx);
        }
    }

    /// `earlier` is the row of an event that has one.
    pub(super) fn post(
        &mut self,
        pending: Pending,
        earlier: Option<FailedDelivery>,
        ctx: &mut Context<Self>,
    ) {
        let Some(target) = self.target.clone() else { return };
        let again = earlier.is_some() || pending.event.seq <= self.again_to;
        let (services, deliver) = (self.services.clone(), Arc::clone(&self.deliver));
        let posting = async move {
            let posted = match body(&services, target.format, &pending.event, again).await {
                Ok(body) => {
                    let parcel = Parcel { target, body, pending: &pending, earlier: earlier.as_ref() };
                    Some(parcel.post(&services, &*deliver).await)
                }
                Err(NotAnObject) => None,
            };
            (posted, pending, earlier)
        };
        ctx.spawn(posting.apart(self).map(|(posted, pending, earlier), this, ctx| match posted {
            Some((tried, kept)) => this.ended(tried, kept, pending, earlier, ctx),
            None => this.unreadable(&pending, earlier, ctx),
        }));
    }

    fn ended(
        &mut self,
        tried: Tried,
        kept: Option<Kept>,
        pending: Pending,
        earlier: Option<FailedDelivery>,
        ctx: &mut Context<Self>,
    ) {
        if earlier.is_none() {
            self.posting -= 1;
        }
        let taken = tried.outcome.taken();
        metrics::delivered(taken);
        if taken && self.health.taken() {
            self.recovered(&pending.event, ctx);
        }
        match (kept, &tried.outcome) {
            (None, _) => self.taken(tried, &pending, ctx),
            (Some(kept), outcome) if outcome.taken() => {
                let row = earlier.unwrap_or_else(|| self.held(&pending));
                let state = DeliveryState::Delivered;
                let row = FailedDelivery { attempts: row.attempts + 1, state, next_at: tried.at, ..row };
                let passing = Passing::retried(&row);
                self.write_rows(vec![with_try(&row, kept)], passing, ctx);
            }
            (_, DeliveryOutcome::Answered(Answer { status: GONE, .. })) => {
                self.gone(pending, earlier.as_ref(), ctx);
            }
            (Some(kept), _) => self.failed(&tried, kept, &pending, earlier, ctx),
        }
        self.pump(ctx);
    }

    /// At the first try: nothing is written but the cursor.
    fn taken(&mut self, tried: Tried, pending: &Pending, ctx: &mut Context<Self>) {
        let event_seq = pending.event.seq;
        self.progress.finished(event_seq);
        self.pass_on(pending);
        self.save_later(false, ctx);
        self.sample(Sample { event_seq, business: pending.event.business, tried }, ctx);
    }

    /// What waited behind it in memory may go.
    fn pass_on(&mut self, pending: &Pending) {
        let next = self.order.as_mut().zip(pending.key).and_then(|(order, key)| order.taken(key));
        if let Some(next) = next.and_then(|next| self.waiting.remove(&next)) {
            self.ready.push_back(next);
        }
    }

    fn failed(
        &mut self,
        tried: &Tried,
        kept: Kept,
        pending: &Pending,
        earlier: Option<FailedDelivery>,
        ctx: &mut Context<Self>,
    ) {
        let services = self.services.clone();
        let config = &services.config.deliveries;
        let now = services.clock.now();
        let retry_after = match &tried.outcome {
            DeliveryOutcome::Answered(answer) => answer.retry_after.map(|wait| config.capped(wait)),
            DeliveryOutcome::NoAnswer { .. } => None,
        };
        let alone = retry_after.map(|wait| now.plus(wait));
        let new = earlier.is_none();
        let which = if new { Which::New } else { Which::Again };
        if self.health.failed(which, now, alone, config, services.jitter()) {
            self.health_changed(&pending.event, ctx);
        }
        let row = earlier.unwrap_or_else(|| self.held(pending));
        let attempts = row.attempts + 1;
        let so_far = Tries { count: attempts, first: tried.first };
        let (state, next_at) = config.after_failure(so_far, now, retry_after, services.jitter());
        let row = FailedDelivery { attempts, state, next_at, ..row };
        if !new {
            let passing = Passing::retried(&row);
            self.write_rows(vec![with_try(&row, kept)], passing, ctx);
            return;
        }
        let behind = self.hold_behind(pending, state);
        let passed = std::iter::once(pending).chain(&behind).map(|pending| pending.event.seq).collect();
        let behind = behind.iter().map(|pending| DeliveryWrite::from(self.held(pending)));
        let rows = std::iter::once(with_try(&row, kept)).chain(behind).collect();
        self.write_rows(rows, Passing::stream(passed), ctx);
    }

    /// Those that waited behind an event of the stream that gets a row: they get one too, unless it holds up nobody.
    fn hold_behind(&mut self, pending: &Pending, state: DeliveryState) -> Vec<Pending> {
        if state == DeliveryState::Parked {
            self.pass_on(pending);
            return Vec::new();
        }
        let behind = self.order.as_mut().zip(pending.key).map(|(order, key)| order.failed(key));
        behind.unwrap_or_default().iter().filter_map(|seq| self.waiting.remove(seq)).collect()
    }

    /// Everything stays as it is, until the owner says that the endpoint is back.
    fn gone(&mut self, pending: Pending, earlier: Option<&FailedDelivery>, ctx: &mut Context<Self>) {
        let now = self.services.clock.now();
        if self.health.gone(now) {
            self.health_changed(&pending.event, ctx);
        }
        if let Some(row) = earlier {
            self.end_again(row.event_seq, key_before_new(row));
            self.retrying.look_by(now);
        } else {
            self.ready.push_front(pending);
        }
    }

    /// What no key opens is not posted: it is shown among the parked.
    fn unreadable(&mut self, pending: &Pending, earlier: Option<FailedDelivery>, ctx: &mut Context<Self>) {
        tracing::error!(endpoint.id = %self.endpoint.id, event.id = %pending.event.id, "an event cannot be decrypted");
        let new = earlier.is_none();
        let row = earlier.unwrap_or_else(|| self.held(pending)).given_up("event_undecryptable");
        let passing = if new {
            self.posting -= 1;
            self.pass_on(pending);
            Passing::stream(vec![pending.event.seq])
        } else {
            Passing::retried(&row)
        };
        self.write_rows(vec![row.into()], passing, ctx);
    }
}

async fn body(
    services: &Services,
    format: EndpointFormat,
    event: &OpenedEvent,
    again: bool,
) -> Result<Vec<u8>, NotAnObject> {
    match format {
        EndpointFormat::Standard => payload::standard(event, again),
        EndpointFormat::CloudApi => envelope::write(event, &Number::look_up(services, event).await),
    }
}

/// An event that is ready to go.
struct Parcel<'a> {
    target: Target,
    body: Vec<u8>,
    pending: &'a Pending,
    earlier: Option<&'a FailedDelivery>,
}

impl Parcel<'_> {
    async fn post(self, services: &Services, deliver: &dyn Deliver) -> (Tried, Option<Kept>) {
        let Self { target, body, pending, earlier } = self;
        let at = services.clock.now();
        let request = DeliveryRequest {
            secrets: target.secrets(at),
            url: target.url,
            format: target.format,
            event: pending.event.id,
            at,
            body,
        };
        let begun = services.clock.boottime();
        let outcome = deliver.deliver(request).await;
        let latency = services.clock.boottime().saturating_sub(begun);
        let first = match earlier {
            Some(row) if !outcome.taken() => first_try(&*services.store, row).await.unwrap_or(at),
            _ => at,
        };
        let tried = Tried { at, first, latency, outcome };
        if earlier.is_none() && tried.outcome.taken() {
            return (tried, None);
        }
        // Before its outcome is known to anybody, since rows of one contact are written in their order.
        let id = earlier.map_or_else(|| services.ids.next(), |earlier| earlier.id);
        let kept = tried.kept(&services.keychain, pending.event.business, id).await;
        (tried, Some((id, kept)))
    }
}

/// Since it was last asked for, as far as its tries are kept. Without it the row is judged by their number alone.
async fn first_try(store: &dyn Store, row: &FailedDelivery) -> Option<Timestamp> {
    let tries = store.delivery_attempts(row.id).await.ok()?;
    let counted = tries.len().min(row.attempts as usize);
    tries.get(tries.len() - counted).map(|attempt| attempt.at)
}

/// The row that a try is kept with, and the try.
type Kept = (uuid::Uuid, DeliveryAttempt);

fn with_try(row: &FailedDelivery, (id, attempt): Kept) -> DeliveryWrite {
    let (last_status, last_error) = (attempt.status, attempt.error.clone());
    let delivery = FailedDelivery { id, last_status, last_error, ..*row };
    DeliveryWrite { delivery, attempt: Some(attempt) }
}
