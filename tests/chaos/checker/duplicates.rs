//! Nothing arrives twice, except by a resend that the timeline shows and that waited for its proof.

use std::collections::HashMap;

use super::{Found, Promise, View};
use crate::clock::{Micros, SECOND};
use crate::history::News;

/// Between the look at the reports and the time that is written down for what follows from it.
const LOOKING: Micros = SECOND / 4;

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    copies(view, found);
    posts(view, found);
    let told = first_told(view);
    for (ask, id, row) in view.accepted() {
        let Some(row) = row else { continue };
        for (resent_at, attempt) in row.resends() {
            // Until the claim that follows: a report that comes in between is in time.
            let claimed_again = row.claimed_at(attempt + 1).unwrap_or(resent_at);
            let told = told.get(id).copied().filter(|told| *told + LOOKING < claimed_again);
            if let Some(why) = unproven(view, row.claimed_at(attempt), resent_at, told) {
                found.add(Promise::NothingDoubled, format!("{} ({id}) was sent again: {why}", ask.tag));
            }
        }
    }
}

/// By what the client meant: two rows for one key are two copies as well.
fn copies(view: &View<'_>, found: &mut Found) {
    for ask in &view.history.asks {
        let arrivals = view.arrivals_tagged(&ask.tag);
        let taken = arrivals.iter().filter(|arrival| arrival.taken_as.is_some()).count();
        let mut ids: Vec<&str> = arrivals.iter().map(|arrival| arrival.message.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let resends: usize =
            ids.iter().filter_map(|id| view.history.rows.get(*id)).map(|row| row.resends().count()).sum();
        if taken > 1 + resends {
            let what =
                format!("{} was taken {taken} times, with {resends} resends recorded, as {ids:?}", ask.tag);
            found.add(Promise::NothingDoubled, what);
        } else if view.history.strict && taken > 1 {
            let what = format!("{} was taken {taken} times although no status was held up for long", ask.tag);
            found.add(Promise::NothingDoubled, what);
        }
    }
}

fn posts(view: &View<'_>, found: &mut Found) {
    for (id, arrivals) in &view.by_message {
        let mut attempts: Vec<u64> = arrivals.iter().map(|arrival| arrival.attempt).collect();
        attempts.sort_unstable();
        let posts = attempts.len();
        attempts.dedup();
        if attempts.len() < posts {
            let what = format!("{id} was posted {posts} times under {} claims", attempts.len());
            found.add(Promise::OneClaimOnePost, what);
        }
    }
}

/// When the gateway acknowledged the first report that names the message.
fn first_told<'a>(view: &View<'a>) -> HashMap<&'a str, Micros> {
    let mut first = HashMap::new();
    for webhook in view.history.webhooks.iter().filter(|webhook| webhook.status == Some(200)) {
        for news in &webhook.news {
            if let News::Status { message: Some(message), .. } = news {
                let at: &mut Micros = first.entry(message.as_str()).or_insert(webhook.ended_at);
                *at = (*at).min(webhook.ended_at);
            }
        }
    }
    first
}

fn unproven(
    view: &View<'_>,
    claimed_at: Option<Micros>,
    resent_at: Micros,
    told: Option<Micros>,
) -> Option<String> {
    let Some(claimed) = claimed_at else { return Some("no attempt came before".to_owned()) };
    let waited = resent_at - claimed;
    let settle = i64::try_from(view.history.timers.settle_s).unwrap_or(i64::MAX).saturating_mul(SECOND);
    if waited < settle {
        return Some(format!("{} ms after its claim", waited / 1_000));
    }
    told.map(|told| format!("a report of it had been acknowledged {} ms before", (resent_at - told) / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{ID, arrival, found_by, good, mark};
    use crate::history::History;

    fn resent_after(seconds: i64) -> History {
        let mut history = good();
        history.strict = false;
        history.webhooks.clear();
        history.arrivals.push(arrival(9, ID, 2, Some("wamid.2")));
        let row = history.rows.get_mut(ID).unwrap();
        let resent = (2 + seconds) * SECOND;
        row.timeline.push(mark(resent, "accepted", Some(1), Some("resent_on_proof")));
        row.timeline.push(mark(resent, "sending", Some(2), None));
        history
    }

    #[test]
    fn a_second_copy_needs_a_recorded_resend() {
        let mut history = good();
        history.arrivals.push(arrival(9, ID, 2, Some("wamid.2")));
        assert_eq!(found_by(check, &history), [Promise::NothingDoubled]);
        history.arrivals.last_mut().unwrap().message = "msg_other".to_owned();
        assert_eq!(found_by(check, &history), [Promise::NothingDoubled], "under another id");
    }

    #[test]
    fn a_resend_waits_for_its_time_and_never_follows_a_report() {
        let settle = i64::try_from(good().timers.settle_s).unwrap();
        assert_eq!(found_by(check, &resent_after(settle)), []);
        assert_eq!(found_by(check, &resent_after(settle - 1)), [Promise::NothingDoubled]);
        let mut told = resent_after(settle);
        told.webhooks = good().webhooks;
        assert_eq!(found_by(check, &told), [Promise::NothingDoubled]);
    }

    #[test]
    fn in_a_strict_run_even_a_recorded_resend_is_no_second_copy() {
        let mut history = resent_after(60);
        history.strict = true;
        assert_eq!(found_by(check, &history), [Promise::NothingDoubled]);
        history.arrivals[0].taken_as = None;
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn one_claim_is_one_post() {
        let mut history = good();
        history.arrivals.push(arrival(9, ID, 1, None));
        assert_eq!(found_by(check, &history), [Promise::OneClaimOnePost]);
    }
}
