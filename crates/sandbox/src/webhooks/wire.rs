//! Carries one POST. Plain HTTP, which is what a gateway under test speaks, goes over connections of our own: at
//! thousands of statuses a second a general client would take more of the machine than the gateway being measured.

use crate::world::locked;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// More of an answer's head than this is not read.
const LONGEST_HEAD: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Wire {
    client: reqwest::Client,
    timeout: Duration,
    /// Connections that may be used again, by host and port.
    idle: Mutex<HashMap<String, Vec<TcpStream>>>,
}

impl Wire {
    pub(super) fn new(client: reqwest::Client, timeout: Duration) -> Self {
        Self { client, timeout, idle: Mutex::default() }
    }

    /// The status that was answered; an error if nothing was.
    pub(super) async fn post(&self, url: &str, signature: &str, body: &Bytes) -> io::Result<u16> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        match url.host_str() {
            Some(host) if url.scheme() == "http" => {
                let place = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
                let posted = self.post_plainly(&place, &url, signature, body);
                tokio::time::timeout(self.timeout, posted).await.map_err(|_| io::ErrorKind::TimedOut)?
            }
            _ => self
                .post_by_client(url, signature, body)
                .await
                .map_err(|error| io::Error::other(error.without_url())),
        }
    }

    async fn post_by_client(&self, url: Url, signature: &str, body: &Bytes) -> reqwest::Result<u16> {
        let request = self.client.post(url).header("content-type", "application/json");
        let answer = request.header("x-hub-signature-256", signature).body(body.clone()).send().await?;
        let status = answer.status().as_u16();
        // Read to the end, so that the connection can be used again.
        answer.bytes().await?;
        Ok(status)
    }

    async fn post_plainly(&self, place: &str, url: &Url, signature: &str, body: &[u8]) -> io::Result<u16> {
        let mut request = Vec::with_capacity(256 + body.len());
        request.extend_from_slice(b"POST ");
        request.extend_from_slice(url.path().as_bytes());
        if let Some(query) = url.query() {
            request.push(b'?');
            request.extend_from_slice(query.as_bytes());
        }
        let head = format!(
            " HTTP/1.1\r\nhost: {place}\r\nuser-agent: facebookexternalua\r\naccept: */*\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nx-hub-signature-256: {signature}\r\n\r\n",
            body.len()
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body);

        let used = locked(&self.idle).get_mut(place).and_then(Vec::pop);
        if let Some(connection) = used {
            // The other side may have closed it in the meantime. A webhook may arrive twice, so it is simply sent again.
            if let Ok(status) = self.exchange(place, connection, &request).await {
                return Ok(status);
            }
        }
        let connection = TcpStream::connect(place).await?;
        connection.set_nodelay(true)?;
        self.exchange(place, connection, &request).await
    }

    async fn exchange(&self, place: &str, mut connection: TcpStream, request: &[u8]) -> io::Result<u16> {
        connection.write_all(request).await?;
        let mut answer = Vec::with_capacity(512);
        let head = loop {
            if connection.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match Head::parse(&answer) {
                Some(head) if head.status >= 200 => break head,
                // 100 Continue and its like are followed by the answer proper.
                Some(head) => drop(answer.drain(..head.length)),
                None if answer.len() > LONGEST_HEAD => return Err(io::ErrorKind::InvalidData.into()),
                None => {}
            }
        };
        if let Some(body) = head.body {
            let mut rest = (head.length + body).saturating_sub(answer.len());
            while rest > 0 {
                answer.clear();
                match connection.read_buf(&mut answer).await? {
                    0 => return Ok(head.status),
                    read => rest = rest.saturating_sub(read),
                }
            }
            locked(&self.idle).entry(place.to_owned()).or_default().push(connection);
        }
        Ok(head.status)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes up to and with the empty line.
    length: usize,
    /// How long the body is, if that is said and the connection stays open after it.
    body: Option<usize>,
}

impl Head {
    /// Nothing while it is incomplete.
    fn parse(answer: &[u8]) -> Option<Self> {
        let length = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&answer[..length]);
        let mut lines = text.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let (mut body, mut closes) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.trim().eq_ignore_ascii_case("close");
            }
        }
        if matches!(status, 100..200 | 204 | 304) {
            body = Some(0);
        }
        Some(Self { status, length, body: body.filter(|_| !closes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_whether_the_connection_can_be_used_again() {
        let parse = |text: &str| Head::parse(text.as_bytes());
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap().body, Some(2));
        assert_eq!(parse("HTTP/1.1 204 No Content\r\n\r\n").unwrap().body, Some(0));
        assert_eq!(parse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap().body, None);
        assert_eq!(
            parse("HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap().body,
            None
        );
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Le"), None);
    }
}
