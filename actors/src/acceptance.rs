//! A message on its way into the gateway: what is asked, and what is answered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::Connection;
use domain::contact::Refusal;
use domain::contracts::store::IdempotencyRecord;
use domain::ids::{ConnectionId, MessageId};
use domain::message::{MessageStatus, Order, Priority};
use domain::outbox::OnAmbiguous;
use domain::recipient::Recipient;
use domain::template::TemplateProblem;
use serde::Serialize;

use crate::contacts::{Asked, NotAdmitted};
use crate::keychain::SealError;
use crate::quotes::UnknownQuote;
use crate::router::RouteError;

pub(crate) const A_MOMENT: Duration = Duration::from_secs(1);

/// A message to accept, checked and normalised already.
#[derive(Debug, Clone)]
pub struct Submission {
    pub recipient: Recipient,
    /// Cloud API `type`.
    pub kind: String,
    /// The message object as JSON text, without `messaging_product` and `biz_opaque_callback_data`.
    pub json: String,
    pub opaque: Option<String>,
    pub client_ref: Option<String>,
    pub priority: Priority,
    pub order: Order,
    pub on_ambiguous: Option<OnAmbiguous>,
    pub send_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// Refuse rather than wait for room.
    pub immediate: bool,
    /// A template that is known to be advertising.
    pub marketing: bool,
    /// The message in whose place it is sent.
    pub replay_of: Option<MessageId>,
    pub idempotency: Option<IdempotencyKey>,
}

impl Submission {
    /// A checked message with nothing said about when and how.
    pub fn plain(recipient: Recipient, kind: String, json: String, opaque: Option<String>) -> Self {
        Self {
            recipient,
            kind,
            json,
            opaque,
            client_ref: None,
            priority: Priority::default(),
            order: Order::default(),
            on_ambiguous: None,
            send_at: None,
            expires_at: None,
            immediate: false,
            marketing: false,
            replay_of: None,
            idempotency: None,
        }
    }

    pub(crate) fn asks<'a>(&'a self, connection: &'a Connection) -> Asked<'a> {
        Asked {
            connection,
            recipient: &self.recipient,
            kind: &self.kind,
            marketing: self.marketing,
            priority: self.priority,
        }
    }

    /// One-time codes, and everything on an unofficial transport, never go a second time, whatever the caller wished.
    /// Nor do messages to a group: what is reported of them is reported member by member, which proves nothing yet.
    pub(crate) fn policy(&self, connection: &Connection) -> OnAmbiguous {
        let official = connection.transport() == domain::Transport::Official;
        let group = matches!(self.recipient, Recipient::Group(_));
        let resendable = official && !group && self.priority != Priority::Otp;
        if resendable { self.on_ambiguous.unwrap_or(OnAmbiguous::Resend) } else { OnAmbiguous::Fail }
    }

    pub(crate) const fn when(&self) -> When {
        When { send_at: self.send_at, expires_at: self.expires_at, immediate: self.immediate }
    }
}

/// When a message may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub(crate) send_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) immediate: bool,
}

/// The caller's key, with what makes a second request the same one.
#[derive(Clone)]
pub struct IdempotencyKey {
    pub key_hash: [u8; 32],
    pub route: String,
    pub body_hash: [u8; 32],
    pub answer_status: u16,
    /// How the answer reads that will be repeated.
    pub answer: AnswerText,
}

/// From what was accepted to the text of its answer.
pub type AnswerText = Arc<dyn Fn(&AcceptedMessage) -> String + Send + Sync>;

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({})", self.route)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedMessage {
    pub id: MessageId,
    pub status: MessageStatus,
    pub connection_id: ConnectionId,
    pub to: String,
    /// The message in whose place it is sent.
    pub replay_of: Option<MessageId>,
}

/// The row is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    New(AcceptedMessage),
    /// The idempotency key was used before: compare its body hash, then repeat its answer.
    Replayed(IdempotencyRecord),
}

#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Nothing was accepted: come back after the wait.
    #[error("too much is waiting already")]
    Overloaded { retry_after: Duration },
    /// Accepted or not: the database did not say. Ask again with the same idempotency key.
    #[error("the gateway cannot say now whether it accepted the message")]
    Unavailable { retry_after: Duration },
    #[error("the business was erased")]
    Erased,
    /// The recipient does not want it, or may not be written to in this way.
    #[error("{refusal}")]
    Refused {
        #[source]
        refusal: Refusal,
        /// After which it may go, where that is known.
        retry_after: Option<Duration>,
    },
    /// Its template cannot be sent, or not like this.
    #[error(transparent)]
    Template(#[from] TemplateProblem),
    /// It names a message that is none of this number's.
    #[error(transparent)]
    Quote(#[from] UnknownQuote),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl AcceptError {
    pub(crate) const UNAVAILABLE: Self = Self::Unavailable { retry_after: A_MOMENT };
}

impl From<NotAdmitted> for AcceptError {
    fn from(error: NotAdmitted) -> Self {
        match error {
            NotAdmitted::Refused { refusal, retry_after } => Self::Refused { refusal, retry_after },
            NotAdmitted::Unreadable(_) => Self::UNAVAILABLE,
        }
    }
}
