//! The endpoint that the gateway delivers events to: counts them, and checks the signature of some.

mod inbox;

pub use inbox::Inbox;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::{Context, Result};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::oneshot;

use crate::signature::Checker;

/// Every signature at first, then one of so many.
const ALL_UNTIL: u64 = 64;
const THEN_EVERY: u64 = 32;

const LARGEST_EVENT: usize = 4 << 20;
/// As servers in production keep a silent connection, so that clients close theirs first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

#[derive(Debug)]
pub struct Receiver {
    pub inbox: Arc<Inbox>,
    pub signatures: Arc<Signatures>,
    address: SocketAddr,
    server: ServerHandle,
}

#[derive(Debug, Default)]
pub struct Signatures {
    checker: OnceLock<Checker>,
    seen: AtomicU64,
    checked: AtomicU64,
    wrong: AtomicU64,
}

impl Receiver {
    /// On a free port of this machine, on a thread of its own.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the receiver")?;
        let address = listener.local_addr()?;
        let (inbox, signatures) = (Arc::new(Inbox::default()), Arc::new(Signatures::default()));
        let shared = (Data::from(Arc::clone(&inbox)), Data::from(Arc::clone(&signatures)));
        let (started, when_started) = oneshot::channel();
        thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(shared.0.clone())
                        .app_data(shared.1.clone())
                        .app_data(PayloadConfig::new(LARGEST_EVENT))
                        .route("/events", post().to(take))
                };
                let server =
                    HttpServer::new(app).workers(1).keep_alive(KEEP_ALIVE).disable_signals().listen(listener);
                match server.map(HttpServer::run) {
                    Ok(server) => {
                        let _ = started.send(Ok(server.handle()));
                        let _ = server.await;
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            });
        })?;
        let server = when_started.await.context("the receiver's thread has died")??;
        Ok(Self { inbox, signatures, address, server })
    }

    pub fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// The secret is known only once the endpoint is registered; nothing is delivered before.
    pub fn check_with(&self, secret: &str) -> Result<()> {
        let _ = self.signatures.checker.set(Checker::new(secret)?);
        Ok(())
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

impl Signatures {
    /// How many were checked, and how many of those were wrong.
    pub fn counts(&self) -> (u64, u64) {
        (self.checked.load(Ordering::Relaxed), self.wrong.load(Ordering::Relaxed))
    }

    fn look_at(&self, request: &HttpRequest, body: &[u8]) {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        if seen >= ALL_UNTIL && !seen.is_multiple_of(THEN_EVERY) {
            return;
        }
        let Some(checker) = self.checker.get() else { return };
        self.checked.fetch_add(1, Ordering::Relaxed);
        if !checker.is_good(&headers_of(request), body) {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// actix and the library that checks signatures use two generations of the same types.
fn headers_of(request: &HttpRequest) -> HeaderMap {
    let pairs = request.headers().iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    pairs.collect()
}

async fn take(
    request: HttpRequest,
    body: Bytes,
    inbox: Data<Inbox>,
    signatures: Data<Signatures>,
) -> HttpResponse {
    let Some(id) = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()) else {
        return HttpResponse::BadRequest().finish();
    };
    signatures.look_at(&request, &body);
    inbox.take(id, &body);
    HttpResponse::NoContent().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use standardwebhooks::Webhook;

    const SECRET: &str = "whsec_bG9hZHRlc3RzLWxvYWR0ZXN0cy1sb2FkdGVzdHM=";

    #[tokio::test]
    async fn deliveries_are_counted_and_wrong_signatures_noticed() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let receiver = Receiver::start().await.unwrap();
        receiver.check_with(SECRET).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let now = i64::try_from(crate::wall_clock().as_secs()).unwrap();
        let body = r#"{"type":"message.received","data":{"message":{"id":"wamid.A"}}}"#;
        for (id, signed_id, status) in
            [("evt_1", "evt_1", 204), ("evt_2", "evt_1", 204), ("evt_1", "evt_1", 204)]
        {
            let signature = Webhook::new(SECRET).unwrap().sign(signed_id, now, body.as_bytes()).unwrap();
            let request = client
                .post(receiver.url())
                .header("webhook-id", id)
                .header("webhook-timestamp", now)
                .header("webhook-signature", signature);
            assert_eq!(request.body(body).send().await.unwrap().status(), status);
        }
        assert_eq!(client.post(receiver.url()).body(body).send().await.unwrap().status(), 400);
        let standing = receiver.inbox.standing();
        assert_eq!((standing.whole, standing.repeated), (1, 1));
        assert_eq!(receiver.signatures.counts(), (3, 1));
        receiver.stop().await;
    }
}
