//! What a run leaves behind: what clients were answered, what the platform saw, what stands in the tables, what
//! endpoints were told. Plain data; the checker reads nothing else.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::clock::Micros;
use crate::plan::Timers;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct History {
    pub(crate) timers: Timers,
    /// No resend may be a second copy.
    pub(crate) strict: bool,
    pub(crate) asks: Vec<Ask>,
    /// Every post of a message, in the order in which the platform saw them.
    pub(crate) arrivals: Vec<Arrival>,
    /// What customers wrote.
    pub(crate) inbound: Vec<Inbound>,
    pub(crate) webhooks: Vec<Webhook>,
    /// By the message's id.
    pub(crate) rows: HashMap<String, Row>,
    /// In the order of the stream.
    pub(crate) events: Vec<Event>,
    pub(crate) endpoints: Vec<EndpointLog>,
    pub(crate) lives: Vec<Life>,
    /// When the database had no room left.
    pub(crate) full: Vec<(Micros, Micros)>,
}

/// One message as a client meant it, however often it was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ask {
    /// Stands in the message's text: what the platform saw is recognised by it, whatever id it was given.
    pub(crate) tag: String,
    /// Number and recipient: between messages of one lane order counts.
    pub(crate) lane: String,
    /// Takes part in the order: neither scheduled for later nor asked to go out of turn.
    pub(crate) ordered: bool,
    pub(crate) expires_at: Option<Micros>,
    pub(crate) tries: Vec<Try>,
    /// When it was asked to be cancelled, and whether that was answered with yes.
    pub(crate) cancel: Option<Cancel>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Try {
    pub(crate) asked_at: Micros,
    pub(crate) answered_at: Micros,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Accepted {
        id: String,
    },
    /// Not now; the same request may succeed later.
    Later {
        status: u16,
        code: String,
    },
    /// Never.
    Refused {
        status: u16,
        code: String,
    },
    /// No answer: nobody knows.
    Lost,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cancel {
    pub(crate) answered_at: Micros,
    /// Nothing if no answer came.
    pub(crate) done: Option<bool>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Arrival {
    pub(crate) seq: u64,
    pub(crate) at: Micros,
    /// Tells the process it came from.
    pub(crate) host: String,
    pub(crate) tag: String,
    /// The gateway's message and attempt, as its opaque data says.
    pub(crate) message: String,
    pub(crate) attempt: u64,
    /// The platform took it, under this id.
    pub(crate) taken_as: Option<String>,
    /// It was answered with an error. What was cut was not answered at all, whether taken or not.
    pub(crate) refused: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Inbound {
    pub(crate) id: String,
    pub(crate) business: String,
}

/// One POST of the platform.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Webhook {
    pub(crate) ended_at: Micros,
    pub(crate) status: Option<u16>,
    pub(crate) news: Vec<News>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    Message {
        id: String,
    },
    Status {
        provider_id: String,
        word: String,
        /// The message that its echo names.
        message: Option<String>,
    },
}

/// A message as the gateway shows it in the end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) status: String,
    /// Oldest first.
    pub(crate) timeline: Vec<Mark>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mark {
    pub(crate) at: Micros,
    pub(crate) status: String,
    pub(crate) attempt: Option<u64>,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: EventKind,
    pub(crate) business: String,
    /// Connection and person, where it is about one.
    pub(crate) contact: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    Received {
        id: String,
    },
    /// Of a message of ours. `own`: the gateway says it, not the platform.
    Status {
        message: String,
        word: String,
        own: bool,
    },
    /// Of a message that nobody could name.
    Foreign {
        provider_id: String,
        word: String,
    },
    Other,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EndpointLog {
    pub(crate) name: String,
    /// Hears of this business only.
    pub(crate) business: Option<String>,
    /// Wants the events about one person in their order.
    pub(crate) ordered: bool,
    /// Takes nothing, ever.
    pub(crate) dead: bool,
    /// How often each event was taken.
    pub(crate) taken: BTreeMap<String, u32>,
    /// Each event once, in the order in which they were taken first.
    pub(crate) first_taken: Vec<String>,
}

/// One process of the gateway.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Life {
    /// By which its posts are known.
    pub(crate) host: String,
    /// Nothing of it ran before.
    pub(crate) started_at: Micros,
    pub(crate) ready_at: Micros,
    pub(crate) ended_at: Option<Micros>,
    pub(crate) end: Option<End>,
    /// Nothing of it was expected to get through then: its line or its database was out of order.
    pub(crate) hindered: Vec<(Micros, Micros)>,
    /// When it could know that another process had taken over.
    pub(crate) superseded_at: Option<Micros>,
    /// When it last woke from a pause that outlasted its lease.
    pub(crate) lease_over_at: Option<Micros>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Killed,
    Asked,
    /// It ended by itself because another one had taken over.
    Superseded,
    /// It had to be killed although it should have ended by itself.
    Overstayed,
    /// It ended although nobody had told it to, nor taken over.
    Unasked,
    /// At the end of the run.
    Over,
}

impl Ask {
    pub(crate) fn first_asked(&self) -> Option<Micros> {
        self.tries.iter().map(|each| each.asked_at).min()
    }

    /// Since when a client knew that it was accepted.
    pub(crate) fn first_accepted(&self) -> Option<Micros> {
        let accepted = self.tries.iter().filter(|each| matches!(each.answer, Answer::Accepted { .. }));
        accepted.map(|each| each.answered_at).min()
    }

    /// Every id that it was answered with; one, if all is well.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let ids = self.tries.iter().filter_map(|each| match &each.answer {
            Answer::Accepted { id } => Some(id.as_str()),
            _ => None,
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Row {
    /// When each attempt was claimed.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (u64, Micros)> {
        let claims = self.timeline.iter().filter(|mark| mark.status == "sending");
        claims.filter_map(|mark| Some((mark.attempt?, mark.at)))
    }

    pub(crate) fn claimed_at(&self, attempt: u64) -> Option<Micros> {
        self.claims().find(|(number, _)| *number == attempt).map(|(_, at)| at)
    }

    /// When the gateway decided to send once more although an attempt's outcome was unknown, and which attempt's.
    pub(crate) fn resends(&self) -> impl Iterator<Item = (Micros, u64)> {
        let resent = |mark: &&Mark| mark.reason.as_deref() == Some("resent_on_proof");
        self.timeline.iter().filter(resent).map(|mark| (mark.at, mark.attempt.unwrap_or_default()))
    }
}
