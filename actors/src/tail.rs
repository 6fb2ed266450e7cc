//! The newest events of the stream, in memory, for endpoints that are nearly there.
//!
//! An endpoint that stands at `n` may take from here the event `n + 1`, then `n + 2`, and so on: between two
//! consecutive numbers there is nothing that it could miss, whoever wrote it and in whatever order it is told here. A
//! number that is missing may be an event of another node, one that is told in a moment, or a number that a repeated
//! event used up: here nobody knows, so the endpoint asks the database, and joins again behind.
//!
//! Plain data, no I/O.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Tail<T> {
    /// By their numbers.
    entries: VecDeque<Entry<T>>,
    bytes: usize,
    /// How far the stream is known to go.
    end: i64,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    seq: i64,
    bytes: usize,
    event: T,
}

/// What follows a place in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run<T> {
    /// Those that are wanted.
    pub(crate) events: Vec<T>,
    /// Everything up to here was looked at.
    pub(crate) read_to: i64,
    pub(crate) next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This is where the stream ends, as far as is known.
    End,
    /// As many were found as were asked for.
    Full,
    /// The next number was not told yet, though a greater one was: it may still come.
    Hole { end: i64 },
    /// What follows is no longer here.
    Behind { end: i64 },
}

impl<T: Clone> Tail<T> {
    pub(crate) const fn new(most: usize, most_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, end: 0, most, most_bytes }
    }

    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// The stream goes at least this far: everything up to here is committed.
    pub(crate) fn goes_to(&mut self, seq: i64) {
        self.end = self.end.max(seq);
    }

    /// A committed event. It may come in any order, and more than once.
    pub(crate) fn append(&mut self, seq: i64, bytes: usize, event: T) {
        self.goes_to(seq);
        let at = self.place_behind(seq - 1);
        if self.entries.get(at).is_some_and(|entry| entry.seq == seq) {
            return;
        }
        self.entries.insert(at, Entry { seq, bytes, event });
        self.bytes += bytes;
        while self.entries.len() > self.most || self.bytes > self.most_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes;
        }
    }

    /// Whatever is no longer to be in memory leaves a hole.
    pub(crate) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.entries.retain(|entry| stays(&entry.event));
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }

    /// The wanted events behind `read_to`, at most `limit`.
    pub(crate) fn after(&self, read_to: i64, limit: usize, wanted: impl Fn(&T) -> bool) -> Run<T> {
        let mut run = Run { events: Vec::new(), read_to, next: Next::Full };
        for entry in self.entries.range(self.place_behind(read_to)..) {
            if run.events.len() == limit {
                return run;
            }
            if entry.seq != run.read_to + 1 {
                break;
            }
            run.read_to = entry.seq;
            if wanted(&entry.event) {
                run.events.push(entry.event.clone());
            }
        }
        run.next = if run.events.len() == limit {
            Next::Full
        } else if run.read_to >= self.end {
            Next::End
        } else if self.entries.front().is_some_and(|oldest| oldest.seq <= run.read_to + 1) {
            Next::Hole { end: self.end }
        } else {
            Next::Behind { end: self.end }
        };
        run
    }

    fn place_behind(&self, seq: i64) -> usize {
        match self.entries.back() {
            Some(newest) if newest.seq > seq => self.entries.partition_point(|entry| entry.seq <= seq),
            _ => self.entries.len(),
        }
    }
}

/// How far an endpoint has looked that asked the database for at most `limit` events and got those that end with
/// `last`. `end` is how far the stream was known to go before it asked.
pub(crate) fn looked_to(read_to: i64, end: i64, got: usize, limit: usize, last: Option<i64>) -> i64 {
    let last = last.unwrap_or(read_to).max(read_to);
    if got < limit { last.max(end) } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERYTHING: fn(&i64) -> bool = |_| true;

    fn tail(told: &[i64]) -> Tail<i64> {
        let mut tail = Tail::new(100, 1_000);
        for seq in told {
            tail.append(*seq, 10, *seq);
        }
        tail
    }

    #[test]
    fn a_run_goes_on_as_long_as_the_numbers_follow_each_other() {
        let tail = tail(&[5, 6, 9, 7]);
        let run = |read_to, limit| tail.after(read_to, limit, EVERYTHING);
        assert_eq!(run(4, 10), Run { events: vec![5, 6, 7], read_to: 7, next: Next::Hole { end: 9 } });
        assert_eq!(run(5, 1), Run { events: vec![6], read_to: 6, next: Next::Full });
        assert_eq!(run(8, 10), Run { events: vec![9], read_to: 9, next: Next::End });
        assert_eq!(run(9, 10), Run { events: vec![], read_to: 9, next: Next::End });
        assert_eq!(run(3, 10), Run { events: vec![], read_to: 3, next: Next::Behind { end: 9 } });
    }

    #[test]
    fn an_endpoint_that_wants_nothing_of_it_moves_along() {
        let tail = tail(&[5, 6, 7]);
        let run = tail.after(4, 10, |seq| seq % 2 == 0);
        assert_eq!(run, Run { events: vec![6], read_to: 7, next: Next::End });
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many_or_they_are_too_large() {
        let mut tail = Tail::new(3, 50);
        for seq in 1..=4 {
            tail.append(seq, 10, seq);
        }
        assert_eq!(tail.after(0, 9, EVERYTHING).next, Next::Behind { end: 4 });
        assert_eq!(tail.after(1, 9, EVERYTHING).events, [2, 3, 4]);
        tail.append(5, 45, 5);
        assert_eq!(tail.after(3, 9, EVERYTHING).next, Next::Behind { end: 5 });
        assert_eq!(tail.after(4, 9, EVERYTHING).events, [5]);
        tail.append(6, 51, 6);
        assert_eq!(tail.after(5, 9, EVERYTHING).next, Next::Behind { end: 6 });
        tail.append(1, 10, 1);
        assert_eq!(tail.bytes, 10, "too late to be of use, and no harm");
    }

    #[test]
    fn what_is_forgotten_leaves_a_hole() {
        let mut tail = tail(&[5, 6, 7]);
        tail.retain(|seq| *seq != 6);
        assert_eq!(tail.after(4, 9, EVERYTHING).next, Next::Hole { end: 7 });
        assert_eq!(tail.bytes, 20);
    }

    /// A stream as the database has it: numbers in order, some used up without an event.
    #[derive(Debug, Clone)]
    enum Step {
        /// The next number is committed: an event that will be told here, one of another node, or none at all.
        Commit(Kind),
        /// One of those that wait to be told is told, and perhaps once more.
        Tell(usize, bool),
        /// Somebody looked how far the stream goes.
        Look,
        Read,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Kind {
        Told,
        Elsewhere,
        Burnt,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => prop_oneof![4 => Just(Kind::Told), 1 => Just(Kind::Elsewhere), 1 => Just(Kind::Burnt)]
                .prop_map(Step::Commit),
            5 => (0_usize..8, any::<bool>()).prop_map(|(which, twice)| Step::Tell(which, twice)),
            1 => Just(Step::Look),
            4 => Just(Step::Read),
        ]
    }

    struct World {
        tail: Tail<i64>,
        committed: Vec<Kind>,
        untold: Vec<i64>,
        read_to: i64,
        heard: Vec<i64>,
        limit: usize,
    }

    impl World {
        fn last(&self) -> i64 {
            i64::try_from(self.committed.len()).unwrap()
        }

        fn events(&self) -> impl Iterator<Item = i64> {
            let numbered = (1_i64..).zip(&self.committed);
            numbered.filter(|(_, kind)| **kind != Kind::Burnt).map(|(seq, _)| seq)
        }

        fn take(&mut self, step: &Step) {
            match step {
                Step::Commit(kind) => {
                    self.committed.push(*kind);
                    if *kind == Kind::Told {
                        self.untold.push(self.last());
                    }
                }
                Step::Tell(which, twice) if *which < self.untold.len() => {
                    let seq = if *twice { self.untold[*which] } else { self.untold.remove(*which) };
                    self.tail.append(seq, 1, seq);
                }
                Step::Tell(..) => {}
                Step::Look => self.tail.goes_to(self.last()),
                Step::Read => {
                    self.read();
                }
            }
        }

        /// As an endpoint does it; false at the end.
        fn read(&mut self) -> bool {
            let run = self.tail.after(self.read_to, self.limit, |seq| seq % 3 != 0);
            self.read_to = run.read_to;
            self.heard.extend(run.events);
            let (Next::Hole { end } | Next::Behind { end }) = run.next else { return run.next == Next::Full };
            let wanted = self.events().filter(|seq| *seq > self.read_to && seq % 3 != 0);
            let rows: Vec<i64> = wanted.take(self.limit).collect();
            self.read_to = looked_to(self.read_to, end, rows.len(), self.limit, rows.last().copied());
            self.heard.extend(rows);
            true
        }
    }

    proptest! {
        #[test]
        fn every_event_is_heard_once_and_in_order(
            steps in proptest::collection::vec(step(), 0..200),
            limit in 1_usize..6,
            most in 1_usize..20,
        ) {
            let mut world = World {
                tail: Tail::new(most, 1_000),
                committed: Vec::new(),
                untold: Vec::new(),
                read_to: 0,
                heard: Vec::new(),
                limit,
            };
            for step in &steps {
                world.take(step);
                prop_assert!(world.heard.is_sorted_by(|one, next| one < next));
                prop_assert!(world.tail.entries.len() <= most);
            }
            world.take(&Step::Look);
            while world.read() {}
            let all: Vec<_> = world.events().filter(|seq| seq % 3 != 0).collect();
            prop_assert_eq!(&world.heard, &all);
            prop_assert_eq!(world.read_to, world.last());
        }
    }
}
