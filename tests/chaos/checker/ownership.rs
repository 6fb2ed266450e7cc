//! Whoever was superseded sends nothing any more and ends; whoever was not stays; whoever comes after goes on.

use super::{Found, Promise, View};
use crate::clock::{Micros, SECOND};
use crate::history::{Arrival, Ask, End, Life};

/// From the end of one process to the first post of the next, while clients ask for more; the lease of the dead one and
/// whatever tries to start in vain is in it. The promise is one of nodes that are there already. Here the next one is
/// only started then, unoptimised and on two cores that build and test other things too: how long that takes, from its
/// process to its word that it is ready, says nothing of the gateway and comes on top.
const GOES_ON_WITHIN: Micros = 8 * SECOND;
/// A client that asked for something this soon after the start waits for it.
const ASKED_WITHIN: Micros = 2 * SECOND;
/// A process that lost its lease in its sleep learns of it, finishes what clients asked it, and ends within this.
const ENDS_AFTER_SLEEP: Micros = 12 * SECOND;

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    let lives = &view.history.lives;
    for (index, life) in lives.iter().enumerate() {
        if life.end == Some(End::Overstayed) {
            found.add(Promise::OldProcessEnds, format!("process {} did not end by itself", index + 1));
        }
        if life.end == Some(End::Unasked) && !overslept(life) {
            found.add(Promise::StaysUp, format!("process {} ended although nobody told it to", index + 1));
        }
        if let Some(first) = arrivals_of(view, life).next() {
            for (older, earlier) in lives[..index].iter().enumerate() {
                stragglers(view, earlier, older, first, found);
            }
        }
        let turn = Turn::of(life, index.checked_sub(1).map(|before| &lives[before]));
        if should_go_on(view, life, &turn) && !arrivals_of(view, life).any(|arrival| arrival.at <= turn.until)
        {
            let (waited, starting) = (turn.until - turn.from, life.ready_at - life.started_at);
            let what = format!(
                "process {} sent nothing for {} ms, of which it took {} ms to start",
                index + 1,
                waited / 1_000,
                starting / 1_000
            );
            found.add(Promise::GoesOn, what);
        }
    }
}

/// The design has a process that slept through its lease give up and come back as another one.
fn overslept(life: &Life) -> bool {
    let (Some(woken), Some(ended)) = (life.lease_over_at, life.ended_at) else { return false };
    (woken..woken + ENDS_AFTER_SLEEP).contains(&ended)
}

/// When it is for a process to send, and until when it has to have begun.
struct Turn {
    from: Micros,
    until: Micros,
}

impl Turn {
    /// From the end of the one before, or from its own start where that one still lived.
    fn of(life: &Life, before: Option<&Life>) -> Self {
        let ended = before.and_then(|before| before.ended_at).filter(|ended| *ended <= life.started_at);
        let from = ended.unwrap_or(life.started_at);
        Self { from, until: from + (life.ready_at - life.started_at) + GOES_ON_WITHIN }
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
fn should_go_on(view: &View<'_>, life: &Life, turn: &Turn) -> bool {
    let until = turn.until;
    let lived = life.ended_at.is_none_or(|end| end > until) && life.superseded_at.is_none_or(|at| at > until);
    let hindered = life.hindered.iter().any(|(from, to)| *from < until && *to > turn.from);
    let soon = turn.from..life.ready_at + ASKED_WITHIN;
    let asked = || {
        // What may be sent later, or never, asks for nothing now.
        let now = view.history.asks.iter().filter(|ask| ask.ordered && ask.cancel.is_none());
        now.filter_map(Ask::first_asked).filter(|at| soon.contains(at)).count() > 1
    };
    lived && !hindered && asked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{ID, arrival, ask, found_by, good, mark};
    use crate::history::History;

    fn second(history: &History) -> Life {
        let (started_at, ready_at) = (3 * SECOND, 4 * SECOND);
        Life { host: "second".to_owned(), started_at, ready_at, ..history.lives[0].clone() }
    }

    /// A second process has posted, then the first one posts once more.
    fn straggling(claimed: Micros) -> History {
        let mut history = good();
        history.lives.push(second(&history));
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
    fn a_process_that_ends_unasked_is_caught_unless_it_slept_through_its_lease() {
        let mut history = good();
        history.lives[0].end = Some(End::Unasked);
        history.lives[0].ended_at = Some(30 * SECOND);
        assert_eq!(found_by(check, &history), [Promise::StaysUp]);
        history.lives[0].lease_over_at = Some(10 * SECOND);
        assert_eq!(found_by(check, &history), [Promise::StaysUp], "long after it woke");
        history.lives[0].lease_over_at = Some(28 * SECOND);
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn what_passes_between_the_end_of_one_process_and_the_start_of_the_next_counts() {
        let mut history = good();
        history.lives[0].ended_at = Some(2 * SECOND);
        history.lives.push(second(&history));
        history.lives[1].ended_at = None;
        history.asks.extend([3, 3].map(|at| ask("more", "msg_more", at * SECOND, 4 * SECOND)));
        // One second to start, so it has to send within nine of the end before.
        for (sent_at, expected) in [(11, vec![]), (12, vec![Promise::GoesOn])] {
            let mut history = history.clone();
            let mut first = arrival(2, "msg_more", 1, Some("wamid.more"));
            (first.host, first.at) = ("second".to_owned(), sent_at * SECOND);
            history.arrivals.push(first);
            assert_eq!(found_by(check, &history), expected, "at {sent_at} s");
        }
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
