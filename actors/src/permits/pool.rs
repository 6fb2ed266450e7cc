//! Who may post next, of all numbers of the node. Plain decisions.
//!
//! A permit is one post under way. Priorities take turns by weight, a fifth of the permits is kept for one-time codes,
//! businesses of one priority take turns one by one, and one that holds a tenth waits for those that hold less.

use std::collections::{HashMap, VecDeque};

use domain::ids::{BusinessKey, ConnectionId};
use domain::message::Priority;

use crate::connection::turns::{PRIORITIES, Turns, fits};

/// A business that waits is passed over in favour of others so often at most.
const PASSED_OVER: u32 = 4;

/// Who waits for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Applicant {
    pub business: BusinessKey,
    pub connection: ConnectionId,
    pub priority: Priority,
}

/// Of one priority: businesses in turn, and the connections of each in turn.
#[derive(Debug, Default)]
struct Line {
    businesses: VecDeque<BusinessKey>,
    waiting: HashMap<BusinessKey, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    connections: VecDeque<ConnectionId>,
    passed_over: u32,
}

impl Line {
    fn join(&mut self, applicant: &Applicant) {
        let connections = &mut self.waiting.entry(applicant.business).or_default().connections;
        if connections.is_empty() {
            self.businesses.push_back(applicant.business);
        }
        if !connections.contains(&applicant.connection) {
            connections.push_back(applicant.connection);
        }
    }

    /// The first whose business may have one more, or was passed over often enough; it goes to the end.
    fn call(&mut self, may: impl Fn(BusinessKey) -> bool) -> Option<(BusinessKey, ConnectionId)> {
        let has_waited =
            |business| self.waiting.get(&business).is_some_and(|waiting| waiting.passed_over >= PASSED_OVER);
        let at = self.businesses.iter().position(|&business| may(business) || has_waited(business))?;
        for passed in self.businesses.iter().take(at) {
            if let Some(waiting) = self.waiting.get_mut(passed) {
                waiting.passed_over += 1;
            }
        }
        let business = self.businesses.remove(at)?;
        let waiting = self.waiting.get_mut(&business)?;
        waiting.passed_over = 0;
        let connection = waiting.connections.pop_front()?;
        if waiting.connections.is_empty() {
            self.waiting.remove(&business);
        } else {
            self.businesses.push_back(business);
        }
        Some((business, connection))
    }
}

#[derive(Debug)]
pub struct Pool {
    total: usize,
    /// Of each priority, how many are out.
    out: [usize; 4],
    held: HashMap<BusinessKey, usize>,
    lines: [Line; 4],
    turns: Turns,
}

impl Pool {
    pub fn new(total: usize) -> Self {
        Self {
            total: total.max(1),
            out: [0; 4],
            held: HashMap::new(),
            lines: std::array::from_fn(|_| Line::default()),
            turns: Turns::default(),
        }
    }

    /// A permit at once, if nobody waits who should have it first. Otherwise the applicant waits until it is called.
    pub fn apply(&mut self, applicant: &Applicant) -> bool {
        let first = self.lines[..=applicant.priority as usize].iter().all(|line| line.businesses.is_empty());
        if first && self.has_one_for(applicant.priority) {
            self.give(applicant);
            return true;
        }
        self.lines[applicant.priority as usize].join(applicant);
        false
    }

    /// A permit comes back.
    pub fn give_back(&mut self, applicant: &Applicant) {
        self.out[applicant.priority as usize] -= 1;
        if let Some(held) = self.held.get_mut(&applicant.business) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&applicant.business);
            }
        }
    }

    /// Who gets a permit now; it counts as given. Businesses that hold their share come after all that do not.
    pub fn call(&mut self) -> Option<Applicant> {
        let most = (self.total / 10).max(1);
        self.call_among(|held| held < most).or_else(|| self.call_among(|_| true))
    }

    fn call_among(&mut self, may_hold_more: impl Fn(usize) -> bool) -> Option<Applicant> {
        let mut callable = PRIORITIES.map(|priority| {
            self.has_one_for(priority) && !self.lines[priority as usize].businesses.is_empty()
        });
        while let Some(priority) = self.turns.next(callable) {
            let held = &self.held;
            let may = |business| may_hold_more(held.get(&business).copied().unwrap_or(0));
            if let Some((business, connection)) = self.lines[priority as usize].call(may) {
                self.turns.taken(priority, callable);
                let applicant = Applicant { business, connection, priority };
                self.give(&applicant);
                return Some(applicant);
            }
            callable[priority as usize] = false;
        }
        None
    }

    pub fn out(&self) -> usize {
        self.out.iter().sum()
    }

    fn give(&mut self, applicant: &Applicant) {
        self.out[applicant.priority as usize] += 1;
        *self.held.entry(applicant.business).or_default() += 1;
    }

    fn has_one_for(&self, priority: Priority) -> bool {
        fits(priority, self.out, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn applicant(business: i64, priority: Priority) -> Applicant {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(u128::try_from(business).unwrap()));
        Applicant { business: BusinessKey(business), connection, priority }
    }

    #[test]
    fn one_business_alone_may_have_all_but_what_is_kept_for_codes() {
        let mut pool = Pool::new(100);
        let normal = applicant(1, Priority::Normal);
        assert_eq!((0..200).take_while(|_| pool.apply(&normal)).count(), 80);
        assert!(pool.apply(&applicant(2, Priority::Otp)), "a code goes at once");
        assert_eq!(pool.call(), None);
    }

    #[test]
    fn who_holds_a_tenth_waits_for_those_who_hold_less() {
        let mut pool = Pool::new(100);
        let greedy = applicant(1, Priority::Bulk);
        while pool.apply(&greedy) {}
        for other in 2..=5 {
            assert!(!pool.apply(&applicant(other, Priority::Bulk)), "{other}");
        }
        let mut called = Vec::new();
        for _ in 0..4 {
            pool.give_back(&greedy);
            called.push(pool.call().unwrap().business.0);
        }
        called.sort_unstable();
        assert_eq!(called, [2, 3, 4, 5]);
        pool.give_back(&greedy);
        assert_eq!(pool.call(), Some(greedy), "nobody else waits");
    }

    #[test]
    fn a_connection_waits_once_however_often_it_asks() {
        let mut pool = Pool::new(1);
        let first = applicant(1, Priority::Otp);
        assert!(pool.apply(&first));
        for _ in 0..3 {
            assert!(!pool.apply(&applicant(2, Priority::Otp)));
        }
        pool.give_back(&first);
        assert_eq!(pool.call(), Some(applicant(2, Priority::Otp)));
        pool.give_back(&applicant(2, Priority::Otp));
        assert_eq!(pool.call(), None);
    }

    proptest! {
        /// Whatever is asked and given back, in any order: no permit is lost or invented, and the reserve stays.
        #[test]
        fn shares_hold_and_no_permit_leaks(
            total in 1_usize..40,
            steps in proptest::collection::vec((any::<bool>(), 0_i64..6, 0_usize..4, any::<prop::sample::Index>()), 1..300)
        ) {
            let mut pool = Pool::new(total);
            let mut out: Vec<Applicant> = Vec::new();
            for (ask, business, priority, pick) in steps {
                if ask {
                    let one = applicant(business, PRIORITIES[priority]);
                    if pool.apply(&one) {
                        out.push(one);
                    }
                } else if !out.is_empty() {
                    let one = out.swap_remove(pick.index(out.len()));
                    pool.give_back(&one);
                }
                while let Some(one) = pool.call() {
                    out.push(one);
                }
                prop_assert_eq!(pool.out(), out.len());
                prop_assert!(out.len() <= total);
                let for_others = out.iter().filter(|one| one.priority != Priority::Otp).count();
                prop_assert!(for_others <= (total - total.div_ceil(5)).max(1));
            }
            for one in out.drain(..) {
                pool.give_back(&one);
            }
            let mut left = Vec::new();
            while let Some(one) = pool.call() {
                left.push(one);
                pool.give_back(&one);
            }
            prop_assert_eq!(pool.out(), 0);
            prop_assert!(pool.held.is_empty() && pool.lines.iter().all(|line| line.businesses.is_empty()));
        }

        /// While all of them always want more, each business gets its turn in each priority.
        #[test]
        fn nobody_starves(businesses in 2_i64..12, total in 1_usize..30) {
            let mut pool = Pool::new(total);
            let everyone: Vec<_> = (0..businesses)
                .flat_map(|business| PRIORITIES.map(|priority| applicant(business, priority)))
                .collect();
            let mut out = VecDeque::new();
            let mut served: HashMap<Applicant, usize> = HashMap::new();
            for _ in 0..usize::try_from(businesses).unwrap() * 200 {
                for one in &everyone {
                    if pool.apply(one) {
                        out.push_back(*one);
                    }
                }
                while let Some(one) = pool.call() {
                    out.push_back(one);
                }
                if let Some(one) = out.pop_front() {
                    *served.entry(one).or_default() += 1;
                    pool.give_back(&one);
                }
            }
            for one in &everyone {
                prop_assert!(served.contains_key(one), "{:?}", one);
            }
        }
    }
}
