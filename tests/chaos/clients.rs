//! Clients of the API: each lane has one, which sends one message after the other, repeats what was not answered under
//! the same key, and writes down everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::clock::{self, Micros};
use crate::dice::Dice;
use crate::history::{Answer, Ask, Cancel, Try};
use crate::support::api::Api;
use crate::world::Lane;

/// A client gives up waiting for an answer after so long, and asks again: most are patient, some are not.
const PATIENT: Duration = Duration::from_secs(12);
const IMPATIENT: Duration = Duration::from_secs(3);
/// Meta's limit for one person is a burst of 45: more would wait for minutes.
const MOST_OF_A_LANE: u64 = 38;
const CANCEL_TRIES: u32 = 5;

/// What all clients write down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asks(Arc<Mutex<Vec<Ask>>>);

impl Asks {
    pub(crate) fn take(&self) -> Vec<Ask> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut Ask)) {
        change(&mut self.0.lock().expect("not poisoned")[place]);
    }

    fn push(&self, ask: Ask) -> usize {
        let mut asks = self.0.lock().expect("not poisoned");
        asks.push(ask);
        asks.len() - 1
    }
}

/// When clients stop beginning something new, and when they stop repeating.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) begins: Instant,
    pub(crate) repeats: Instant,
}

/// Ends when everything that was begun is accepted, refused or given up.
pub(crate) async fn run(lanes: &[Lane], api: &Api, seed: u64, length: Duration, until: Until) -> Vec<Ask> {
    let asks = Asks::default();
    let gap = (u64::try_from(length.as_millis()).unwrap_or(u64::MAX) / MOST_OF_A_LANE).max(700);
    let clients = lanes.iter().map(|lane| {
        let dice = Dice::of(seed, &format!("lane {}", lane.index));
        let client = Client { lane: lane.clone(), api: api.clone(), asks: asks.clone(), until };
        tokio::spawn(client.run(dice, gap))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client does not panic");
    }
    asks.take()
}

#[derive(Clone)]
struct Client {
    lane: Lane,
    api: Api,
    asks: Asks,
    until: Until,
}

/// One message as it will be asked for, whatever happens to the asking.
struct Wish {
    key: String,
    body: Value,
    /// Asked for so many times at once.
    copies: u64,
    patience: Duration,
    cancel_after: Option<Duration>,
}

impl Client {
    async fn run(self, mut dice: Dice, gap: u64) {
        sleep(dice.millis(0, gap)).await;
        let mut under_way = Vec::new();
        for number in 0.. {
            if Instant::now() >= self.until.begins {
                break;
            }
            let (wish, place) = self.wish(&mut dice, number);
            let asking = tokio::spawn(self.clone().ask(wish, place));
            // Mostly one after the other; sometimes the next is asked for while this one is under way.
            if dice.percent(12) {
                under_way.push(asking);
            } else {
                asking.await.expect("asking does not panic");
            }
            sleep(dice.millis(gap / 5, gap * 9 / 5)).await;
        }
        for asking in under_way {
            asking.await.expect("asking does not panic");
        }
    }

    fn wish(&self, dice: &mut Dice, number: u32) -> (Wish, usize) {
        let lane = &self.lane;
        let tag = format!("lane {} number {number}", lane.index);
        let mut body = json!({
            "connection_id": lane.number.connection,
            "message": { "to": lane.to, "type": "text", "text": { "body": tag } },
            "client_ref": tag,
        });
        if let Some(priority) = lane.priority {
            body["priority"] = json!(priority);
        }
        if let Some(order) = lane.order {
            body["order"] = json!(order);
        }
        if dice.percent(25) {
            body["on_ambiguous"] = json!(if dice.percent(50) { "fail" } else { "resend" });
        }
        let now = clock::now();
        let later = |millis: u64| now + i64::try_from(millis * 1_000).unwrap_or(i64::MAX);
        let expires_at: Option<Micros> = dice.percent(8).then(|| later(dice.between(3_000, 9_000)));
        if let Some(at) = expires_at {
            body["expires_at"] = json!(clock::rfc3339(at));
        }
        let scheduled = expires_at.is_none() && dice.percent(5);
        if scheduled {
            body["send_at"] = json!(clock::rfc3339(later(dice.between(500, 4_000))));
        }
        let cancelled = if scheduled { dice.percent(40) } else { dice.percent(3) };
        let wish = Wish {
            key: format!("{} {tag}", lane.number.connection),
            body,
            copies: if dice.percent(10) { dice.between(2, 4) } else { 1 },
            patience: if dice.percent(30) { IMPATIENT } else { PATIENT },
            cancel_after: cancelled.then(|| dice.millis(0, 1_500)),
        };
        let place = self.asks.push(Ask {
            tag,
            lane: format!("{} to {}", lane.number.connection, lane.to),
            ordered: !scheduled,
            expires_at,
            tries: Vec::new(),
            cancel: None,
        });
        (wish, place)
    }

    async fn ask(self, wish: Wish, place: usize) {
        let mut first = join_all((0..wish.copies).map(|_| self.once(&wish, place))).await;
        let mut answer = first.pop().unwrap_or(Answer::Lost);
        if let Some(accepted) = first.into_iter().find(|answer| matches!(answer, Answer::Accepted { .. })) {
            answer = accepted;
        }
        let mut pause = Duration::from_millis(100);
        while matches!(answer, Answer::Later { .. } | Answer::Lost) && Instant::now() < self.until.repeats {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(800));
            answer = self.once(&wish, place).await;
        }
        if let (Some(wait), Answer::Accepted { id }) = (wish.cancel_after, answer) {
            sleep(wait).await;
            let done = self.cancel(&id).await;
            let cancel = Cancel { answered_at: clock::now(), done };
            self.asks.change(place, |ask| ask.cancel = Some(cancel));
        }
    }

    async fn once(&self, wish: &Wish, place: usize) -> Answer {
        let request = self.api.request(Method::POST, "/v1/messages").timeout(wish.patience);
        let request = request.header("Idempotency-Key", &wish.key).json(&wish.body);
        let asked_at = clock::now();
        let answer = match self.api.send(request).await {
            Ok(answer) => read(answer.status.as_u16(), &answer.text),
            Err(_) => Answer::Lost,
        };
        let made = Try { asked_at, answered_at: clock::now(), answer: answer.clone() };
        self.asks.change(place, |ask| ask.tries.push(made));
        answer
    }

    /// Whether it was cancelled; nothing if nobody knows.
    async fn cancel(&self, id: &str) -> Option<bool> {
        for _ in 0..CANCEL_TRIES {
            let request = self.api.request(Method::POST, &format!("/v1/messages/{id}/cancel"));
            let request = request.header("Idempotency-Key", format!("cancel {id}")).timeout(IMPATIENT);
            match self.api.send(request).await.map(|answer| answer.status.as_u16()) {
                Ok(200) => return Some(true),
                Ok(409) => return Some(false),
                _ => sleep(Duration::from_millis(500)).await,
            }
        }
        None
    }
}

fn read(status: u16, text: &str) -> Answer {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    match (status, body["id"].as_str()) {
        (202, Some(id)) => Answer::Accepted { id: id.to_owned() },
        // 408 is for who did not ask in time: asked before the process was paused, and read after it.
        (408 | 429 | 500.., _) => Answer::Later { status, code },
        _ => Answer::Refused { status, code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_told_from_what_never_will() {
        assert_eq!(read(202, r#"{"id":"msg_1"}"#), Answer::Accepted { id: "msg_1".to_owned() });
        let unavailable = Answer::Later { status: 503, code: "unavailable".to_owned() };
        assert_eq!(read(503, r#"{"code":"unavailable"}"#), unavailable);
        assert!(matches!(read(408, ""), Answer::Later { status: 408, .. }));
        assert!(matches!(
            read(409, r#"{"code":"idempotency_conflict"}"#),
            Answer::Refused { status: 409, .. }
        ));
        assert!(matches!(read(202, "{}"), Answer::Refused { status: 202, .. }));
    }
}
