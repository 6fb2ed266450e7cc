//! A history in which all went well, for tests to spoil.

use std::collections::{BTreeMap, HashMap};

use super::{Found, Promise, View};
use crate::clock::{Micros, SECOND};
use crate::history::{
    Answer, Arrival, Ask, EndpointLog, Event, EventKind, History, Inbound, Life, Mark, News, Row, Try,
    Webhook,
};
use crate::plan::Timers;

pub(super) const ID: &str = "msg_1";
const TAG: &str = "first";
const WORDS: [&str; 3] = ["sent", "delivered", "read"];

pub(super) fn found_by(check: fn(&View<'_>, &mut Found), history: &History) -> Vec<Promise> {
    let mut found = Found(Vec::new());
    check(&View::of(history), &mut found);
    found.0.into_iter().map(|violation| violation.promise).collect()
}

/// One message, accepted, taken, reported three times, told to one endpoint; and one customer who wrote.
pub(super) fn good() -> History {
    let statuses =
        WORDS.map(|word| EventKind::Status { message: ID.to_owned(), word: word.to_owned(), own: false });
    let kinds = statuses.into_iter().chain([EventKind::Received { id: "wamid.in".to_owned() }]);
    let events: Vec<Event> = kinds
        .enumerate()
        .map(|(n, kind)| Event {
            id: format!("evt_{n}"),
            kind,
            business: "duka".to_owned(),
            contact: Some("number to person".to_owned()),
        })
        .collect();
    let taken: BTreeMap<String, u32> = events.iter().map(|event| (event.id.clone(), 1)).collect();
    let news = |word: &str| News::Status {
        provider_id: "wamid.1".to_owned(),
        word: word.to_owned(),
        message: Some(ID.to_owned()),
    };
    let webhooks =
        WORDS.map(|word| Webhook { ended_at: 3 * SECOND, status: Some(200), news: vec![news(word)] });
    let timeline = vec![
        mark(2 * SECOND, "accepted", None, None),
        mark(2 * SECOND, "sending", Some(1), None),
        mark(3 * SECOND, "sent", None, None),
    ];
    History {
        timers: Timers { settle_s: 4, limit_s: 12 },
        strict: true,
        asks: vec![ask(TAG, ID, SECOND, 2 * SECOND)],
        arrivals: vec![arrival(1, ID, 1, Some("wamid.1"))],
        inbound: vec![Inbound { id: "wamid.in".to_owned(), business: "duka".to_owned() }],
        webhooks: webhooks.to_vec(),
        rows: HashMap::from([(ID.to_owned(), Row { status: "read".to_owned(), timeline })]),
        events,
        endpoints: vec![EndpointLog {
            name: "all".to_owned(),
            business: None,
            ordered: true,
            dead: false,
            first_taken: taken.keys().cloned().collect(),
            taken,
        }],
        lives: vec![Life {
            host: "first".to_owned(),
            started_at: SECOND / 2,
            ready_at: SECOND,
            ended_at: None,
            end: None,
            hindered: Vec::new(),
            superseded_at: None,
            lease_over_at: None,
        }],
        full: Vec::new(),
    }
}

pub(super) fn ask(tag: &str, id: &str, asked_at: Micros, answered_at: Micros) -> Ask {
    Ask {
        tag: tag.to_owned(),
        lane: "number to person".to_owned(),
        ordered: true,
        expires_at: None,
        tries: vec![Try { asked_at, answered_at, answer: Answer::Accepted { id: id.to_owned() } }],
        cancel: None,
    }
}

pub(super) fn arrival(seq: u64, message: &str, attempt: u64, taken_as: Option<&str>) -> Arrival {
    Arrival {
        seq,
        at: i64::try_from(seq).unwrap() * SECOND,
        host: "first".to_owned(),
        tag: TAG.to_owned(),
        message: message.to_owned(),
        attempt,
        taken_as: taken_as.map(str::to_owned),
        refused: taken_as.is_none(),
    }
}

pub(super) fn mark(at: Micros, status: &str, attempt: Option<u64>, reason: Option<&str>) -> Mark {
    Mark { at, status: status.to_owned(), attempt, reason: reason.map(str::to_owned) }
}
