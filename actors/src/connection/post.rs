//! One claim, one post.
//!
//! The order is always: commit the claim, check the deadline, post once, commit the outcome, and only then let the
//! next message of the lane go. A post runs beside its actor and outlives it, so that an answer is never dropped.

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contact::Refusal;
use domain::contracts::provider::{ProviderError, SendError, SendReceipt, SendRequest};
use domain::message::Echo;
use domain::outbox::{Claim, Happening, OutboxState};
use domain::recipient::Recipient;
use domain::template::Category;
use std::sync::Arc;
use tokio::sync::oneshot;

use super::actor::Connection;
use super::credentials::Opened;
use super::lanes::Entry;
use super::retry::{Concern, TEMPLATE_UNUSABLE, Verdict, judge};
use super::settle::{self, Receipt};
use crate::acceptance::A_MOMENT;
use crate::contacts::{Asked, hear_answer};
use crate::keychain::{SealError, column};
use crate::media::{self, NotGiven};
use crate::metrics;
use crate::permits::Permit;
use crate::quotes::{self, NotResolved};
use crate::services::Services;

/// What of a message its row does not hold in memory.
pub(super) struct Letter {
    pub(super) recipient: String,
    /// Cloud API `type`.
    pub(super) kind: String,
    /// The message object in clear.
    pub(super) json: String,
}

/// What became of a claim.
pub(super) enum Posted {
    /// The provider was asked.
    Answered(Result<SendReceipt, SendError>),
    /// The provider was not asked, and the lease is why.
    NotOurs,
    /// The provider was not asked: the message's time is over.
    TooLate,
    /// The provider was not asked: what was allowed when it was accepted no longer is.
    Refused(Refusal),
    /// The provider was not asked: it would refuse the template, for this reason.
    Unusable(String),
    /// The provider was not asked: the message itself cannot be read now, or ever.
    Unreadable { for_good: bool, reason: &'static str },
}

impl Connection {
    pub(super) fn post(
        &mut self,
        entry: &Entry,
        claim: Claim,
        letter: Option<Letter>,
        permit: Permit,
        ctx: &mut Context<Self>,
    ) {
        let Some(opened) = self.opened.clone() else { return };
        let (entry, generation) = (*entry, self.opened_generation);
        let services = self.services.clone();
        let (reply, answer) = oneshot::channel();
        actix::spawn(async move {
            let posted = post(&services, &opened, &entry, claim, letter).await;
            drop(permit);
            if let Err(Posted::Answered(Ok(receipt))) = reply.send(posted) {
                // The actor ended meanwhile. Whatever its successor believes, the provider has the message.
                let receipt = Receipt { claim, provider_id: receipt.provider_id };
                settle::write_receipt(&services, &opened.connection, &entry, &receipt).await;
            }
        });
        ctx.spawn(answer.into_actor(self).map(move |posted, this, ctx| {
            let unknown =
                || Posted::Answered(Err(SendError::OutcomeUnknown { error: saying("post_panicked") }));
            this.posted(entry, claim, posted.unwrap_or_else(|_| unknown()), generation, ctx);
        }));
    }

    fn posted(
        &mut self,
        entry: Entry,
        claim: Claim,
        posted: Posted,
        generation: u64,
        ctx: &mut Context<Self>,
    ) {
        let Some(entry) = self.lanes.get(entry.lane, entry.id).copied() else { return };
        if entry.state != OutboxState::Sending(claim) {
            return;
        }
        let now = self.now();
        let error = match posted {
            Posted::Answered(Ok(receipt)) => {
                metrics::posted("sent");
                self.caution.answered();
                self.answered(Some(entry.id), ctx);
                self.sent(entry, Receipt { claim, provider_id: receipt.provider_id }, ctx);
                return;
            }
            Posted::Answered(Err(error)) => error,
            // Certainly not sent, and no attempt: the next look ends it.
            Posted::TooLate => return self.not_asked(entry, now, "too_late", ctx),
            // Not yet: it keeps its place and its tries.
            Posted::Refused(Refusal::DailyCapReached { until }) => {
                return self.not_asked(entry, until, "daily_cap_reached", ctx);
            }
            // Whoever owns the number now goes on with it, and so may we later.
            Posted::NotOurs => return self.not_asked(entry, now.plus(A_MOMENT), "lease_lost", ctx),
            Posted::Unreadable { for_good: false, reason } => {
                return self.not_asked(entry, now.plus(A_MOMENT), reason, ctx);
            }
            Posted::Unreadable { for_good: true, reason } => {
                return self.never_asked(entry, reason, Some(saying(reason)), ctx);
            }
            Posted::Refused(refusal) => return self.never_asked(entry, refusal.as_str(), None, ctx),
            Posted::Unusable(why) => {
                return self.never_asked(entry, TEMPLATE_UNUSABLE, Some(saying(&why)), ctx);
            }
        };
        let verdict = judge(error, entry.state.attempts(), now, self.services.jitter());
        metrics::posted(verdict.reason);
        tracing::info!(message.id = %entry.id, connection.id = %self.id, outcome = verdict.reason, error = %verdict.error, "a post did not succeed");
        if verdict.concern == Concern::Silence {
            if let Some(wait) = self.caution.failed() {
                self.limiter.pause(wait);
            }
        } else {
            self.caution.answered();
        }
        self.concerns(&entry, &verdict, generation, ctx);
        let broken =
            self.opened.as_ref().is_some_and(|opened| self.services.breakers.is_tripped(&opened.app));
        let verdict = if broken { verdict.of_a_broken_app(now) } else { verdict };
        let Verdict { happening, reason, error, .. } = verdict;
        if happening == Happening::Rejected {
            self.finish(entry, happening, reason, Some(error), ctx);
        } else {
            self.settle(entry, happening, reason, Some(&error), ctx);
        }
    }

    /// The provider was not asked, and may be later: the message keeps its tries.
    fn not_asked(&mut self, entry: Entry, due: Timestamp, reason: &'static str, ctx: &mut Context<Self>) {
        tracing::info!(message.id = %entry.id, connection.id = %self.id, reason, "a message was not posted");
        self.answered(None, ctx);
        self.settle(entry, Happening::NotSentNotCounted { due }, reason, None, ctx);
    }

    /// The provider was not asked, and never will be.
    fn never_asked(
        &mut self,
        entry: Entry,
        reason: &'static str,
        error: Option<ProviderError>,
        ctx: &mut Context<Self>,
    ) {
        tracing::info!(message.id = %entry.id, connection.id = %self.id, reason, "a message is not posted");
        self.answered(None, ctx);
        self.finish(entry, Happening::Rejected, reason, error, ctx);
    }
}

async fn post(
    services: &Services,
    opened: &Arc<Opened>,
    entry: &Entry,
    claim: Claim,
    letter: Option<Letter>,
) -> Posted {
    let connection = &opened.connection;
    let (Some(token), Some(graph_id)) = (&opened.token, &connection.graph_id) else {
        return Posted::NotOurs;
    };
    let Some(provider) = services.providers.get(&connection.provider) else {
        return Posted::Unreadable { for_good: true, reason: "provider_not_configured" };
    };
    let waited = letter.is_none();
    let letter = match letter {
        Some(letter) => letter,
        None => match fetch(services, opened, entry).await {
            Ok(letter) => letter,
            Err(unreadable) => return unreadable,
        },
    };
    let recipient: Option<Recipient> = letter.recipient.parse().ok();
    if waited
        && let Some(recipient) = &recipient
        && let Err(why) = may_still_go(services, opened, entry, &letter, recipient).await
    {
        return why;
    }
    let message = match quotes::resolve(services, connection, &letter.json).await {
        Ok(message) => message,
        Err(NotResolved::NotYet) => {
            return Posted::Unreadable { for_good: false, reason: "quoted_message_not_sent" };
        }
        Err(NotResolved::Never) => {
            return Posted::Unreadable { for_good: true, reason: "quoted_message_not_sent" };
        }
    };
    let message = match media::given(services, opened, message).await {
        Ok(message) => message,
        Err(NotGiven::Later) => return Posted::Unreadable { for_good: false, reason: "media_not_uploaded" },
        Err(NotGiven::Gone) => return Posted::Unreadable { for_good: true, reason: "media_gone" },
        Err(NotGiven::Refused(error)) => return Posted::Answered(Err(error)),
    };
    if !services.holdings.may_act(connection.partition, &*services.clock) {
        return Posted::NotOurs;
    }
    if entry.expires_at <= services.clock.now() {
        return Posted::TooLate;
    }
    let echo = Echo { message: entry.id, attempt: claim.attempt };
    let request = SendRequest { graph_id, token, message: &message, echo };
    let answer = provider.send.send(request).await;
    if let Err(error) = &answer {
        services.templates.hear_refusal(connection, &letter.json, error).await;
    }
    if let Some(recipient) = &recipient
        && let Err(error) = hear_answer(services, connection, recipient, answer.as_ref()).await
    {
        tracing::warn!(message.id = %entry.id, %error, "what an answer tells about its recipient was not kept");
    }
    Posted::Answered(answer)
}

/// Since it was accepted the recipient may have said no, their service window may have closed, and the platform may
/// have paused the template.
async fn may_still_go(
    services: &Services,
    opened: &Opened,
    entry: &Entry,
    letter: &Letter,
    recipient: &Recipient,
) -> Result<(), Posted> {
    let Letter { kind, json, .. } = letter;
    let connection = &*opened.connection;
    let category = services.templates.admit(connection, kind, json, recipient).await;
    let category = category.map_err(|problem| Posted::Unusable(problem.to_string()))?;
    let marketing = category == Some(Category::Marketing);
    let asked = Asked { connection, recipient, kind, marketing, priority: entry.priority };
    services.contacts.may_still_go(asked).await.map_err(Posted::Refused)
}

async fn fetch(services: &Services, opened: &Opened, entry: &Entry) -> Result<Letter, Posted> {
    let unavailable = || Posted::Unreadable { for_good: false, reason: "store_unavailable" };
    let missing = || Posted::Unreadable { for_good: true, reason: "body_missing" };
    let undecryptable = || Posted::Unreadable { for_good: true, reason: "body_undecryptable" };
    let connection = &opened.connection;
    let stored = services.store.message(connection.account, entry.id).await;
    let stored = stored.map_err(|_| unavailable())?.ok_or_else(missing)?;
    let sealed = services.store.message_body(entry.id).await;
    let sealed = sealed.map_err(|_| unavailable())?.ok_or_else(missing)?;
    let opened =
        services.keychain.open(connection.business, entry.id.uuid(), column::MESSAGE_BODY, &sealed).await;
    let bytes = opened.map_err(|error| match error {
        SealError::Store(_) | SealError::NoRandomness => unavailable(),
        _ => undecryptable(),
    })?;
    let json = String::from_utf8(bytes.to_vec()).map_err(|_| undecryptable())?;
    Ok(Letter { recipient: stored.recipient, kind: stored.kind, json })
}

fn saying(reason: &str) -> ProviderError {
    ProviderError { message: reason.to_owned(), ..ProviderError::default() }
}
