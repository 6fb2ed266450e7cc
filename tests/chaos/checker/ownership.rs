//! Whoever was superseded sends nothing any more and ends; whoever starts goes on.

use super::{Found, Promise, View};
use crate::clock::{Micros, SECOND};
use crate::history::{Arrival, End, Life};

/// From ready to the first post at the latest, while clients ask for more.
const GOES_ON_WITHIN: Micros = 8 * SECOND;
/// A client that asked for something this soon after the start waits for it.
const ASKED_WITHIN: Micros = 2 * SECOND;

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    let lives = &view.history.lives;
    for (index, life) in lives.iter().enumerate() {
        if life.end == Some(End::Overstayed) {
            found.add(Promise::OldProcessEnds, format!("process {} did not end by itself", index + 1));
        }
        if let Some(first) = arrivals_of(view, life).next() {
            for (older, earlier) in lives[..index].iter().enumerate() {
                stragglers(view, earlier, older, first, found);
            }
        }
        if should_go_on(view, life)
            && !arrivals_of(view, life).any(|arrival| arrival.at <= life.ready_at + GOES_ON_WITHIN)
        {
            found.add(Promise::GoesOn, format!("process {} sent nothing for {GOES_ON_WITHIN} µs", index + 1));
        }
    }
}

fn arrivals_of<'a>(view: &View<'a>, life: &'a Life) -> impl Iterator<Item = &'a Arrival> {
    view.history.arrivals.iter().filter(|arrival| arrival.host == life.host)
}

/// What an older process got through after the newer one's first post: only what it had claimed before, and what the
/// newer one takes for unknown.
fn stragglers(view: &View<'_>, older: &Life, index: usize, first: &Arrival, found: &mut Found) {
    for late in arrivals_of(view, older).filter(|arrival| arrival.seq > first.seq) {
        let row = view.history.rows.get(&late.message);
        let claimed_at = row.and_then(|row| row.claimed_at(late.attempt));
        let unknown = row.is_some_and(|row| {
            row.timeline.iter().any(|mark| mark.status == "ambiguous" && mark.attempt == Some(late.attempt))
        });
        let what = match claimed_at {
            Some(at) if at >= first.at => "claimed it after that",
            None => "has no claim for it",
            Some(_) if !unknown => "nobody took its outcome for unknown",
            Some(_) => continue,
        };
        let what = format!(
            "process {} posted attempt {} of {} after its successor's first post, and {what}",
            index + 1,
            late.attempt,
            late.message
        );
        found.add(Promise::OldProcessStops, what);
    }
}

/// It lived long enough, nothing stood in its way, and somebody asked for something.
fn should_go_on(view: &View<'_>, life: &Life) -> bool {
    let until = life.ready_at + GOES_ON_WITHIN;
    let lived = life.ended_at.is_none_or(|end| end > until) && life.superseded_at.is_none_or(|at| at > until);
    let hindered = life.hindered.iter().any(|(from, to)| *from < until && *to > life.ready_at);
    let soon = life.ready_at..life.ready_at + ASKED_WITHIN;
    let asked = || {
        let firsts = view.history.asks.iter().filter_map(crate::history::Ask::first_asked);
        firsts.filter(|at| soon.contains(at)).count() > 1
    };
    lived && !hindered && asked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{ID, arrival, ask, found_by, good, mark};
    use crate::history::History;

    /// A second process has posted, then the first one posts once more.
    fn straggling(claimed: Micros) -> History {
        let mut history = good();
        let second = Life { host: "second".to_owned(), ready_at: 4 * SECOND, ..history.lives[0].clone() };
        history.lives.push(second);
        let mut newer = arrival(8, "msg_other", 1, Some("wamid.o"));
        newer.host = "second".to_owned();
        let older = arrival(9, ID, 2, Some("wamid.2"));
        history.arrivals.extend([newer, older]);
        let row = history.rows.get_mut(ID).unwrap();
        row.timeline.push(mark(claimed, "sending", Some(2), None));
        row.timeline.push(mark(claimed + 1, "ambiguous", Some(2), Some("process_ended")));
        history
    }

    #[test]
    fn an_old_process_posts_only_what_it_had_claimed_before() {
        assert_eq!(found_by(check, &straggling(3 * SECOND)), []);
        assert_eq!(found_by(check, &straggling(9 * SECOND)), [Promise::OldProcessStops]);
    }

    #[test]
    fn what_an_old_process_posts_late_is_unknown_to_its_successor() {
        let mut history = straggling(3 * SECOND);
        history.rows.get_mut(ID).unwrap().timeline.retain(|mark| mark.status != "ambiguous");
        assert_eq!(found_by(check, &history), [Promise::OldProcessStops]);
    }

    #[test]
    fn a_process_that_does_not_see_that_it_is_over_is_caught() {
        let mut history = good();
        history.lives[0].end = Some(End::Overstayed);
        assert_eq!(found_by(check, &history), [Promise::OldProcessEnds]);
    }

    #[test]
    fn a_process_that_is_asked_and_sends_nothing_is_caught_unless_something_hindered_it() {
        let mut history = good();
        history.arrivals.clear();
        let at = history.lives[0].ready_at;
        history.asks = vec![ask("a", "msg_a", at + 1, at + 2), ask("b", "msg_b", at + 1, at + 2)];
        assert_eq!(found_by(check, &history), [Promise::GoesOn]);
        history.lives[0].hindered = vec![(at, at + SECOND)];
        assert_eq!(found_by(check, &history), []);
    }
}
