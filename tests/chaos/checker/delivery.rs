//! Every event reaches every endpoint that wants it, in the order of its contact where that is wanted, and every end
//! that the gateway decided is an event.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Found, Promise, View};
use crate::history::{EndpointLog, EventKind};

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    let known: HashSet<&str> = view.history.events.iter().map(|event| event.id.as_str()).collect();
    for endpoint in view.history.endpoints.iter().filter(|endpoint| !endpoint.dead) {
        let wanted =
            view.history.events.iter().filter(|event| {
                endpoint.business.as_ref().is_none_or(|business| *business == event.business)
            });
        for event in wanted.filter(|event| !endpoint.taken.contains_key(&event.id)) {
            let what = format!("{} ({:?}) never reached {}", event.id, event.kind, endpoint.name);
            found.add(Promise::EventsDelivered, what);
        }
        for stray in endpoint.taken.keys().filter(|id| !known.contains(id.as_str())) {
            found.add(
                Promise::EventsDelivered,
                format!("{} was told {stray}, which is not kept", endpoint.name),
            );
        }
        // A process that is superseded goes on delivering until it notices, beside its successor: each keeps the
        // order, and what they write of their failures is mixed. An endpoint has one deliverer from the cluster on.
        let one_deliverer = view.history.lives.iter().all(|life| life.superseded_at.is_none());
        if endpoint.ordered && one_deliverer {
            in_order(view, endpoint, found);
        }
    }
    ends(view, found);
}

/// An event may come again after a crash, so what counts is when it was taken first. One finding a contact: behind the
/// first event that is out of place most others are.
fn in_order(view: &View<'_>, endpoint: &EndpointLog, found: &mut Found) {
    let places: HashMap<&str, usize> =
        endpoint.first_taken.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    let mut by_contact: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for event in &view.history.events {
        if let (Some(contact), Some(place)) = (&event.contact, places.get(event.id.as_str())) {
            by_contact.entry(contact).or_default().push((*place, &event.id));
        }
    }
    for (contact, told) in by_contact {
        if let Some([(_, earlier), (_, later)]) = told.array_windows().find(|[one, next]| one.0 > next.0) {
            let name = &endpoint.name;
            found.add(Promise::EventsInOrder, format!("{name} took {later} before {earlier}, of {contact}"));
        }
    }
}

fn ends(view: &View<'_>, found: &mut Found) {
    let own: HashSet<(&str, &str)> = view
        .history
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Status { message, word, own: true } => Some((message.as_str(), word.as_str())),
            _ => None,
        })
        .collect();
    for (ask, id, row) in view.accepted() {
        let Some(row) = row else { continue };
        let ended = row.timeline.iter().rev().find(|mark| {
            ["failed", "expired", "cancelled"].contains(&mark.status.as_str()) && mark.reason.is_some()
        });
        if let Some(ended) = ended.filter(|ended| !own.contains(&(id, ended.status.as_str()))) {
            let what = format!("nobody was told that {} ({id}) is {}", ask.tag, ended.status);
            found.add(Promise::EventsDelivered, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{ID, found_by, good, mark};
    use crate::history::Event;

    #[test]
    fn an_event_that_an_endpoint_never_took_is_caught() {
        let mut history = good();
        let event = history.events[0].id.clone();
        history.endpoints[0].taken.remove(&event);
        assert_eq!(found_by(check, &history), [Promise::EventsDelivered]);
        history.endpoints[0].business = Some("another".to_owned());
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn an_event_that_is_not_kept_must_not_be_told() {
        let mut history = good();
        history.endpoints[0].taken.insert("evt_stray".to_owned(), 1);
        assert_eq!(found_by(check, &history), [Promise::EventsDelivered]);
    }

    #[test]
    fn events_about_one_person_come_in_their_order_to_whoever_asked_for_that() {
        let mut history = good();
        history.endpoints[0].first_taken.swap(1, 2);
        assert_eq!(found_by(check, &history), [Promise::EventsInOrder]);
        let mut unordered = history.clone();
        unordered.endpoints[0].ordered = false;
        assert_eq!(found_by(check, &unordered), []);
        let mut two_deliverers = history.clone();
        two_deliverers.lives[0].superseded_at = Some(9);
        assert!(!found_by(check, &two_deliverers).contains(&Promise::EventsInOrder));
        history.events[2].contact = Some("number to another person".to_owned());
        assert_eq!(found_by(check, &history), [], "different people wait for nobody");
    }

    #[test]
    fn an_end_of_our_own_decision_is_told() {
        let mut history = good();
        let row = history.rows.get_mut(ID).unwrap();
        row.timeline.push(mark(9, "expired", None, Some("expired")));
        assert_eq!(found_by(check, &history), [Promise::EventsDelivered]);
        let kind = EventKind::Status { message: ID.to_owned(), word: "expired".to_owned(), own: true };
        let event = Event { id: "evt_end".to_owned(), kind, ..history.events[0].clone() };
        history.events.push(event);
        history.endpoints[0].taken.insert("evt_end".to_owned(), 1);
        assert_eq!(found_by(check, &history), []);
    }
}
