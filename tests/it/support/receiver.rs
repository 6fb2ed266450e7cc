//! An endpoint that answers as the test says, and remembers every post, taken or not.

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
    pub(crate) body: &'static str,
    /// How long it takes until it answers.
    pub(crate) after: Duration,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

type Script = Box<dyn Fn(&Post) -> Reply + Send>;

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    posts: Arc<Mutex<Vec<Post>>>,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    pub(crate) fn start(script: impl Fn(&Post) -> Reply + Send + 'static) -> Self {
        let posts: Arc<Mutex<Vec<Post>>> = Arc::default();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let shared = (Arc::clone(&posts), Arc::clone(&script));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .app_data(web::PayloadConfig::new(4 << 20))
                .route("/events", web::post().to(hear))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let url = format!("http://{}/events", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { url, posts, script }
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

type Shared = (Arc<Mutex<Vec<Post>>>, Arc<Mutex<Script>>);

async fn hear(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let (posts, script) = shared.get_ref();
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut post = Post {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        raw: body.to_vec(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: 0,
    };
    let reply = script.lock().expect("not poisoned")(&post);
    post.status = reply.status;
    posts.lock().expect("not poisoned").push(post);
    tokio::time::sleep(reply.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).expect("a status"));
    if let Some(wait) = reply.retry_after {
        response.insert_header(("retry-after", wait));
    }
    response.body(reply.body)
}
