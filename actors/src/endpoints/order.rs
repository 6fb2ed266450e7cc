//! Who has to wait for whom, at an endpoint that wants the events about one contact one after the other.
//!
//! In memory only those that are under way or wait behind one that is: when an event is not taken, it and those behind
//! it get rows in the store, and what follows joins them there until the last of the rows is taken or given up. Other
//! contacts go on. Rows are retried by the store's own order, the first of each contact alone.
//!
//! How many rows a contact has is counted here as they are written, and counted again in the store from time to time:
//! rows may go without a word to us, with their business or with old age. A contact is never let go before its rows
//! are: what changed while the store was read stays as it is counted here.
//!
//! Plain data, no I/O.

use std::collections::{HashMap, VecDeque};

use domain::endpoint::{FailedDelivery, OrderKey};

/// Contacts in memory. With more the endpoint reads no further until some are done. Their rows take no memory, so any
/// number of them may wait.
const MOST_CONTACTS: usize = 100_000;

/// Whose new events wait for this row, as long as it is to be retried: nobody's for one that was asked for once more.
pub(crate) fn key_before_new(row: &FailedDelivery) -> Option<OrderKey> {
    row.order_key.filter(|_| !row.replayed)
}

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
    /// Which counting this is; lanes remember in which they changed last.
    round: u64,
    counting: bool,
}

#[derive(Debug, Default)]
struct Lane {
    under_way: bool,
    /// Places in the stream of those behind it.
    waiting: VecDeque<i64>,
    /// Rows in the store, or on their way there, that stand before anything new.
    rows: u64,
    /// Rows that are tried again or written at the moment.
    in_hand: u64,
    changed: u64,
}

impl Lane {
    const fn is_done(&self) -> bool {
        !self.under_way && self.rows == 0 && self.in_hand == 0
    }
}

impl Order {
    /// With the rows that there are at the start.
    pub(crate) fn with_rows(rows: impl IntoIterator<Item = (OrderKey, u64)>) -> Self {
        let lane = |(key, rows)| (key, Lane { rows, ..Lane::default() });
        Self { lanes: rows.into_iter().map(lane).collect(), ..Self::default() }
    }

    /// Whether nothing more should be read for now.
    pub(crate) fn is_full(&self) -> bool {
        self.lanes.len() >= MOST_CONTACTS
    }

    /// The next event of the stream.
    pub(crate) fn offer(&mut self, key: OrderKey, seq: i64) -> Turn {
        let lane = self.lanes.entry(key).or_default();
        if lane.rows > 0 {
            lane.rows += 1;
            lane.changed = self.round;
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
        lane.rows += 1 + behind.len() as u64;
        lane.changed = self.round;
        behind
    }

    /// A row of this contact is written from now on, or tried again. Until that is over the store's count may be
    /// without it, or with it once too often.
    pub(crate) fn in_hand(&mut self, key: OrderKey) {
        let lane = self.lanes.entry(key).or_default();
        lane.in_hand += 1;
        lane.changed = self.round;
    }

    /// It is over, and written what there was to write.
    pub(crate) fn put_down(&mut self, key: OrderKey) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.in_hand = lane.in_hand.saturating_sub(1);
            lane.changed = self.round;
        }
        self.tidy(key);
    }

    /// A row was taken or given up, and nothing waits for it any more.
    pub(crate) fn settled(&mut self, key: OrderKey) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.rows = lane.rows.saturating_sub(1);
            lane.changed = self.round;
        }
        self.tidy(key);
    }

    pub(crate) const fn is_counting(&self) -> bool {
        self.counting
    }

    /// Before the rows are counted in the store; nothing is looked for there meanwhile that is to be tried again. False
    /// when there is nothing to count, or it is counted already.
    pub(crate) fn begin_count(&mut self) -> bool {
        let counts = !self.counting && self.lanes.values().any(|lane| lane.rows > 0);
        if counts {
            self.counting = true;
            self.round += 1;
        }
        counts
    }

    /// With the rows that there were in the store at some moment since. `None`: they could not be counted.
    pub(crate) fn counted(&mut self, rows: Option<Vec<(OrderKey, u64)>>) {
        if let Some(rows) = rows {
            let mut rows: HashMap<OrderKey, u64> = rows.into_iter().collect();
            for (key, lane) in &mut self.lanes {
                let counted = rows.remove(key).unwrap_or_default();
                if lane.in_hand == 0 && lane.changed < self.round {
                    lane.rows = counted;
                }
            }
            // Of contacts that were nobody's concern here since the counting began.
            self.lanes.extend(rows.into_iter().map(|(key, rows)| (key, Lane { rows, ..Lane::default() })));
        }
        self.counting = false;
        self.lanes.retain(|_, lane| !lane.is_done());
    }

    /// While the store is read a lane that is done stays: it shows that what the store said of it is old.
    fn tidy(&mut self, key: OrderKey) {
        if !self.counting && self.lanes.get(&key).is_some_and(Lane::is_done) {
            self.lanes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

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
    }

    #[test]
    fn any_number_of_rows_of_some_contacts_holds_up_nobody_else() {
        let mut order = Order::with_rows((0..10).map(|key| (OrderKey(key), 1_000_000)));
        assert_eq!(order.offer(OrderKey(3), 1), Turn::Hold);
        assert!(!order.is_full());
        assert_eq!(order.offer(OrderKey(11), 2), Turn::Now);
    }

    #[test]
    fn too_many_contacts_stop_the_reading_until_some_are_done_or_turn_out_to_be() {
        let contacts = || (0_i64..).map(|key| (OrderKey(key), 1)).take(MOST_CONTACTS);
        let mut order = Order::with_rows(contacts());
        assert!(order.is_full());
        order.settled(ASHA);
        assert!(!order.is_full());

        let mut order = Order::with_rows(contacts());
        assert!(order.begin_count());
        order.counted(Some(contacts().skip(1).collect()));
        assert!(!order.is_full(), "a row that went without a word");
    }

    #[test]
    fn a_count_that_fails_changes_nothing_and_the_next_one_may_begin() {
        let mut order = Order::with_rows([(ASHA, 1)]);
        assert!(order.begin_count());
        assert!(!order.begin_count(), "one at a time");
        order.counted(None);
        assert_eq!(order.offer(ASHA, 1), Turn::Hold);
        assert!(order.begin_count());
    }

    #[test]
    fn what_the_store_said_before_a_row_was_settled_is_old() {
        let mut order = Order::with_rows([(ASHA, 1), (JUMA, 1)]);
        assert!(order.begin_count());
        let said = vec![(ASHA, 1), (JUMA, 1)];
        order.settled(ASHA);
        order.counted(Some(said));
        assert_eq!(order.offer(ASHA, 1), Turn::Now);
        assert_eq!(order.offer(JUMA, 2), Turn::Hold);
    }

    /// What was handed over to be written.
    #[derive(Debug, Clone)]
    enum Write {
        /// New rows, behind those of their contact.
        Rows(i64, Vec<i64>),
        /// The first row of a contact was taken or given up.
        End(i64, i64),
    }

    /// An endpoint with its store, as the actor drives them: what is handed over is written in its order, some time
    /// later, and told later still.
    #[derive(Default)]
    struct World {
        order: Order,
        next: i64,
        key_of: HashMap<i64, i64>,
        under_way: Vec<i64>,
        /// Rows in the store that are to be retried, by contact.
        store: BTreeMap<i64, BTreeSet<i64>>,
        /// Rows that are tried again.
        again: BTreeSet<i64>,
        /// Of these somebody asked for once more during the try: what it came to is not written.
        asked: BTreeSet<i64>,
        handed_over: VecDeque<Write>,
        /// Written, with what is read of the row afterwards: whether it waits still.
        untold: VecDeque<(Write, bool)>,
        count: Option<Vec<(OrderKey, u64)>>,
        ended: Vec<i64>,
        vanished: BTreeSet<i64>,
    }

    impl World {
        fn offer(&mut self, key: i64) {
            self.next += 1;
            let seq = self.next;
            self.key_of.insert(seq, key);
            match self.order.offer(OrderKey(key), seq) {
                Turn::Now => self.under_way.push(seq),
                Turn::Wait => {}
                Turn::Hold => self.hand_over(Write::Rows(key, vec![seq])),
            }
        }

        fn hand_over(&mut self, write: Write) {
            if let Write::Rows(key, rows) = &write {
                for _ in rows {
                    self.order.in_hand(OrderKey(*key));
                }
            }
            self.handed_over.push_back(write);
        }

        fn end(&mut self, which: usize, taken: bool) {
            if self.under_way.is_empty() {
                return;
            }
            let seq = self.under_way.remove(which % self.under_way.len());
            let key = self.key_of[&seq];
            if taken {
                self.ended.push(seq);
                self.under_way.extend(self.order.taken(OrderKey(key)));
            } else {
                let mut rows = vec![seq];
                rows.extend(self.order.failed(OrderKey(key)));
                self.hand_over(Write::Rows(key, rows));
            }
        }

        /// The first row of some contact is tried again.
        fn try_again(&mut self, which: usize) {
            let firsts: Vec<i64> = self.store.values().filter_map(|rows| rows.first().copied()).collect();
            let firsts: Vec<i64> = firsts.into_iter().filter(|seq| !self.again.contains(seq)).collect();
            if !firsts.is_empty() && !self.order.is_counting() {
                let seq = firsts[which % firsts.len()];
                self.again.insert(seq);
                self.order.in_hand(OrderKey(self.key_of[&seq]));
            }
        }

        /// It was taken or given up.
        fn end_again(&mut self, which: usize) {
            let ending = |seq: &i64| {
                let ends = |write: &Write| matches!(write, Write::End(_, of) if of == seq);
                self.handed_over.iter().any(ends) || self.untold.iter().any(|(write, _)| ends(write))
            };
            let trying: Vec<i64> = self.again.iter().copied().filter(|seq| !ending(seq)).collect();
            if !trying.is_empty() {
                let seq = trying[which % trying.len()];
                self.hand_over(Write::End(self.key_of[&seq], seq));
            }
        }

        fn write(&mut self) {
            let Some(write) = self.handed_over.pop_front() else { return };
            let waits = match &write {
                Write::Rows(key, rows) => {
                    self.store.entry(*key).or_default().extend(rows);
                    true
                }
                Write::End(key, seq) => {
                    let asked = self.asked.remove(seq);
                    if !asked && self.store.get_mut(key).is_some_and(|rows| rows.remove(seq)) {
                        self.ended.push(*seq);
                    }
                    asked
                }
            };
            self.untold.push_back((write, waits));
        }

        fn tell(&mut self) {
            let Some((write, waits)) = self.untold.pop_front() else { return };
            match write {
                Write::Rows(key, rows) => {
                    for _ in rows {
                        self.order.put_down(OrderKey(key));
                    }
                }
                Write::End(key, seq) => {
                    self.again.remove(&seq);
                    self.order.put_down(OrderKey(key));
                    if !waits {
                        self.order.settled(OrderKey(key));
                    }
                }
            }
        }

        /// Somebody asks by hand for a row that is tried at the moment.
        fn ask(&mut self, which: usize) {
            let there = |seq: &&i64| self.store[&self.key_of[*seq]].contains(seq);
            let trying: Vec<i64> = self.again.iter().filter(there).copied().collect();
            if !trying.is_empty() {
                self.asked.insert(trying[which % trying.len()]);
            }
        }

        /// A row goes with its business, or with old age.
        fn vanish(&mut self, which: usize) {
            let rows: Vec<(i64, i64)> =
                self.store.iter().flat_map(|(key, rows)| rows.iter().map(|seq| (*key, *seq))).collect();
            if !rows.is_empty() {
                let (key, seq) = rows[which % rows.len()];
                self.store.get_mut(&key).unwrap().remove(&seq);
                self.asked.remove(&seq);
                self.vanished.insert(seq);
            }
        }

        fn in_store(&self) -> Vec<(OrderKey, u64)> {
            let counted = self.store.iter().filter(|(_, rows)| !rows.is_empty());
            counted.map(|(key, rows)| (OrderKey(*key), rows.len() as u64)).collect()
        }

        /// Begins to count, reads the store, or hears what was read.
        fn count(&mut self) {
            if self.order.begin_count() {
                self.count = None;
            } else if self.order.is_counting() && self.count.is_none() {
                self.count = Some(self.in_store());
            } else if self.order.is_counting() {
                self.order.counted(self.count.take());
            }
        }

        fn settle(&mut self) {
            for _ in 0..600 {
                self.end(0, true);
                self.write();
                self.tell();
                self.try_again(0);
                self.end_again(0);
                if self.order.is_counting() {
                    self.count();
                }
            }
            for _ in 0..6 {
                self.count();
            }
        }
    }

    proptest! {
        #[test]
        fn every_event_ends_in_the_order_of_its_contact_and_one_at_a_time(
            steps in proptest::collection::vec((0_u8..12, 0_usize..8, any::<bool>()), 0..300),
        ) {
            let mut world = World::default();
            for (what, which, taken) in steps {
                match what {
                    0 | 1 => world.offer(i64::try_from(which).unwrap() % 4),
                    2 => world.end(which, taken),
                    3 => world.try_again(which),
                    4 => world.end_again(which),
                    5 | 6 => world.write(),
                    7 | 8 => world.tell(),
                    9 => world.ask(which),
                    10 => world.count(),
                    _ => world.vanish(which),
                }
                let mut busy: Vec<_> = world.under_way.iter().map(|seq| world.key_of[seq]).collect();
                let blocked = |key: &i64| world.store.get(key).is_some_and(|rows| !rows.is_empty());
                prop_assert!(!busy.iter().any(blocked), "nothing new goes before a row");
                busy.sort_unstable();
                prop_assert!(busy.is_sorted_by(|one, next| one < next), "one at a time");
            }
            world.settle();
            prop_assert!(world.order.lanes.is_empty(), "{:?}", world.order);
            let all = i64::try_from(world.ended.len() + world.vanished.len()).unwrap();
            prop_assert_eq!(all, world.next, "nothing stays behind");
            for key in 0..4 {
                let of_key: Vec<_> = world.ended.iter().filter(|seq| world.key_of[seq] == key).collect();
                prop_assert!(of_key.is_sorted());
            }
        }
    }
}
