//! What clients were answered: one id for one key, and in the end a yes.

use super::{Found, Promise, View};
use crate::clock::Micros;
use crate::history::{Answer, Ask};

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    full(view, found);
    for ask in &view.history.asks {
        let ids = ask.ids();
        if ids.len() > 1 {
            found.add(
                Promise::OneAnswerPerKey,
                format!("{} was accepted as {}", ask.tag, ids.join(" and as ")),
            );
        }
        if ids.is_empty()
            && let Some(last) = ask.tries.iter().max_by_key(|each| each.asked_at)
            && !was_over(ask, last.answered_at)
        {
            let (tag, tries) = (&ask.tag, ask.tries.len());
            let promise = match &last.answer {
                Answer::Refused { code, .. } if code == "idempotency_conflict" => Promise::OneAnswerPerKey,
                _ => Promise::GoesOn,
            };
            found.add(
                promise,
                format!("{tag} was never accepted in {tries} tries, at last {:?}", last.answer),
            );
        }
    }
}

/// While there is no room, somebody was told so, in a way that a program can read.
fn full(view: &View<'_>, found: &mut Found) {
    for (from, until) in &view.history.full {
        let tries = view.history.asks.iter().flat_map(|ask| &ask.tries);
        let meanwhile = tries.filter(|each| each.asked_at >= *from && each.answered_at <= *until);
        let told = |answer: &Answer| matches!(answer, Answer::Later { code, .. } if !code.is_empty());
        if !meanwhile.into_iter().any(|each| told(&each.answer)) {
            found.add(Promise::SaysWhenFull, "there was no room, and no client was told so");
        }
    }
}

/// The client's own time for it was over.
fn was_over(ask: &Ask, at: Micros) -> bool {
    ask.expires_at.is_some_and(|end| end <= at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{found_by, good};
    use crate::history::Try;

    #[test]
    fn a_key_that_is_answered_with_two_ids_is_caught() {
        let mut history = good();
        let second = Answer::Accepted { id: "msg_other".to_owned() };
        history.asks[0].tries.push(Try { asked_at: 5, answered_at: 6, answer: second });
        assert_eq!(found_by(check, &history), [Promise::OneAnswerPerKey]);
    }

    #[test]
    fn a_full_database_that_nobody_is_told_of_is_caught() {
        let mut history = good();
        history.full = vec![(4, 9)];
        assert_eq!(found_by(check, &history), [Promise::SaysWhenFull]);
        let answer = Answer::Later { status: 503, code: "unavailable".to_owned() };
        history.asks[0].tries.insert(0, Try { asked_at: 5, answered_at: 6, answer });
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn a_client_that_is_never_served_is_noticed_unless_its_time_was_over() {
        let mut history = good();
        let later = Answer::Later { status: 503, code: "unavailable".to_owned() };
        history.asks[0].tries = vec![Try { asked_at: 5, answered_at: 6, answer: later }];
        assert_eq!(found_by(check, &history), [Promise::GoesOn]);
        history.asks[0].expires_at = Some(6);
        assert_eq!(found_by(check, &history), []);
    }
}
