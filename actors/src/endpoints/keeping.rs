//! What an endpoint writes down: rows, its cursor, samples, how it fares; and whom it tells when that changes.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::contracts::deliveries::DeliveryWrite;
use domain::contracts::store::{Batch, DeliveryProgress};
use domain::endpoint::{DeliveryState, EndpointHealth, FailedDelivery, OrderKey};
use domain::ids::BusinessKey;
use uuid::Uuid;

use super::actor::{A_MOMENT, EndpointActor};
use super::alert;
use super::missed::Gap;
use super::order::{Order, key_before_new};
use super::samples::Sample;
use crate::apart::Apart as _;
use crate::metrics;
use crate::services::Services;
use crate::stream::OpenedEvent;

/// How often the cursor is written down while events are delivered …
const SAVE: Duration = Duration::from_millis(250);
/// … and while it only moves past what the endpoint does not want.
const SAVE_IDLE: Duration = Duration::from_secs(5);
/// How often samples of what was taken are written down.
const SAMPLE: Duration = Duration::from_secs(5);
/// How often rows are counted while there is no room for more contacts.
const COUNT: Duration = Duration::from_secs(10);
/// Delivered rows that are kept of an endpoint.
const DELIVERED_KEPT: u32 = 100;

/// What may go on once rows are durable.
#[derive(Debug, Default)]
pub(super) struct Passing {
    /// Events that the cursor may pass.
    stream: Vec<i64>,
    /// A row that was under way again.
    retried: Option<Retried>,
}

#[derive(Debug)]
struct Retried {
    row: Uuid,
    event_seq: i64,
    /// Of the contact whose new events wait for it.
    key: Option<OrderKey>,
}

impl Passing {
    pub(super) fn stream(events: Vec<i64>) -> Self {
        Self { stream: events, ..Self::default() }
    }

    pub(super) fn retried(row: &FailedDelivery) -> Self {
        let retried = Retried { row: row.id, event_seq: row.event_seq, key: key_before_new(row) };
        Self { stream: Vec::new(), retried: Some(retried) }
    }
}

impl EndpointActor {
    pub(super) fn write_rows(&mut self, rows: Vec<DeliveryWrite>, passing: Passing, ctx: &mut Context<Self>) {
        let next = rows.iter().filter(|row| row.delivery.state == DeliveryState::Retrying);
        let next = next.map(|row| row.delivery.next_at).min();
        let config = &self.services.config.deliveries;
        if let Some(over_at) = rows.iter().filter_map(|row| config.over_at(&row.delivery)).min() {
            self.retrying.over_by(over_at);
        }
        let new = if passing.retried.is_none() { self.take_in_hand(&rows) } else { Vec::new() };
        let (store, account) = (Arc::clone(&self.services.store), self.endpoint.account);
        let retried = passing.retried.as_ref().map(|retried| retried.row);
        let writing = self.services.writer.write(Batch { failed_deliveries: rows, ..Batch::default() });
        let writing = async move {
            writing.await.ok()?;
            // Somebody may have asked for it once more during the try, which then counts for nothing.
            match retried {
                Some(row) => store.delivery(account, row).await.ok(),
                None => Some(None),
            }
        };
        ctx.spawn(writing.apart(self).map(move |written, this, ctx| {
            let Some(row) = written else {
                // Nobody knows what is written: begin again from what is.
                ctx.stop();
                return;
            };
            for seq in passing.stream {
                this.progress.finished(seq);
            }
            for key in new {
                this.put_down(key);
            }
            if let Some(next) = next {
                this.retrying.look_by(next);
            }
            if let Some(retried) = passing.retried {
                this.was_retried(&retried, row);
            }
            this.save_later(false, ctx);
            this.pump(ctx);
        }));
    }

    /// With the row as it is now.
    fn was_retried(&mut self, retried: &Retried, row: Option<FailedDelivery>) {
        let waits = row.filter(|row| row.state == DeliveryState::Retrying);
        // Where it ended the next of its contact may be due by that.
        let next = waits.as_ref().map_or_else(|| self.services.clock.now(), |row| row.next_at);
        self.retrying.look_by(next);
        self.end_again(retried.event_seq, retried.key);
        let Some(key) = retried.key else { return };
        if let Some(order) = &mut self.order
            && waits.as_ref().and_then(key_before_new).is_none()
        {
            order.settled(key);
        }
    }

    /// The contacts of new rows.
    fn take_in_hand(&mut self, rows: &[DeliveryWrite]) -> Vec<OrderKey> {
        let Some(order) = &mut self.order else { return Vec::new() };
        let keys: Vec<_> = rows.iter().filter_map(|row| key_before_new(&row.delivery)).collect();
        for key in &keys {
            order.in_hand(*key);
        }
        keys
    }

    pub(super) fn put_down(&mut self, key: OrderKey) {
        if let Some(order) = &mut self.order {
            order.put_down(key);
        }
    }

    /// `idle`: the cursor moves without a delivery.
    pub(super) fn save_later(&mut self, idle: bool, ctx: &mut Context<Self>) {
        if let Some((known_idle, handle)) = self.saving {
            if idle || !known_idle {
                return;
            }
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(if idle { SAVE_IDLE } else { SAVE }, |this, ctx| {
            this.saving = None;
            this.save_cursor(ctx);
        });
        self.saving = Some((idle, handle));
    }

    pub(super) fn save_cursor(&mut self, ctx: &mut Context<Self>) {
        let Some(cursor) = self.progress.unsaved() else { return };
        let progress = vec![DeliveryProgress { endpoint: self.endpoint.id, cursor }];
        let writing = self.services.writer.write(Batch { progress, ..Batch::default() });
        ctx.spawn(writing.into_actor(self).map(|written, _, ctx| {
            if written.is_err() {
                ctx.stop();
            }
        }));
    }

    pub(super) fn sample(&mut self, sample: Sample, ctx: &mut Context<Self>) {
        if self.samples.add(sample) {
            ctx.run_later(SAMPLE, |this, ctx| {
                let samples = this.samples.take();
                let writing = write_samples(this.services.clone(), this.endpoint.id, samples);
                ctx.spawn(writing.apart(this).map(|(), _, _| ()));
            });
        }
    }

    /// It took one: everything that failed meanwhile goes again, at once and as fast as it may.
    pub(super) fn recovered(&mut self, event: &Arc<OpenedEvent>, ctx: &mut Context<Self>) {
        self.again_to = self.again_to.max(self.services.stream.end());
        self.health_changed(event, ctx);
        let (store, id, now) =
            (Arc::clone(&self.services.store), self.endpoint.id, self.services.clock.now());
        let making_due = async move { store.make_due(id, now).await };
        ctx.spawn(making_due.apart(self).map(move |made, this, ctx| {
            if let Err(error) = made {
                tracing::warn!(endpoint.id = %id, %error, "failed deliveries wait for their time");
            }
            this.retrying.look_by(this.services.clock.now());
            this.pump(ctx);
        }));
    }

    /// Written down, counted, and told to the owner where he can do something about it.
    pub(super) fn health_changed(&mut self, event: &Arc<OpenedEvent>, ctx: &mut Context<Self>) {
        let health = self.health.state();
        let before = std::mem::replace(&mut self.endpoint.health, health);
        self.missed.fares(health);
        metrics::endpoint_is(health.as_str());
        tracing::warn!(endpoint.id = %self.endpoint.id, health = health.as_str(), "an endpoint fares otherwise than before");
        let stopped = |health| matches!(health, EndpointHealth::Parked { .. } | EndpointHealth::Gone { .. });
        let worth_an_alert = stopped(health) || stopped(before);
        let (services, id, event) = (self.services.clone(), self.endpoint.id, Arc::clone(event));
        let keeping = async move {
            while let Err(error) = services.store.save_health(id, health).await {
                tracing::warn!(endpoint.id = %id, %error, "how an endpoint fares cannot be written now");
                services.clock.sleep(A_MOMENT).await;
            }
            if worth_an_alert {
                alert::tell(&services, id, health, &event).await;
            }
        };
        // One after the other, so that the last word is the last that is written.
        ctx.wait(keeping.into_actor(self).map(|(), _, _| ()));
    }

    /// It goes on behind the gap. That is written down with the alert, so that one gap is told of once.
    pub(super) fn missed_events(&mut self, gap: Gap, seen_by: Option<BusinessKey>, ctx: &mut Context<Self>) {
        metrics::endpoint_missed_events();
        tracing::warn!(endpoint.id = %self.endpoint.id, kept_from = %gap.oldest.1, "an endpoint missed events that are kept no longer");
        let (services, endpoint) = (self.services.clone(), self.endpoint.clone());
        let telling = async move { alert::tell_missed(&services, &endpoint, gap, seen_by).await };
        ctx.wait(telling.into_actor(self).map(|told, _, ctx| {
            if !told {
                // What is not written down is found once more.
                ctx.stop();
            }
        }));
    }

    /// Counts in the store how many rows each contact has.
    pub(super) fn count_again(&mut self, ctx: &mut Context<Self>) {
        if self.retrying.is_looking() || !self.order.as_mut().is_some_and(Order::begin_count) {
            return;
        }
        let (store, id) = (Arc::clone(&self.services.store), self.endpoint.id);
        let counting = async move { store.waiting_deliveries(id).await };
        ctx.spawn(counting.apart(self).map(|counted, this, ctx| {
            if let Err(error) = &counted {
                tracing::warn!(endpoint.id = %this.endpoint.id, %error, "failed deliveries cannot be counted now");
            }
            if let Some(order) = &mut this.order {
                order.counted(counted.ok());
            }
            this.count_from = this.services.clock.now().plus(COUNT);
            this.pump(ctx);
        }));
    }

    /// More contacts wait than there is memory for: perhaps some do no more.
    pub(super) fn make_room(&mut self, ctx: &mut Context<Self>) {
        if self.count_from > self.services.clock.now() {
            self.wake_at(self.count_from, ctx);
        } else {
            self.count_again(ctx);
        }
    }

    /// Its owner, or another process, may have said that it is back.
    pub(super) fn read_health(&self, ctx: &mut Context<Self>) {
        let (store, account, id) =
            (Arc::clone(&self.services.store), self.endpoint.account, self.endpoint.id);
        let reading = async move { store.endpoint(account, id).await };
        ctx.wait(reading.into_actor(self).map(|read, this, ctx| {
            if read.is_ok_and(|row| row.is_some_and(|row| row.health == EndpointHealth::Taking)) {
                this.endpoint.health = EndpointHealth::Taking;
                this.health.resumed();
                this.missed.fares(EndpointHealth::Taking);
                this.again_to = this.again_to.max(this.services.stream.end());
                this.pump(ctx);
            }
        }));
    }
}

async fn write_samples(services: Services, endpoint: domain::EndpointId, samples: Vec<Sample>) {
    let mut rows = Vec::with_capacity(samples.len());
    for Sample { event_seq, business, tried } in samples {
        let id = services.ids.next();
        let attempt = tried.kept(&services.keychain, business, id).await;
        let delivery = FailedDelivery {
            id,
            endpoint,
            event_seq,
            attempts: 1,
            state: DeliveryState::Delivered,
            next_at: attempt.at,
            order_key: None,
            replayed: false,
            last_status: attempt.status,
            last_error: None,
        };
        rows.push(DeliveryWrite { delivery, attempt: Some(attempt) });
    }
    // For whoever looks, and for nothing else: what cannot be written is left.
    if services.writer.write(Batch { failed_deliveries: rows, ..Batch::default() }).await.is_ok() {
        let _ = services.store.trim_deliveries(endpoint, DELIVERED_KEPT).await;
    }
}
