//! Decides messages whose outcome is not known, as far as anything is known about them.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::connection::{ConnectionStatus, Reason};
use domain::contracts::store::StoreError;
use domain::delivery_status::DeliveryStatus;
use domain::ids::MessageId;
use domain::outbox::{Evidence, Happening, OutboxState, settle};

use super::actor::Connection;
use super::credentials::Opened;
use super::lanes::Entry;
use crate::apart::Apart as _;
use crate::metrics;
use crate::services::Services;

/// Whether reports of the number reach us is asked again after so long.
const ASKED_ANEW: Duration = Duration::from_mins(5);
/// When nobody could say it, sooner.
const NOT_SAID: Duration = Duration::from_secs(15);

/// Whether the platform sends us the reports of this number's account, as it said last. Without them silence proves
/// nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subscription {
    asked_at: Option<Timestamp>,
    /// `None`: it could not be asked.
    subscribed: Option<bool>,
    asking: bool,
}

impl Subscription {
    fn is_known(&self, now: Timestamp) -> bool {
        let kept = if self.subscribed.is_some() { ASKED_ANEW } else { NOT_SAID };
        self.asked_at.is_some_and(|at| now.since(at) < kept)
    }
}

/// Whether a status of one message says that the wait for it is over.
pub(super) const fn has_arrived(status: DeliveryStatus) -> bool {
    !matches!(status, DeliveryStatus::Sent)
}

/// What the store knows about ambiguous messages.
struct Known {
    reports: Vec<(MessageId, DeliveryStatus)>,
    watermark: Option<Timestamp>,
}

impl Connection {
    /// Looks at what is known of ambiguous messages and decides those that can be decided.
    pub(super) fn review(&mut self, ctx: &mut Context<Self>) {
        let ambiguous = self.lanes.ambiguous();
        if ambiguous.is_empty() || self.reviewing {
            return;
        }
        let Some(opened) = self.opened.clone() else { return };
        self.reviewing = true;
        let services = self.services.clone();
        let ids: Vec<MessageId> = ambiguous.iter().map(|entry| entry.id).collect();
        let looking = async move { look(&services, &opened, &ids).await };
        ctx.spawn(looking.apart(self).map(move |known, this, ctx| {
            this.reviewing = false;
            match known {
                Ok(known) => this.decide(&ambiguous, &known, ctx),
                Err(error) => {
                    tracing::warn!(connection.id = %this.id, %error, "what is known of messages cannot be read");
                }
            }
        }));
    }

    fn decide(&mut self, ambiguous: &[Entry], known: &Known, ctx: &mut Context<Self>) {
        let now = self.now();
        let timers = self.services.config.ambiguity();
        let heard = self.services.hearing.heard();
        for entry in ambiguous {
            let Some(entry) = self.lanes.get(entry.lane, entry.id).copied().filter(|entry| !entry.busy)
            else {
                continue;
            };
            let OutboxState::Ambiguous(claim) = entry.state else { continue };
            let of_this = known.reports.iter().filter(|(id, _)| *id == entry.id).map(|(_, status)| *status);
            let mut evidence = Evidence {
                reported: DeliveryStatus::of_reports(of_this),
                watermark: known.watermark,
                listening_since: heard.unbroken_since,
                running_since: heard.running_since,
            };
            let mut decision = settle(claim, entry.on_ambiguous, evidence, timers, now);
            if decision == Some(Happening::ProvenUnsent) && !self.hears_reports(now, ctx) {
                evidence.watermark = None;
                decision = settle(claim, entry.on_ambiguous, evidence, timers, now);
            }
            match decision {
                Some(Happening::ProofTimedOut) => {
                    self.finish(entry, Happening::ProofTimedOut, "outcome_unknown", None, ctx);
                }
                Some(happening @ Happening::ProvenUnsent) => {
                    metrics::resent();
                    self.settle(entry, happening, "resent_on_proof", None, ctx);
                }
                Some(happening) => self.settle(entry, happening, "reported_by_provider", None, ctx),
                None => {}
            }
        }
    }

    /// Whether reports of this number certainly reach us; asks where that is not known.
    fn hears_reports(&mut self, now: Timestamp, ctx: &mut Context<Self>) -> bool {
        if self.subscription.is_known(now) {
            return self.subscription.subscribed == Some(true);
        }
        if let Some(opened) = self.opened.clone().filter(|_| !self.subscription.asking) {
            self.subscription.asking = true;
            let services = self.services.clone();
            let asking = async move { is_subscribed(&services, &opened).await };
            ctx.spawn(asking.apart(self).map(|subscribed, this, ctx| {
                this.subscription = Subscription { asked_at: Some(this.now()), subscribed, asking: false };
                this.tell_of_subscription(subscribed, ctx);
                this.review(ctx);
            }));
        }
        false
    }

    fn tell_of_subscription(&mut self, subscribed: Option<bool>, ctx: &mut Context<Self>) {
        let Some(opened) = &self.opened else { return };
        let said = opened.connection.reason.as_deref() == Some(Reason::WEBHOOK_UNSUBSCRIBED);
        if subscribed == Some(false) || subscribed == Some(true) && said {
            // What people wrote meanwhile was not heard: of nobody's window it is certain that it is closed.
            let (services, id) = (self.services.clone(), self.id);
            let telling = async move { services.contacts.hears_anew(id).await };
            ctx.spawn(telling.apart(self).map(|(), _, _| ()));
        }
        match (opened.connection.status, subscribed) {
            (ConnectionStatus::Connected, Some(false)) => {
                self.turn(ConnectionStatus::Degraded, Some(Reason::WEBHOOK_UNSUBSCRIBED), None, ctx);
            }
            (ConnectionStatus::Degraded, Some(true)) if said => {
                self.turn(ConnectionStatus::Connected, None, None, ctx);
            }
            _ => {}
        }
    }
}

async fn look(services: &Services, opened: &Arc<Opened>, ids: &[MessageId]) -> Result<Known, StoreError> {
    let connection = &opened.connection;
    // The proof first: a report of the message itself that arrives between the two reads must not be taken for a
    // report of another one.
    let watermark = services.store.status_watermark(connection.business, connection.id).await?;
    let asked: Vec<_> = ids.iter().map(|id| (connection.id, *id)).collect();
    let reports = services.store.reports(&asked).await?;
    Ok(Known {
        reports: reports.into_iter().map(|report| (report.message, report.status)).collect(),
        watermark,
    })
}

/// `None` where the platform could not be asked, or where there is nothing to ask for.
async fn is_subscribed(services: &Services, opened: &Opened) -> Option<bool> {
    let provider = services.providers.get(&opened.connection.provider)?;
    // A provider without accounts to subscribe to reports without being asked.
    let Some(onboard) = &provider.onboard else { return Some(true) };
    let (token, waba_id) = (opened.token.as_ref()?, opened.connection.waba_id.as_deref()?);
    match onboard.is_subscribed(token, waba_id).await {
        Ok(subscribed) => Some(subscribed),
        Err(error) => {
            tracing::warn!(connection.id = %opened.connection.id, %error, "whether reports reach us could not be asked");
            None
        }
    }
}
