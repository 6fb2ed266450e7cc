//! What the platform tells the gateway: signed, batched, repeated until it is answered with 200.

mod deliver;
mod destination;
mod handshake;
mod json;
mod payload;
mod sign;
mod wire;

pub(crate) use deliver::run;
pub(crate) use handshake::{set_callback, shake_hands, verify};
pub(crate) use json::escape;
pub(crate) use sign::{hmac_hex, signature};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An accepted message, as far as its statuses need it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// Its statuses are the webhooks with this number and the following ones.
    pub(crate) first_webhook: u64,
    pub(crate) id: String,
    pub(crate) waba_id: String,
    pub(crate) phone_number_id: String,
    /// The business number's digits.
    pub(crate) display: String,
    pub(crate) recipient: Recipient,
    pub(crate) opaque: Option<String>,
    pub(crate) category: Category,
    pub(crate) statuses: Vec<Status>,
    /// Goes with [`Status::Failed`].
    pub(crate) error: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    pub(crate) wa_id: Option<String>,
    pub(crate) user_id: Option<String>,
    /// Set instead of the other two.
    pub(crate) group_id: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    Service,
    Utility,
    MarketingLite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Sent,
    Delivered,
    Read,
    Failed,
}

impl Status {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "read" => Self::Read,
            "failed" => Self::Failed,
            _ => return None,
        })
    }
}

/// Anything but a status: an inbound message, an account update.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    /// What `entry[].id` says.
    pub(crate) entry_id: String,
    /// Whose subscription decides; `None` always goes to the app's callback.
    pub(crate) waba_id: Option<String>,
    pub(crate) phone_number_id: Option<String>,
    pub(crate) field: String,
    /// JSON text.
    pub(crate) value: String,
    /// Account-level fields carry `entry[].time`.
    pub(crate) timed: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Status { message: Arc<Accepted>, index: usize },
    Change(Arc<Change>),
}

#[derive(Debug)]
pub(crate) enum Command {
    Statuses(Arc<Accepted>),
    Deliver {
        id: u64,
        event: Event,
        delay_ms: u64,
    },
    /// A callback was set or has just been verified: look again at what waits.
    CallbackChanged,
}

/// The way into the delivery loop, from any thread.
#[derive(Debug)]
pub(crate) struct Queue {
    commands: UnboundedSender<Command>,
    next_id: AtomicU64,
    /// Updates that are neither delivered nor given up.
    waiting: AtomicUsize,
}

impl Queue {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Command>) {
        let (commands, incoming) = unbounded_channel();
        (Self { commands, next_id: AtomicU64::new(1), waiting: AtomicUsize::new(0) }, incoming)
    }

    pub(crate) fn reserve(&self, count: usize) -> u64 {
        self.next_id.fetch_add(count as u64, Ordering::Relaxed)
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.load(Ordering::Relaxed)
    }

    pub(crate) fn continue_from(&self, id: u64) {
        self.next_id.fetch_max(id, Ordering::Relaxed);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn statuses(&self, message: Arc<Accepted>) {
        self.waiting.fetch_add(message.statuses.len(), Ordering::Relaxed);
        self.tell(Command::Statuses(message));
    }

    pub(crate) fn later(&self, id: u64, event: Event, delay_ms: u64) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.tell(Command::Deliver { id, event, delay_ms });
    }

    /// After a restart: what was pending goes out at once.
    pub(crate) fn redeliver(&self, id: u64, event: Event) {
        self.later(id, event, 0);
    }

    pub(crate) fn callback_changed(&self) {
        self.tell(Command::CallbackChanged);
    }

    fn finished(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// The loop ends only when the sandbox stops, and then nobody waits for webhooks.
    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}
