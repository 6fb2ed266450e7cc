//! Whether an app of ours is what is broken. Plain decisions.
//!
//! When many businesses of one app are refused alike within minutes, the app is the cause and not they: its sends
//! stop, one message tries at times, and no business hears of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::clock::Timestamp;
use domain::ids::BusinessKey;

/// Refusals that are further apart have nothing to do with each other.
const TOGETHER: Duration = Duration::from_mins(2);
const FEWEST: usize = 3;
const FIRST_TRY: Duration = Duration::from_mins(1);
const LONGEST_TRY: Duration = Duration::from_mins(10);
/// A try whose answer never came is not waited for longer.
const TRY_LASTS: Duration = Duration::from_mins(1);

/// Whether a connection of the app may post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Go,
    /// One message of whoever asked first may go, to see whether the app works again.
    Try,
    Wait(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tripped {
    since: Timestamp,
    try_at: Timestamp,
    wait: Duration,
    trying_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Breaker {
    refused: HashMap<BusinessKey, Timestamp>,
    /// Businesses that posted lately, in two turns of [`TOGETHER`].
    active: HashSet<BusinessKey>,
    active_before: HashSet<BusinessKey>,
    turned_at: Option<Timestamp>,
    tripped: Option<Tripped>,
    /// When it last turned out that the app works after all.
    worked_again_at: Option<Timestamp>,
    throttled_until: Option<Timestamp>,
}

impl Breaker {
    pub fn gate(&mut self, now: Timestamp) -> Gate {
        self.throttled_until = self.throttled_until.filter(|&until| until > now);
        if let Some(until) = self.throttled_until {
            return Gate::Wait(until);
        }
        let Some(tripped) = &mut self.tripped else { return Gate::Go };
        let tried = tripped.trying_since.map(|since| since.plus(TRY_LASTS));
        let next = tripped.try_at.max(tried.unwrap_or(tripped.try_at));
        if next > now {
            return Gate::Wait(next);
        }
        tripped.trying_since = Some(now);
        Gate::Try
    }

    pub fn holds(&self, now: Timestamp) -> bool {
        self.tripped.is_some() || self.throttled_until.is_some_and(|until| until > now)
    }

    /// A message of this business was posted, and the answer said nothing about the app.
    pub fn answered(&mut self, business: BusinessKey, sent: bool, now: Timestamp) {
        self.note(business, now);
        if sent {
            self.refused.remove(&business);
            if self.tripped.take().is_some() {
                self.refused.clear();
                self.worked_again_at = Some(now);
            }
        } else if let Some(tripped) = &mut self.tripped {
            // Whatever it was, it did not show that the app works; it is not held against it either.
            tripped.trying_since = None;
        }
    }

    /// A message of this business was refused in a way that may be the app's. True when that trips the breaker.
    pub fn refused(&mut self, business: BusinessKey, now: Timestamp) -> bool {
        self.note(business, now);
        if let Some(tripped) = &mut self.tripped {
            if tripped.trying_since.take().is_some() {
                tripped.wait = (tripped.wait * 2).min(LONGEST_TRY);
                tripped.try_at = now.plus(tripped.wait);
            }
            return false;
        }
        self.refused.insert(business, now);
        self.refused.retain(|_, at| now.since(*at) < TOGETHER);
        let active = self.active.len().max(self.active_before.len());
        if self.refused.len() < FEWEST.max(active.div_ceil(5)) {
            return false;
        }
        self.tripped =
            Some(Tripped { since: now, try_at: now.plus(FIRST_TRY), wait: FIRST_TRY, trying_since: None });
        true
    }

    /// The platform wants less from the whole app.
    pub fn throttle(&mut self, until: Timestamp) {
        self.throttled_until = self.throttled_until.max(Some(until));
    }

    /// Since when the app counts as broken.
    pub fn tripped_since(&self) -> Option<Timestamp> {
        self.tripped.map(|tripped| tripped.since)
    }

    /// Whether the app is broken, or was at some time since then.
    pub fn was_tripped_since(&self, then: Timestamp) -> bool {
        self.tripped.is_some() || self.worked_again_at.is_some_and(|at| at >= then)
    }

    fn note(&mut self, business: BusinessKey, now: Timestamp) {
        if self.turned_at.is_none_or(|at| now.since(at) >= TOGETHER) {
            self.active_before = std::mem::take(&mut self.active);
            self.turned_at = Some(now);
        }
        self.active.insert(business);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn tripped() -> Breaker {
        let mut breaker = Breaker::default();
        assert!(!breaker.refused(BusinessKey(1), NOW));
        assert!(!breaker.refused(BusinessKey(2), NOW));
        assert!(breaker.refused(BusinessKey(3), NOW));
        breaker
    }

    #[test]
    fn three_businesses_refused_together_are_the_apps_fault() {
        let mut breaker = tripped();
        assert_eq!(breaker.gate(NOW), Gate::Wait(after(60)));
        assert_eq!(breaker.tripped_since(), Some(NOW));
    }

    #[test]
    fn one_business_refused_often_or_three_far_apart_are_not() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert!(!breaker.refused(BusinessKey(1), NOW));
        }
        assert!(!breaker.refused(BusinessKey(2), after(121)));
        assert!(!breaker.refused(BusinessKey(3), after(242)));
        assert_eq!(breaker.gate(after(242)), Gate::Go);
    }

    #[test]
    fn of_many_active_businesses_a_fifth_has_to_be_refused() {
        let mut breaker = Breaker::default();
        for business in 0..100 {
            breaker.answered(BusinessKey(business), true, NOW);
        }
        for business in 0..19 {
            assert!(!breaker.refused(BusinessKey(business), NOW), "{business}");
        }
        assert!(breaker.refused(BusinessKey(19), NOW));
    }

    #[test]
    fn one_tries_at_a_time_ever_less_often_and_one_success_ends_it() {
        let mut breaker = tripped();
        let (mut now, mut waits) = (NOW, Vec::new());
        for _ in 0..6 {
            let Gate::Wait(until) = breaker.gate(now) else { panic!("it waits") };
            waits.push(until.since(now).as_secs());
            now = until;
            assert_eq!(breaker.gate(now), Gate::Try);
            assert!(matches!(breaker.gate(now), Gate::Wait(_)), "nobody else meanwhile");
            breaker.refused(BusinessKey(9), now);
        }
        assert_eq!(waits, [60, 120, 240, 480, 600, 600]);
        let Gate::Wait(until) = breaker.gate(now) else { panic!("it waits") };
        assert_eq!(breaker.gate(until), Gate::Try);
        breaker.answered(BusinessKey(9), true, until);
        assert_eq!((breaker.gate(until), breaker.tripped_since()), (Gate::Go, None));
        assert!(!breaker.refused(BusinessKey(1), until), "what was before is over");
    }

    #[test]
    fn a_try_that_nobody_answers_is_not_waited_for_for_ever() {
        let mut breaker = tripped();
        assert_eq!(breaker.gate(after(60)), Gate::Try);
        assert_eq!(breaker.gate(after(61)), Gate::Wait(after(120)));
        assert_eq!(breaker.gate(after(120)), Gate::Try);
    }

    #[test]
    fn a_throttle_of_the_app_holds_all_its_numbers() {
        let mut breaker = Breaker::default();
        breaker.throttle(after(30));
        breaker.throttle(after(10));
        assert_eq!(breaker.gate(NOW), Gate::Wait(after(30)));
        assert_eq!(breaker.gate(after(30)), Gate::Go);
    }

    proptest! {
        #[test]
        fn between_two_tries_nobody_goes(answers in proptest::collection::vec((0_u8..3, 0_i64..5, 0_u64..90), 1..80)) {
            let (mut breaker, mut now) = (tripped(), NOW);
            for (answer, business, seconds) in answers {
                now = now.plus(Duration::from_secs(seconds));
                let gate = breaker.gate(now);
                if breaker.tripped_since().is_some() {
                    prop_assert_ne!(gate, Gate::Go);
                    prop_assert!(!matches!(breaker.gate(now), Gate::Try), "two at once");
                }
                match answer {
                    0 => { breaker.refused(BusinessKey(business), now); }
                    1 => breaker.answered(BusinessKey(business), false, now),
                    _ => breaker.answered(BusinessKey(business), true, now),
                }
            }
        }
    }
}
