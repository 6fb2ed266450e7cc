//! A sandbox with one connected business, a client for it, and a gateway that only listens.

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use sandbox::{Config, Connected, Running, Sandbox};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const CUSTOMER: &str = "+255712345678";

pub(crate) struct Stage {
    pub(crate) sandbox: Running,
    pub(crate) business: Connected,
    pub(crate) client: reqwest::Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Config::for_tests()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let business = sandbox.seed_connected(0).await.unwrap();
        Self { sandbox, business, client: client() }
    }

    /// The same, with a gateway that has answered the handshake.
    pub(crate) async fn with_gateway(config: Config) -> (Self, Gateway) {
        let stage = Self::with(config).await;
        let gateway = Gateway::start(&stage.sandbox, 0);
        stage.sandbox.set_callback_url(&gateway.url).await.unwrap();
        until("the handshake", || stage.sandbox.callback_is_verified()).await;
        (stage, gateway)
    }

    pub(crate) fn proof(&self, token: &str) -> String {
        hmac_hex(self.sandbox.app().secret.expose(), token.as_bytes())
    }

    pub(crate) fn graph_call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.graph_call_as(method, path, self.business.access_token.expose())
    }

    pub(crate) fn graph_call_as(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/v25.0/{path}", self.sandbox.graph_url());
        self.client.request(method, url).bearer_auth(token).query(&[("appsecret_proof", self.proof(token))])
    }

    pub(crate) async fn graph(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        read(self.graph_call(method, path).json(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.graph_call(Method::GET, path)).await
    }

    pub(crate) fn messages(&self) -> String {
        format!("{}/messages", self.business.phone_number_id)
    }

    pub(crate) async fn send(&self, body: Value) -> (u16, Value) {
        self.graph(Method::POST, &self.messages(), body).await
    }

    pub(crate) async fn send_text(&self, to: &str) -> String {
        let (status, body) = self.send(text(to)).await;
        assert_eq!(status, 200, "{body}");
        body["messages"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        read(self.client.request(method, format!("{}/{path}", self.sandbox.control_url())).json(&body)).await
    }

    pub(crate) async fn sent(&self, query: &str) -> Value {
        let url = format!("{}/sent{query}", self.sandbox.control_url());
        read(self.client.get(url)).await.1
    }

    pub(crate) async fn set_faults(&self, faults: Value) {
        let (status, body) = self.control(Method::PUT, "faults", faults).await;
        assert_eq!(status, 200, "{body}");
    }

    /// Signs a new customer up and returns the code and the ids.
    pub(crate) async fn sign_up(&self, choice: Value) -> (String, Value) {
        let (status, body) = self.control(Method::POST, "signup", choice).await;
        assert_eq!(status, 200, "{body}");
        (body["code"].as_str().unwrap_or_default().to_owned(), body["message"]["data"].clone())
    }

    pub(crate) async fn exchange(&self, code: &str) -> (u16, Value) {
        let app = self.sandbox.app();
        let query = [("client_id", app.id.as_str()), ("client_secret", app.secret.expose()), ("code", code)];
        read(self.client.get(format!("{}/v25.0/oauth/access_token", self.sandbox.graph_url())).query(&query))
            .await
    }

    pub(crate) async fn advance(&self, seconds: u32) {
        self.control(Method::POST, "clock", json!({"advance_s": seconds})).await;
    }
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
}

pub(crate) fn text(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Habari"}})
}

pub(crate) fn error_code(body: &Value) -> u64 {
    body["error"]["code"].as_u64().unwrap_or_default()
}

pub(crate) fn hmac_hex(key: &str, message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message);
    hex::encode(mac.finalize().into_bytes())
}

pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited ten seconds for {what}");
}

/// Answers the handshake, checks every signature and remembers every body.
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) port: u16,
    heard: Arc<Heard>,
    server: ServerHandle,
}

#[derive(Default)]
struct Heard {
    app_secret: String,
    verify_token: String,
    bodies: Mutex<Vec<Vec<u8>>>,
    posts: AtomicUsize,
    badly_signed: AtomicUsize,
    /// What to answer instead of 200.
    answer: AtomicU16,
}

impl Gateway {
    pub(crate) fn start(sandbox: &Running, port: u16) -> Self {
        let app = sandbox.app();
        let heard = Data::new(Heard {
            app_secret: app.secret.expose().to_owned(),
            verify_token: app.verify_token.expose().to_owned(),
            ..Heard::default()
        });
        let shared = heard.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/hook", web::get().to(answer_handshake))
                .route("/hook", web::post().to(hear))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", port))
        .unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url: format!("http://127.0.0.1:{port}/hook"), port, heard: heard.into_inner(), server: handle }
    }

    pub(crate) async fn stop(&self) {
        self.server.stop(false).await;
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.heard.answer.store(status, Ordering::SeqCst);
    }

    pub(crate) fn posts(&self) -> usize {
        self.heard.posts.load(Ordering::SeqCst)
    }

    pub(crate) fn raw_bodies(&self) -> Vec<Vec<u8>> {
        self.heard.bodies.lock().unwrap().clone()
    }

    /// Every `value` of every change of the given field.
    pub(crate) fn values(&self, field: &str) -> Vec<Value> {
        assert_eq!(self.heard.badly_signed.load(Ordering::SeqCst), 0, "a webhook was badly signed");
        let bodies = self.raw_bodies();
        let bodies = bodies.iter().map(|body| serde_json::from_slice::<Value>(body).unwrap());
        let changes = bodies.flat_map(|body| {
            let entries = body["entry"].as_array().cloned().unwrap();
            entries.into_iter().flat_map(|entry| entry["changes"].as_array().cloned().unwrap())
        });
        changes.filter(|change| change["field"] == field).map(|change| change["value"].clone()).collect()
    }

    pub(crate) fn statuses(&self) -> Vec<Value> {
        let lists =
            self.values("messages").into_iter().filter_map(|value| value["statuses"].as_array().cloned());
        lists.flatten().collect()
    }

    /// The names of the statuses of one message, as they arrived.
    pub(crate) fn statuses_of(&self, id: &str) -> Vec<String> {
        let statuses = self.statuses().into_iter().filter(|status| status["id"] == id);
        statuses.map(|status| status["status"].as_str().unwrap().to_owned()).collect()
    }
}

async fn answer_handshake(heard: Data<Heard>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let asked = |name: &str| query.get(name).cloned().unwrap_or_default();
    if asked("hub.mode") == "subscribe" && asked("hub.verify_token") == heard.verify_token {
        HttpResponse::Ok().body(asked("hub.challenge"))
    } else {
        HttpResponse::Forbidden().finish()
    }
}

async fn hear(heard: Data<Heard>, request: HttpRequest, body: Bytes) -> HttpResponse {
    heard.posts.fetch_add(1, Ordering::SeqCst);
    let answer = heard.answer.load(Ordering::SeqCst);
    if answer != 0 {
        return HttpResponse::build(answer.try_into().unwrap()).finish();
    }
    let expected = format!("sha256={}", hmac_hex(&heard.app_secret, &body));
    if request
        .headers()
        .get("x-hub-signature-256")
        .is_none_or(|given| given.as_bytes() != expected.as_bytes())
    {
        heard.badly_signed.fetch_add(1, Ordering::SeqCst);
        return HttpResponse::Unauthorized().finish();
    }
    heard.bodies.lock().unwrap().push(body.to_vec());
    HttpResponse::Ok().finish()
}
