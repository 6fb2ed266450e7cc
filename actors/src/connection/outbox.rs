//! Claims due rows, posts them, writes down what came of it.
//!
//! The order is always: commit the claim, check the deadline, post once, commit the outcome, and only then let the
//! next message of the lane go.

use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::connection::ConnectionStatus;
use domain::contracts::provider::{ProviderError, SendError, SendReceipt, SendRequest};
use domain::contracts::store::{Batch, StoredMessage, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent};
use domain::ids::MessageId;
use domain::message::{Echo, MessageStatus};
use domain::outbox::{Evidence, Happening, OutboxState, StateCode, settle};

use super::actor::Connection;
use super::history;
use super::lanes::{Entry, Snapshot};
use super::messages::Cancellation;
use super::retry::judge;
use crate::keychain::{SealError, column};
use crate::metrics;
use crate::services::Services;
use crate::writer::WriteError;

/// Rows read from the store at a time.
pub(super) const READ: u32 = 128;

/// What became of a claim.
enum Posted {
    /// The provider was asked.
    Answered(Result<SendReceipt, SendError>),
    /// The provider was not asked, and the lease is why.
    NotOurs,
    /// The provider was not asked: the message itself cannot be read now, or ever.
    Unreadable { for_good: bool, reason: &'static str },
}

impl Connection {
    /// Claims and posts whatever may go now, and reads on when memory has room.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        self.read_on(ctx);
        self.dispatch(ctx);
    }

    fn dispatch(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        self.lanes.join_due(now);
        while self.may_post() {
            let Some(entry) = self.lanes.next_due(now) else { break };
            if entry.expires_at <= now {
                self.finish(entry, Happening::Expired, "expired", None, ctx);
                continue;
            }
            if let Err(wait) = self.limiter.take() {
                self.wake_at(now.plus(wait), ctx);
                break;
            }
            self.claim(entry, now, ctx);
        }
        self.settle_down(ctx);
    }

    fn claim(&mut self, entry: Entry, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(connection) = self.opened.as_ref().map(|opened| opened.connection.clone()) else { return };
        let Some(epoch) = self.services.holdings.epoch(connection.partition) else { return };
        let Ok(claimed) = entry.state.after(Happening::Claimed { epoch, at: now }) else { return };
        // In memory at once, so that nobody else takes it; posted only once the store has it.
        self.lanes.moved(entry.id, claimed);
        let transition = transition(&connection, entry.id, entry.state, claimed, now, "claimed", None);
        let written = self.services.writer.write(Batch { transitions: vec![transition], ..Batch::default() });
        ctx.spawn(written.into_actor(self).map(move |written, this, ctx| match applied(&written) {
            Some(true) => this.post(entry.id, None, ctx),
            Some(false) => this.reread(entry.id, ctx),
            None => this.start_over(ctx),
        }));
    }

    /// One claim, one post.
    pub(super) fn post(&mut self, id: MessageId, json: Option<String>, ctx: &mut Context<Self>) {
        let Some(OutboxState::Sending(claim)) = self.lanes.get(id).map(|entry| entry.state) else { return };
        let Some(opened) = self.opened.clone() else { return };
        let (services, generation) = (self.services.clone(), self.opened_generation);
        let echo = Echo { message: id, attempt: claim.attempt };
        let posting = async move {
            let connection = &opened.connection;
            let (Some(token), Some(graph_id)) = (&opened.token, &connection.graph_id) else {
                return Posted::NotOurs;
            };
            let Some(provider) = services.providers.get(&connection.provider) else {
                return Posted::Unreadable { for_good: true, reason: "provider_not_configured" };
            };
            let json = match json {
                Some(json) => json,
                None => match read_body(&services, &opened, id).await {
                    Ok(json) => json,
                    Err(unreadable) => return unreadable,
                },
            };
            if !services.holdings.may_act(connection.partition, &*services.clock) {
                return Posted::NotOurs;
            }
            let request = SendRequest { graph_id, token, message: &json, echo };
            Posted::Answered(provider.send.send(request).await)
        };
        ctx.spawn(posting.into_actor(self).map(move |posted, this, ctx| {
            this.posted(id, posted, generation, ctx);
        }));
    }

    fn posted(&mut self, id: MessageId, posted: Posted, generation: u64, ctx: &mut Context<Self>) {
        let Some(entry) = self.lanes.get(id).copied() else { return };
        let now = self.now();
        let error = match posted {
            Posted::Answered(Ok(receipt)) => {
                metrics::posted("sent");
                self.sent(entry, receipt, ctx);
                return;
            }
            Posted::Answered(Err(error)) => error,
            // Certainly not sent; whoever owns the number now goes on with it, and so may we later.
            Posted::NotOurs => not_sent("lease_lost"),
            Posted::Unreadable { for_good: false, reason } => not_sent(reason),
            Posted::Unreadable { for_good: true, reason } => SendError::Rejected {
                error: ProviderError { message: reason.to_owned(), ..Default::default() },
            },
        };
        let verdict = judge(error, entry.state.attempts(), now, self.services.jitter());
        metrics::posted(verdict.reason);
        tracing::info!(message.id = %id, connection.id = %self.id, outcome = verdict.reason, error = %verdict.error, "a post did not succeed");
        if let Some(pause) = verdict.pause_number {
            self.limiter.pause(pause);
        }
        if verdict.token_dead && generation == self.opened_generation {
            self.lose_token(&verdict.error, ctx);
        }
        if verdict.happening == Happening::Rejected {
            self.finish(entry, Happening::Rejected, verdict.reason, Some(verdict.error), ctx);
            return;
        }
        self.settle(entry, verdict.happening, verdict.reason, Some(&verdict.error), None, ctx);
    }

    fn sent(&mut self, entry: Entry, receipt: SendReceipt, ctx: &mut Context<Self>) {
        self.settle(entry, Happening::ProviderAccepted, "sent", None, Some(receipt.provider_id), ctx);
    }

    /// Writes a move that is not an end reported by ourselves, then makes it in memory.
    fn settle(
        &mut self,
        entry: Entry,
        happening: Happening,
        reason: &str,
        error: Option<&ProviderError>,
        provider_id: Option<String>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(next) = entry.state.after(happening) else { return };
        self.lanes.held(entry.id);
        let Some(opened) = &self.opened else { return };
        let mut transition =
            transition(&opened.connection, entry.id, entry.state, next, self.now(), reason, error);
        transition.provider_id = provider_id;
        let written = self.services.writer.write(Batch { transitions: vec![transition], ..Batch::default() });
        ctx.spawn(written.into_actor(self).map(move |written, this, ctx| match applied(&written) {
            Some(true) => {
                this.lanes.moved(entry.id, next);
                if next.code() == StateCode::Ambiguous {
                    this.review(ctx);
                }
                this.pump(ctx);
            }
            Some(false) => this.reread(entry.id, ctx),
            None => this.start_over(ctx),
        }));
    }

    /// Ends a message by our own decision: the outcome is written together with the event that tells of it.
    fn finish(
        &mut self,
        entry: Entry,
        happening: Happening,
        reason: &'static str,
        error: Option<ProviderError>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(next) = entry.state.after(happening) else { return };
        // Out of the way in memory, so that it is not decided twice; the store has the last word.
        self.lanes.held(entry.id);
        let Some(connection) = self.opened.as_ref().map(|opened| opened.connection.clone()) else { return };
        let transition =
            transition(&connection, entry.id, entry.state, next, self.now(), reason, error.as_ref());
        let ending = end(self.services.clone(), connection, transition, reason, error);
        ctx.spawn(ending.into_actor(self).map(move |ended, this, ctx| match ended {
            Ok(true) => {
                this.lanes.moved(entry.id, next);
                this.pump(ctx);
            }
            Ok(false) => this.reread(entry.id, ctx),
            Err(_) => this.start_over(ctx),
        }));
    }

    /// Messages whose time is over before they were claimed.
    pub(super) fn expire(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        for entry in self.lanes.expired(now) {
            self.finish(entry, Happening::Expired, "expired", None, ctx);
        }
    }

    pub(super) fn cancel(
        &mut self,
        id: MessageId,
    ) -> ResponseActFuture<Self, Result<Cancellation, WriteError>> {
        let entry = self.lanes.get(id).copied();
        if entry.is_some_and(|entry| entry.state.after(Happening::CancelRequested).is_err()) {
            return Box::pin(actix::fut::ready(Ok(Cancellation::TooLate)));
        }
        let cancelling = self.cancelling(id);
        Box::pin(cancelling.into_actor(self).map(move |cancelled, this, ctx| {
            let cancelled = cancelled?;
            if let Some(next) = cancelled {
                this.lanes.moved(id, next);
                this.pump(ctx);
            }
            Ok(if cancelled.is_some() { Cancellation::Cancelled } else { Cancellation::TooLate })
        }))
    }

    /// Cancels in the store, which knows the state for certain; answers the new one, or nothing when it is too late.
    fn cancelling(
        &self,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<OutboxState>, WriteError>> + use<> {
        let (services, opened, now) = (self.services.clone(), self.opened.clone(), self.now());
        async move {
            let opened = opened.ok_or(WriteError::Unavailable)?;
            let stored = services.store.message(opened.connection.account, id).await.map_err(unavailable)?;
            let Some(state) = stored.map(|stored| stored.state) else { return Ok(None) };
            let Ok(next) = state.after(Happening::CancelRequested) else { return Ok(None) };
            let transition = transition(&opened.connection, id, state, next, now, "cancelled", None);
            let done = end(services, opened.connection, transition, "cancelled", None).await?;
            Ok(done.then_some(next))
        }
    }

    /// Looks at what is known of ambiguous messages and decides those that can be decided.
    pub(super) fn review(&mut self, ctx: &mut Context<Self>) {
        let ambiguous = self.lanes.ambiguous();
        let Some(opened) = self.opened.as_ref().filter(|_| !ambiguous.is_empty() && !self.reviewing) else {
            return;
        };
        self.reviewing = true;
        let (store, connection) = (Arc::clone(&self.services.store), opened.connection.clone());
        let ids: Vec<MessageId> = ambiguous.iter().map(|(id, _)| *id).collect();
        let looking = async move {
            // The proof first: a report of the message itself that arrives between the two reads must not be taken
            // for a report of another one.
            let watermark = store.status_watermark(connection.business, connection.id).await?;
            let asked: Vec<_> = ids.iter().map(|id| (connection.id, *id)).collect();
            let reports = store.reports(&asked).await?;
            let mut policies = HashMap::new();
            for id in &ids {
                if let Some(stored) = store.message(connection.account, *id).await? {
                    policies.insert(*id, stored.on_ambiguous);
                }
            }
            Ok::<_, domain::contracts::store::StoreError>((reports, watermark, policies))
        };
        ctx.spawn(looking.into_actor(self).map(move |found, this, ctx| {
            this.reviewing = false;
            let Ok((reports, watermark, policies)) = found else { return };
            let now = this.now();
            let timers = this.services.config.ambiguity();
            for (id, claim) in ambiguous {
                let (Some(&policy), Some(entry)) = (policies.get(&id), this.lanes.get(id).copied()) else {
                    continue;
                };
                let of_this =
                    reports.iter().filter(|report| report.message == id).map(|report| report.status);
                let evidence = Evidence {
                    reported: DeliveryStatus::of_reports(of_this),
                    watermark,
                    listening_since: this.services.started_at,
                };
                match settle(claim, policy, evidence, timers, now) {
                    Some(Happening::ProofTimedOut) => {
                        this.finish(entry, Happening::ProofTimedOut, "outcome_unknown", None, ctx);
                    }
                    Some(happening @ Happening::ProvenUnsent) => {
                        metrics::resent();
                        this.settle(entry, happening, "resent_on_proof", None, None, ctx);
                    }
                    Some(happening) => this.settle(entry, happening, "reported_by_provider", None, None, ctx),
                    None => {}
                }
            }
        }));
    }

    /// The store knows better: take its word for one message.
    fn reread(&mut self, id: MessageId, ctx: &mut Context<Self>) {
        let (store, account) =
            (Arc::clone(&self.services.store), self.opened.as_ref().map(|o| o.connection.account));
        let reading = async move {
            match account {
                Some(account) => store.message(account, id).await.ok().flatten(),
                None => None,
            }
        };
        ctx.spawn(reading.into_actor(self).map(move |stored, this, ctx| match stored {
            Some(stored) if stored.state.code() != StateCode::Sending => {
                this.lanes.moved(id, stored.state);
                this.pump(ctx);
            }
            _ => this.start_over(ctx),
        }));
    }

    /// Reads on in the store when memory has room.
    fn read_on(&mut self, ctx: &mut Context<Self>) {
        let Some(after) = self.lanes.wants_rows_after().filter(|_| !self.reading && self.opened.is_some())
        else {
            return;
        };
        self.reading = true;
        let begun = self.lanes.snapshot();
        let (store, id) = (Arc::clone(&self.services.store), self.id);
        let reading = async move { store.unfinished(id, after, READ).await };
        ctx.spawn(reading.into_actor(self).map(move |read, this, ctx| {
            this.reading = false;
            let Ok(rows) = read else {
                this.start_over(ctx);
                return;
            };
            this.take_rows(&rows, begun, ctx);
            if rows.is_empty() {
                // What is being committed just now asks for the next reading itself.
                this.dispatch(ctx);
            } else {
                this.pump(ctx);
            }
        }));
    }

    /// Takes rows into memory. A claim that no post of this actor belongs to is an orphan: its process is gone, and
    /// nobody knows whether it posted.
    pub(super) fn take_rows(&mut self, rows: &[StoredMessage], begun: Snapshot, ctx: &mut Context<Self>) {
        let orphans: Vec<MessageId> = rows
            .iter()
            .filter(|row| row.state.code() == StateCode::Sending && self.lanes.get(row.id).is_none())
            .map(|row| row.id)
            .collect();
        let complete = rows.len() < READ as usize;
        self.lanes.read(rows.iter().map(|row| (row.seq, entry_of(row))), complete, begun);
        for orphan in orphans {
            if let Some(entry) = self.lanes.get(orphan).copied() {
                self.settle(entry, Happening::ClaimOrphaned, "process_ended", None, None, ctx);
            }
        }
        self.review(ctx);
    }

    /// The provider does not believe our token any more: nothing is sent until the owner connects again.
    fn lose_token(&mut self, error: &ProviderError, ctx: &mut Context<Self>) {
        let Some(opened) = self.opened.as_mut() else { return };
        let from = opened.connection.status;
        if from.to(ConnectionStatus::Disconnected).is_err() || from == ConnectionStatus::Disconnected {
            return;
        }
        tracing::warn!(connection.id = %self.id, error = %error, "the provider refuses the token: the connection is off");
        opened.connection.status = ConnectionStatus::Disconnected;
        opened.connection.reason = Some("token_invalid".to_owned());
        let (services, connection) = (self.services.clone(), opened.connection.clone());
        let moving = async move {
            if let Err(error) = crate::connections::announce(&services, &connection, from).await {
                tracing::error!(connection.id = %connection.id, %error, "the status of a connection could not be written");
            }
        };
        ctx.spawn(moving.into_actor(self).map(|(), _, _| ()));
    }
}

fn transition(
    connection: &domain::connection::Connection,
    id: MessageId,
    from: OutboxState,
    to: OutboxState,
    at: Timestamp,
    reason: &str,
    error: Option<&ProviderError>,
) -> Transition {
    Transition {
        message: id,
        partition: connection.partition,
        from,
        to,
        provider_id: None,
        error: error.and_then(|error| serde_json::to_string(error).ok()),
        at,
        timeline: history::lines(from, to, at, reason, error),
    }
}

/// Commits an ending that we decided ourselves, with the event that tells of it.
async fn end(
    services: Services,
    connection: domain::connection::Connection,
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

fn entry_of(row: &StoredMessage) -> Entry {
    Entry {
        id: row.id,
        lane: row.lane,
        state: row.state,
        send_at: row.send_at,
        expires_at: row.expires_at,
        committed: true,
    }
}

async fn read_body(
    services: &Services,
    opened: &super::credentials::Opened,
    id: MessageId,
) -> Result<String, Posted> {
    let unavailable = Posted::Unreadable { for_good: false, reason: "store_unavailable" };
    let sealed = match services.store.message_body(id).await {
        Ok(Some(sealed)) => sealed,
        Ok(None) => return Err(Posted::Unreadable { for_good: true, reason: "body_missing" }),
        Err(_) => return Err(unavailable),
    };
    match services.keychain.open(opened.connection.business, id.uuid(), column::MESSAGE_BODY, &sealed).await {
        Ok(bytes) => String::from_utf8(bytes.to_vec())
            .map_err(|_| Posted::Unreadable { for_good: true, reason: "body_undecryptable" }),
        Err(SealError::Store(_) | SealError::NoRandomness) => Err(unavailable),
        Err(_) => Err(Posted::Unreadable { for_good: true, reason: "body_undecryptable" }),
    }
}

fn not_sent(reason: &str) -> SendError {
    SendError::NotSent {
        error: ProviderError { message: reason.to_owned(), ..ProviderError::default() },
        retry_after: None,
    }
}

fn applied(written: &Result<domain::contracts::store::Committed, WriteError>) -> Option<bool> {
    written.as_ref().ok().map(|committed| committed.transitions.first().copied().unwrap_or(false))
}

fn unavailable<E: std::error::Error>(error: E) -> WriteError {
    tracing::warn!(%error, "an ending could not be written");
    WriteError::Unavailable
}
