//! Whose turn it is among the priorities. Plain decisions, for the lanes of a number and for the permits of a node.

use domain::message::Priority;

pub const PRIORITIES: [Priority; 4] = [Priority::Otp, Priority::High, Priority::Normal, Priority::Bulk];

/// While all wait, of every fifteen turns so many are theirs.
const WEIGHTS: [i32; 4] = [8, 4, 2, 1];

/// Gives turns by weight and spreads them: no priority that waits is left out for longer than its weight says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turns {
    credit: [i32; 4],
}

impl Turns {
    /// Whose turn it is among those that wait. It stays theirs until it is [`Self::taken`].
    pub fn next(&self, waiting: [bool; 4]) -> Option<Priority> {
        // Of equals the more urgent.
        let among = PRIORITIES.into_iter().rev().filter(|&priority| waiting[priority as usize]);
        among.max_by_key(|&priority| self.credit[priority as usize] + WEIGHTS[priority as usize])
    }

    pub fn taken(&mut self, priority: Priority, waiting: [bool; 4]) {
        let mut given = 0;
        for other in PRIORITIES.into_iter().filter(|&other| waiting[other as usize]) {
            let weight = WEIGHTS[other as usize];
            self.credit[other as usize] += weight;
            given += weight;
        }
        self.credit[priority as usize] -= given;
    }
}

/// Whether one more of this priority fits into `total` where these are under way already.
pub fn fits(priority: Priority, under_way: [usize; 4], total: usize) -> bool {
    PRIORITIES[..=priority as usize].iter().all(|&other| {
        let used: usize = under_way[other as usize..].iter().sum();
        used < share(other, total)
    })
}

/// How many of `total` a priority may use, all less urgent ones included: a fifth is kept for one-time codes, and of
/// the rest bulk leaves as much again to the others.
const fn share(priority: Priority, total: usize) -> usize {
    let kept = total.div_ceil(5);
    let left = match priority {
        Priority::Otp => total,
        Priority::High | Priority::Normal => total - kept,
        Priority::Bulk => total.saturating_sub(2 * kept),
    };
    // A number that may post one message at a time posts also those.
    if left == 0 { 1 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn while_all_wait_turns_go_by_weight_and_are_spread() {
        let mut turns = Turns::default();
        let mut given = Vec::new();
        for _ in 0..30 {
            let priority = turns.next([true; 4]).unwrap();
            turns.taken(priority, [true; 4]);
            given.push(priority);
        }
        let count = |priority| given.iter().filter(|&&other| other == priority).count();
        assert_eq!(PRIORITIES.map(count), [16, 8, 4, 2]);
        assert_eq!(given[0], Priority::Otp);
        assert!(given[..15].contains(&Priority::Bulk));
    }

    /// As many as fit, of each priority alone.
    fn most(total: usize) -> [usize; 4] {
        PRIORITIES.map(|priority| {
            let mut under_way = [0; 4];
            while fits(priority, under_way, total) {
                under_way[priority as usize] += 1;
            }
            under_way[priority as usize]
        })
    }

    #[test]
    fn a_fifth_is_for_codes_and_bulk_never_takes_the_last() {
        assert_eq!(most(32), [32, 25, 25, 18]);
        assert_eq!(most(1), [1, 1, 1, 1]);
        assert!(!fits(Priority::High, [0, 10, 10, 5], 32), "together they leave the codes their part");
        assert!(fits(Priority::Otp, [6, 10, 10, 5], 32) && !fits(Priority::Otp, [7, 10, 10, 5], 32));
    }

    proptest! {
        #[test]
        fn nobody_who_waits_is_left_out_for_long(others in proptest::collection::vec(any::<[bool; 4]>(), 40)) {
            for priority in PRIORITIES {
                let mut turns = Turns::default();
                let mut without = 0;
                for mut waiting in others.clone() {
                    waiting[priority as usize] = true;
                    let next = turns.next(waiting).unwrap();
                    turns.taken(next, waiting);
                    prop_assert!(waiting[next as usize]);
                    without = if next == priority { 0 } else { without + 1 };
                    prop_assert!(without < 30);
                }
            }
        }
    }
}
