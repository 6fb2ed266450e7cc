//! A model of the store beside the lanes: whatever happens in whatever order, each lane keeps its order, one message
//! of it is on its way at a time, memory stays small, and in the end nothing is left.

use std::collections::VecDeque;
use std::time::Duration;

use domain::contracts::queue::{Glance, HeldMessage, QueuedMessage};
use domain::outbox::{Happening, OnAmbiguous, StateCode};
use domain::partition::Epoch;
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::entry::UNCOMMITTED;
use super::*;
use crate::connection::turns::PRIORITIES;

const SHARE: usize = 4;
const START: Timestamp = Timestamp::from_seconds(1_000);
const HOLD: Duration = Duration::from_secs(30);
const EPOCH: Epoch = Epoch(1);

#[derive(Debug, Clone, Copy)]
struct Row {
    message: QueuedMessage,
    sent_at: Option<Timestamp>,
    arrived: bool,
}

impl Row {
    fn waits(&self) -> bool {
        matches!(self.message.state.code(), StateCode::Accepted | StateCode::RetryWait)
    }

    fn keeps_order(&self) -> bool {
        self.message.order != Order::Relaxed
    }
}

/// A reading under way: asked for, and answered as of some later moment.
struct Asked {
    reading: Reading,
    answer: Option<(Vec<QueuedMessage>, Option<Timestamp>)>,
}

struct World {
    now: Timestamp,
    lanes: Lanes,
    rows: Vec<Row>,
    /// With the writer, in the order in which they were handed over.
    written: VecDeque<(Entry, Option<Timestamp>)>,
    /// Committed, and the connection does not know it yet.
    unheard: VecDeque<(Entry, Option<Timestamp>, i64)>,
    asked: Vec<Asked>,
    numbers: u128,
}

#[derive(Debug, Clone)]
enum Step {
    Accept { recipient: i64, priority: usize, order: usize, later: Option<u64> },
    Commit(Index),
    Hear(Index),
    Ask,
    Answer(Index),
    Deliver(Index),
    Claim,
    Outcome(Index, u8),
    Decide(Index, u8),
    Arrive(Index),
    Cancel(Index),
    Pass(u64),
    Sleep(Index),
    Close,
    Open,
    Restart,
}

/// A failure is read step by step: one line each.
struct Steps(Vec<Step>);

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step:?}"))
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    let index = any::<Index>;
    let step = prop_oneof![
        8 => (0_i64..4, 0_usize..4, 0_usize..6, proptest::option::weighted(0.1, 1_u64..60)).prop_map(
            |(recipient, priority, order, later)| Step::Accept { recipient, priority, order, later }
        ),
        6 => index().prop_map(Step::Commit),
        6 => index().prop_map(Step::Hear),
        6 => Just(Step::Ask),
        6 => index().prop_map(Step::Answer),
        6 => index().prop_map(Step::Deliver),
        8 => Just(Step::Claim),
        6 => (index(), 0_u8..6).prop_map(|(index, outcome)| Step::Outcome(index, outcome)),
        2 => (index(), 0_u8..3).prop_map(|(index, decision)| Step::Decide(index, decision)),
        2 => index().prop_map(Step::Arrive),
        1 => index().prop_map(Step::Cancel),
        3 => (1_u64..40).prop_map(Step::Pass),
        1 => index().prop_map(Step::Sleep),
        1 => Just(Step::Close),
        2 => Just(Step::Open),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..250).prop_map(Steps)
}

impl World {
    fn new() -> Self {
        Self {
            now: START,
            lanes: Lanes::with_share(SHARE),
            rows: Vec::new(),
            written: VecDeque::new(),
            unheard: VecDeque::new(),
            asked: Vec::new(),
            numbers: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Accept { recipient, priority, order, later } => {
                let order = [
                    Order::Strict,
                    Order::Strict,
                    Order::Strict,
                    Order::Delivered,
                    Order::Delivered,
                    Order::Relaxed,
                ][order];
                self.accept(recipient, PRIORITIES[priority], order, later);
            }
            Step::Commit(index) => self.commit(pick(index, self.written.len())),
            Step::Hear(index) => self.hear(pick(index, self.unheard.len())),
            Step::Ask => {
                let wishes = self.lanes.wishes(self.now, 4);
                self.asked.extend(wishes.into_iter().map(|reading| Asked { reading, answer: None }));
            }
            Step::Answer(index) if !self.asked.is_empty() => self.answer(index.index(self.asked.len())),
            Step::Deliver(index) if !self.asked.is_empty() => self.deliver(index.index(self.asked.len())),
            Step::Claim => self.claim(),
            Step::Outcome(index, outcome) => self.outcome(index, outcome),
            Step::Decide(index, decision) => self.decide(index, decision),
            Step::Arrive(index) => self.arrive(index),
            Step::Cancel(index) => self.cancel(index),
            Step::Pass(seconds) => {
                self.now = self.now.plus(Duration::from_secs(seconds));
                self.lanes.wake(self.now);
            }
            Step::Sleep(index) => {
                let recipient = i64::try_from(index.index(4)).unwrap();
                self.lanes.sleep(LaneKey(recipient), self.now.plus(Duration::from_secs(6)));
            }
            Step::Close => self.lanes.close(),
            Step::Open => self.lanes.open(),
            Step::Restart => self.restart(),
            Step::Answer(_) | Step::Deliver(_) => {}
        }
    }

    fn accept(&mut self, recipient: i64, priority: Priority, order: Order, later: Option<u64>) {
        self.numbers += 1;
        let id = MessageId::from_uuid(Uuid::from_u128((self.numbers << 64) | (self.numbers << 20)));
        let recipient = LaneKey(recipient);
        let mut entry = Entry {
            id,
            seq: UNCOMMITTED,
            lane: lane(order, recipient, id),
            recipient,
            priority,
            order,
            on_ambiguous: OnAmbiguous::Resend,
            state: OutboxState::NEW,
            expires_at: Timestamp::from_micros(i64::MAX),
            busy: false,
            arrived: false,
        };
        let send_at = later.map(|seconds| self.now.plus(Duration::from_secs(seconds)));
        let admission = self.lanes.admission(&entry, send_at, self.now, true);
        if admission == Admission::Claim {
            let claim = Happening::Claimed { epoch: EPOCH, at: self.now };
            entry.state = entry.state.after(claim).unwrap();
            self.may_go(&entry, i64::MAX);
        }
        self.lanes.admit(entry, send_at, self.now, admission);
        self.written.push_back((entry, send_at));
    }

    fn commit(&mut self, count: usize) {
        for (entry, send_at) in self.written.drain(..count) {
            let seq = i64::try_from(self.rows.len()).unwrap() + 1;
            let message = QueuedMessage {
                seq,
                id: entry.id,
                lane: entry.recipient,
                state: entry.state,
                priority: entry.priority,
                order: entry.order,
                on_ambiguous: entry.on_ambiguous,
                send_at,
                expires_at: entry.expires_at,
            };
            self.rows.push(Row { message, sent_at: None, arrived: false });
            self.unheard.push_back((entry, send_at, seq));
        }
    }

    fn hear(&mut self, count: usize) {
        for (entry, send_at, seq) in self.unheard.drain(..count) {
            self.lanes.committed(&entry, send_at, seq);
        }
    }

    fn answer(&mut self, at: usize) {
        if self.asked[at].answer.is_some() {
            return;
        }
        let mut found: Vec<QueuedMessage> =
            self.rows.iter().filter(|row| row.waits()).map(|row| row.message).collect();
        let (limit, mut next) = match self.asked[at].reading {
            Reading::Waiting { priority, after, limit } => {
                found.retain(|row| row.send_at.is_none() && row.priority == priority && row.seq > after);
                (limit, None)
            }
            Reading::Scheduled { priority, after, until, limit } => {
                let place = |row: &QueuedMessage| row.send_at.map(|at| (at, row.seq));
                found.retain(|row| row.priority == priority && place(row).is_some_and(|place| place > after));
                found.sort_by_key(place);
                let later = found.iter().find(|row| row.send_at > Some(until)).and_then(|row| row.send_at);
                found.retain(|row| row.send_at <= Some(until));
                (limit, later)
            }
            Reading::Lane { lane, after, limit, .. } => {
                found.retain(|row| {
                    row.order != Order::Relaxed
                        && row.lane == lane
                        && row.seq > after
                        && row.send_at.is_none_or(|at| at <= self.now)
                });
                (limit, None)
            }
        };
        next = next.filter(|_| found.len() < limit);
        found.truncate(limit);
        self.asked[at].answer = Some((found, next));
    }

    fn deliver(&mut self, at: usize) {
        self.answer(at);
        let Asked { reading, answer } = self.asked.swap_remove(at);
        let (rows, next) = answer.unwrap();
        match reading {
            Reading::Waiting { priority, limit, .. } => self.lanes.read_waiting(priority, &rows, limit),
            Reading::Scheduled { priority, limit, .. } => {
                self.lanes.read_scheduled(priority, &rows, limit, next);
            }
            Reading::Lane { lane, limit, changes, .. } => self.lanes.read_lane(lane, &rows, limit, changes),
        }
    }

    /// Nothing that was accepted before it for the same recipient may be on its way still, or wait.
    fn may_go(&self, entry: &Entry, seq: i64) {
        if entry.order == Order::Relaxed {
            return;
        }
        let before = self
            .rows
            .iter()
            .filter(|row| row.keeps_order() && row.message.lane == entry.recipient && row.message.seq < seq);
        for row in before {
            let message = &row.message;
            assert!(
                row.message.state.code().is_final() || (row.waits() && message.send_at.is_some()),
                "{entry:?} goes before {message:?}"
            );
            let held = message.order == Order::Delivered
                && !row.arrived
                && row.sent_at.is_some_and(|at| self.now < at.plus(HOLD));
            assert!(!held, "{entry:?} does not wait for the arrival of {message:?}");
        }
        let on_its_way = self.rows.iter().filter(|row| {
            row.keeps_order() && row.message.lane == entry.recipient && row.message.state.claim().is_some()
        });
        assert_eq!(on_its_way.count(), 0, "{entry:?} is not alone");
    }

    fn claim(&mut self) {
        self.lanes.wake(self.now);
        let Some(&entry) = PRIORITIES.into_iter().find_map(|priority| self.lanes.next(priority)) else {
            return;
        };
        assert!(entry.is_committed());
        let claimed = entry.state.after(Happening::Claimed { epoch: EPOCH, at: self.now }).unwrap();
        let stored = self.row(entry.id).message.state;
        if stored == entry.state {
            self.may_go(&entry, entry.seq);
            self.row(entry.id).message.state = claimed;
            self.lanes.moved(entry.lane, entry.id, claimed);
        } else {
            // The compare-and-set was lost: the store knows better.
            assert!(stored.claim().is_none(), "{stored:?} in the store, {:?} in memory", entry.state);
            self.lanes.moved(entry.lane, entry.id, stored);
        }
    }

    fn outcome(&mut self, index: Index, outcome: u8) {
        let sending = self.with(StateCode::Sending);
        let Some(message) = choose(&sending, index) else { return };
        let happening = match outcome {
            0..=2 => Happening::ProviderAccepted,
            3 => Happening::NotSent { due: self.now.plus(Duration::from_secs(4)) },
            4 => Happening::OutcomeUnknown,
            _ => Happening::Rejected,
        };
        self.settle(message, happening);
    }

    fn decide(&mut self, index: Index, decision: u8) {
        let ambiguous = self.with(StateCode::Ambiguous);
        let Some(message) = choose(&ambiguous, index) else { return };
        let happening = match decision {
            0 => Happening::ProvenUnsent,
            1 => Happening::ProviderAccepted,
            _ => Happening::ProofTimedOut,
        };
        self.settle(message, happening);
    }

    fn settle(&mut self, message: QueuedMessage, happening: Happening) {
        let next = message.state.after(happening).unwrap();
        let now = self.now;
        let row = self.row(message.id);
        row.message.state = next;
        let sent = next.code() == StateCode::Sent;
        row.sent_at = sent.then_some(now);
        let key = Entry::of_row(&message).lane;
        let arrived = self.lanes.get(key, message.id).is_some_and(|entry| entry.arrived);
        self.lanes.moved(key, message.id, next);
        if sent && message.order == Order::Delivered && !arrived {
            self.lanes.hold(key, message.id, now.plus(HOLD));
        }
    }

    /// Also before the answer of its own post.
    fn arrive(&mut self, index: Index) {
        let under_way: Vec<QueuedMessage> = self
            .rows
            .iter()
            .filter(|row| row.message.order == Order::Delivered && !row.arrived)
            .filter(|row| row.sent_at.is_some() || row.message.state.code() == StateCode::Sending)
            .map(|row| row.message)
            .collect();
        if let Some(message) = choose(&under_way, index) {
            self.row(message.id).arrived = true;
            self.lanes.arrived(message.id);
        }
    }

    fn cancel(&mut self, index: Index) {
        let waiting: Vec<_> = self.rows.iter().filter(|row| row.waits()).map(|row| row.message).collect();
        // The connection knows of the commit by the time somebody can ask for this.
        let heard = waiting
            .into_iter()
            .filter(|message| !self.unheard.iter().any(|(entry, ..)| entry.id == message.id));
        if let Some(message) = choose(&heard.collect::<Vec<_>>(), index) {
            let next = message.state.after(Happening::CancelRequested).unwrap();
            self.row(message.id).message.state = next;
            self.lanes.moved(Entry::of_row(&message).lane, message.id, next);
        }
    }

    /// The process is gone; what the writer had is committed or not, and nobody was told.
    fn restart(&mut self) {
        self.commit(self.written.len() / 2);
        self.written.clear();
        self.unheard.clear();
        self.asked.clear();
        self.lanes = Lanes::with_share(SHARE);
        for row in &mut self.rows {
            row.message.state =
                row.message.state.after(Happening::ClaimOrphaned).unwrap_or(row.message.state);
        }
        let claimed: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.message.state.claim().is_some())
            .map(|row| row.message)
            .collect();
        let since = self.now.minus(HOLD);
        let held: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.message.order == Order::Delivered && !row.arrived)
            .filter_map(|row| {
                let sent_at = row.sent_at.filter(|&at| at > since)?;
                Some(HeldMessage { id: row.message.id, lane: row.message.lane, sent_at })
            })
            .collect();
        let waiting = self.rows.iter().any(|row| row.waits() && row.message.send_at.is_none());
        let scheduled = self.rows.iter().any(|row| row.waits() && row.message.send_at.is_some());
        let seen = Glance { claimed: !claimed.is_empty(), held: !held.is_empty(), waiting, scheduled };
        self.lanes.begin(&claimed, &held, HOLD, seen);
    }

    fn check_memory(&self) {
        let claimed = self.rows.iter().filter(|row| row.message.state.claim().is_some()).count();
        let (here, uncommitted) = (self.lanes.len(), self.written.len() + self.unheard.len());
        // Four shares, four times as many sleeping heads, and what nobody chose: claims and what is being committed.
        assert!(here <= 4 * SHARE * 5 + claimed + uncommitted, "{here} in memory");
    }

    /// Everything that can happen by itself happens: nothing may be left.
    fn drain(&mut self) {
        self.lanes.open();
        for _ in 0..20_000 {
            self.commit(self.written.len());
            self.hear(self.unheard.len());
            let wishes = self.lanes.wishes(self.now, 4);
            self.asked.extend(wishes.into_iter().map(|reading| Asked { reading, answer: None }));
            while !self.asked.is_empty() {
                self.deliver(0);
            }
            self.claim();
            for message in self.with(StateCode::Sending) {
                self.settle(message, Happening::ProviderAccepted);
            }
            for message in self.with(StateCode::Ambiguous) {
                self.settle(message, Happening::ProofTimedOut);
            }
            if self.rows.iter().all(|row| row.message.state.code().is_final()) && self.lanes.is_idle(self.now)
            {
                return;
            }
            if PRIORITIES.into_iter().all(|priority| self.lanes.next(priority).is_none()) {
                self.now = self.now.plus(Duration::from_secs(1));
                self.lanes.wake(self.now);
            }
        }
        let left: Vec<_> = self.rows.iter().filter(|row| !row.message.state.code().is_final()).collect();
        panic!("left for ever: {left:?}\n{:?}", self.lanes);
    }

    fn row(&mut self, id: MessageId) -> &mut Row {
        self.rows.iter_mut().find(|row| row.message.id == id).expect("it is committed")
    }

    /// Committed, and the connection knows it.
    fn with(&self, code: StateCode) -> Vec<QueuedMessage> {
        let rows = self.rows.iter().map(|row| row.message).filter(|message| message.state.code() == code);
        rows.filter(|message| !self.unheard.iter().any(|(entry, ..)| entry.id == message.id)).collect()
    }
}

fn pick(index: Index, len: usize) -> usize {
    index.index(len + 1)
}

fn choose(messages: &[QueuedMessage], index: Index) -> Option<QueuedMessage> {
    (!messages.is_empty()).then(|| messages[index.index(messages.len())])
}

proptest! {
    #[test]
    fn whatever_happens_lanes_keep_their_order_and_nothing_is_lost(steps in steps()) {
        let mut world = World::new();
        for step in &steps.0 {
            world.run(step);
            world.check_memory();
        }
        world.drain();
    }
}
