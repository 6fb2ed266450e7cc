//! An endpoint that answers as the test says, and remembers every post, taken or not.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

use super::eventually;

#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signatures: String,
    /// As Meta signs.
    pub(crate) hub_signature: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Post {
    /// The text of the message that it tells of.
    pub(crate) fn text(&self) -> &str {
        self.body["data"]["message"]["text"]["body"].as_str().unwrap_or_default()
    }

    pub(crate) fn from(&self) -> &str {
        self.body["data"]["message"]["from"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_again(&self) -> bool {
        self.body["replayed"] == true
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'static str>,
    pub(crate) body: Cow<'static, str>,
    /// Where it would rather be asked.
    pub(crate) location: Option<String>,
    /// How long it takes until it answers.
    pub(crate) after: Duration,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

/// Members of the query of a GET.
pub(crate) type Asked = HashMap<String, String>;

type Script = Box<dyn Fn(&Post) -> Reply + Send>;
type Greeting = Box<dyn Fn(&Asked) -> Reply + Send>;

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    posts: Arc<Mutex<Vec<Post>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Script>>,
    greeting: Arc<Mutex<Greeting>>,
}

/// What a receiver of Meta's webhooks answers when it is asked with its own token.
fn greet(asked: &Asked) -> Reply {
    if asked.get("hub.verify_token").is_none_or(|token| token != Receiver::TOKEN) {
        return 403.into();
    }
    let challenge = asked.get("hub.challenge").cloned().unwrap_or_default();
    Reply { status: 200, body: challenge.into(), ..Reply::default() }
}

impl Receiver {
    /// What it lets itself be asked with as a receiver of Meta's webhooks.
    pub(crate) const TOKEN: &'static str = "karibu-2026";

    pub(crate) fn start(script: impl Fn(&Post) -> Reply + Send + 'static) -> Self {
        let mut this = Self {
            url: String::new(),
            posts: Arc::default(),
            asked: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(script))),
            greeting: Arc::new(Mutex::new(Box::new(greet))),
        };
        let shared = this.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .app_data(web::PayloadConfig::new(4 << 20))
                .route("/events", web::post().to(hear))
                .route("/events", web::get().to(be_asked))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        this.url = format!("http://{}/events", server.addrs()[0]);
        tokio::spawn(server.run());
        this
    }

    pub(crate) fn greets(&self, greeting: impl Fn(&Asked) -> Reply + Send + 'static) {
        *self.greeting.lock().expect("not poisoned") = Box::new(greeting);
    }

    /// Every handshake, answered or not.
    pub(crate) fn was_asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    pub(crate) fn answers(&self, script: impl Fn(&Post) -> Reply + Send + 'static) {
        *self.script.lock().expect("not poisoned") = Box::new(script);
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("not poisoned").clone()
    }

    /// Of messages that came in, in the order in which they were taken.
    pub(crate) fn taken(&self) -> Vec<Post> {
        let mut posts = self.posts();
        posts.retain(|post| (200..300).contains(&post.status) && post.body["type"] == "message.received");
        posts
    }

    pub(crate) async fn has_taken(&self, count: usize) -> Vec<Post> {
        eventually(&format!("{count} messages are taken"), Duration::from_mins(1), || async {
            let taken = self.taken();
            if taken.len() >= count { Ok(taken) } else { Err(taken.len().to_string()) }
        })
        .await
    }

    pub(crate) async fn was_posted(&self, count: usize) -> Vec<Post> {
        eventually(&format!("{count} posts arrive"), Duration::from_secs(30), || async {
            let posts = self.posts();
            if posts.len() >= count { Ok(posts) } else { Err(posts.len().to_string()) }
        })
        .await
    }
}

async fn be_asked(asked: web::Query<Asked>, this: web::Data<Receiver>) -> HttpResponse {
    let reply = this.greeting.lock().expect("not poisoned")(&asked);
    this.asked.lock().expect("not poisoned").push(asked.into_inner());
    respond(reply).await
}

async fn hear(request: HttpRequest, body: web::Bytes, this: web::Data<Receiver>) -> HttpResponse {
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut post = Post {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        hub_signature: header("x-hub-signature-256"),
        raw: body.to_vec(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: 0,
    };
    let reply = this.script.lock().expect("not poisoned")(&post);
    post.status = reply.status;
    this.posts.lock().expect("not poisoned").push(post);
    respond(reply).await
}

async fn respond(reply: Reply) -> HttpResponse {
    tokio::time::sleep(reply.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).expect("a status"));
    if let Some(wait) = reply.retry_after {
        response.insert_header(("retry-after", wait));
    }
    if let Some(location) = reply.location {
        response.insert_header(("location", location));
    }
    response.body(reply.body)
}
