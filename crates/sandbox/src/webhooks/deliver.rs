//! The delivery loop: one task that knows what is due, and short-lived tasks that carry one POST each.

use super::destination::Gate;
use super::wire::Wire;
use super::{Command, Event, payload, sign};
use crate::accounts::Destination;
use crate::faults::WebhookFaults;
use crate::world::{World, locked};
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// With batches it pays to wait a moment for company.
const BATCH_TICK: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_hours(1);

pub(crate) async fn run(world: Arc<World>, mut incoming: UnboundedReceiver<Command>) {
    let (finished, mut outcomes) = unbounded_channel();
    let now = Instant::now();
    let timeout = Duration::from_millis(world.config.delivery.timeout_ms);
    let mut delivery = Delivery {
        wire: Arc::new(Wire::new(world.client.clone(), timeout)),
        world,
        finished,
        queue: BinaryHeap::new(),
        held: Vec::new(),
        gates: HashMap::new(),
        order: 0,
        under_way: 0,
        last_round: now,
    };
    let mut commands = Vec::with_capacity(1024);
    loop {
        let wake = delivery.wake_at();
        tokio::select! {
            count = incoming.recv_many(&mut commands, 1024) => {
                if count == 0 {
                    return;
                }
                let faults = delivery.world.faults.webhooks();
                for command in commands.drain(..) {
                    delivery.take(command, &faults);
                }
            }
            Some(outcome) = outcomes.recv() => {
                delivery.settle(outcome);
                while let Ok(outcome) = outcomes.try_recv() {
                    delivery.settle(outcome);
                }
            }
            () = tokio::time::sleep_until(wake) => {}
        }
        delivery.round();
    }
}

#[derive(Debug)]
pub(super) struct Item {
    due: Instant,
    order: u64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Fresh {
        id: u64,
        event: Event,
    },
    /// A POST that has failed before, or a second copy of one: the same bytes again.
    Again(Post),
}

#[derive(Debug)]
struct Post {
    url: String,
    /// An override keeps its address; what went to the app's callback follows it when it changes.
    to_app: bool,
    body: Bytes,
    /// Empty for a copy, which nobody has to account for.
    ids: Vec<u64>,
    attempt: u32,
}

#[derive(Debug)]
struct Finished {
    post: Post,
    started_ms: i64,
    result: io::Result<u16>,
}

struct Delivery {
    world: Arc<World>,
    wire: Arc<Wire>,
    finished: UnboundedSender<Finished>,
    queue: BinaryHeap<Item>,
    /// Waits for the app's callback to answer the handshake.
    held: Vec<Item>,
    gates: HashMap<String, Gate>,
    order: u64,
    under_way: usize,
    last_round: Instant,
}

/// Fresh events on their way into one POST.
struct Batch {
    url: String,
    to_app: bool,
    ids: Vec<u64>,
    events: Vec<Event>,
}

impl Delivery {
    fn take(&mut self, command: Command, faults: &WebhookFaults) {
        match command {
            Command::Statuses(message) => {
                for index in 0..message.statuses.len() {
                    let place = self.world.config.status_delays_ms;
                    let delay = place[index.min(place.len() - 1)];
                    let id = message.first_webhook + index as u64;
                    self.schedule(id, Event::Status { message: message.clone(), index }, delay, faults);
                }
            }
            Command::Deliver { id, event, delay_ms } => self.schedule(id, event, delay_ms, faults),
            Command::CallbackChanged => {
                let parked: Vec<_> = self.gates.drain().flat_map(|(_, mut gate)| gate.open()).collect();
                self.queue.extend(self.held.drain(..).chain(parked));
            }
        }
    }

    fn schedule(&mut self, id: u64, event: Event, delay_ms: u64, faults: &WebhookFaults) {
        if self.world.webhooks.waiting() > self.world.config.delivery.backlog {
            self.account_for(&[id]);
            return;
        }
        let chance = &self.world.chance;
        let mut delay = delay_ms + chance.between(faults.delay_ms.0, faults.delay_ms.1);
        if chance.happens(faults.reorder) {
            delay += chance.between(150, 600);
        }
        self.push(Duration::from_millis(delay), Work::Fresh { id, event });
    }

    fn push(&mut self, delay: Duration, work: Work) {
        self.order += 1;
        self.queue.push(Item { due: Instant::now() + delay, order: self.order, work });
    }

    fn tick(&self) -> Duration {
        if self.world.faults.webhooks().batch > 1 { BATCH_TICK } else { Duration::ZERO }
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        if self.under_way >= self.world.config.delivery.concurrency {
            return now + IDLE;
        }
        let due = self.queue.peek().map(|item| item.due.max(self.last_round + self.tick()));
        let attempts = self.gates.values().filter_map(Gate::try_at);
        attempts.chain(due).min().unwrap_or(now + IDLE)
    }

    /// Starts everything that is due and for which there is room.
    fn round(&mut self) {
        let now = Instant::now();
        self.attempt_closed_gates(now);
        if now < self.last_round + self.tick() {
            return;
        }
        self.last_round = now;
        let faults = self.world.faults.webhooks();
        let mut batch: Option<Batch> = None;
        while self.under_way + usize::from(batch.is_some()) < self.world.config.delivery.concurrency
            || batch.as_ref().is_some_and(|batch| batch.ids.len() < faults.batch)
        {
            let Some(item) = self.due(now) else { break };
            if let Work::Fresh { id, .. } = &item.work
                && self.world.chance.happens(faults.drop)
            {
                let id = *id;
                self.account_for(&[id]);
                continue;
            }
            let Some((url, to_app, item)) = self.route(item) else { continue };
            match item.work {
                Work::Again(mut post) => {
                    post.url = url;
                    self.start(post);
                }
                Work::Fresh { id, event } => {
                    let full = batch.as_ref().is_some_and(|b| b.url != url || b.ids.len() >= faults.batch);
                    if full {
                        self.finish(batch.take(), &faults);
                    }
                    let batch = batch.get_or_insert_with(|| Batch {
                        url,
                        to_app,
                        ids: Vec::new(),
                        events: Vec::new(),
                    });
                    batch.ids.push(id);
                    batch.events.push(event);
                }
            }
        }
        self.finish(batch, &faults);
    }

    fn due(&mut self, now: Instant) -> Option<Item> {
        let first = self.queue.peek_mut()?;
        (first.due <= now).then(|| PeekMut::pop(first))
    }

    fn attempt_closed_gates(&mut self, now: Instant) {
        if self.under_way >= self.world.config.delivery.concurrency {
            return;
        }
        let ready: Vec<_> =
            self.gates.iter_mut().filter_map(|(url, gate)| Some((url.clone(), gate.attempt(now)?))).collect();
        let faults = self.world.faults.webhooks();
        for (url, item) in ready {
            match (self.destination(&item), item.work) {
                (Some((now_at, to_app)), work) if now_at == url => match work {
                    Work::Again(post) => self.start(post),
                    Work::Fresh { id, event } => {
                        let batch = Batch { url, to_app, ids: vec![id], events: vec![event] };
                        self.finish(Some(batch), &faults);
                    }
                },
                // It belongs elsewhere by now.
                (_, work) => {
                    if let Some(gate) = self.gates.get_mut(&url) {
                        gate.give_up_attempt();
                    }
                    self.push(Duration::ZERO, work);
                }
            }
        }
    }

    /// Where an item goes now, or nothing if it has been put aside or has nowhere to go.
    fn route(&mut self, item: Item) -> Option<(String, bool, Item)> {
        let Some((url, to_app)) = self.destination(&item) else {
            if self.is_awaiting_handshake(&item) {
                self.held.push(item);
            } else {
                let ids = match item.work {
                    Work::Fresh { id, .. } => vec![id],
                    Work::Again(post) => post.ids,
                };
                self.account_for(&ids);
            }
            return None;
        };
        if let Some(gate) = self.gates.get_mut(&url).filter(|gate| !gate.is_open()) {
            gate.park(item);
            return None;
        }
        Some((url, to_app, item))
    }

    fn destination(&self, item: &Item) -> Option<(String, bool)> {
        match self.looked_up(item) {
            Destination::Override(url) => Some((url, false)),
            Destination::App(url) => Some((url, true)),
            Destination::NotYet | Destination::Nowhere => None,
        }
    }

    fn is_awaiting_handshake(&self, item: &Item) -> bool {
        self.looked_up(item) == Destination::NotYet
    }

    fn looked_up(&self, item: &Item) -> Destination {
        let accounts = locked(&self.world.accounts);
        match &item.work {
            Work::Again(post) if post.to_app => accounts.app_destination(),
            Work::Again(post) => Destination::Override(post.url.clone()),
            Work::Fresh { event: Event::Status { message, .. }, .. } => {
                accounts.destination(&message.waba_id, Some(&message.phone_number_id))
            }
            Work::Fresh { event: Event::Change(change), .. } => match &change.waba_id {
                Some(waba_id) => accounts.destination(waba_id, change.phone_number_id.as_deref()),
                None => accounts.app_destination(),
            },
        }
    }

    fn finish(&mut self, batch: Option<Batch>, faults: &WebhookFaults) {
        let Some(Batch { url, to_app, ids, events }) = batch else { return };
        let echo = faults.echo && !self.world.chance.happens(faults.echo_omitted);
        let body = Bytes::from(payload::body(&events, self.world.clock.now_s(), echo));
        if self.world.chance.happens(faults.duplicate) {
            let copy = Post { url: url.clone(), to_app, body: body.clone(), ids: Vec::new(), attempt: 0 };
            let delay = self.world.chance.between(5, 200);
            self.push(Duration::from_millis(delay), Work::Again(copy));
        }
        self.start(Post { url, to_app, body, ids, attempt: 0 });
    }

    fn start(&mut self, post: Post) {
        self.under_way += 1;
        let signature = sign::signature(locked(&self.world.accounts).app.secret.expose(), &post.body);
        let (wire, finished) = (self.wire.clone(), self.finished.clone());
        let started_ms = self.world.clock.now_ms();
        tokio::spawn(async move {
            let result = wire.post(&post.url, &signature, &post.body).await;
            let _ = finished.send(Finished { post, started_ms, result });
        });
    }

    fn settle(&mut self, finished: Finished) {
        let Finished { mut post, started_ms, result } = finished;
        self.under_way -= 1;
        let (ended_ms, answer) = (self.world.clock.now_ms(), result.as_ref().ok().copied());
        locked(&self.world.posted).push(started_ms, ended_ms, answer, post.body.clone());
        let config = self.world.config.delivery;
        match result {
            Ok(200) => {
                self.reached(&post.url);
                self.account_for(&post.ids);
            }
            Ok(status) => {
                self.reached(&post.url);
                post.attempt += 1;
                if post.attempt >= config.attempts {
                    tracing::warn!(
                        status,
                        attempts = post.attempt,
                        "a webhook was never answered with 200 and is given up"
                    );
                    self.account_for(&post.ids);
                } else if !post.ids.is_empty() {
                    let pause = config.retry_first_ms.saturating_mul(1 << (post.attempt - 1).min(16));
                    self.push(Duration::from_millis(pause.min(config.retry_max_ms)), Work::Again(post));
                }
            }
            Err(error) => {
                let now = Instant::now();
                let gate = self.gates.entry(post.url.clone()).or_default();
                if gate.is_open() {
                    tracing::info!(%error, "the webhook callback cannot be reached; its webhooks wait");
                }
                self.order += 1;
                let item = (!post.ids.is_empty()).then(|| Item {
                    due: now,
                    order: self.order,
                    work: Work::Again(post),
                });
                gate.close(now, item);
            }
        }
    }

    fn reached(&mut self, url: &str) {
        if let Some(gate) = self.gates.get_mut(url).filter(|gate| !gate.is_open()) {
            self.queue.extend(gate.open());
        }
    }

    fn account_for(&self, ids: &[u64]) {
        self.world.done(ids);
        self.world.webhooks.finished(ids.len());
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A `BinaryHeap` gives its greatest item first, so the earliest has to be the greatest.
impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}
