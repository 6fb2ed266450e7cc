//! Who has to wait for whom, at an endpoint that wants the events about one contact one after the other.
//!
//! In memory only those that are under way or wait behind one that is: when an event is not taken, it and those behind
//! it get rows in the store, and what follows joins them there until the last of the rows is taken or given up. Other
//! contacts go on. Rows are retried by the store's own order, the first of each contact alone.
//!
//! Plain data, no I/O.

use std::collections::{HashMap, VecDeque};

use domain::endpoint::OrderKey;

/// Rows of one endpoint that may wait behind others. With more the endpoint reads no further until some are gone.
const MOST_HELD: u64 = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may go.
    Now,
    /// It goes when those before it were taken.
    Wait,
    /// It is to be written down behind the rows of its contact.
    Hold,
}

#[derive(Debug, Default)]
pub(crate) struct Order {
    lanes: HashMap<OrderKey, Lane>,
    held: u64,
}

#[derive(Debug, Default)]
struct Lane {
    under_way: bool,
    /// Places in the stream of those behind it.
    waiting: VecDeque<i64>,
    /// Rows in the store that stand before anything new.
    rows: u64,
}

impl Order {
    /// With the rows that there are at the start.
    pub(crate) fn with_rows(rows: impl IntoIterator<Item = (OrderKey, u64)>) -> Self {
        let mut order = Self::default();
        for (key, rows) in rows {
            order.lanes.entry(key).or_default().rows = rows;
            order.held += rows;
        }
        order
    }

    /// Whether nothing more should be read for now.
    pub(crate) const fn is_full(&self) -> bool {
        self.held >= MOST_HELD
    }

    /// The next event of the stream.
    pub(crate) fn offer(&mut self, key: OrderKey, seq: i64) -> Turn {
        let lane = self.lanes.entry(key).or_default();
        if lane.rows > 0 {
            lane.rows += 1;
            self.held += 1;
            Turn::Hold
        } else if lane.under_way {
            lane.waiting.push_back(seq);
            Turn::Wait
        } else {
            lane.under_way = true;
            Turn::Now
        }
    }

    /// The one under way was taken: the next one, if there is one, is under way now.
    pub(crate) fn taken(&mut self, key: OrderKey) -> Option<i64> {
        let lane = self.lanes.get_mut(&key)?;
        let next = lane.waiting.pop_front();
        lane.under_way = next.is_some();
        self.tidy(key);
        next
    }

    /// The one under way was not taken and gets a row: those behind it, in order, that get one too.
    pub(crate) fn failed(&mut self, key: OrderKey) -> Vec<i64> {
        let Some(lane) = self.lanes.get_mut(&key) else { return Vec::new() };
        lane.under_way = false;
        let behind: Vec<i64> = lane.waiting.drain(..).collect();
        let rows = 1 + behind.len() as u64;
        lane.rows += rows;
        self.held += rows;
        behind
    }

    /// A row was taken or given up.
    pub(crate) fn settled(&mut self, key: OrderKey) {
        if let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.rows > 0) {
            lane.rows -= 1;
            self.held -= 1;
        }
        self.tidy(key);
    }

    fn tidy(&mut self, key: OrderKey) {
        if self.lanes.get(&key).is_some_and(|lane| !lane.under_way && lane.rows == 0) {
            self.lanes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const ASHA: OrderKey = OrderKey(1);
    const JUMA: OrderKey = OrderKey(2);

    #[test]
    fn a_failed_event_holds_back_its_own_contact_alone() {
        let mut order = Order::default();
        assert_eq!(order.offer(ASHA, 1), Turn::Now);
        assert_eq!(order.offer(ASHA, 2), Turn::Wait);
        assert_eq!(order.offer(JUMA, 3), Turn::Now);
        assert_eq!(order.failed(ASHA), [2]);
        assert_eq!(order.offer(ASHA, 4), Turn::Hold);
        assert_eq!(order.taken(JUMA), None);
        assert_eq!(order.offer(JUMA, 5), Turn::Now);
        for _ in [1, 2] {
            order.settled(ASHA);
            assert_eq!(order.offer(JUMA, 6), Turn::Wait);
        }
        order.settled(ASHA);
        assert_eq!(order.offer(ASHA, 7), Turn::Now);
    }

    #[test]
    fn memory_holds_nothing_of_a_contact_that_is_done() {
        let mut order = Order::with_rows([(ASHA, 1)]);
        assert_eq!(order.offer(JUMA, 1), Turn::Now);
        order.settled(ASHA);
        order.taken(JUMA);
        assert!(order.lanes.is_empty());
        assert_eq!(order.held, 0);
    }

    #[test]
    fn too_many_rows_stop_the_reading_until_some_are_gone() {
        let mut order = Order::with_rows([(ASHA, MOST_HELD - 1)]);
        assert!(!order.is_full());
        assert_eq!(order.offer(ASHA, 1), Turn::Hold);
        assert!(order.is_full());
        order.settled(ASHA);
        assert!(!order.is_full());
    }

    /// An endpoint with its store, as the actor drives them.
    #[derive(Default)]
    struct World {
        order: Order,
        next: i64,
        key_of: HashMap<i64, OrderKey>,
        under_way: Vec<i64>,
        /// Rows to be retried, by contact.
        rows: BTreeMap<i64, Vec<i64>>,
        ended: Vec<i64>,
    }

    impl World {
        fn offer(&mut self, key: i64) {
            self.next += 1;
            let (seq, key) = (self.next, OrderKey(key));
            self.key_of.insert(seq, key);
            match self.order.offer(key, seq) {
                Turn::Now => self.under_way.push(seq),
                Turn::Wait => {}
                Turn::Hold => self.rows.entry(key.0).or_default().push(seq),
            }
        }

        fn end(&mut self, which: usize, taken: bool) {
            if self.under_way.is_empty() {
                return;
            }
            let seq = self.under_way.remove(which % self.under_way.len());
            let key = self.key_of[&seq];
            if taken {
                self.ended.push(seq);
                self.under_way.extend(self.order.taken(key));
            } else {
                let rows = self.rows.entry(key.0).or_default();
                rows.push(seq);
                rows.extend(self.order.failed(key));
            }
        }

        /// The first row of some contact is tried again, and taken or given up in the end.
        fn retry(&mut self, which: usize) {
            let keys: Vec<i64> =
                self.rows.iter().filter(|(_, rows)| !rows.is_empty()).map(|(key, _)| *key).collect();
            if keys.is_empty() {
                return;
            }
            let key = keys[which % keys.len()];
            let seq = self.rows.get_mut(&key).unwrap().remove(0);
            self.ended.push(seq);
            self.order.settled(OrderKey(key));
        }
    }

    proptest! {
        #[test]
        fn every_event_ends_in_the_order_of_its_contact_and_one_at_a_time(
            steps in proptest::collection::vec((0_u8..4, 0_usize..8, any::<bool>()), 0..200),
        ) {
            let mut world = World::default();
            for (what, which, taken) in steps {
                match what {
                    0 | 1 => world.offer(i64::try_from(which).unwrap() % 4),
                    2 => world.end(which, taken),
                    _ => world.retry(which),
                }
                let mut busy: Vec<_> = world.under_way.iter().map(|seq| world.key_of[seq]).collect();
                let blocked: Vec<_> = world.rows.iter().filter(|(_, rows)| !rows.is_empty()).collect();
                prop_assert!(busy.iter().all(|key| blocked.iter().all(|(blocked, _)| **blocked != key.0)));
                busy.sort_by_key(|key| key.0);
                prop_assert!(busy.is_sorted_by(|one, next| one.0 < next.0), "one at a time");
                let held: usize = world.rows.values().map(Vec::len).sum();
                prop_assert_eq!(world.order.held, held as u64);
            }
            for _ in 0..400 {
                world.end(0, true);
                world.retry(0);
            }
            prop_assert_eq!(i64::try_from(world.ended.len()).unwrap(), world.next, "nothing stays behind");
            prop_assert!(world.order.lanes.is_empty());
            for key in 0..4 {
                let of_key: Vec<_> = world.ended.iter().filter(|seq| world.key_of[seq] == OrderKey(key)).collect();
                prop_assert!(of_key.is_sorted());
            }
        }
    }
}
