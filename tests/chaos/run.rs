//! One run of one plan: build the world, trouble it, heal it, wait until it is quiet, read the logs, check them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::checker::{self, Violation};
use crate::clients::{self, Until};
use crate::history::{End, History};
use crate::mutants::Mutant;
use crate::plan::Plan;
use crate::world::{Gateways, World};
use crate::{collect, customers, director};

/// Beyond three times the wait for proof: a message that was refused several times waits up to 64 s and a fifth, and of a
/// lane whose person got too many, one goes every six seconds.
const SLACK: Duration = Duration::from_mins(4);
/// A mutant may never become quiet.
const MUTANT_SLACK: Duration = Duration::ZERO;
/// Clients stop repeating so long after the last trouble.
const REPEAT_FOR: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(250);
/// What an endpoint did not take is delivered again by hand, as its operator would after an outage.
const REPLAY_EVERY: Duration = Duration::from_secs(4);

/// What a run was about, in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) messages: usize,
    pub(crate) posts: usize,
    pub(crate) taken: usize,
    pub(crate) resends: usize,
    /// Beyond the first of each message.
    pub(crate) copies: usize,
    pub(crate) webhooks: usize,
    pub(crate) events: usize,
    pub(crate) processes: usize,
}

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<Violation>,
    pub(crate) history: History,
    /// Of the gateway's processes.
    pub(crate) log: Vec<u8>,
}

/// Panics where the run itself cannot be carried out.
pub(crate) async fn run(plan: Plan, mutant: Option<Mutant>) -> Checked {
    let (world, mut gateways) = World::build(plan, mutant).await;
    let slack = if mutant.is_some() { MUTANT_SLACK } else { SLACK };
    let history = trouble(&world, &mut gateways, slack).await;
    let log = std::fs::read(world.folder().join("gateway.log")).unwrap_or_default();
    world.receiver.stop().await;
    world.database.stop().await;
    world.sandbox.stop().await;
    let violations = checker::check(&history);
    Checked { tally: tally(&history), violations, history, log }
}

async fn trouble(world: &World, gateways: &mut Gateways, slack: Duration) -> History {
    let (plan, api, control) = (&world.plan, world.api(), world.control());
    let mut inbound = customers::open_windows(&world.lanes, &control).await;
    let began = Instant::now();
    let end = began + plan.length();
    let until = Until { begins: end, repeats: end + REPEAT_FOR };
    let (conducted, asks, written) = tokio::join!(
        director::conduct(world, gateways, began),
        clients::run(&world.lanes, &api, plan.seed, plan.length(), until),
        customers::run(&world.lanes, &control, plan.seed, end),
    );
    inbound.extend(written);
    calm_down(world, slack).await;

    let mut history = History {
        timers: plan.timers,
        strict: plan.strict,
        asks,
        arrivals: collect::arrivals(&control).await,
        inbound,
        webhooks: collect::webhooks(&control).await,
        rows: collect::rows(&api).await,
        events: collect::events(&api).await,
        endpoints: world.endpoint_logs(),
        lives: Vec::new(),
        full: conducted.full,
    };
    gateways.end_all().await;
    history.lives.clone_from(&gateways.lives);
    for life in &mut history.lives {
        life.hindered.clone_from(&conducted.hindered);
    }
    history
}

/// Waits until every message has ended and every event was told, or time is over: then the checker says what is amiss.
async fn calm_down(world: &World, slack: Duration) {
    let timers = world.plan.timers;
    let deadline = Instant::now() + Duration::from_secs(3 * timers.settle_s + timers.limit_s) + slack;
    let api = world.api();
    while Instant::now() < deadline {
        let settled = collect::unsettled(&api).await.is_some_and(|left| left.is_empty());
        if settled && world.sandbox.webhooks_waiting() == 0 {
            break;
        }
        sleep(LOOK).await;
    }
    let mut replayed: Option<Instant> = None;
    let mut events = collect::events(&api).await;
    while Instant::now() < deadline {
        let logs = world.endpoint_logs();
        let told = logs.iter().filter(|log| !log.dead).all(|log| {
            let mut wanted = events
                .iter()
                .filter(|event| log.business.as_ref().is_none_or(|only| *only == event.business));
            wanted.all(|event| log.taken.contains_key(&event.id))
        });
        if told {
            return;
        }
        if replayed.is_none_or(|at| at.elapsed() >= REPLAY_EVERY) {
            replay(world).await;
            replayed = Some(Instant::now());
            events = collect::events(&api).await;
        }
        sleep(LOOK).await;
    }
}

async fn replay(world: &World) {
    let api = world.api();
    for endpoint in world.replayed_endpoints() {
        for id in collect::undelivered(&api, endpoint).await {
            api.post(&format!("/v1/deliveries/{id}/replay"), &serde_json::Value::Null).await;
        }
    }
}

fn tally(history: &History) -> Tally {
    let taken = || history.arrivals.iter().filter(|arrival| arrival.taken_as.is_some());
    let mut tags: Vec<&str> = taken().map(|arrival| arrival.tag.as_str()).collect();
    tags.sort_unstable();
    tags.dedup();
    let taken = taken().count();
    Tally {
        messages: history.asks.iter().filter(|ask| ask.first_accepted().is_some()).count(),
        posts: history.arrivals.len(),
        taken,
        resends: history.rows.values().map(|row| row.resends().count()).sum(),
        copies: taken - tags.len(),
        webhooks: history.webhooks.len(),
        events: history.events.len(),
        processes: history.lives.iter().filter(|life| life.end != Some(End::Over)).count() + 1,
    }
}

/// Everything that helps to understand a failure, in a folder of its own.
pub(crate) fn keep(folder: &Path, plan: &Plan, checked: &Checked) -> std::io::Result<PathBuf> {
    let folder = folder.join(format!("chaos-{}-{}", plan.database, plan.seed));
    std::fs::create_dir_all(&folder)?;
    let violations: Vec<String> = checked.violations.iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("violations.txt"), violations.join("\n"))?;
    std::fs::write(folder.join("plan.txt"), plan.to_string())?;
    std::fs::write(folder.join("history.json"), serde_json::to_vec(&checked.history)?)?;
    std::fs::write(folder.join("gateway.log"), &checked.log)?;
    Ok(folder)
}
