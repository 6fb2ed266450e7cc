//! Nothing is lost, and what the gateway says of a message is what happened to it.

use super::{Found, Promise, View};
use crate::clock::SECOND;
use crate::history::{Ask, News, Row};

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    for (ask, id, row) in view.accepted() {
        let Some(row) = row else {
            found.add(
                Promise::NothingLost,
                format!("{} was accepted as {id} and is not known any more", ask.tag),
            );
            continue;
        };
        if let Some((promise, why)) = ending(view, ask, id, row) {
            found.add(promise, format!("{} ({id}) is {}: {why}", ask.tag, row.status));
        }
        if let Some((attempt, _)) = row.claims().find(|(_, at)| ask.expires_at.is_some_and(|end| *at >= end))
        {
            found.add(
                Promise::NothingLate,
                format!("{} ({id}) was claimed after its end, as attempt {attempt}", ask.tag),
            );
        }
        if let Some(best) = best_report(view, id)
            && rank(&row.status) < rank(best)
        {
            let what =
                format!("{} ({id}) is {} although {best} was reported and acknowledged", ask.tag, row.status);
            found.add(Promise::TellsTheTruth, what);
        }
    }
}

/// What is wrong about how it ended.
fn ending(view: &View<'_>, ask: &Ask, id: &str, row: &Row) -> Option<(Promise, String)> {
    let taken = view.taken(id);
    match row.status.as_str() {
        "sent" | "delivered" | "read" if taken == 0 => {
            Some((Promise::NothingLost, "the platform never took it".to_owned()))
        }
        "sent" | "delivered" | "read" => {
            let cancelled = ask.cancel.as_ref().is_some_and(|cancel| cancel.done == Some(true));
            cancelled.then(|| (Promise::NothingLate, "its cancellation was confirmed".to_owned()))
        }
        "failed" => failure(view, id, row).map(|why| (Promise::NothingLost, why)),
        "expired" if ask.expires_at.is_none() => Some((Promise::NothingLost, "it had no end".to_owned())),
        "cancelled" if ask.cancel.is_none() => Some((Promise::NothingLost, "nobody asked for it".to_owned())),
        "expired" | "cancelled" => unaccounted(view, id, row).map(|why| (Promise::NothingLate, why)),
        _ => Some((Promise::NothingLost, "it is not settled".to_owned())),
    }
}

/// Why the failure is not explained, if it is not.
fn failure(view: &View<'_>, id: &str, row: &Row) -> Option<String> {
    let decided = row.timeline.iter().rev().find(|mark| mark.status == "failed" && mark.reason.is_some());
    match decided {
        Some(mark) if mark.reason.as_deref() == Some("outcome_unknown") => {
            let Some((_, claimed)) = row.claims().filter(|(_, at)| *at <= mark.at).last() else {
                return Some("it was never claimed".to_owned());
            };
            let limit = i64::try_from(view.history.timers.limit_s).unwrap_or(i64::MAX).saturating_mul(SECOND);
            let waited = mark.at - claimed;
            (waited < limit).then(|| format!("it was given up {} ms after its claim", waited / 1_000))
        }
        Some(mark) => refusal(view, id, row, mark.attempt),
        None => {
            let reported = reports(view, id).any(|(word, _)| word == "failed");
            (!reported).then(|| "the platform never reported a failure".to_owned())
        }
    }
}

/// A failure that follows from an answer: the very attempt was answered with an error, and nothing was taken. What was
/// cut is no answer.
fn refusal(view: &View<'_>, id: &str, row: &Row, attempt: Option<u64>) -> Option<String> {
    let mut of_attempt = view.arrivals_of(id).iter().filter(|arrival| Some(arrival.attempt) == attempt);
    if !of_attempt.any(|arrival| arrival.refused) {
        return Some(format!("the platform never refused attempt {attempt:?}"));
    }
    unaccounted(view, id, row)
}

/// What the platform took of a message that is said not to be there. Of an attempt that was to be sent again, on proof,
/// a copy may be there and unknown; where no status is held up for long there is none.
fn unaccounted(view: &View<'_>, id: &str, row: &Row) -> Option<String> {
    let (taken, resent) = (view.taken(id), row.resends().count());
    let allowed = if view.history.strict { 0 } else { resent };
    (taken > allowed).then(|| format!("the platform took it {taken} times, with {resent} resends recorded"))
}

/// Acknowledged reports of a message, by its echo or by the platform's id; true where the echo was there.
fn reports<'a>(view: &'a View<'_>, id: &'a str) -> impl Iterator<Item = (&'a str, bool)> {
    let known = |provider_id: &String| {
        view.arrivals_of(id).iter().any(|arrival| arrival.taken_as.as_ref() == Some(provider_id))
    };
    let acknowledged = view.history.webhooks.iter().filter(|webhook| webhook.status == Some(200));
    acknowledged.flat_map(|webhook| &webhook.news).filter_map(move |news| match news {
        News::Status { message: Some(message), word, .. } if message == id => Some((word.as_str(), true)),
        News::Status { message: None, word, provider_id } if known(provider_id) => {
            Some((word.as_str(), false))
        }
        _ => None,
    })
}

fn best_report<'a>(view: &'a View<'_>, id: &'a str) -> Option<&'a str> {
    reports(view, id).filter(|(_, echoed)| *echoed).map(|(word, _)| word).max_by_key(|word| rank(word))
}

/// Delivered and read beat a failure, whichever came first; what we only believed is beaten by every report.
fn rank(status: &str) -> u8 {
    match status {
        "read" => 4,
        "delivered" => 3,
        "failed" => 2,
        "sent" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{ID, arrival, found_by, good, mark};
    use crate::history::Cancel;

    #[test]
    fn an_accepted_message_without_a_row_is_lost() {
        let mut history = good();
        history.rows.clear();
        assert_eq!(found_by(check, &history), [Promise::NothingLost]);
    }

    #[test]
    fn sent_without_an_arrival_is_lost_and_so_is_what_is_not_settled() {
        let mut history = good();
        history.arrivals.clear();
        assert_eq!(found_by(check, &history), [Promise::NothingLost]);
        for status in ["accepted", "sending", "ambiguous", "retrying"] {
            let mut history = good();
            history.webhooks.clear();
            history.rows.get_mut(ID).unwrap().status = status.to_owned();
            assert_eq!(found_by(check, &history), [Promise::NothingLost], "{status}");
        }
    }

    #[test]
    fn a_failure_needs_a_refusal_a_report_or_the_whole_wait() {
        let mut history = good();
        history.webhooks.clear();
        let row = history.rows.get_mut(ID).unwrap();
        row.status = "failed".to_owned();
        row.timeline = vec![mark(2 * SECOND, "sending", Some(1), None)];
        row.timeline.push(mark(3 * SECOND, "failed", Some(1), Some("rejected")));
        assert_eq!(found_by(check, &history), [Promise::NothingLost], "the platform took it");
        history.arrivals[0].taken_as = None;
        assert_eq!(found_by(check, &history), [Promise::NothingLost], "it was cut, which is no refusal");
        history.arrivals[0].refused = true;
        assert_eq!(found_by(check, &history), []);

        let limit = 2 + i64::try_from(history.timers.limit_s).unwrap();
        for (after, expected) in [(limit - 1, vec![Promise::NothingLost]), (limit, vec![])] {
            let row = history.rows.get_mut(ID).unwrap();
            row.timeline[1] = mark(after * SECOND, "failed", Some(1), Some("outcome_unknown"));
            assert_eq!(found_by(check, &history), expected, "after {after} s");
        }
    }

    #[test]
    fn a_refusal_counts_for_its_own_attempt_and_where_nothing_was_taken() {
        let mut history = good();
        history.webhooks.clear();
        history.arrivals.push(arrival(2, ID, 2, None));
        let row = history.rows.get_mut(ID).unwrap();
        row.status = "failed".to_owned();
        row.timeline = vec![mark(3 * SECOND, "failed", Some(2), Some("rejected"))];
        assert_eq!(found_by(check, &history), [Promise::NothingLost], "attempt 1 was taken");
        let resent = mark(2 * SECOND, "accepted", Some(1), Some("resent_on_proof"));
        history.rows.get_mut(ID).unwrap().timeline.insert(0, resent);
        assert_eq!(found_by(check, &history), [Promise::NothingLost], "not in a strict run");
        history.strict = false;
        assert_eq!(found_by(check, &history), []);
        history.arrivals[1].attempt = 3;
        assert_eq!(found_by(check, &history), [Promise::NothingLost], "another attempt");
    }

    #[test]
    fn what_was_cancelled_or_is_over_is_not_sent() {
        for status in ["cancelled", "expired"] {
            let mut history = good();
            history.webhooks.clear();
            history.asks[0].cancel = Some(Cancel { answered_at: 9 * SECOND, done: Some(true) });
            history.asks[0].expires_at = Some(99 * SECOND);
            history.rows.get_mut(ID).unwrap().status = status.to_owned();
            assert_eq!(found_by(check, &history), [Promise::NothingLate], "{status}");
            history.arrivals.clear();
            assert_eq!(found_by(check, &history), [], "{status}");
        }
        let mut history = good();
        history.asks[0].expires_at = Some(SECOND);
        assert_eq!(found_by(check, &history), [Promise::NothingLate], "claimed after its end");
    }

    #[test]
    fn what_was_to_be_sent_again_and_is_over_before_may_be_there_where_statuses_are_held_up() {
        for status in ["cancelled", "expired"] {
            let mut history = good();
            history.webhooks.clear();
            history.asks[0].cancel = Some(Cancel { answered_at: 9 * SECOND, done: Some(true) });
            history.asks[0].expires_at = Some(99 * SECOND);
            let row = history.rows.get_mut(ID).unwrap();
            row.status = status.to_owned();
            row.timeline.push(mark(3 * SECOND, "accepted", Some(1), Some("resent_on_proof")));
            assert_eq!(found_by(check, &history), [Promise::NothingLate], "{status}: not in a strict run");
            history.strict = false;
            assert_eq!(found_by(check, &history), [], "{status}");
            history.arrivals.push(arrival(2, ID, 2, Some("wamid.2")));
            assert_eq!(found_by(check, &history), [Promise::NothingLate], "{status}: two copies, one resend");
        }
    }

    #[test]
    fn a_report_that_was_acknowledged_shows() {
        let mut history = good();
        history.rows.get_mut(ID).unwrap().status = "sent".to_owned();
        assert_eq!(found_by(check, &history), [Promise::TellsTheTruth]);
    }
}
