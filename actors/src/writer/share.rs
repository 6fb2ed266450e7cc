//! Parts of many submitters made one batch, and the answer made parts again.

use std::time::Duration;

use domain::contracts::store::{Batch, Committed};
use domain::outbox::StateCode;
use tokio::sync::oneshot;

use super::WriteError;

pub(super) type Reply = oneshot::Sender<Result<Committed, WriteError>>;

/// What one submitter handed over.
pub(super) struct Part {
    pub(super) batch: Batch,
    pub(super) rows: usize,
    /// Boot time at which it was handed over.
    pub(super) since: Duration,
    pub(super) reply: Reply,
}

/// How much of a merged batch belongs to one submitter.
pub(super) struct Share {
    counts: Counts,
    pub(super) rows: usize,
    pub(super) reply: Reply,
}

/// The lengths of a batch's lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    messages: usize,
    transitions: usize,
    events: usize,
    quarantine: usize,
    progress: usize,
    failed_deliveries: usize,
    contacts: usize,
}

impl Counts {
    fn of(batch: &Batch) -> Self {
        Self {
            messages: batch.messages.len(),
            transitions: batch.transitions.len(),
            events: batch.events.len(),
            quarantine: batch.quarantine.len(),
            progress: batch.progress.len(),
            failed_deliveries: batch.failed_deliveries.len(),
            contacts: batch.contacts.len(),
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            transitions: self.transitions + other.transitions,
            events: self.events + other.events,
            quarantine: self.quarantine + other.quarantine,
            progress: self.progress + other.progress,
            failed_deliveries: self.failed_deliveries + other.failed_deliveries,
            contacts: self.contacts + other.contacts,
        }
    }
}

pub(super) fn rows(batch: &Batch) -> usize {
    let counts = Counts::of(batch);
    counts.messages
        + counts.transitions
        + counts.events
        + counts.quarantine
        + counts.failed_deliveries
        + counts.contacts
}

/// Whether somebody waits for it: whoever accepted, heard or claims something, or asks that all is written. That a
/// message was sent, or how far an endpoint has come, only has to be written soon.
pub(super) fn is_urgent(batch: &Batch) -> bool {
    let claims = || batch.transitions.iter().any(|transition| transition.to.code() == StateCode::Sending);
    let is_later =
        !batch.transitions.is_empty() || !batch.progress.is_empty() || !batch.failed_deliveries.is_empty();
    !is_later
        || !batch.messages.is_empty()
        || !batch.events.is_empty()
        || !batch.quarantine.is_empty()
        || !batch.contacts.is_empty()
        || claims()
}

pub(super) fn merge(parts: Vec<Part>) -> (Batch, Vec<Share>) {
    let mut whole = Batch::default();
    let mut shares = Vec::with_capacity(parts.len());
    for Part { batch, rows, reply, .. } in parts {
        shares.push(Share { counts: Counts::of(&batch), rows, reply });
        whole.messages.extend(batch.messages);
        whole.transitions.extend(batch.transitions);
        whole.events.extend(batch.events);
        whole.quarantine.extend(batch.quarantine);
        whole.progress.extend(batch.progress);
        whole.failed_deliveries.extend(batch.failed_deliveries);
        whole.contacts.extend(batch.contacts);
    }
    (whole, shares)
}

/// Takes the later half of the submitters off, with their rows.
pub(super) fn split_off_half(batch: &mut Batch, shares: &mut Vec<Share>) -> (Batch, Vec<Share>) {
    let half = shares.split_off(shares.len() / 2);
    let stays = shares.iter().fold(Counts::default(), |sum, share| sum.plus(share.counts));
    let rest = Batch {
        messages: batch.messages.split_off(stays.messages),
        transitions: batch.transitions.split_off(stays.transitions),
        events: batch.events.split_off(stays.events),
        quarantine: batch.quarantine.split_off(stays.quarantine),
        progress: batch.progress.split_off(stays.progress),
        failed_deliveries: batch.failed_deliveries.split_off(stays.failed_deliveries),
        contacts: batch.contacts.split_off(stays.contacts),
    };
    (rest, half)
}

pub(super) fn answer(shares: Vec<Share>, result: Result<Committed, WriteError>) {
    match result {
        Ok(committed) => {
            let mut messages = committed.messages.into_iter();
            let mut transitions = committed.transitions.into_iter();
            let mut events = committed.events.into_iter();
            for Share { counts, reply, .. } in shares {
                let part = Committed {
                    messages: messages.by_ref().take(counts.messages).collect(),
                    transitions: transitions.by_ref().take(counts.transitions).collect(),
                    events: events.by_ref().take(counts.events).collect(),
                };
                let _ = reply.send(Ok(part));
            }
        }
        Err(error) => {
            for share in shares {
                let _ = share.reply.send(Err(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::Timestamp;
    use domain::contracts::store::{DeliveryProgress, Transition};
    use domain::ids::{ConnectionId, EndpointId, MessageId};
    use domain::outbox::OutboxState;
    use domain::partition::Partition;
    use uuid::Uuid;

    fn transition(to: OutboxState) -> Transition {
        Transition {
            message: MessageId::from_uuid(Uuid::nil()),
            connection: ConnectionId::from_uuid(Uuid::nil()),
            partition: Partition(1),
            from: OutboxState::NEW,
            to,
            provider_id: None,
            error: None,
            at: Timestamp::from_seconds(0),
            unless_reported: false,
            timeline: Vec::new(),
        }
    }

    fn progress(cursor: i64) -> Batch {
        let progress = DeliveryProgress { endpoint: EndpointId::from_uuid(Uuid::nil()), cursor };
        Batch { progress: vec![progress], ..Batch::default() }
    }

    fn part(batch: Batch) -> (Part, oneshot::Receiver<Result<Committed, WriteError>>) {
        let (reply, answer) = oneshot::channel();
        (Part { rows: rows(&batch), batch, since: Duration::ZERO, reply }, answer)
    }

    fn moves(count: usize) -> Batch {
        let sent = transition(OutboxState::Sent { attempts: 1 });
        Batch { transitions: vec![sent; count], ..Batch::default() }
    }

    #[test]
    fn every_submitter_gets_its_own_rows_back() {
        let (first, first_answer) = part(moves(2));
        let (second, second_answer) = part(moves(1));
        let (batch, shares) = merge(vec![first, second]);
        assert_eq!(batch.transitions.len(), 3);
        let committed = Committed { transitions: vec![true, false, true], ..Committed::default() };
        answer(shares, Ok(committed));
        assert_eq!(first_answer.blocking_recv().unwrap().unwrap().transitions, [true, false]);
        assert_eq!(second_answer.blocking_recv().unwrap().unwrap().transitions, [true]);
    }

    #[test]
    fn a_half_takes_its_rows_along() {
        let parts = [progress(1), moves(2), progress(3), progress(4)].map(part).map(|(part, _)| part);
        let (mut batch, mut shares) = merge(parts.into());
        let (rest, half) = split_off_half(&mut batch, &mut shares);
        assert_eq!((shares.len(), half.len()), (2, 2));
        assert_eq!((batch.progress.len(), batch.transitions.len()), (1, 2));
        assert_eq!(rest.progress.iter().map(|progress| progress.cursor).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn nobody_waits_for_what_was_sent_and_everybody_for_the_rest() {
        assert!(!is_urgent(&moves(1)));
        assert!(!is_urgent(&progress(1)));
        let claim = domain::outbox::Claim {
            epoch: domain::partition::Epoch(1),
            attempt: 1,
            at: Timestamp::from_seconds(0),
        };
        let claimed = Batch { transitions: vec![transition(OutboxState::Sending(claim))], ..moves(0) };
        assert!(is_urgent(&claimed));
        assert!(is_urgent(&Batch::default()), "who hands over nothing waits for what is before it");
    }
}
