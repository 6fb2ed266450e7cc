//! When the number, or its app, may not send: what follows from an answer, a report, or a word of the platform.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::connection::{ConnectionStatus, Probe, Reason, SendingChange};
use domain::contracts::provider::SendError;
use domain::ids::MessageId;
use domain::news::NumberNews;

use super::actor::Connection;
use super::credentials::Opened;
use super::halt::{Cause, Step};
use super::lanes::Entry;
use super::retry::{Concern, Verdict, judge};
use crate::apart::Apart as _;
use crate::metrics;

/// Failed reports of messages that were sent together come within so long.
const REPORTED_WITHIN: Duration = Duration::from_secs(5);

impl Connection {
    /// Nothing was said about one message that speaks against the number or the app. `sent`: the provider has it.
    pub(super) fn answered(&mut self, sent: Option<MessageId>, ctx: &mut Context<Self>) {
        let now = self.now();
        if let Some(opened) = &self.opened {
            self.services.breakers.answered(&opened.app, opened.connection.business, sent.is_some(), now);
        }
        let step = self.halt.tried(sent, now);
        self.step(step, ctx);
    }

    /// A report shows that this message really went.
    pub(super) fn confirmed(&mut self, message: MessageId, ctx: &mut Context<Self>) {
        let step = self.halt.confirmed(message);
        self.step(step, ctx);
    }

    /// Whom a refusal concerns besides its message.
    pub(super) fn concerns(
        &mut self,
        entry: &Entry,
        verdict: &Verdict,
        generation: u64,
        ctx: &mut Context<Self>,
    ) {
        let now = self.now();
        match verdict.concern {
            Concern::Nobody | Concern::Silence => self.answered(None, ctx),
            Concern::Pair => {
                self.limiter.pair_complained(entry.recipient);
                self.answered(None, ctx);
            }
            Concern::Number(rest) => {
                self.slow_down(entry.state.claim().map_or(now, |claim| claim.at), ctx);
                self.limiter.pause(rest);
                self.answered(None, ctx);
            }
            Concern::App(rest) => {
                if let Some(opened) = &self.opened {
                    self.services.breakers.throttle(&opened.app, now.plus(rest));
                }
                self.suspect_app(now);
                let step = self.halt.tried(None, now);
                self.step(step, ctx);
            }
            Concern::AppBroken => {
                self.suspect_app(now);
                self.limiter.pause(self.services.config.app_trouble_grace());
                let step = self.halt.tried(None, now);
                self.step(step, ctx);
            }
            // The token was replaced meanwhile.
            Concern::Halt(Cause::Token, _) if generation != self.opened_generation => {}
            Concern::Halt(cause, told) => self.forbidden(cause, told, ctx),
        }
    }

    /// What a failed status says about the number, as a post's answer would.
    pub(super) fn judge_report(&mut self, error: SendError, ctx: &mut Context<Self>) {
        let now = self.now();
        match judge(error, 1, now, 0.5).concern {
            Concern::Halt(cause @ Cause::Blocked(_), told) => self.forbidden(cause, told, ctx),
            // Many messages of one moment are reported one by one.
            Concern::Number(rest) => {
                self.slow_down(now.minus(REPORTED_WITHIN), ctx);
                self.limiter.pause(rest);
            }
            _ => {}
        }
    }

    /// What the platform says about the number.
    pub(super) fn hear(&mut self, news: &NumberNews, ctx: &mut Context<Self>) {
        if let Some(rate) = news.throughput_per_second {
            self.learn(SendingChange::MessagesPerSecond(rate), ctx);
        }
        if let Some(block) = news.block {
            self.forbidden(Cause::Blocked(block), None, ctx);
        }
        if !news.lift.is_empty() {
            let step = self.halt.lifted(Some(&news.lift));
            self.step(step, ctx);
        }
    }

    /// An operator wants it to go on.
    pub(super) fn resume(&mut self, ctx: &mut Context<Self>) {
        self.limiter.resume();
        self.caution.answered();
        let step = self.halt.lifted(None);
        self.step(step, ctx);
    }

    /// Time has passed.
    pub(super) fn wait_out(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(opened) = &self.opened else { return };
        let graced_since =
            self.halt.graced_until().unwrap_or(now).minus(self.services.config.app_trouble_grace());
        let app_broken = self.services.breakers.was_tripped_since(&opened.app, graced_since);
        let step = self.halt.waited(app_broken, now);
        self.step(step, ctx);
    }

    fn forbidden(&mut self, cause: Cause, told: Option<Duration>, ctx: &mut Context<Self>) {
        let now = self.now();
        if cause.may_be_the_app() {
            self.suspect_app(now);
        } else if let Some(opened) = &self.opened {
            self.services.breakers.answered(&opened.app, opened.connection.business, false, now);
        }
        let sends = self.opened.as_ref().is_some_and(|opened| opened.connection.status.sends());
        if sends || self.halt.tries() {
            let step = self.halt.forbidden(cause, told, self.services.config.app_trouble_grace(), now);
            self.step(step, ctx);
        }
    }

    fn suspect_app(&self, now: Timestamp) {
        if let Some(opened) = &self.opened {
            self.services.breakers.refused(&opened.app, opened.connection.business, now);
        }
    }

    fn slow_down(&mut self, claimed_at: Timestamp, ctx: &mut Context<Self>) {
        if let Some(slowed) = self.limiter.complained(claimed_at) {
            tracing::info!(connection.id = %self.id, rate = slowed.messages_per_second, "the platform wants less of this number: it goes slower");
            self.learn(SendingChange::Slowed(slowed), ctx);
        }
    }

    /// Keeps what was learnt about how the number sends, here and in the store.
    fn learn(&mut self, change: SendingChange, ctx: &mut Context<Self>) {
        let Some(opened) = &self.opened else { return };
        let mut connection = (*opened.connection).clone();
        connection.sending = connection.sending.with(change);
        self.limiter.learn(connection.sending);
        self.opened = Some(Arc::new(Opened { connection: Arc::new(connection), ..(**opened).clone() }));
        let (services, id) = (self.services.clone(), self.id);
        let writing = async move {
            let now = services.clock.now();
            if let Err(error) = services.store.change_sending(id, change, now).await {
                tracing::warn!(connection.id = %id, %error, "how a connection sends could not be written down");
            }
        };
        ctx.spawn(writing.apart(self).map(|(), _, _| ()));
    }

    fn step(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Nothing => {}
            Step::Disconnect => {
                self.turn(ConnectionStatus::Disconnected, Some(Reason::TOKEN_INVALID), None, ctx);
            }
            Step::Suspend(block) => {
                let probe = self.halt.probe();
                self.turn(ConnectionStatus::Suspended, Some(Reason::of(block)), probe, ctx);
            }
            Step::Probe(probe) => self.learn(SendingChange::Probe(Some(probe)), ctx),
            Step::Resume => self.turn(ConnectionStatus::Connected, None, None, ctx),
        }
    }

    /// The number's status changes, here and for everybody.
    pub(super) fn turn(
        &mut self,
        status: ConnectionStatus,
        reason: Option<&'static str>,
        probe: Option<Probe>,
        ctx: &mut Context<Self>,
    ) {
        let Some(opened) = &self.opened else { return };
        let from = opened.connection.status;
        let same = from == status && opened.connection.reason.as_deref() == reason;
        if same || from.to(status).is_err() {
            return;
        }
        tracing::warn!(connection.id = %self.id, %from, to = %status, reason = reason.unwrap_or("-"), "a connection changes");
        metrics::halted(reason.unwrap_or("resumed"));
        let mut connection = (*opened.connection).clone();
        connection.status = status;
        connection.reason = reason.map(str::to_owned);
        connection.sending = connection.sending.with(SendingChange::Probe(probe));
        let connection = Arc::new(connection);
        self.opened = Some(Arc::new(Opened { connection: Arc::clone(&connection), ..(**opened).clone() }));
        let services = self.services.clone();
        let moving = async move { crate::connections::announce(&services, &connection, from).await };
        ctx.spawn(moving.apart(self).map(|moved, this, ctx| match moved {
            Ok(true) => {}
            // Somebody else moved it at the same moment: what they wrote is in force.
            Ok(false) => this.load(ctx),
            Err(error) => {
                tracing::error!(connection.id = %this.id, %error, "the status of a connection could not be written");
            }
        }));
    }
}
