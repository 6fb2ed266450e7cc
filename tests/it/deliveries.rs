//! An endpoint that does not take an event holds up nobody, and gets it later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::receiver::{Post, Receiver, Reply};
use crate::support::{eventually, postgres};

async fn heard(endpoint: &Endpoint, count: usize) -> BTreeSet<String> {
    eventually(&format!("{count} events are heard"), Duration::from_secs(30), || async {
        // Receivers deduplicate by id: after a crash an event may come twice.
        let ids: BTreeSet<_> =
            endpoint.of_type("message.received").into_iter().map(|delivery| delivery.id).collect();
        if ids.len() >= count { Ok(ids) } else { Err(format!("{}", ids.len())) }
    })
    .await
}

async fn writes(demo: &Demo, from: &str, text: &str) {
    let written = json!({
        "phone_number_id": demo.ready.phone_number_id,
        "from": from,
        "message": { "type": "text", "text": { "body": text } },
    });
    demo.sandbox().post("/control/inbound", &written).await.expect(200);
}

async fn registered(demo: &Demo, endpoint: &Value) -> String {
    let made = demo.api().post("/v1/endpoints", endpoint).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

/// Every entry of a list.
async fn all(api: &Api, path: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut after = String::new();
    loop {
        let page = api.get(&format!("{path}&limit=200{after}")).await.expect(200);
        entries.extend(page["data"].as_array().expect("a list").clone());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return entries,
        }
    }
}

async fn listed(demo: &Demo, filter: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} deliveries with {filter}"), Duration::from_secs(40), || async {
        let listed = all(&demo.api(), &format!("/v1/deliveries?{filter}")).await;
        if listed.len() == count { Ok(listed) } else { Err(format!("{}: {listed:?}", listed.len())) }
    })
    .await
}

#[actix_rt::test]
async fn a_failing_endpoint_delays_no_other_and_hears_the_same_event_after_a_restart() {
    let mut demo = Demo::start().await;
    let (failing, healthy) = (Endpoint::start(), Endpoint::start());
    failing.answer_with(503);
    let id = registered(&demo, &json!({ "url": failing.url })).await;
    registered(&demo, &json!({ "url": healthy.url })).await;
    for n in 0..3 {
        writes(&demo, &format!("25575400011{n}"), "Habari").await;
    }
    let ids = heard(&healthy, 3).await;
    for delivery in listed(&demo, &format!("endpoint_id={id}"), 3).await {
        assert_eq!((&delivery["last_status"], &delivery["attempts"]), (&json!(503), &json!(1)), "{delivery}");
    }

    demo.kill_and_restart().await;
    failing.answer_with(200);
    assert_eq!(heard(&failing, 3).await, ids, "the same events under the same ids");
}

/// What an endpoint repeats to us.
const PLANTED: &str = "planted words of a customer";

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

#[actix_rt::test]
async fn what_an_endpoint_answered_is_kept_sealed_on_sqlite() {
    let demo = Demo::start().await;
    let data = demo.data.clone();
    answers_are_sealed(demo, async || {
        let files = ["gateway.db", "gateway.db-wal"].map(|name| std::fs::read(data.join(name)));
        files.into_iter().flat_map(Result::unwrap_or_default).collect()
    })
    .await;
}

#[actix_rt::test]
async fn what_an_endpoint_answered_is_kept_sealed_on_postgres() {
    let Some(url) = postgres::fresh_database().await else { return };
    let demo = Demo::start_with(&[("GATEWAY__STORE__URL", &url)]).await;
    answers_are_sealed(demo, async || postgres::dump(&url).await.into_bytes()).await;
}

/// Of a try that was taken, which is kept as a sample, and of one that was not.
async fn answers_are_sealed(mut demo: Demo, dump: impl AsyncFn() -> Vec<u8>) {
    let reply = |status| Reply { status, body: PLANTED.into(), ..Reply::default() };
    let (takes, refuses) = (Receiver::start(move |_| reply(200)), Receiver::start(move |_| reply(500)));
    for receiver in [&takes, &refuses] {
        let endpoint = json!({ "url": receiver.url, "events": ["message.received"] });
        let id = registered(&demo, &endpoint).await;
        writes(&demo, "255754000111", PLANTED).await;
        let delivery = eventually("a try is kept", Duration::from_secs(20), || async {
            let listed = demo.api().get(&format!("/v1/deliveries?endpoint_id={id}")).await.expect(200);
            listed["data"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| listed.to_string())
        })
        .await;
        let shown = demo.api().get(&format!("/v1/deliveries/{delivery}")).await.expect(200);
        assert_eq!(shown["tries"][0]["answer"], PLANTED, "who may read it reads it: {shown}");
    }
    demo.kill().await;
    let dumped = dump().await;
    assert!(contains(&dumped, refuses.url.as_bytes()), "the dump shows the rows");
    let mut hex = String::new();
    for byte in PLANTED.bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    assert!(!contains(&dumped, PLANTED.as_bytes()) && !contains(&dumped, hex.as_bytes()), "it is in clear");
}

const CONTACTS: usize = 30;
const EVENTS: usize = 300;
const POISONED: usize = 10;

/// In the proportions of the real ones: an endpoint that is down is parked long before its events are given up, and is
/// back before that too.
const TIMERS: [(&str, &str); 6] = [
    ("GATEWAY__ACTORS__DELIVERIES__RETRY_S", "2"),
    ("GATEWAY__ACTORS__DELIVERIES__GIVE_UP_AFTER_S", "40"),
    ("GATEWAY__ACTORS__DELIVERIES__FAILING_AFTER", "12"),
    ("GATEWAY__ACTORS__DELIVERIES__PROBE_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__PARK_AFTER_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__PARKED_PROBE_S", "1"),
];

fn contact(n: usize) -> String {
    format!("2557540{:05}", n % CONTACTS)
}

/// One early event of each of the first ten contacts.
fn text(n: usize) -> String {
    let poison = (CONTACTS..CONTACTS + POISONED).contains(&n);
    format!("{}{n:04}", if poison { "poison " } else { "" })
}

/// All contacts at a time, and each of them again.
async fn everybody_writes(demo: &Demo, events: Range<usize>) {
    for from in events.clone().step_by(CONTACTS) {
        let round = (from..(from + CONTACTS).min(events.end))
            .map(async |n| writes(demo, &contact(n), &text(n)).await);
        join_all(round).await;
    }
}

fn is_poison(post: &Post) -> bool {
    post.text().starts_with("poison")
}

/// As GET /v1/events tells it: the ids of what came in, by contact, in the order of the stream; and when each happened.
async fn stream(demo: &Demo) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, Value>) {
    let listed = all(&demo.api(), "/v1/events?types=message.received").await;
    let (mut order, mut times): (BTreeMap<String, Vec<String>>, BTreeMap<_, _>) = Default::default();
    for event in listed {
        let id = event["id"].as_str().unwrap().to_owned();
        let from = event["data"]["message"]["from"].as_str().unwrap().to_owned();
        order.entry(from).or_default().push(id.clone());
        times.insert(id, event["timestamp"].clone());
    }
    (order, times)
}

/// In the order in which they were first taken.
fn once(posts: &[Post]) -> BTreeMap<String, Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for post in posts.iter().filter(|post| seen.insert(post.id.clone())) {
        order.entry(post.from().to_owned()).or_default().push(post.id.clone());
    }
    order
}

#[actix_rt::test]
async fn a18_everything_waits_for_an_application_that_was_down_and_poison_blocks_nobody_on_sqlite() {
    a18(Demo::start_with(&TIMERS).await).await;
}

#[actix_rt::test]
async fn a18_everything_waits_for_an_application_that_was_down_and_poison_blocks_nobody_on_postgres() {
    let Some(url) = postgres::fresh_database().await else { return };
    let settings: Vec<_> = TIMERS.into_iter().chain([("GATEWAY__STORE__URL", url.as_str())]).collect();
    a18(Demo::start_with(&settings).await).await;
}

/// Scenario A18, scaled: the application is down while some hundred events happen, ten of which it will never take;
/// the gateway is killed and started again; the application returns.
async fn a18(mut demo: Demo) {
    let down = |_: &Post| Reply { status: 503, body: "down for maintenance".into(), ..Reply::default() };
    let (application, other) = (Receiver::start(down), Receiver::start(|_| 200.into()));
    let endpoint = json!({ "url": application.url, "events": ["message.received"], "ordered": true });
    let id = registered(&demo, &endpoint).await;
    registered(&demo, &json!({ "url": other.url, "events": ["message.received"] })).await;

    everybody_writes(&demo, 0..EVENTS / 2).await;
    other.has_taken(EVENTS / 2).await;
    let while_down = application.posts().len();
    assert!(while_down < EVENTS / 2, "a dead endpoint is not asked with every event: {while_down}");
    demo.kill_and_restart().await;
    everybody_writes(&demo, EVENTS / 2..EVENTS).await;
    eventually("the other endpoint has heard everything", Duration::from_mins(1), || async {
        let ids: BTreeSet<_> = other.taken().into_iter().map(|post| post.id).collect();
        if ids.len() == EVENTS { Ok(()) } else { Err(ids.len().to_string()) }
    })
    .await;
    let state = demo.api().get(&format!("/v1/endpoints/{id}")).await.expect(200);
    assert_ne!(state["state"], "active", "{state}");
    assert!(application.taken().is_empty());

    application.answers(|post| {
        if is_poison(post) {
            Reply { status: 500, body: "this one breaks me".into(), ..Reply::default() }
        } else {
            200.into()
        }
    });
    let taken = eventually("all but the poison is taken", Duration::from_mins(2), || async {
        let taken = application.taken();
        let ids: BTreeSet<_> = taken.iter().map(|post| &post.id).collect();
        if ids.len() == EVENTS - POISONED { Ok(taken) } else { Err(ids.len().to_string()) }
    })
    .await;

    let parked = listed(&demo, &format!("endpoint_id={id}&state=parked"), POISONED).await;
    let poison: BTreeSet<_> = parked.iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect();
    let shown = demo.api().get(&format!("/v1/deliveries/{}", parked[0]["id"].as_str().unwrap())).await;
    let shown = shown.expect(200);
    let last = shown["tries"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["status"], &last["answer"]), (&json!(500), &json!("this one breaks me")), "{shown}");

    let (mut order, times) = stream(&demo).await;
    for ids in order.values_mut() {
        ids.retain(|id| !poison.contains(id));
    }
    assert_eq!(once(&taken), order, "the same list, and in order for each contact");
    for post in &taken {
        assert!(post.is_again(), "it had to wait: {}", post.body);
        assert_eq!(post.body["timestamp"], times[&post.id], "with its original time");
    }

    // What broke the application is mended: the poison goes out by its stretch of time.
    application.answers(|_| 200.into());
    let stretch = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "state": "parked" });
    let replayed = demo.api().post(&format!("/v1/endpoints/{id}/replay"), &stretch).await.expect(202);
    assert_eq!(replayed, json!({ "count": POISONED, "next": null }));
    let mended = eventually("the poison is taken", Duration::from_secs(30), || async {
        let taken: Vec<_> = application.taken().into_iter().filter(is_poison).collect();
        if taken.len() >= POISONED { Ok(taken) } else { Err(taken.len().to_string()) }
    })
    .await;
    assert_eq!(mended.iter().map(|post| post.id.clone()).collect::<BTreeSet<_>>(), poison);
    assert!(mended.iter().all(|post| post.is_again() && post.body["timestamp"] == times[&post.id]));
    let state = demo.api().get(&format!("/v1/endpoints/{id}")).await.expect(200);
    assert_eq!(state["state"], "active", "{state}");
}
