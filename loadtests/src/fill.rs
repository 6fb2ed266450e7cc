//! Has so many messages accepted, as fast as answers come, and tries again what was refused for the moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::drive::{Driven, Shots};
use crate::wire::{Answer, Line};

/// Too much at once, or not possible just now: the same request is made again.
const FOR_THE_MOMENT: [u16; 2] = [429, 503];
/// Where an answer does not say when, and where there was none.
const USUAL_WAIT: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy)]
pub struct Filling {
    pub count: u64,
    pub workers: u32,
    /// What is not accepted by then is given up.
    pub at_most: Duration,
}

pub async fn fill(address: SocketAddr, filling: Filling, shots: Arc<impl Shots>) -> Driven {
    let (start, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut working = JoinSet::new();
    for _ in 0..filling.workers {
        let (next, shots) = (Arc::clone(&next), Arc::clone(&shots));
        working.spawn(async move {
            let (mut line, mut driven) = (Line::to(address), Driven::default());
            let end = start + filling.at_most;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= filling.count || Instant::now() >= end {
                    return driven;
                }
                accept(&mut line, index, end, &*shots, &mut driven).await;
            }
        });
    }
    let mut driven = Driven::of(working).await;
    driven.last_answer_after(start.elapsed());
    driven
}

/// Until it is taken or refused for good. What got no answer is asked again under the same key.
async fn accept(line: &mut Line, index: u64, end: Instant, shots: &impl Shots, driven: &mut Driven) {
    let begun = Instant::now();
    while Instant::now() < end {
        match line.post(&shots.request(index)).await {
            Ok(Answer { status, retry_after, body }) => {
                if let Some(ids) = shots.taken(index, status, &body) {
                    return driven.take(ids, begun.elapsed());
                }
                driven.refuse(status);
                if !FOR_THE_MOMENT.contains(&status) {
                    return;
                }
                sleep(retry_after.unwrap_or(USUAL_WAIT)).await;
            }
            Err(error) => {
                driven.lose(&error);
                sleep(USUAL_WAIT).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    struct Numbered;

    impl Shots for Numbered {
        fn request(&self, index: u64) -> Request {
            Request { path: "/", headers: String::new(), body: index.to_string() }
        }

        fn taken(&self, index: u64, status: u16, _: &[u8]) -> Option<Vec<String>> {
            (status == 202).then(|| vec![index.to_string()])
        }
    }

    #[tokio::test]
    async fn what_is_refused_for_the_moment_is_asked_again_and_what_is_refused_for_good_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let digit = char::from(buffer[length - 1]);
                        let again = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(digit);
                            seen.iter().filter(|before| **before == digit).count() > 1
                        };
                        let answer = match digit {
                            '1' if !again => "HTTP/1.1 429 No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
                            '2' => "HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n",
                            '3' if !again => return,
                            _ => "HTTP/1.1 202 Yes\r\ncontent-length: 0\r\n\r\n",
                        };
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let filling = Filling { count: 5, workers: 2, at_most: Duration::from_secs(10) };
        let mut driven = fill(address, filling, Arc::new(Numbered)).await;
        driven.ids.sort();
        assert_eq!(driven.ids, ["0", "1", "3", "4"]);
        let answers = driven.answers();
        assert_eq!(answers.refused.into_iter().collect::<Vec<_>>(), [(422, 1), (429, 1)]);
        assert_eq!(answers.unanswered.values().sum::<u64>(), 1);
        assert_eq!(asked.lock().unwrap().len(), 7);
    }
}
