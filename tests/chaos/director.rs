//! Makes happen what the plan says, each track in its own time.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::{self, Micros};
use crate::line::Mode;
use crate::plan::{
    EndpointTrouble, Fault, LineTrouble, ProcessTrouble, ProviderTrouble, Step, Track, WebhookTrouble,
};
use crate::support::api::Api;
use crate::world::{Gateways, World, database::Server, receiver::Mood, settings::PROVIDER_TIMEOUT_S};

/// Stretches of time.
type Spans = Vec<(Micros, Micros)>;

#[derive(Debug, Default)]
pub(crate) struct Conducted {
    /// Nothing could be expected of the process that ran.
    pub(crate) hindered: Spans,
    /// The database had no room left.
    pub(crate) full: Spans,
}

pub(crate) async fn conduct(world: &World, gateways: &mut Gateways, began: Instant) -> Conducted {
    let board = Board::new(world.control());
    let uplinks = Mutex::new(gateways.uplinks());
    let (mut conducted, by_database, (), (), (), by_lines) = tokio::join!(
        processes(world, gateways, &uplinks, began),
        database(world, began),
        provider(world, &board, began),
        webhooks(world, &board, began),
        endpoints(world, began),
        lines(world, &uplinks, began),
    );
    conducted.hindered.extend(by_database.into_iter().chain(by_lines));
    conducted
}

type Uplinks = Mutex<Vec<std::sync::Arc<crate::line::Line>>>;

async fn processes(world: &World, gateways: &mut Gateways, uplinks: &Uplinks, began: Instant) -> Conducted {
    let mut conducted = Conducted::default();
    for Step { at, lasts, fault } in world.plan.of_track(Track::Process) {
        tend_until(began + at, gateways, uplinks).await;
        let from = clock::now();
        let Fault::Process(trouble) = fault else { continue };
        match trouble {
            ProcessTrouble::Kill => {
                gateways.kill().await;
                gateways.start(None).await;
            }
            ProcessTrouble::Stop => {
                gateways.stop().await;
                gateways.start(None).await;
            }
            ProcessTrouble::Pause => {
                gateways.pause();
                sleep(lasts).await;
                gateways.resume(lasts);
            }
            ProcessTrouble::PauseAndReplace => {
                gateways.pause();
                let woken = Instant::now() + lasts;
                // On SQLite the paused process may hold the file: then the second one starts when the first goes on.
                let resume = gateways.resume_later(woken);
                gateways.replace().await;
                resume.await.expect("waking does not panic");
                gateways.end_older().await;
            }
            ProcessTrouble::Overlap => {
                gateways.replace().await;
                gateways.end_older().await;
            }
            ProcessTrouble::DiskFull => {
                gateways.kill().await;
                gateways.start(Some(world.database.size_mb().max(1))).await;
                let full_from = clock::now();
                sleep(lasts).await;
                conducted.full.push((full_from, clock::now()));
                // Whoever starts with room again has to go on as after any other end.
                conducted.hindered.push((from, clock::now()));
                gateways.kill().await;
                gateways.start(None).await;
            }
        }
        if trouble == ProcessTrouble::Pause {
            conducted.hindered.push((from, clock::now()));
        }
        *uplinks.lock().expect("not poisoned") = gateways.uplinks();
    }
    // A long sleeper may find its lease gone and end only after the last step.
    tend_until(began + world.plan.length(), gateways, uplinks).await;
    conducted
}

/// Waits, and puts another process in the place of one that ended by itself meanwhile.
async fn tend_until(until: Instant, gateways: &mut Gateways, uplinks: &Uplinks) {
    loop {
        sleep_until(until.min(Instant::now() + TEND_EVERY)).await;
        if gateways.restart_if_ended().await {
            *uplinks.lock().expect("not poisoned") = gateways.uplinks();
        }
        if Instant::now() >= until {
            return;
        }
    }
}

const TEND_EVERY: Duration = Duration::from_millis(100);

async fn database(world: &World, began: Instant) -> Spans {
    let mut hindered = Spans::new();
    for step in world.plan.of_track(Track::Database) {
        sleep_until(began + step.at).await;
        let from = clock::now();
        if let Server::Postgres(server) = &world.database {
            server.restart_at_once().await;
        }
        hindered.push((from, clock::now()));
    }
    hindered
}

/// What the sandbox is told to do wrong; answers and webhooks are said together.
struct Board {
    control: Api,
    says: tokio::sync::Mutex<Value>,
}

impl Board {
    fn new(control: Api) -> Self {
        Self { control, says: tokio::sync::Mutex::new(json!({ "rules": [], "webhooks": {} })) }
    }

    async fn say(&self, member: &str, value: Value) {
        let mut says = self.says.lock().await;
        says[member] = value;
        self.control.put("/control/faults", &says).await.expect(200);
    }
}

async fn provider(world: &World, board: &Board, began: Instant) {
    for step in world.plan.of_track(Track::Provider) {
        let Fault::Provider { trouble, percent } = step.fault else { continue };
        sleep_until(began + step.at).await;
        let chance = f64::from(u32::try_from(percent).unwrap_or(100)) / 100.0;
        let rule = json!({ "match": { "path": "messages" }, "chance": chance, "do": act(trouble) });
        board.say("rules", json!([rule])).await;
        sleep_until(began + step.end()).await;
        board.say("rules", json!([])).await;
    }
}

fn act(trouble: ProviderTrouble) -> Value {
    match trouble {
        ProviderTrouble::CutAfter => json!({ "cut": "after" }),
        ProviderTrouble::CutBefore => json!({ "cut": "before" }),
        ProviderTrouble::ServerErrorAfter => json!({ "status": 502, "carry_out": true }),
        ProviderTrouble::ServerErrorBefore => json!({ "status": 503 }),
        ProviderTrouble::TooManyRequests => json!({ "status": 429 }),
        ProviderTrouble::NumberTooFast => json!({ "error": { "code": 130_429 } }),
        ProviderTrouble::PairTooFast => json!({ "error": { "code": 131_056 } }),
        ProviderTrouble::Refused => json!({ "error": { "code": 131_051 } }),
        ProviderTrouble::FailsLater => json!({ "async_error": { "code": 131_026 } }),
        ProviderTrouble::Slow => json!({ "delay_ms": 900 }),
        ProviderTrouble::TooSlow => json!({ "delay_ms": PROVIDER_TIMEOUT_S * 1_000 + 600 }),
    }
}

async fn webhooks(world: &World, board: &Board, began: Instant) {
    for step in world.plan.of_track(Track::Webhooks) {
        let Fault::Webhooks(trouble) = step.fault else { continue };
        sleep_until(began + step.at).await;
        let how = match trouble {
            WebhookTrouble::Duplicated => json!({ "duplicate": 0.5 }),
            WebhookTrouble::Delayed { most_ms } => json!({ "delay_ms": [0, most_ms] }),
            WebhookTrouble::Reordered => json!({ "reorder": 0.5 }),
            WebhookTrouble::Batched => json!({ "batch": 20 }),
            WebhookTrouble::Everything => {
                json!({ "duplicate": 0.3, "delay_ms": [0, 700], "reorder": 0.3, "batch": 10 })
            }
            WebhookTrouble::WithoutEcho => json!({ "echo_omitted": 0.5 }),
        };
        board.say("webhooks", how).await;
        sleep_until(began + step.end()).await;
        board.say("webhooks", json!({})).await;
    }
}

async fn endpoints(world: &World, began: Instant) {
    for step in world.plan.of_track(Track::Endpoint) {
        let Fault::Endpoint(trouble) = step.fault else { continue };
        sleep_until(began + step.at).await;
        match trouble {
            EndpointTrouble::Refuses => world.endpoint_line.set(Mode::Reset),
            EndpointTrouble::Answers500 => world.receiver.be(Mood::Answers500),
            EndpointTrouble::Hangs => world.receiver.be(Mood::Hangs),
        }
        sleep_until(began + step.end()).await;
        world.endpoint_line.set(Mode::Pass);
        world.receiver.be(Mood::Takes);
    }
}

async fn lines(world: &World, uplinks: &Uplinks, began: Instant) -> Spans {
    let mut hindered = Spans::new();
    for step in world.plan.of_track(Track::Line) {
        let Fault::Line(trouble) = step.fault else { continue };
        sleep_until(began + step.at).await;
        let from = clock::now();
        // A process that starts meanwhile has a line of its own, without trouble.
        let lines = uplinks.lock().expect("not poisoned").clone();
        let all = |mode| lines.iter().for_each(|line| line.set(mode));
        match trouble {
            LineTrouble::GatewayAnswersLost => world.front.set(Mode::LoseAnswers),
            LineTrouble::ProviderResets => all(Mode::Reset),
            LineTrouble::ProviderHangs => all(Mode::Hang),
        }
        sleep_until(began + step.end()).await;
        world.front.set(Mode::Pass);
        all(Mode::Pass);
        hindered.push((from, clock::now() + i64::try_from(AFTERWARDS.as_micros()).unwrap_or(0)));
    }
    hindered
}

/// Connections that hung are given up only now.
const AFTERWARDS: Duration = Duration::from_secs(PROVIDER_TIMEOUT_S);
