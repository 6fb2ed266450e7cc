//! One kept-alive HTTP/1.1 connection that posts. Much cheaper than a whole client, which matters where the load
//! and what is measured share two cores.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

/// A server may close a connection that has been idle for some seconds; a request must not meet that moment.
const STALE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: usize = 1 << 20;

#[derive(Debug)]
pub struct Request {
    pub path: &'static str,
    /// Whole lines, each ended by CR LF.
    pub headers: String,
    pub body: String,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// When to try again, of an answer that says so.
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    open: Option<(TcpStream, Instant)>,
}

impl Line {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Posts once. After an error nobody knows whether the request arrived.
    pub async fn post(&mut self, request: &Request) -> io::Result<Answer> {
        timeout(PATIENCE, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        // Taken out, so that a connection that failed half way is not used again.
        let mut stream = match self.open.take() {
            Some((stream, used)) if used.elapsed() < STALE => stream,
            _ => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let Request { path, headers, body } = request;
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(text.as_bytes()).await?;
        let (answer, stays) = read_answer(&mut stream).await?;
        if stays {
            self.open = Some((stream, Instant::now()));
        }
        Ok(answer)
    }
}

async fn read_answer(stream: &mut TcpStream) -> io::Result<(Answer, bool)> {
    let mut received = Vec::with_capacity(1024);
    loop {
        if let Some(head) = Head::parse(&received)? {
            let end = head.length + head.body_length;
            while received.len() < end {
                more(stream, &mut received).await?;
            }
            let body = received[head.length..end].to_vec();
            let Head { status, retry_after, stays, .. } = head;
            return Ok((Answer { status, retry_after, body }, stays));
        }
        more(stream, &mut received).await?;
    }
}

async fn more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    if stream.read_buf(received).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    length: usize,
    status: u16,
    body_length: usize,
    stays: bool,
    retry_after: Option<Duration>,
}

impl Head {
    /// Nothing until the head is complete.
    fn parse(received: &[u8]) -> io::Result<Option<Self>> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if received.len() > LONGEST_ANSWER { Err(wrong("an endless head")) } else { Ok(None) };
        };
        let text = std::str::from_utf8(&received[..end]).map_err(|_| wrong("a head that is not text"))?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| wrong("not an HTTP/1.1 answer"))?;
        let mut head = Self { length: end + 4, status, body_length: 0, stays: true, retry_after: None };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.body_length = value.parse().map_err(|_| wrong("a wrong content-length"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(wrong("a body without a length"));
            } else if name.eq_ignore_ascii_case("retry-after") {
                head.retry_after = value.parse().ok().map(Duration::from_secs);
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                head.stays = false;
            }
        }
        if head.body_length > LONGEST_ANSWER { Err(wrong("an endless body")) } else { Ok(Some(head)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nconnection: close\r\n\r\n{}";
        assert_eq!(Head::parse(&head[..40]).unwrap(), None);
        let expected =
            Head { length: head.len() - 2, status: 202, body_length: 2, stays: false, retry_after: None };
        assert_eq!(Head::parse(head).unwrap(), Some(expected));
        let busy = Head::parse(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n\r\n").unwrap();
        assert_eq!(busy.unwrap().retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        for head in ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "hello\r\n\r\n"] {
            assert!(Head::parse(head.as_bytes()).is_err(), "{head}");
        }
    }

    #[tokio::test]
    async fn requests_share_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            for _ in 0..2 {
                let mut buffer = [0; 1024];
                let length = stream.read(&mut buffer).await.unwrap();
                seen.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                // In two pieces, as a network may deliver it.
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
                stream.write_all(b"ngth: 4\r\n\r\ntrue").await.unwrap();
            }
            seen
        });
        let mut line = Line::to(address);
        let request = Request { path: "/x", headers: "a: b\r\n".to_owned(), body: "{}".to_owned() };
        for _ in 0..2 {
            let answer = line.post(&request).await.unwrap();
            assert_eq!(answer, Answer { status: 200, retry_after: None, body: b"true".to_vec() });
        }
        let seen = server.await.unwrap();
        assert!(seen[1].starts_with("POST /x HTTP/1.1\r\nhost: 127.0.0.1:"), "{}", seen[1]);
        assert!(seen[1].ends_with("content-length: 2\r\na: b\r\n\r\n{}"), "{}", seen[1]);
    }
}
