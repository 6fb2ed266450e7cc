//! A client as plain as curl.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::eventually;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) base: String,
    key: String,
    client: reqwest::Client,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }
}

/// Every process that speaks TLS chooses its cryptography first.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

impl Api {
    pub(crate) fn new(base: &str, key: &str) -> Self {
        Self { base: base.to_owned(), key: key.to_owned(), client: client() }
    }

    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        if self.key.is_empty() { request } else { request.bearer_auth(&self.key) }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, text: answer.text().await? })
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Asks for a message until it has this status, and answers it.
    pub(crate) async fn message_reaches(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), Duration::from_secs(40), || async {
            let message = self.get(&format!("/v1/messages/{id}")).await.expect(200);
            if message["status"] == status { Ok(message) } else { Err(message.to_string()) }
        })
        .await
    }

    /// Everything that reached the provider, in order.
    pub(crate) async fn everything_sent(&self) -> Vec<Value> {
        let mut sent = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/control/sent?limit=1000{after}")).await.expect(200);
            let rows = page["data"].as_array().expect("a list").clone();
            let ended = rows.is_empty() || page["next"].is_null();
            sent.extend(rows);
            if ended {
                return sent;
            }
            after = match &page["next"] {
                Value::String(next) => format!("&after={next}"),
                next => format!("&after={next}"),
            };
        }
    }
}

pub(crate) fn text_message(business: &str, to: &str, body: &str) -> Value {
    json!({ "business_id": business, "message": { "to": to, "type": "text", "text": { "body": body } } })
}
