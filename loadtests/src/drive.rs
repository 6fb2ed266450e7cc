//! Sends requests by a schedule over many connections and notes what was answered.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::latency::{Latencies, Latency};
use crate::pace::Schedule;
use crate::report::{per_second, ratio, rounded};
use crate::wire::{Line, Request};

/// What a scenario sends, and what it calls taken.
pub trait Shots: Send + Sync + 'static {
    fn request(&self, index: u64) -> Request;
    /// The ids of what was taken with the answer of this status and body; nothing if it was refused.
    fn taken(&self, index: u64, status: u16, body: &[u8]) -> Option<Vec<String>>;
}

#[derive(Debug, Default)]
pub struct Driven {
    /// Of everything that was taken.
    pub ids: Vec<String>,
    requests_taken: u64,
    refused: BTreeMap<u16, u64>,
    unanswered: BTreeMap<String, u64>,
    latencies: Latencies,
    /// From the first turn to the last answer.
    seconds: f64,
}

/// How requests were answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answers {
    pub taken: u64,
    pub taken_per_s: f64,
    pub seconds: f64,
    /// Answers that took nothing, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Requests of which nobody knows whether they arrived, by error.
    pub unanswered: BTreeMap<String, u64>,
    #[serde(flatten)]
    pub latency: Latency,
}

pub async fn drive(
    address: SocketAddr,
    workers: u32,
    schedule: Arc<Schedule>,
    shots: Arc<impl Shots>,
) -> Driven {
    let mut working = JoinSet::new();
    for _ in 0..workers {
        working.spawn(work(Line::to(address), Arc::clone(&schedule), Arc::clone(&shots)));
    }
    let mut driven = Driven::of(working).await;
    driven.last_answer_after(schedule.start().elapsed());
    driven
}

async fn work(mut line: Line, schedule: Arc<Schedule>, shots: Arc<impl Shots>) -> Driven {
    let mut driven = Driven::default();
    let mut last = schedule.start();
    while let Some(turn) = schedule.next().await {
        let answer = line.post(&shots.request(turn.index)).await;
        last = Instant::now();
        match answer.map(|answer| (answer.status, shots.taken(turn.index, answer.status, &answer.body))) {
            Ok((_, Some(ids))) => driven.take(ids, last - turn.due),
            Ok((status, None)) => {
                driven.refuse(status);
                schedule.give_back();
            }
            Err(error) => {
                driven.lose(&error);
                schedule.give_back();
            }
        }
    }
    driven.last_answer_after(last - schedule.start());
    driven
}

impl Driven {
    pub fn take(&mut self, ids: Vec<String>, after: Duration) {
        self.latencies.record(after);
        self.requests_taken += 1;
        self.ids.extend(ids);
    }

    pub fn refuse(&mut self, status: u16) {
        *self.refused.entry(status).or_default() += 1;
    }

    /// Nobody knows whether it arrived.
    pub fn lose(&mut self, error: &io::Error) {
        *self.unanswered.entry(error.kind().to_string()).or_default() += 1;
    }

    pub fn last_answer_after(&mut self, duration: Duration) {
        self.seconds = duration.as_secs_f64();
    }

    /// Puts together what workers did beside each other.
    pub async fn of(mut working: JoinSet<Self>) -> Self {
        let mut driven = Self::default();
        while let Some(worker) = working.join_next().await {
            match worker {
                Ok(worker) => driven.add(worker),
                Err(died) => *driven.unanswered.entry(died.to_string()).or_default() += 1,
            }
        }
        driven
    }

    fn add(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.requests_taken += other.requests_taken;
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        for (error, count) in other.unanswered {
            *self.unanswered.entry(error).or_default() += count;
        }
        self.latencies.merge(&other.latencies);
        self.seconds = self.seconds.max(other.seconds);
    }

    /// Requests, of which one may take several messages.
    pub const fn requests_taken(&self) -> u64 {
        self.requests_taken
    }

    pub fn answers(&self) -> Answers {
        Answers {
            taken: self.requests_taken,
            taken_per_s: per_second(self.requests_taken, self.seconds),
            seconds: rounded(self.seconds),
            refused: self.refused.clone(),
            unanswered: self.unanswered.clone(),
            latency: self.latencies.summary(),
        }
    }

    /// Of all requests, how many were not taken.
    pub fn refused_share(&self) -> f64 {
        let not_taken: u64 = self.refused.values().chain(self.unanswered.values()).sum();
        ratio(not_taken, not_taken + self.requests_taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Pace;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    struct EverySecond;

    impl Shots for EverySecond {
        fn request(&self, index: u64) -> Request {
            Request { path: "/", headers: String::new(), body: index.to_string() }
        }

        fn taken(&self, index: u64, status: u16, _: &[u8]) -> Option<Vec<String>> {
            (status == 200).then(|| vec![index.to_string()])
        }
    }

    #[tokio::test]
    async fn what_is_taken_refused_and_unanswered_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let answer = match buffer[length - 1] {
                            b'0' => return,
                            digit if digit % 2 == 0 => "HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n",
                            _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                        };
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let schedule = Schedule::new(Pace::PerSecond(100), Duration::from_millis(100), 1);
        let driven = drive(address, 2, Arc::new(schedule), Arc::new(EverySecond)).await;
        let mut ids = driven.ids.clone();
        ids.sort();
        assert_eq!(ids, ["1", "3", "5", "7", "9"]);
        let answers = driven.answers();
        assert_eq!(answers.refused, BTreeMap::from([(429, 4)]));
        assert_eq!(answers.unanswered.values().sum::<u64>(), 1);
        assert!((driven.refused_share() - 0.5).abs() < 1e-9);
    }
}
