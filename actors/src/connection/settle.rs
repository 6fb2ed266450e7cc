//! Writes down what came of a claim, and what we decide ourselves. In memory a message moves when the store has it.

use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::connection::Connection as Row;
use domain::contracts::provider::ProviderError;
use domain::contracts::store::{Batch, Committed, StoreError, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent};
use domain::ids::MessageId;
use domain::message::{MessageStatus, Order};
use domain::outbox::{Claim, Happening, OutboxState, StateCode};

use super::actor::Connection;
use super::history;
use super::lanes::{Entry, lane};
use super::messages::Cancellation;
use crate::apart::Apart as _;
use crate::keychain::column;
use crate::services::Services;
use crate::writer::WriteError;

/// The provider has the message that was posted under this claim.
pub(super) struct Receipt {
    pub(super) claim: Claim,
    pub(super) provider_id: String,
}

impl Connection {
    pub(super) fn sent(&mut self, entry: Entry, receipt: Receipt, ctx: &mut Context<Self>) {
        let Some(opened) = self.opened.clone() else { return };
        self.lanes.busy(entry.lane, entry.id);
        let services = self.services.clone();
        let writing = async move { write_receipt(&services, &opened.connection, &entry, &receipt).await };
        ctx.spawn(writing.into_actor(self).map(move |written, this, ctx| match written {
            Some(true) => {
                this.moved(&entry, OutboxState::Sent { attempts: entry.state.attempts() });
                this.pump(ctx);
            }
            Some(false) => this.reread(entry, ctx),
            None => this.start_over(ctx),
        }));
    }

    /// Writes a move that is not an end reported by ourselves, then makes it in memory.
    pub(super) fn settle(
        &mut self,
        entry: Entry,
        happening: Happening,
        reason: &str,
        error: Option<&ProviderError>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(next) = entry.state.after(happening) else { return };
        let Some(opened) = &self.opened else { return };
        let mut transition = transition(&opened.connection, &entry, next, self.now(), reason, error);
        // A report that is being committed at this moment must win.
        transition.unless_reported = happening == Happening::ProvenUnsent;
        self.lanes.busy(entry.lane, entry.id);
        let written = self.services.writer.write(Batch { transitions: vec![transition], ..Batch::default() });
        ctx.spawn(written.into_actor(self).map(move |written, this, ctx| match applied(&written) {
            Some(true) => {
                this.moved(&entry, next);
                if next.code() == StateCode::Ambiguous {
                    this.review(ctx);
                }
                this.pump(ctx);
            }
            Some(false) => this.reread(entry, ctx),
            None => this.start_over(ctx),
        }));
    }

    /// Ends a message by our own decision: the outcome is written together with the event that tells of it.
    pub(super) fn finish(
        &mut self,
        entry: Entry,
        happening: Happening,
        reason: &'static str,
        error: Option<ProviderError>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(next) = entry.state.after(happening) else { return };
        let Some(opened) = &self.opened else { return };
        let transition = transition(&opened.connection, &entry, next, self.now(), reason, error.as_ref());
        let ending = end(self.services.clone(), Arc::clone(&opened.connection), transition, reason, error);
        // Out of the way in memory, so that it is not decided twice; the store has the last word.
        self.lanes.busy(entry.lane, entry.id);
        ctx.spawn(ending.apart(self).map(move |ended, this, ctx| match ended {
            Ok(true) => {
                this.moved(&entry, next);
                this.pump(ctx);
            }
            Ok(false) => this.reread(entry, ctx),
            Err(_) => this.start_over(ctx),
        }));
    }

    /// The store has the message in this state now.
    pub(super) fn moved(&mut self, entry: &Entry, next: OutboxState) {
        self.tally.moved(entry.state, next, entry.expires_at);
        let arrived = self.lanes.get(entry.lane, entry.id).is_some_and(|entry| entry.arrived);
        self.lanes.moved(entry.lane, entry.id, next);
        self.services.outcomes.moved(entry.id);
        let holds = entry.order == Order::Delivered && next.code() == StateCode::Sent && !arrived;
        if holds {
            let until = self.now().plus(self.services.config.delivered_order_timeout());
            self.lanes.hold(entry.lane, entry.id, until);
        }
    }

    /// The store knows better: take its word for one message. One that waits for its next attempt and was reported
    /// all the same is over.
    pub(super) fn reread(&mut self, entry: Entry, ctx: &mut Context<Self>) {
        let Some(opened) = self.opened.clone() else { return };
        let store = Arc::clone(&self.services.store);
        let reading = async move {
            let Some(stored) = store.message(opened.connection.account, entry.id).await? else {
                return Ok(None);
            };
            let reports = store.reports(&[(opened.connection.id, entry.id)]).await?;
            let reported = DeliveryStatus::of_reports(reports.into_iter().map(|report| report.status));
            Ok::<_, StoreError>(Some((stored.state, reported)))
        };
        ctx.spawn(reading.apart(self).map(move |stored, this, ctx| match stored {
            Ok(Some((state, reported))) if state.code() != StateCode::Sending => {
                this.moved(&entry, state);
                if let Some(status) = reported.filter(|_| !state.code().is_final()) {
                    let entry = Entry { state, ..entry };
                    this.settle(entry, Happening::Reported(status), "reported_by_provider", None, ctx);
                }
                this.pump(ctx);
            }
            _ => this.start_over(ctx),
        }));
    }

    pub(super) fn cancel(
        &mut self,
        id: MessageId,
    ) -> ResponseActFuture<Self, Result<Cancellation, WriteError>> {
        let cancelling = cancelling(self.services.clone(), self.opened.clone(), id, self.now());
        Box::pin(cancelling.apart(self).map(|cancelled, this, ctx| {
            let Some((entry, next)) = cancelled? else { return Ok(Cancellation::TooLate) };
            this.moved(&entry, next);
            this.pump(ctx);
            Ok(Cancellation::Cancelled)
        }))
    }
}

/// Cancels in the store, which knows the state for certain; answers the message and its new state, or nothing when it
/// is too late.
async fn cancelling(
    services: Services,
    opened: Option<Arc<super::credentials::Opened>>,
    id: MessageId,
    now: Timestamp,
) -> Result<Option<(Entry, OutboxState)>, WriteError> {
    let opened = opened.ok_or(WriteError::Unavailable)?;
    let stored = services.store.message(opened.connection.account, id).await.map_err(unavailable)?;
    let Some(stored) = stored else { return Ok(None) };
    let Ok(next) = stored.state.after(Happening::CancelRequested) else { return Ok(None) };
    let entry = Entry {
        id,
        seq: stored.seq,
        lane: lane(stored.order, stored.lane, id),
        recipient: stored.lane,
        priority: stored.priority,
        order: stored.order,
        on_ambiguous: stored.on_ambiguous,
        state: stored.state,
        expires_at: stored.expires_at,
        busy: false,
        arrived: false,
    };
    let transition = transition(&opened.connection, &entry, next, now, "cancelled", None);
    let done = end(services, Arc::clone(&opened.connection), transition, "cancelled", None).await?;
    Ok(done.then_some((entry, next)))
}

/// Writes that the provider has the message, also when it was given up meanwhile as of unknown outcome: the answer of
/// the very claim is better knowledge. `None`: the store did not answer.
pub(super) async fn write_receipt(
    services: &Services,
    connection: &Row,
    entry: &Entry,
    receipt: &Receipt,
) -> Option<bool> {
    let believed = [
        (OutboxState::Sending(receipt.claim), "sent"),
        (OutboxState::Ambiguous(receipt.claim), "answered_late"),
    ];
    for (state, reason) in believed {
        let entry = Entry { state, ..*entry };
        let Ok(next) = state.after(Happening::ProviderAccepted) else { continue };
        let mut transition = transition(connection, &entry, next, services.clock.now(), reason, None);
        transition.provider_id = Some(receipt.provider_id.clone());
        let batch = Batch { transitions: vec![transition], ..Batch::default() };
        if applied(&services.writer.write(batch).await)? {
            return Some(true);
        }
    }
    Some(false)
}

pub(super) fn transition(
    connection: &Row,
    entry: &Entry,
    to: OutboxState,
    at: Timestamp,
    reason: &str,
    error: Option<&ProviderError>,
) -> Transition {
    Transition {
        message: entry.id,
        connection: connection.id,
        partition: connection.partition,
        from: entry.state,
        to,
        provider_id: None,
        error: error.and_then(|error| serde_json::to_string(error).ok()),
        at,
        unless_reported: false,
        timeline: history::lines(entry.state, to, at, reason, error),
    }
}

/// Commits an ending that we decided ourselves, with the event that tells of it.
pub(super) async fn end(
    services: Services,
    connection: Arc<Row>,
    transition: Transition,
    reason: &'static str,
    error: Option<ProviderError>,
) -> Result<bool, WriteError> {
    let (id, at) = (transition.message, transition.at);
    let stored = services.store.message(connection.account, id).await.map_err(unavailable)?;
    let recipient = stored.map(|stored| stored.recipient).unwrap_or_default();
    let status = MessageStatus::of(transition.to.code(), None);
    let data = history::own_status(id, &recipient, status, at, reason, error.as_ref()).to_string();
    let event_id = history::own_status_id(&connection, id, status);
    let body = services
        .keychain
        .seal(connection.business, event_id.uuid(), column::EVENT_BODY, data.as_bytes())
        .await
        .map_err(unavailable)?;
    let event = NewEvent {
        with_transition: true,
        id: event_id,
        event_type: EventType::MessageStatus,
        account: connection.account,
        business: connection.business,
        connection: Some(connection.id),
        message: Some(id),
        status: None,
        occurred_at: at,
        body,
    };
    let batch = Batch { transitions: vec![transition], events: vec![event], ..Batch::default() };
    let committed = services.writer.write(batch).await?;
    services.news.send_replace(());
    Ok(committed.transitions.first().copied().unwrap_or(false))
}

pub(super) fn applied(written: &Result<Committed, WriteError>) -> Option<bool> {
    written.as_ref().ok().map(|committed| committed.transitions.first().copied().unwrap_or(false))
}

fn unavailable<E: std::error::Error>(error: E) -> WriteError {
    tracing::warn!(%error, "an ending could not be written");
    WriteError::Unavailable
}
