//! The endpoints' side: takes events, refuses them or keeps the caller waiting, and writes down what it took.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// Longer than the gateway waits for an endpoint.
const HANGS_FOR: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Takes,
    Answers500,
    Hangs,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    /// By path.
    taken: HashMap<String, Taken>,
}

#[derive(Debug, Clone, Default)]
struct Taken {
    /// How often each event was taken.
    times: BTreeMap<String, u32>,
    /// Each event once, in the order in which they were taken first.
    first: Vec<String>,
}

type Shared = Arc<Mutex<State>>;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Shared,
    server: ServerHandle,
}

impl Receiver {
    pub(super) fn start() -> Self {
        let state = Shared::default();
        let shared = Arc::clone(&state);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(Arc::clone(&shared)))
                .app_data(web::PayloadConfig::new(4 << 20))
                .route("/{name}", web::post().to(hear))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, state, server: handle }
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.state.lock().expect("not poisoned").mood = mood;
    }

    pub(crate) fn taken(&self, name: &str) -> BTreeMap<String, u32> {
        self.of(name).times
    }

    pub(crate) fn first_taken(&self, name: &str) -> Vec<String> {
        self.of(name).first
    }

    fn of(&self, name: &str) -> Taken {
        self.state.lock().expect("not poisoned").taken.get(name).cloned().unwrap_or_default()
    }

    pub(crate) async fn stop(&self) {
        self.server.stop(false).await;
    }
}

async fn hear(request: HttpRequest, _body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let mood = shared.lock().expect("not poisoned").mood;
    match mood {
        Mood::Takes => {}
        Mood::Answers500 => return HttpResponse::InternalServerError().finish(),
        Mood::Hangs => {
            tokio::time::sleep(HANGS_FOR).await;
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let name = request.match_info().query("name").to_owned();
    let mut state = shared.lock().expect("not poisoned");
    let taken = state.taken.entry(name).or_default();
    let times = taken.times.entry(id.to_owned()).or_default();
    *times += 1;
    if *times == 1 {
        taken.first.push(id.to_owned());
    }
    HttpResponse::Ok().finish()
}
