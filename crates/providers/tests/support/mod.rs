//! A stage for one provider: the sandbox, the provider configured for it, and a callback that takes its webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::provider::{
    Onboard, Provider, SendError, SendReceipt, SendRequest, Update, WebhookError,
};
use domain::message::Echo;
use domain::recipient::Country;
use domain::{AccessToken, MessageId};
use providers::cloud_api::{Options, prepare};
use providers::meta;
use sandbox::{Connected, Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Stage {
    pub provider: Provider,
    pub sandbox: Running,
    /// A number that is connected already.
    pub number: Connected,
    client: reqwest::Client,
}

impl Stage {
    pub async fn meta() -> Self {
        let sandbox = Sandbox::start(sandbox::Config::for_tests()).await.unwrap();
        let app = sandbox.app();
        let graph_url = url::Url::parse(&sandbox.graph_url()).unwrap();
        let config = meta::Config {
            allowed_bases: vec![graph_url.clone()],
            graph_url,
            apps: BTreeMap::from([(
                meta::DEFAULT_APP.to_owned(),
                meta::App {
                    id: app.id,
                    secret: app.secret.expose().into(),
                    previous_secret: None,
                    config_id: app.config_id,
                    verify_token: app.verify_token.expose().into(),
                },
            )]),
            ..meta::Config::default()
        };
        let provider = providers::registry::meta(&config).unwrap();
        let number = sandbox.seed_connected(0).await.unwrap();
        Self { provider, sandbox, number, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub fn onboard(&self) -> &dyn Onboard {
        self.provider.onboard.as_deref().expect("this provider connects numbers")
    }

    pub fn token(&self) -> AccessToken {
        AccessToken::new(self.number.access_token.expose())
    }

    pub async fn send(&self, message: Value, echo: Echo) -> Result<SendReceipt, SendError> {
        self.send_with(&self.token(), &self.number.phone_number_id, message, echo).await
    }

    pub async fn send_with(
        &self,
        token: &AccessToken,
        graph_id: &str,
        message: Value,
        echo: Echo,
    ) -> Result<SendReceipt, SendError> {
        let Value::Object(message) = message else { panic!("not an object: {message}") };
        let prepared = prepare(message, Country::TANZANIA, Options::default()).unwrap();
        let request = SendRequest { graph_id, token, message: &prepared.json, echo };
        self.provider.send.send(request).await
    }

    /// What becomes of one text while the sandbox acts on its messages as told.
    pub async fn send_under(&self, act: Value) -> Result<SendReceipt, SendError> {
        self.fault(json!({"match": {"path": "messages"}, "times": 1, "do": act})).await;
        self.send(text("Habari"), echo(1)).await
    }

    pub async fn fault(&self, rule: Value) {
        self.control(reqwest::Method::PUT, "faults", json!({"rules": [rule]})).await;
    }

    pub async fn control(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.sandbox.control_url());
        let mut request = self.client.request(method, url);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// A call of the platform's own API that the provider has no use for, by the number's owner.
    pub async fn graph(&self, method: reqwest::Method, path: &str) {
        let url = format!("{}/v25.0/{path}", self.sandbox.graph_url());
        let token = self.number.access_token.expose();
        let proof = providers::cloud_api::signature::proof(&self.sandbox.app().secret.expose().into(), token);
        let request = self.client.request(method, url).query(&[("appsecret_proof", proof)]);
        let answer = request.bearer_auth(token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    pub async fn sent(&self) -> Vec<Value> {
        let answer = self.control(reqwest::Method::GET, "sent", Value::Null).await;
        answer["data"].as_array().unwrap().clone()
    }

    /// A callback that is known to the sandbox and has shaken hands with it.
    pub async fn callback(&self) -> Callback {
        let callback = Callback::start(self.provider.clone()).await;
        self.sandbox.set_callback_url(&callback.url).await.unwrap();
        until(|| self.sandbox.callback_is_verified()).await;
        callback
    }
}

pub fn text(body: &str) -> Value {
    json!({"to": "+255712345678", "type": "text", "text": {"body": body}})
}

pub fn echo(number: u128) -> Echo {
    let message = format!("msg_{number:032x}").parse::<MessageId>().unwrap();
    Echo { message, attempt: 1 }
}

pub async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in five seconds");
}

/// Takes webhooks as the gateway does: verify on the bytes, then parse.
pub struct Callback {
    pub url: String,
    heard: Arc<Mutex<Vec<Update>>>,
}

impl Callback {
    async fn start(provider: Provider) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let updates = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, provider.clone(), Arc::clone(&updates)));
            }
        });
        Self { url, heard }
    }

    pub fn heard(&self) -> Vec<Update> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything heard, once there are so many.
    pub async fn hears(&self, count: usize) -> Vec<Update> {
        until(|| self.heard().len() >= count).await;
        self.heard()
    }
}

async fn serve(mut stream: TcpStream, provider: Provider, heard: Arc<Mutex<Vec<Update>>>) {
    let mut received = Vec::new();
    loop {
        while let Some((head, body, length)) = whole(&received) {
            let answer = respond(&provider, &head, &body, &heard);
            received.drain(..length);
            let (status, text) = answer.map_or_else(|error| (401, error.to_string()), |text| (200, text));
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        if !stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
            return;
        }
    }
}

/// Head, body, and the length of both in bytes.
fn whole(received: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let length: usize = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let body = received.get(end..end + length)?.to_vec();
    Some((head, body, end + length))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn respond(
    provider: &Provider,
    head: &str,
    body: &[u8],
    inbox: &Mutex<Vec<Update>>,
) -> Result<String, WebhookError> {
    let webhook = &provider.webhook;
    let target = head.split(' ').nth(1).unwrap_or_default();
    if head.starts_with("GET") {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| query.get(name).map_or("", String::as_str);
        return webhook.handshake(None, value("hub.mode"), value("hub.verify_token"), value("hub.challenge"));
    }
    let signature = header(head, "x-hub-signature-256").map(str::as_bytes);
    webhook.signature_shape(signature)?;
    webhook.verify(None, signature, body)?;
    let updates = webhook.parse(body, Timestamp::from_seconds(1_800_000_000))?;
    inbox.lock().unwrap_or_else(PoisonError::into_inner).extend(updates);
    Ok(String::new())
}
