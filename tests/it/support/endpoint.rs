//! An endpoint that verifies and remembers what it is told.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) raw: Vec<u8>,
    pub(crate) body: Value,
}

/// Listens on loopback; answers with the status it is told to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Delivery>>>,
    answer: Arc<Mutex<u16>>,
}

impl Endpoint {
    pub(crate) fn start() -> Self {
        let heard: Arc<Mutex<Vec<Delivery>>> = Arc::default();
        let answer = Arc::new(Mutex::new(200));
        let shared = (Arc::clone(&heard), Arc::clone(&answer));
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
        Self { url, heard, answer }
    }

    pub(crate) fn heard(&self) -> Vec<Delivery> {
        self.heard.lock().expect("not poisoned").clone()
    }

    pub(crate) fn of_type(&self, event_type: &str) -> Vec<Delivery> {
        self.heard().into_iter().filter(|delivery| delivery.body["type"] == event_type).collect()
    }

    pub(crate) fn answer_with(&self, status: u16) {
        *self.answer.lock().expect("not poisoned") = status;
    }
}

type Shared = (Arc<Mutex<Vec<Delivery>>>, Arc<Mutex<u16>>);

async fn hear(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let (heard, answer) = shared.get_ref();
    let status = *answer.lock().expect("not poisoned");
    if status == 200 {
        let header = |name: &str| {
            request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        heard.lock().expect("not poisoned").push(Delivery {
            id: header("webhook-id"),
            headers: request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect(),
            raw: body.to_vec(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
    }
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).expect("a status")).finish()
}
