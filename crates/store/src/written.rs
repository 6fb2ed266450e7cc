//! What a commit in one go wrote, and what it left to the commit in steps.

use std::collections::HashSet;

use domain::contracts::store::{Accepted, Batch, Committed};
use domain::ids::MessageId;

/// Whether a batch has only what is written on every ordinary day, each row at most once.
pub(crate) fn is_ordinary(batch: &Batch) -> bool {
    let mut named = HashSet::with_capacity(batch.messages.len() + batch.transitions.len());
    batch.quarantine.is_empty()
        && batch.failed_deliveries.is_empty()
        && batch.transitions.iter().all(|transition| !transition.unless_reported)
        && batch.messages.iter().all(|message| message.timeline.is_empty() && named.insert(message.id))
        && batch.transitions.iter().all(|transition| named.insert(transition.message))
}

/// In the batch's order.
#[derive(Debug)]
pub(crate) struct Written {
    /// The place of a message that was inserted.
    pub(crate) messages: Vec<Option<i64>>,
    /// Whether the row was moved.
    pub(crate) transitions: Vec<bool>,
    /// The place of an event that was appended.
    pub(crate) events: Vec<Option<i64>>,
}

/// Part of a batch, and where its rows stand in the whole.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) batch: Batch,
    messages: Vec<usize>,
    transitions: Vec<usize>,
    events: Vec<usize>,
}

impl Written {
    /// The rows that were not written, and the events that tell of them. What was learnt about people always is.
    pub(crate) fn rest(&self, batch: &Batch) -> Option<Rest> {
        let messages = positions(&self.messages, Option::is_none);
        let transitions = positions(&self.transitions, |moved| !moved);
        if messages.is_empty() && transitions.is_empty() && batch.contacts.is_empty() {
            return None;
        }
        let refused: HashSet<MessageId> =
            transitions.iter().map(|&position| batch.transitions[position].message).collect();
        let events = positions(&batch.events, |event| {
            event.with_transition && event.message.is_some_and(|message| refused.contains(&message))
        });
        let rest = Batch {
            messages: picked(&batch.messages, &messages),
            transitions: picked(&batch.transitions, &transitions),
            events: picked(&batch.events, &events),
            contacts: batch.contacts.clone(),
            ..Batch::default()
        };
        Some(Rest { batch: rest, messages, transitions, events })
    }

    /// The answer for the whole batch, with that for its rest.
    pub(crate) fn completed_by(self, rest: &Rest, answer: Committed) -> Committed {
        let mut whole = self.complete();
        for (position, accepted) in rest.messages.iter().zip(answer.messages) {
            whole.messages.insert(*position, accepted);
        }
        for (position, applied) in rest.transitions.iter().zip(answer.transitions) {
            whole.transitions[*position] = applied;
        }
        for (position, place) in rest.events.iter().zip(answer.events) {
            whole.events[*position] = place;
        }
        whole
    }

    /// The answer when there is no rest.
    pub(crate) fn complete(self) -> Committed {
        let committed = |seq| Accepted::Committed { seq };
        Committed {
            messages: self.messages.into_iter().flatten().map(committed).collect(),
            transitions: self.transitions,
            events: self.events,
        }
    }
}

fn positions<T>(rows: &[T], wanted: impl Fn(&T) -> bool) -> Vec<usize> {
    rows.iter().enumerate().filter(|(_, row)| wanted(row)).map(|(position, _)| position).collect()
}

fn picked<T: Clone>(rows: &[T], positions: &[usize]) -> Vec<T> {
    positions.iter().map(|&position| rows[position].clone()).collect()
}
