//! Everything a connection can be told.

use actix::prelude::*;
use domain::contracts::store::{Accepted, NewMessage};
use domain::ids::MessageId;
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

/// A report was committed for a message of this number: look at what is ambiguous.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reported;

/// The connection's row or credential changed: read them again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reload;

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
    pub waiting: usize,
    pub in_flight: usize,
    pub ambiguous: usize,
    /// Stable word for what keeps it from sending although it is connected.
    pub trouble: Option<&'static str>,
}
