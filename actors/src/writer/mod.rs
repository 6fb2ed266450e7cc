//! Commits in batches: one actor a node, one transaction at a time, under the epochs held here.
//!
//! What arrives is gathered while a commit runs, and for a moment after it ([`pace`] says how long), so that batches
//! grow and a row costs less. A message is accepted only while what was handed over before it is written in time.

mod commit;
mod pace;
mod share;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Clock;
use domain::contracts::store::{Batch, Committed, Store};
use domain::message::Priority;
use domain::partition::{Epoch, Partition};
use tokio::sync::oneshot;

use crate::holdings::Holdings;
use crate::metrics;
use pace::{Last, Waiting};
use share::{Part, is_urgent};

/// Rows that may wait; beyond it a new message is refused before it is accepted.
const MOST_WAITING: usize = 20_000;
/// Rows of one kind in one transaction.
const MOST_AT_ONCE: usize = 512;
/// More than the next two commits take is a queue. When its oldest row has waited for so long, the database does not
/// keep up.
const A_QUEUE: usize = 2 * MOST_AT_ONCE;
const OLD_IN_A_QUEUE: Duration = Duration::from_millis(100);
/// The same for fewer rows, which a disk that stalls holds up as well.
const OLD: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written and nothing will be.
    #[error("the gateway has more to write than it can keep up with")]
    Overloaded,
    /// The database did not answer in time. What was asked may or may not be written.
    #[error("the database did not answer")]
    Unavailable,
}

/// Submits to the writer; cheap to clone.
#[derive(Clone)]
pub struct WriterHandle {
    address: Addr<Writer>,
    backlog: Arc<Backlog>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WriterHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterHandle").field("backlog", &self.backlog).finish_non_exhaustive()
    }
}

/// What was handed over and is not written yet.
#[derive(Debug, Default)]
struct Backlog {
    rows: AtomicUsize,
    /// Microseconds of the boot clock since which the oldest part waits; 0 when none does.
    since: AtomicU64,
}

impl Backlog {
    fn add(&self, rows: usize, now: Duration) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        // Fails where an older part waits.
        let _ = self.since.compare_exchange(0, micros(now), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn remove(&self, rows: usize) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
    }

    fn oldest_is(&self, since: Option<Duration>) {
        self.since.store(since.map_or(0, micros), Ordering::Relaxed);
    }

    fn has_room(&self, priority: Priority, now: Duration) -> bool {
        match self.rows.load(Ordering::Relaxed) {
            // A flood of others turns no code away as long as there is any room.
            ..MOST_WAITING if priority == Priority::Otp => true,
            ..A_QUEUE => self.age(now) < OLD,
            A_QUEUE..MOST_WAITING => self.age(now) < OLD_IN_A_QUEUE,
            _ => false,
        }
    }

    fn age(&self, now: Duration) -> Duration {
        match self.since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => now.saturating_sub(Duration::from_micros(since)),
        }
    }
}

/// Never 0, which stands for none.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

impl WriterHandle {
    /// Whether another message of this priority may be accepted.
    pub fn has_room(&self, priority: Priority) -> bool {
        self.backlog.has_room(priority, self.clock.boottime())
    }

    /// Hands over at once, in the order of the calls; the answer comes when everything is durable, its rows in
    /// the order of `batch`'s.
    pub fn write(&self, batch: Batch) -> impl Future<Output = Result<Committed, WriteError>> + use<> {
        let (reply, answer) = oneshot::channel();
        let (rows, since) = (share::rows(&batch), self.clock.boottime());
        self.backlog.add(rows, since);
        // The mailbox is unbounded: what may wait is bounded by `has_room` before a message is accepted.
        if self.address.try_send(Write(Part { batch, rows, since, reply })).is_err() {
            self.backlog.remove(rows);
        }
        async move { answer.await.unwrap_or(Err(WriteError::Unavailable)) }
    }

    pub(crate) async fn drained(&self) {
        let _ = self.address.send(Drain).await;
    }
}

struct Write(Part);

impl Message for Write {
    type Result = ();
}

/// Answered when everything submitted before it is committed.
#[derive(Message)]
#[rtype(result = "()")]
struct Drain;

pub struct Writer {
    store: Arc<dyn Store>,
    holdings: Holdings,
    clock: Arc<dyn Clock>,
    backlog: Arc<Backlog>,
    pending: Vec<Part>,
    waiting: Waiting,
    /// Since when the oldest part of the commit that runs was waiting.
    committing: Option<Duration>,
    /// When a commit is due, and the timer for it.
    wake: Option<(Duration, SpawnHandle)>,
    last: Last,
    drains: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub fn start(
        arbiter: &ArbiterHandle,
        store: Arc<dyn Store>,
        holdings: Holdings,
        clock: Arc<dyn Clock>,
    ) -> WriterHandle {
        let backlog = Arc::<Backlog>::default();
        let writer = Self {
            store,
            holdings,
            clock: Arc::clone(&clock),
            backlog: Arc::clone(&backlog),
            pending: Vec::new(),
            waiting: Waiting::default(),
            committing: None,
            wake: None,
            last: Last::default(),
            drains: Vec::new(),
        };
        let address = Self::start_in_arbiter(arbiter, move |ctx| {
            ctx.set_mailbox_capacity(0);
            writer
        });
        WriterHandle { address, backlog, clock }
    }

    /// Commits what is pending when it is due, unless a commit runs: then its end does.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.committing.is_some() {
            return;
        }
        let Some(due) = pace::due(self.waiting, self.last) else {
            for drained in self.drains.drain(..) {
                let _ = drained.send(());
            }
            return;
        };
        let now = self.clock.boottime();
        if now < due && self.drains.is_empty() {
            self.wake_at(due, now, ctx);
            return;
        }
        let (batch, shares) = share::merge(self.take_parts());
        let rows = shares.iter().map(|share| share.rows).sum();
        let epochs = self.epochs(&batch);
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        metrics::batch(share::rows(&batch));
        let commit = async move {
            let attempt = async |batch: &Batch| store.commit(&epochs, batch).await;
            commit::commit(attempt, &*clock, batch, shares).await;
        };
        ctx.spawn(commit.into_actor(self).map(move |(), this, ctx| {
            let ended = this.clock.boottime();
            this.last = Last { ended, took: ended.saturating_sub(now) };
            this.committing = None;
            this.backlog.remove(rows);
            this.backlog.oldest_is(this.waiting.since);
            this.pump(ctx);
        }));
    }

    fn wake_at(&mut self, due: Duration, now: Duration, ctx: &mut Context<Self>) {
        match self.wake {
            Some((earlier, _)) if earlier <= due => return,
            Some((_, later)) => {
                ctx.cancel_future(later);
            }
            None => {}
        }
        let timer = ctx.run_later(due.saturating_sub(now), |this, ctx| {
            this.wake = None;
            this.pump(ctx);
        });
        self.wake = Some((due, timer));
    }

    fn take_parts(&mut self) -> Vec<Part> {
        let mut gathered = 0;
        let fits = self
            .pending
            .iter()
            .take_while(|part| {
                gathered += part.rows;
                gathered <= MOST_AT_ONCE
            })
            .count()
            .max(1);
        let rest = self.pending.split_off(fits);
        let taken = std::mem::replace(&mut self.pending, rest);
        self.committing = taken.first().map(|part| part.since);
        self.waiting = Waiting {
            rows: self.pending.iter().map(|part| part.rows).sum(),
            since: self.pending.first().map(|part| part.since),
            urgent: self.pending.iter().any(|part| is_urgent(&part.batch)),
        };
        taken
    }

    fn epochs(&self, batch: &Batch) -> Vec<(Partition, Epoch)> {
        let mut partitions: Vec<Partition> = batch
            .messages
            .iter()
            .map(|message| message.partition)
            .chain(batch.transitions.iter().map(|transition| transition.partition))
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
            .into_iter()
            .filter_map(|partition| Some((partition, self.holdings.epoch(partition)?)))
            .collect()
    }
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Write> for Writer {
    type Result = ();

    fn handle(&mut self, Write(part): Write, ctx: &mut Self::Context) {
        self.waiting.rows += part.rows;
        self.waiting.since.get_or_insert(part.since);
        self.waiting.urgent |= is_urgent(&part.batch);
        self.pending.push(part);
        self.backlog.oldest_is(self.committing.or(self.waiting.since));
        self.pump(ctx);
    }
}

impl Handler<Drain> for Writer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.drains.push(drained);
        self.pump(ctx);
        Box::pin(async move {
            let _ = done.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_room(backlog: &Backlog, now: Duration) -> bool {
        backlog.has_room(Priority::Normal, now)
    }

    #[test]
    fn there_is_room_for_a_code_until_very_much_waits() {
        let backlog = Backlog::default();
        backlog.add(MOST_WAITING - 1, Duration::ZERO);
        assert!(backlog.has_room(Priority::Otp, OLD));
        assert!(!has_room(&backlog, OLD));
        backlog.add(1, OLD);
        assert!(!backlog.has_room(Priority::Otp, OLD));
    }

    #[test]
    fn there_is_room_until_what_waits_is_old_or_very_much() {
        let begun = Duration::from_secs(9);
        let later = begun + OLD_IN_A_QUEUE;
        let backlog = Backlog::default();
        backlog.add(A_QUEUE - 1, begun);
        assert!(has_room(&backlog, later), "one slow commit is no queue");
        assert!(!has_room(&backlog, begun + OLD));
        backlog.add(1, later);
        assert!(!has_room(&backlog, later));
        backlog.oldest_is(Some(later));
        assert!(has_room(&backlog, later), "the old ones are written");
        backlog.add(MOST_WAITING, later);
        assert!(!has_room(&backlog, later));
        backlog.remove(MOST_WAITING + A_QUEUE);
        backlog.oldest_is(None);
        assert!(has_room(&backlog, later + OLD));
    }
}
