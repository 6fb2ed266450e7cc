//! One line of the journal. Accounts are written whole each time they change; the last one counts.

use crate::accounts::{AppState, Code, Number, Person, Portfolio, Token, Waba};
use crate::faults::FaultSet;
use crate::limits::Limits;
use crate::media::Medium;
use crate::sent::Sent;
use crate::webhooks::{Accepted, Change};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

// Externally tagged on purpose: serde cannot read a `RawValue` inside any other kind of enum.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record<'a> {
    App(Cow<'a, AppState>),
    Portfolio(Cow<'a, Portfolio>),
    Waba(Cow<'a, Waba>),
    Number(Cow<'a, Number>),
    Token(Cow<'a, Token>),
    Code(Cow<'a, Code>),
    Person {
        key: Cow<'a, str>,
        person: Cow<'a, Person>,
    },
    Media(Cow<'a, Medium>),
    MediaGone(Cow<'a, str>),
    Clock(i64),
    Limits(Limits),
    Faults(Cow<'a, FaultSet>),
    /// A request to send, and the statuses it has set in motion.
    Sent {
        entry: Cow<'a, Sent>,
        accepted: Option<Cow<'a, Accepted>>,
    },
    /// Statuses whose entry is no longer in the log.
    Statuses(Cow<'a, Accepted>),
    Webhook {
        id: u64,
        change: Cow<'a, Change>,
    },
    /// Webhooks that need no further delivery.
    Done(Cow<'a, [u64]>),
    /// Numbers below these are taken.
    Next {
        seq: u64,
        webhook: u64,
    },
}

impl Record<'_> {
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(512);
        self.write(&mut line);
        line
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // Only maps with keys other than text can fail to serialise, and no record has one.
        if let Err(error) = serde_json::to_writer(&mut *out, self) {
            tracing::error!(%error, "a journal record could not be written");
        }
        out.push(b'\n');
    }
}
