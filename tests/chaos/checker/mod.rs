//! Holds a history against what was promised. Pure: a history in, violations out.

mod answers;
mod delivery;
mod duplicates;
mod inbox;
mod loss;
mod order;
mod ownership;
#[cfg(test)]
mod samples;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::history::{Arrival, Ask, History, Row};

/// What was promised. The letters are those of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Promise {
    /// I1: what was accepted is sent, or its end is explained.
    NothingLost,
    /// I2: nothing arrives twice, except by a resend that the timeline shows and that waited for its proof.
    NothingDoubled,
    /// One claim allows at most one post.
    OneClaimOnePost,
    /// The same key, the same answer.
    OneAnswerPerKey,
    /// I3: what was accepted first is taken first.
    InOrder,
    /// I4, I5: whoever was superseded sends nothing any more …
    OldProcessStops,
    /// … and ends by itself.
    OldProcessEnds,
    /// Whoever was not superseded does not.
    StaysUp,
    /// I5: after the end of a process sending goes on within a bound.
    GoesOn,
    /// A database without room is said, not waited for.
    SaysWhenFull,
    /// What the gateway says of a message is what happened to it.
    TellsTheTruth,
    /// Nothing goes after its time or after it was cancelled.
    NothingLate,
    /// I6: what was acknowledged is kept, once.
    NewsKeptOnce,
    /// Every event reaches every endpoint that wants it …
    EventsDelivered,
    /// … and those about one person in their order, where that is wanted.
    EventsInOrder,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

pub(crate) fn check(history: &History) -> Vec<Violation> {
    let view = View::of(history);
    let mut found = Found(Vec::new());
    answers::check(&view, &mut found);
    loss::check(&view, &mut found);
    duplicates::check(&view, &mut found);
    order::check(&view, &mut found);
    ownership::check(&view, &mut found);
    inbox::check(&view, &mut found);
    delivery::check(&view, &mut found);
    found.0
}

/// A history, and where to find things in it.
struct View<'a> {
    history: &'a History,
    by_message: HashMap<&'a str, Vec<&'a Arrival>>,
    by_tag: HashMap<&'a str, Vec<&'a Arrival>>,
}

impl<'a> View<'a> {
    fn of(history: &'a History) -> Self {
        let mut by_message: HashMap<&str, Vec<&Arrival>> = HashMap::new();
        let mut by_tag: HashMap<&str, Vec<&Arrival>> = HashMap::new();
        for arrival in &history.arrivals {
            by_message.entry(&arrival.message).or_default().push(arrival);
            by_tag.entry(&arrival.tag).or_default().push(arrival);
        }
        Self { history, by_message, by_tag }
    }

    /// In the order of arrival.
    fn arrivals_of(&self, message: &str) -> &[&'a Arrival] {
        self.by_message.get(message).map_or(&[], Vec::as_slice)
    }

    /// Those of what the client meant, under whatever id.
    fn arrivals_tagged(&self, tag: &str) -> &[&'a Arrival] {
        self.by_tag.get(tag).map_or(&[], Vec::as_slice)
    }

    /// How often the platform took the message.
    fn taken(&self, message: &str) -> usize {
        self.arrivals_of(message).iter().filter(|arrival| arrival.taken_as.is_some()).count()
    }

    /// What was accepted, with its row where there is one.
    fn accepted(&self) -> impl Iterator<Item = (&'a Ask, &'a str, Option<&'a Row>)> {
        let history = self.history;
        let ids = history.asks.iter().flat_map(|ask| ask.ids().into_iter().map(move |id| (ask, id)));
        ids.map(move |(ask, id)| (ask, id, history.rows.get(id)))
    }
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, promise: Promise, what: impl Into<String>) {
        self.0.push(Violation { promise, what: what.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_which_all_went_well_violates_nothing() {
        assert_eq!(check(&samples::good()), []);
    }
}
