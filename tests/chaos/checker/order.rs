//! Between one number and one recipient, what was accepted first is taken first.

use std::collections::BTreeMap;

use super::{Found, Promise, View};
use crate::clock::Micros;

/// A message that the platform took.
struct Passage<'a> {
    tag: &'a str,
    asked: Micros,
    accepted: Micros,
    first_taken: u64,
    last_taken: u64,
}

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    for (lane, passages) in lanes(view) {
        let mut by_accept: Vec<&Passage<'_>> = passages.iter().collect();
        by_accept.sort_by_key(|passage| passage.accepted);
        let mut by_ask: Vec<&Passage<'_>> = passages.iter().collect();
        by_ask.sort_by_key(|passage| passage.asked);

        // Of everything that was accepted before the present one was asked for: what was taken last.
        let mut before = by_accept.into_iter().peekable();
        let (mut first, mut copy): (Option<&Passage<'_>>, Option<&Passage<'_>>) = (None, None);
        for passage in by_ask {
            while let Some(earlier) = before.next_if(|earlier| earlier.accepted < passage.asked) {
                first = first.into_iter().chain([earlier]).max_by_key(|each| each.first_taken);
                copy = copy.into_iter().chain([earlier]).max_by_key(|each| each.last_taken);
            }
            if let Some(earlier) = first.filter(|earlier| earlier.first_taken > passage.first_taken) {
                let what = format!("{} was taken before {}, to {lane}", passage.tag, earlier.tag);
                found.add(Promise::InOrder, what);
            } else if let Some(earlier) =
                copy.filter(|earlier| view.history.strict && earlier.last_taken > passage.first_taken)
            {
                let what = format!("a copy of {} was taken after {}, to {lane}", earlier.tag, passage.tag);
                found.add(Promise::InOrder, what);
            }
        }
    }
}

fn lanes<'a>(view: &View<'a>) -> BTreeMap<&'a str, Vec<Passage<'a>>> {
    let mut lanes: BTreeMap<&str, Vec<Passage<'_>>> = BTreeMap::new();
    for ask in view.history.asks.iter().filter(|ask| ask.ordered) {
        let taken = || view.arrivals_tagged(&ask.tag).iter().filter(|arrival| arrival.taken_as.is_some());
        let seqs = || taken().map(|arrival| arrival.seq);
        if let (Some(asked), Some(accepted), Some(first_taken), Some(last_taken)) =
            (ask.first_asked(), ask.first_accepted(), seqs().min(), seqs().max())
        {
            let passage = Passage { tag: &ask.tag, asked, accepted, first_taken, last_taken };
            lanes.entry(&ask.lane).or_default().push(passage);
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{arrival, ask, found_by, good};
    use crate::history::History;

    /// Two messages of one lane, the second asked for at `asked`; the platform takes the second first.
    fn swapped(asked: Micros) -> History {
        let mut history = good();
        history.asks = vec![ask("a", "msg_a", 1, 2), ask("b", "msg_b", asked, asked + 1)];
        history.arrivals =
            vec![arrival(1, "msg_b", 1, Some("wamid.b")), arrival(2, "msg_a", 1, Some("wamid.a"))];
        history.arrivals[0].tag = "b".to_owned();
        history.arrivals[1].tag = "a".to_owned();
        history
    }

    #[test]
    fn what_was_accepted_before_the_next_was_asked_for_goes_first() {
        assert_eq!(found_by(check, &swapped(3)), [Promise::InOrder]);
        assert_eq!(found_by(check, &swapped(2)), [], "under way at the same time");
    }

    #[test]
    fn other_lanes_and_what_goes_out_of_turn_do_not_matter() {
        let mut history = swapped(3);
        history.asks[0].lane = "another".to_owned();
        assert_eq!(found_by(check, &history), []);
        let mut history = swapped(3);
        history.asks[1].ordered = false;
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn a_late_copy_breaks_the_order_of_a_strict_run_only() {
        let mut history = swapped(3);
        history.arrivals.swap(0, 1);
        history.arrivals[0].seq = 1;
        history.arrivals[1].seq = 2;
        assert_eq!(found_by(check, &history), []);
        let mut copy = arrival(3, "msg_a", 2, Some("wamid.a2"));
        copy.tag = "a".to_owned();
        history.arrivals.push(copy);
        assert_eq!(found_by(check, &history), [Promise::InOrder]);
        history.strict = false;
        assert_eq!(found_by(check, &history), []);
    }
}
