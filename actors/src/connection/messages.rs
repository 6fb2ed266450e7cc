//! Everything a connection can be told.

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::provider::SendError;
use domain::contracts::store::{Accepted, NewMessage};
use domain::delivery_status::DeliveryStatus;
use domain::ids::MessageId;
use domain::news::NumberNews;
use serde::Serialize;

use crate::writer::WriteError;

/// Accept this message. Its state is decided here; the answer comes when the row is durable.
#[derive(Debug, Message)]
#[rtype(result = "Result<Accepted, WriteError>")]
pub(crate) struct Submit {
    pub(crate) message: Box<NewMessage>,
    /// The message object in clear, for the post that may follow at once.
    pub(crate) json: String,
}

/// Cancel, unless it is claimed already.
#[derive(Debug, Message)]
#[rtype(result = "Result<Cancellation, WriteError>")]
pub(crate) struct Cancel(pub(crate) MessageId);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    Cancelled,
    /// It was claimed, or is over.
    TooLate,
}

/// Reports about messages of this number were committed: look at what is ambiguous, and at who waits for an arrival.
#[derive(Debug, Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Reported {
    pub(crate) statuses: Vec<(MessageId, DeliveryStatus)>,
    /// What failed statuses say, as a post's answer would.
    pub(crate) errors: Vec<SendError>,
}

/// The platform said something about the number itself.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Told(pub(crate) NumberNews);

/// The connection's row or credential changed: read them again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reload;

/// Whatever it waits for by itself, it waits no longer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Resume;

/// Finish what is in flight, start nothing new.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// End as you are.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Quit;

#[derive(Debug, Message)]
#[rtype(result = "Observation")]
pub(crate) struct Observe;

/// What a connection is doing, for tests and operators alike.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Observation {
    pub status: &'static str,
    /// Messages that wait, here and in the store.
    pub waiting: u64,
    /// Those of them that stand in memory.
    pub in_memory: usize,
    pub in_flight: usize,
    pub ambiguous: usize,
    /// Messages a second that it may send now.
    pub messages_per_second: u32,
    /// It sends nothing until then, whatever waits.
    pub paused_until: Option<Timestamp>,
    /// Stable word for what keeps it from sending although it is connected.
    pub trouble: Option<&'static str>,
}
