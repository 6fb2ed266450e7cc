//! A server that answers as it is told, to see what leaves and what comes of any answer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, extra header lines, body.
    Answer(u16, &'static str, String),
    /// Reads the request and closes the connection.
    Cut,
    /// Sends the head of an answer and closes the connection.
    CutAfterHead(u16),
    /// Reads the request and keeps silent.
    Silence,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Answer(200, "", body.into())
    }
}

pub(crate) struct Server {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives the replies in order, then the last one for ever.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let replies = Arc::new(Mutex::new(replies));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&requests), Arc::clone(&replies)));
            }
        });
        Self { base, seen }
    }

    /// Every request so far, head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, replies: Arc<Mutex<Vec<Reply>>>) {
    while let Some(request) = read(&mut stream).await {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let reply = {
            let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
            if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() }
        };
        let text = match reply {
            Reply::Cut => return,
            Reply::Silence => return std::future::pending().await,
            Reply::CutAfterHead(status) => {
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 100\r\n\r\n{{");
                let _ = stream.write_all(head.as_bytes()).await;
                return;
            }
            Reply::Answer(status, headers, body) => {
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                })
                .unwrap_or(0_usize);
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}
