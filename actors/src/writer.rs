//! Commits in batches: one actor a node, one transaction at a time, under the epochs held here.
//!
//! An idle gateway commits at once. Under load what arrives is gathered, while a commit runs and for a moment after
//! it, so that batches grow and a row costs less. A batch whose outcome is unknown is sent again as it is: every row of it is an
//! insert that ignores what exists, or a compare-and-set.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Clock;
use domain::contracts::store::{Batch, Committed, Store, StoreError};
use domain::partition::{Epoch, Partition};
use tokio::sync::oneshot;

use crate::holdings::Holdings;
use crate::metrics;

/// Rows that may wait; beyond it a new message is refused before it is accepted.
const MOST_WAITING: usize = 20_000;
/// Rows of one kind in one transaction.
const MOST_AT_ONCE: usize = 512;
/// After a commit the next one waits so long for company, unless enough has gathered.
const GATHER: Duration = Duration::from_millis(2);
const ENOUGH: usize = 128;
/// How long a batch is repeated while the database does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

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
#[derive(Debug, Clone)]
pub struct WriterHandle {
    address: Addr<Writer>,
    waiting: Arc<AtomicUsize>,
}

impl WriterHandle {
    /// Whether another message may be accepted.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MOST_WAITING
    }

    /// Hands over at once, in the order of the calls; the answer comes when everything is durable, its rows in
    /// the order of `part`'s.
    pub fn write(&self, part: Batch) -> impl Future<Output = Result<Committed, WriteError>> + use<> {
        let (reply, answer) = oneshot::channel();
        let rows = rows(&part);
        self.waiting.fetch_add(rows, Ordering::Relaxed);
        // The mailbox is unbounded: what may wait is bounded by `has_room` before a message is accepted.
        if self.address.try_send(Write { part, rows, reply }).is_err() {
            self.waiting.fetch_sub(rows, Ordering::Relaxed);
        }
        async move { answer.await.unwrap_or(Err(WriteError::Unavailable)) }
    }

    pub(crate) async fn drained(&self) {
        let _ = self.address.send(Drain).await;
    }
}

fn rows(batch: &Batch) -> usize {
    batch.messages.len() + batch.transitions.len() + batch.events.len() + batch.quarantine.len()
}

struct Write {
    part: Batch,
    rows: usize,
    reply: oneshot::Sender<Result<Committed, WriteError>>,
}

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
    waiting: Arc<AtomicUsize>,
    pending: Vec<Write>,
    pending_rows: usize,
    committing: bool,
    /// A commit is due when the time to gather is over.
    gathering: bool,
    /// Boot time at which the last commit ended.
    ended: Duration,
    drains: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub fn start(
        arbiter: &ArbiterHandle,
        store: Arc<dyn Store>,
        holdings: Holdings,
        clock: Arc<dyn Clock>,
    ) -> WriterHandle {
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Self {
            store,
            holdings,
            clock,
            waiting: Arc::clone(&waiting),
            pending: Vec::new(),
            pending_rows: 0,
            committing: false,
            gathering: false,
            ended: Duration::ZERO,
            drains: Vec::new(),
        };
        let address = Self::start_in_arbiter(arbiter, move |ctx| {
            ctx.set_mailbox_capacity(0);
            writer
        });
        WriterHandle { address, waiting }
    }

    /// Commits what is pending, unless a commit runs: then its end does.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.committing {
            return;
        }
        if self.pending.is_empty() {
            for drained in self.drains.drain(..) {
                let _ = drained.send(());
            }
            return;
        }
        let since = self.clock.boottime().saturating_sub(self.ended);
        if since < GATHER && self.pending_rows < ENOUGH && self.drains.is_empty() {
            self.gather(GATHER.saturating_sub(since), ctx);
            return;
        }
        self.committing = true;
        let writes = self.take_batch();
        let (batch, shares) = merge(writes);
        let epochs = self.epochs(&batch);
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let waiting = Arc::clone(&self.waiting);
        metrics::batch(rows(&batch));
        let commit = async move {
            let result = commit_with_patience(&*store, &*clock, &epochs, &batch).await;
            waiting.fetch_sub(shares.iter().map(|share| share.rows).sum(), Ordering::Relaxed);
            answer(shares, result);
        };
        ctx.spawn(commit.into_actor(self).map(|(), this, ctx| {
            this.committing = false;
            this.ended = this.clock.boottime();
            this.pump(ctx);
        }));
    }

    fn gather(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if self.gathering {
            return;
        }
        self.gathering = true;
        ctx.run_later(wait, |this, ctx| {
            this.gathering = false;
            this.pump(ctx);
        });
    }

    fn take_batch(&mut self) -> Vec<Write> {
        let mut gathered = 0;
        let fits = self
            .pending
            .iter()
            .take_while(|write| {
                gathered += write.rows;
                gathered <= MOST_AT_ONCE
            })
            .count()
            .max(1);
        let rest = self.pending.split_off(fits);
        let batch = std::mem::replace(&mut self.pending, rest);
        self.pending_rows -= batch.iter().map(|write| write.rows).sum::<usize>();
        batch
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

    fn handle(&mut self, write: Write, ctx: &mut Self::Context) {
        self.pending_rows += write.rows;
        self.pending.push(write);
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

/// How much of a merged batch belongs to one submitter.
struct Share {
    messages: usize,
    transitions: usize,
    events: usize,
    rows: usize,
    reply: oneshot::Sender<Result<Committed, WriteError>>,
}

fn merge(writes: Vec<Write>) -> (Batch, Vec<Share>) {
    let mut batch = Batch::default();
    let mut shares = Vec::with_capacity(writes.len());
    for Write { part, rows, reply } in writes {
        shares.push(Share {
            messages: part.messages.len(),
            transitions: part.transitions.len(),
            events: part.events.len(),
            rows,
            reply,
        });
        batch.messages.extend(part.messages);
        batch.transitions.extend(part.transitions);
        batch.events.extend(part.events);
        batch.quarantine.extend(part.quarantine);
        batch.progress.extend(part.progress);
        batch.failed_deliveries.extend(part.failed_deliveries);
        batch.contacts.extend(part.contacts);
    }
    (batch, shares)
}

fn answer(shares: Vec<Share>, result: Result<Committed, WriteError>) {
    match result {
        Ok(committed) => {
            let mut messages = committed.messages.into_iter();
            let mut transitions = committed.transitions.into_iter();
            let mut events = committed.events.into_iter();
            for share in shares {
                let part = Committed {
                    messages: messages.by_ref().take(share.messages).collect(),
                    transitions: transitions.by_ref().take(share.transitions).collect(),
                    events: events.by_ref().take(share.events).collect(),
                };
                let _ = share.reply.send(Ok(part));
            }
        }
        Err(error) => {
            for share in shares {
                let _ = share.reply.send(Err(error.clone()));
            }
        }
    }
}

async fn commit_with_patience(
    store: &dyn Store,
    clock: &dyn Clock,
    epochs: &[(Partition, Epoch)],
    batch: &Batch,
) -> Result<Committed, WriteError> {
    let begun = clock.boottime();
    let mut wait = Duration::from_millis(20);
    loop {
        match store.commit(epochs, batch).await {
            Ok(committed) => return Ok(committed),
            Err(StoreError::Unavailable(error)) if clock.boottime().saturating_sub(begun) < PATIENCE => {
                tracing::warn!(error = %error, "a commit did not succeed; it is repeated as it is");
                clock.sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
            Err(error) => {
                tracing::error!(error = %error, cause = ?std::error::Error::source(&error), "a commit was given up");
                return Err(WriteError::Unavailable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::contracts::store::DeliveryProgress;
    use domain::ids::EndpointId;

    #[test]
    fn every_submitter_gets_its_own_rows_back() {
        let (first, first_answer) = oneshot::channel();
        let (second, second_answer) = oneshot::channel();
        let progress = DeliveryProgress { endpoint: EndpointId::from_uuid(uuid::Uuid::nil()), cursor: 1 };
        let part = Batch { progress: vec![progress], ..Batch::default() };
        let (batch, mut shares) = merge(vec![
            Write { part: part.clone(), rows: 0, reply: first },
            Write { part, rows: 0, reply: second },
        ]);
        assert_eq!(batch.progress.len(), 2);
        shares[0].transitions = 2;
        shares[1].transitions = 1;
        let committed = Committed { transitions: vec![true, false, true], ..Committed::default() };
        answer(shares, Ok(committed));
        assert_eq!(first_answer.blocking_recv().unwrap().unwrap().transitions, [true, false]);
        assert_eq!(second_answer.blocking_recv().unwrap().unwrap().transitions, [true]);
    }
}
