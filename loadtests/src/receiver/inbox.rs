//! What the endpoint has heard: every event by its id, and how far each message has come.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What an endpoint hears of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard(u8);

impl Heard {
    const SENT: u8 = 1;
    const DELIVERED: u8 = 2;
    const READ: u8 = 4;
    const RECEIVED: u8 = 8;
    const FAILED: u8 = 16;
    const LIFE: u8 = Self::SENT | Self::DELIVERED | Self::READ;

    fn of_status(word: &str) -> Option<u8> {
        match word {
            "sent" => Some(Self::SENT),
            "delivered" => Some(Self::DELIVERED),
            "read" => Some(Self::READ),
            "failed" => Some(Self::FAILED),
            _ => None,
        }
    }

    /// An outgoing message has all its statuses, an incoming one was received.
    const fn is_whole(self) -> bool {
        self.0 & Self::LIFE == Self::LIFE || self.0 & (Self::RECEIVED | Self::FAILED) != 0
    }

    pub const fn has_failed(self) -> bool {
        self.0 & Self::FAILED != 0
    }

    /// Statuses that should have come and did not; of an incoming message there is no saying.
    pub const fn missing(self) -> u32 {
        if self.is_whole() { 0 } else { 3 - (self.0 & Self::LIFE).count_ones() }
    }
}

#[derive(Debug, Default)]
pub struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    events: HashSet<String>,
    repeated: u64,
    unreadable: u64,
    messages: HashMap<String, Heard>,
    whole: u64,
    last_news: Option<Instant>,
    finished: Option<Arc<Semaphore>>,
}

/// Where the inbox stands. What a run adds is the difference of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Messages of which everything was heard.
    pub whole: u64,
    pub repeated: u64,
    pub unreadable: u64,
    /// When something was heard that was new.
    pub last_news: Option<Instant>,
}

#[derive(Deserialize)]
struct Event {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    message_id: Option<String>,
    status: Option<Status>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

#[derive(Deserialize)]
struct Message {
    id: String,
}

/// Which message an event is about, and what it tells; `None` for events of other kinds.
fn read(body: &[u8]) -> Result<Option<(String, u8)>, serde_json::Error> {
    let Event { data } = serde_json::from_slice(body)?;
    Ok(match data {
        Data { message_id: Some(id), status: Some(status), .. } => {
            Heard::of_status(&status.status).map(|heard| (id, heard))
        }
        Data { message: Some(message), .. } => Some((message.id, Heard::RECEIVED)),
        _ => None,
    })
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take(&self, event_id: &str, body: &[u8]) {
        let read = read(body);
        let mut state = self.state();
        if !state.events.insert(event_id.to_owned()) {
            state.repeated += 1;
            return;
        }
        state.last_news = Some(Instant::now());
        match read {
            Ok(Some((message, heard))) => {
                let known = state.messages.entry(message).or_insert(Heard(0));
                let was_whole = known.is_whole();
                known.0 |= heard;
                if !was_whole && known.is_whole() {
                    state.whole += 1;
                    if let Some(finished) = &state.finished {
                        finished.add_permits(1);
                    }
                }
            }
            Ok(None) => {}
            Err(_) => state.unreadable += 1,
        }
    }

    /// From now on every message that is whole returns a permit.
    pub fn release_to(&self, finished: Option<Arc<Semaphore>>) {
        self.state().finished = finished;
    }

    pub fn standing(&self) -> Standing {
        let state = self.state();
        Standing {
            whole: state.whole,
            repeated: state.repeated,
            unreadable: state.unreadable,
            last_news: state.last_news,
        }
    }

    /// What was heard of each of these, in their order.
    pub fn heard(&self, messages: &[String]) -> Vec<Heard> {
        let state = self.state();
        messages.iter().map(|id| state.messages.get(id).copied().unwrap_or(Heard(0))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(word: &str) -> String {
        format!(
            r#"{{"type":"message.status","data":{{"message_id":"msg_1","status":{{"id":"w","status":"{word}"}}}}}}"#
        )
    }

    #[test]
    fn a_life_is_whole_with_all_three_statuses_in_any_order() {
        let inbox = Inbox::default();
        let finished = Arc::new(Semaphore::new(0));
        inbox.release_to(Some(Arc::clone(&finished)));
        for (id, word, missing) in
            [("1", "read", 2), ("2", "sent", 1), ("2", "sent", 1), ("3", "delivered", 0)]
        {
            inbox.take(id, status(word).as_bytes());
            assert_eq!(inbox.heard(&["msg_1".to_owned()])[0].missing(), missing);
        }
        let standing = inbox.standing();
        assert_eq!((standing.whole, standing.repeated, finished.available_permits()), (1, 1, 1));
        assert_eq!(inbox.heard(&["msg_2".to_owned()])[0].missing(), 3);
    }

    #[test]
    fn an_incoming_message_is_whole_at_once_and_others_are_no_messages() {
        let inbox = Inbox::default();
        inbox.take("1", br#"{"type":"message.received","data":{"message":{"id":"wamid.A"},"contact":{}}}"#);
        inbox.take("2", br#"{"type":"connection.status","data":{"status":{"status":"connected"}}}"#);
        inbox.take("3", b"not json");
        let standing = inbox.standing();
        assert_eq!((standing.whole, standing.unreadable), (1, 1));
    }

    #[test]
    fn a_failed_message_is_waited_for_no_longer() {
        let inbox = Inbox::default();
        inbox.take("1", status("failed").as_bytes());
        let heard = inbox.heard(&["msg_1".to_owned()])[0];
        assert!(heard.has_failed() && heard.missing() == 0);
    }
}
