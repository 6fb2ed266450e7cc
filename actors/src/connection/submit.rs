//! Accepting: claimed in the same commit when nothing stands before it, otherwise in the queue.

use actix::prelude::*;
use domain::contracts::store::{Accepted, Batch};
use domain::outbox::{Happening, OutboxState};

use super::actor::Connection;
use super::lanes::{Admission, Entry};
use super::messages::Submit;
use super::post::Letter;
use crate::metrics;
use crate::writer::WriteError;

impl Handler<Submit> for Connection {
    type Result = ResponseActFuture<Self, Result<Accepted, WriteError>>;

    fn handle(&mut self, Submit { mut message, json }: Submit, ctx: &mut Self::Context) -> Self::Result {
        if self.tally.waiting() >= self.services.config.backlog_per_connection {
            return Box::pin(actix::fut::ready(Err(WriteError::Overloaded)));
        }
        let now = self.now();
        // What is due already has no time of its own.
        let send_at = message.send_at.filter(|&at| at > now);
        message.send_at = send_at;
        let mut entry = Entry::of_new(&message);
        // Its time may have run out on the way here: then it is for the queue to end it.
        let may_claim = entry.expires_at > now && self.may_claim_at_once(now);
        let mut admission = self.lanes.admission(&entry, send_at, now, may_claim);
        let mut permit = None;
        if admission == Admission::Claim {
            permit = self.permit_at_once(&entry, ctx);
            let epoch =
                self.opened.as_ref().and_then(|o| self.services.holdings.epoch(o.connection.partition));
            match (&permit, epoch) {
                (Some(_), Some(epoch)) => {
                    entry.state =
                        entry.state.after(Happening::Claimed { epoch, at: now }).unwrap_or(entry.state);
                }
                _ => admission = Admission::Queue,
            }
        }
        message.state = entry.state;
        self.lanes.admit(entry, send_at, now, admission);
        let letter = Letter { recipient: message.recipient.clone(), kind: message.kind.clone(), json };
        let batch = Batch { messages: vec![*message], ..Batch::default() };
        let written = self.services.writer.write(batch);
        Box::pin(written.into_actor(self).map(move |written, this, ctx| {
            let accepted = written.map(|mut committed| committed.messages.pop());
            match accepted {
                Ok(Some(Accepted::Committed { seq })) => {
                    metrics::accepted(if admission == Admission::Claim { "claimed" } else { "queued" });
                    this.tally.accepted(entry.state, entry.expires_at);
                    this.lanes.committed(&entry, send_at, seq);
                    if let (OutboxState::Sending(claim), Some(permit)) = (entry.state, permit) {
                        this.post(&entry, claim, Some(letter), permit, ctx);
                    }
                    this.pump(ctx);
                    Ok(Accepted::Committed { seq })
                }
                Ok(Some(refused)) => {
                    this.lanes.rejected(&entry);
                    this.pump(ctx);
                    Ok(refused)
                }
                // Written or not: only the store knows.
                Ok(None) | Err(_) => {
                    this.start_over(ctx);
                    Err(WriteError::Unavailable)
                }
            }
        }))
    }
}
