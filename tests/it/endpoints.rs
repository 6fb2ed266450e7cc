//! What an endpoint may ask for, and what becomes of one that does not answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Clock;
use domain::contracts::retention::Kept;
use domain::contracts::store::{Page, Store};
use domain::endpoint::Endpoint;
use gateway_actors::SystemClock;
use serde_json::{Value, json};

use crate::support::api::{Answer, text_message};
use crate::support::demo::Demo;
use crate::support::eventually;
use crate::support::receiver::{Post, Receiver, Reply};

/// Short enough for a test. A parked endpoint is not asked by itself here.
const TIMERS: [(&str, &str); 6] = [
    ("GATEWAY__ACTORS__DELIVERIES__RETRY_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__GIVE_UP_AFTER_S", "60"),
    ("GATEWAY__ACTORS__DELIVERIES__FAILING_AFTER", "3"),
    ("GATEWAY__ACTORS__DELIVERIES__PROBE_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__PARK_AFTER_S", "2"),
    ("GATEWAY__ACTORS__DELIVERIES__PARKED_PROBE_S", "3600"),
];

async fn writes(demo: &Demo, text: &str) {
    let written = json!({
        "phone_number_id": demo.ready.phone_number_id,
        "from": "255754000111",
        "message": { "type": "text", "text": { "body": text } },
    });
    demo.sandbox().post("/control/inbound", &written).await.expect(200);
}

async fn register(demo: &Demo, receiver: &Receiver, more: Value) -> Value {
    let mut endpoint = json!({ "url": receiver.url, "events": ["message.received"] });
    endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    demo.api().post("/v1/endpoints", &endpoint).await.expect(201)
}

fn id(made: &Value) -> &str {
    made["id"].as_str().expect("an id")
}

async fn read(demo: &Demo, endpoint: &Value) -> Value {
    demo.api().get(&format!("/v1/endpoints/{}", id(endpoint))).await.expect(200)
}

async fn reaches(demo: &Demo, endpoint: &Value, state: &str) -> Value {
    eventually(&format!("the endpoint is {state}"), Duration::from_secs(30), || async {
        let endpoint = read(demo, endpoint).await;
        if endpoint["state"] == state { Ok(endpoint) } else { Err(endpoint.to_string()) }
    })
    .await
}

async fn ask(demo: &Demo, endpoint: &Value, what: &str, body: &Value) -> Answer {
    demo.api().post(&format!("/v1/endpoints/{}/{what}", id(endpoint)), body).await
}

async fn change(demo: &Demo, endpoint: &Value, change: &Value) -> Value {
    let path = format!("/v1/endpoints/{}", id(endpoint));
    demo.api().call(reqwest::Method::PATCH, &path, Some(change)).await.expect(200)
}

fn texts(posts: &[Post]) -> Vec<&str> {
    posts.iter().map(Post::text).collect()
}

/// What its texts are in the order in which they were first taken.
fn once(posts: &[Post]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    texts(posts).into_iter().filter(|text| seen.insert(*text)).collect()
}

/// The alerts of this kind that somebody heard.
fn alerts(heard: &Receiver, field: &str) -> Vec<Value> {
    let alerts = heard.posts().into_iter().filter(|post| post.body["type"] == "account.alert");
    alerts.map(|post| post.body["data"].clone()).filter(|data| data["field"] == field).collect()
}

async fn alert(heard: &Receiver, field: &str) -> Value {
    eventually(&format!("{field} is heard"), Duration::from_secs(20), || async {
        alerts(heard, field).pop().ok_or_else(|| "no alert".to_owned())
    })
    .await
}

#[actix_rt::test]
async fn a_dead_endpoint_is_parked_its_owner_hears_of_it_and_everything_goes_out_when_it_is_resumed() {
    let demo = Demo::start_with(&TIMERS).await;
    let (dead, other) = (Receiver::start(|_| 500.into()), Receiver::start(|_| 200.into()));
    let parked = register(&demo, &dead, json!({ "ordered": true })).await;
    register(&demo, &other, json!({ "events": [] })).await;
    for n in 0..20 {
        writes(&demo, &format!("{n:02}")).await;
    }
    let seen = reaches(&demo, &parked, "parked").await;
    assert!(seen["state_since"].is_string() && seen["enabled"] == true, "{seen}");
    let told = alert(&other, "endpoint_parked").await;
    assert_eq!(told["business_id"], demo.ready.business_id.as_str());
    assert_eq!(told["value"]["endpoint_id"], parked["id"]);
    let posted = dead.posts().len();
    assert!(posted < 20, "{posted} posts to a dead endpoint");
    other.has_taken(20).await;

    dead.answers(|_| 200.into());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(dead.posts().len(), posted, "it is asked seldom");
    assert_eq!(ask(&demo, &parked, "resume", &json!({})).await.expect(200)["state"], "active");
    let taken = dead.has_taken(20).await;
    assert_eq!(texts(&taken), (0..20).map(|n| format!("{n:02}")).collect::<Vec<_>>(), "all of it, in order");
}

#[actix_rt::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_it_is_switched_on_again() {
    let demo = Demo::start_with(&TIMERS).await;
    let receiver = Receiver::start(|_| 410.into());
    let endpoint = register(&demo, &receiver, json!({})).await;
    writes(&demo, "first").await;
    reaches(&demo, &endpoint, "gone").await;
    writes(&demo, "second").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.posts().len(), 1);
    receiver.answers(|_| 200.into());
    let changed = change(&demo, &endpoint, &json!({ "enabled": true })).await;
    assert_eq!(changed["state"], "active");
    assert_eq!(texts(&receiver.has_taken(2).await), ["first", "second"]);
}

#[actix_rt::test]
async fn one_that_is_switched_off_gets_nothing_and_everything_once_it_is_on_again() {
    let demo = Demo::start_with(&TIMERS).await;
    let (receiver, other) = (Receiver::start(|_| 200.into()), Receiver::start(|_| 200.into()));
    let endpoint = register(&demo, &receiver, json!({ "ordered": true })).await;
    register(&demo, &other, json!({})).await;
    writes(&demo, "before").await;
    receiver.has_taken(1).await;
    assert_eq!(change(&demo, &endpoint, &json!({ "enabled": false })).await["enabled"], false);
    let meanwhile: Vec<_> = (0..40).map(|n| format!("{n:02}")).collect();
    for (n, text) in meanwhile.iter().enumerate() {
        writes(&demo, text).await;
        other.has_taken(n + 2).await;
    }
    assert_eq!(receiver.posts().len(), 1);
    change(&demo, &endpoint, &json!({ "enabled": true })).await;
    writes(&demo, "after").await;
    let taken = receiver.has_taken(42).await;
    let wanted: Vec<_> = ["before"].into_iter().chain(meanwhile.iter().map(String::as_str)).collect();
    assert_eq!(once(&taken), [&wanted[..], &["after"]].concat(), "all of it, in order");
}

#[actix_rt::test]
async fn one_that_moves_or_wants_other_events_while_it_has_a_backlog_loses_nothing() {
    let demo = Demo::start_with(&TIMERS).await;
    let (old, new) = (Receiver::start(|_| 503.into()), Receiver::start(|_| 200.into()));
    let endpoint = register(&demo, &old, json!({})).await;
    let before: Vec<_> = (0..20).map(|n| format!("{n:02}")).collect();
    for text in &before {
        writes(&demo, text).await;
    }
    reaches(&demo, &endpoint, "parked").await;
    let events = json!(["message.received", "message.status"]);
    assert_eq!(change(&demo, &endpoint, &json!({ "events": events })).await["events"], events);
    writes(&demo, "20").await;
    let moved = change(&demo, &endpoint, &json!({ "url": new.url })).await;
    assert_eq!((&moved["url"], &moved["state"]), (&json!(new.url), &json!("active")));
    let left_behind = old.posts().len();
    writes(&demo, "21").await;
    let sent = text_message(&demo.ready.business_id, "+255712345678", "Habari");
    demo.api().post("/v1/messages", &sent).await.expect(202);
    let taken = eventually("all of it is taken", Duration::from_secs(30), || async {
        let taken = new.taken();
        let texts: BTreeSet<_> = once(&taken).into_iter().map(str::to_owned).collect();
        if texts.len() == 22 { Ok(texts) } else { Err(format!("{texts:?}")) }
    })
    .await;
    assert_eq!(taken, (0..22).map(|n| format!("{n:02}")).collect());
    eventually("what it wants since is taken", Duration::from_secs(30), || async {
        let statuses = new.posts().into_iter().filter(|post| post.body["type"] == "message.status");
        if statuses.count() > 0 { Ok(()) } else { Err("no status".to_owned()) }
    })
    .await;
    // What was on its way at that moment may have arrived there.
    assert!(old.posts().len() <= left_behind + 1, "{} and then {}", left_behind, old.posts().len());
}

#[actix_rt::test]
async fn that_an_endpoint_is_gone_is_told_once_however_many_posts_it_answered_so() {
    let demo = Demo::start_with(&TIMERS).await;
    let gone = Receiver::start(|_| Reply { status: 410, after: Duration::from_secs(1), ..Reply::default() });
    let other = Receiver::start(|_| 200.into());
    let endpoint = register(&demo, &gone, json!({})).await;
    register(&demo, &other, json!({ "events": [] })).await;
    change(&demo, &endpoint, &json!({ "enabled": false })).await;
    for n in 0..20 {
        writes(&demo, &format!("{n:02}")).await;
    }
    other.has_taken(20).await;
    change(&demo, &endpoint, &json!({ "enabled": true })).await;
    let posts = gone.was_posted(20).await;
    assert_eq!(texts(&posts).into_iter().collect::<BTreeSet<_>>().len(), 20, "all at once");
    assert_eq!(alert(&other, "endpoint_gone").await["value"]["endpoint_id"], endpoint["id"]);
    writes(&demo, "later").await;
    other.has_taken(21).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(alerts(&other, "endpoint_gone").len(), 1);
    assert_eq!(read(&demo, &endpoint).await["state"], "gone");
}

/// As [`TIMERS`], with an endpoint that is soon failing, but not parked, and events that are soon given up.
const SOON_OVER: [(&str, &str); 6] = [
    ("GATEWAY__ACTORS__DELIVERIES__RETRY_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__GIVE_UP_AFTER_S", "3"),
    ("GATEWAY__ACTORS__DELIVERIES__FAILING_AFTER", "3"),
    ("GATEWAY__ACTORS__DELIVERIES__PROBE_S", "1"),
    ("GATEWAY__ACTORS__DELIVERIES__PARK_AFTER_S", "3600"),
    ("GATEWAY__ACTORS__DELIVERIES__PARKED_PROBE_S", "3600"),
];

#[actix_rt::test]
async fn what_a_failing_endpoint_did_not_take_is_parked_in_time_though_new_events_are_tried_first() {
    let demo = Demo::start_with(&SOON_OVER).await;
    let dead = Receiver::start(|_| 500.into());
    let endpoint = register(&demo, &dead, json!({})).await;
    for n in 0..40 {
        writes(&demo, &format!("{n:02}")).await;
    }
    let path = format!("/v1/deliveries?endpoint_id={}&state=parked", id(&endpoint));
    let parked = eventually("something is parked", Duration::from_secs(25), || async {
        let listed = demo.api().get(&path).await.expect(200);
        listed["data"].as_array().unwrap().last().cloned().ok_or_else(|| listed.to_string())
    })
    .await;
    let posts = dead.posts();
    assert!(posts.len() < 40, "most of it waits in the stream: {}", posts.len());
    assert_eq!(parked["last_status"], 500, "{parked}");
    assert_eq!(read(&demo, &endpoint).await["state"], "failing");

    dead.answers(|_| 200.into());
    let all: BTreeSet<_> = (0..40).map(|n| format!("{n:02}")).collect();
    eventually("the rest is taken", Duration::from_secs(30), || async {
        let given_up = demo.api().get(&path).await.expect(200)["data"].as_array().unwrap().len();
        let taken: BTreeSet<_> = dead.taken().iter().map(|post| post.text().to_owned()).collect();
        if taken.is_subset(&all) && taken.len() + given_up == 40 {
            Ok(())
        } else {
            Err(format!("{given_up} {taken:?}"))
        }
    })
    .await;
}

#[actix_rt::test]
async fn a_delivery_that_is_asked_for_during_its_try_is_not_overtaken_by_its_contact() {
    let patient =
        TIMERS.map(|(key, value)| if key.ends_with("FAILING_AFTER") { (key, "1000") } else { (key, value) });
    let demo = Demo::start_with(&patient).await;
    let tries = AtomicUsize::new(0);
    let receiver = Receiver::start(move |post| match post.text() {
        "first" => match tries.fetch_add(1, Ordering::Relaxed) {
            0 => 500.into(),
            1 => Reply { status: 200, after: Duration::from_secs(2), ..Reply::default() },
            _ => 200.into(),
        },
        _ => 500.into(),
    });
    let endpoint = register(&demo, &receiver, json!({ "ordered": true })).await;
    writes(&demo, "first").await;
    receiver.was_posted(1).await;
    writes(&demo, "second").await;
    receiver.was_posted(2).await;
    let path = format!("/v1/deliveries?endpoint_id={}&state=retrying", id(&endpoint));
    let listed = demo.api().get(&path).await.expect(200);
    let rows = listed["data"].as_array().unwrap();
    let tried = rows.iter().find(|row| row["attempts"] == 1).unwrap_or_else(|| panic!("{listed}"));
    let replay = format!("/v1/deliveries/{}/replay", tried["id"].as_str().unwrap());
    demo.api().post(&replay, &json!({})).await.expect(202);

    // Once for the try that no longer counted, once for the replay; then the second is tried, and not taken.
    let posts = receiver.was_posted(4).await;
    assert_eq!(texts(&posts)[..4], ["first", "first", "first", "second"]);
    writes(&demo, "third").await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!texts(&receiver.posts()).contains(&"third"), "{:?}", texts(&receiver.posts()));
    receiver.answers(|_| 200.into());
    assert_eq!(once(&receiver.has_taken(4).await), ["first", "second", "third"]);
}

/// The database of a demo that is stopped.
async fn database(demo: &Demo) -> Arc<dyn Store> {
    let url = format!("sqlite://{}", demo.data.join("gateway.db").display());
    let config = serde_json::from_value(json!({ "url": url })).expect("a store");
    store::open(&config).await.expect("the store opens")
}

#[actix_rt::test]
async fn an_endpoint_that_was_away_for_longer_than_events_are_kept_is_told_of_once() {
    let mut demo = Demo::start_with(&TIMERS).await;
    let (away, other) = (Receiver::start(|_| 200.into()), Receiver::start(|_| 200.into()));
    let endpoint = register(&demo, &away, json!({})).await;
    register(&demo, &other, json!({ "events": [] })).await;
    writes(&demo, "early").await;
    away.has_taken(1).await;
    change(&demo, &endpoint, &json!({ "enabled": false })).await;
    writes(&demo, "missed").await;
    other.has_taken(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    // As if ten days had passed.
    demo.kill().await;
    let store = database(&demo).await;
    let (now, days) = (SystemClock.now(), Duration::from_hours(10 * 24));
    let account = store.all_endpoints().await.unwrap()[0].account;
    let page = Page { after: None, limit: 10 };
    let rows = store.endpoints(account, page).await.unwrap();
    let row = rows.into_iter().find(|row| !row.enabled).expect("it is switched off");
    assert!(store.delete_endpoint(account, row.id).await.unwrap());
    let aged = Endpoint { created_at: row.created_at.minus(days), ..row };
    store.insert_endpoint(&aged).await.unwrap();
    let kept = Kept { events: now.plus(days), messages: now.minus(days), bodies: now.minus(days) };
    while store.delete_old(&kept).await.unwrap() {}
    drop(store);
    demo.kill_and_restart().await;

    change(&demo, &endpoint, &json!({ "enabled": true })).await;
    for (n, text) in ["later", "later still"].into_iter().enumerate() {
        writes(&demo, text).await;
        away.has_taken(n + 2).await;
    }
    assert_eq!(once(&away.taken()), ["early", "later", "later still"]);
    let told = alert(&other, "endpoint_missed_events").await;
    assert_eq!(told["business_id"], demo.ready.business_id.as_str());
    let value = &told["value"];
    assert_eq!(value["endpoint_id"], endpoint["id"], "{told}");
    assert!(value["kept_from"].is_string() && value["state"] == "active", "{told}");
    let metrics = demo.operations().get("/metrics").await.text;
    assert!(metrics.contains("gateway_endpoint_gaps_total 1"), "{metrics}");

    // It is written down how far it came: another start finds nothing that it missed.
    tokio::time::sleep(Duration::from_secs(1)).await;
    demo.kill_and_restart().await;
    writes(&demo, "last").await;
    away.has_taken(4).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(alerts(&other, "endpoint_missed_events").len(), 1);
}

#[actix_rt::test]
async fn an_overloaded_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let demo = Demo::start_with(&TIMERS).await;
    let receiver = Receiver::start(|_| Reply { status: 429, retry_after: Some("3"), ..Reply::default() });
    register(&demo, &receiver, json!({})).await;
    writes(&demo, "first").await;
    receiver.was_posted(1).await;
    receiver.answers(|_| 200.into());
    writes(&demo, "second").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.posts().len(), 1, "not even with what is new");
    let taken = receiver.has_taken(2).await;
    assert_eq!(texts(&taken).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["first", "second"]));
}

fn verified_by(post: &Post, secret: &Value) -> bool {
    let webhook =
        standardwebhooks::Webhook::new(secret.as_str().expect("a secret")).expect("a usable secret");
    let timestamp = post.timestamp.parse().expect("a time");
    let expected = webhook.sign(&post.id, timestamp, &post.raw).expect("a signature");
    post.signatures.split(' ').any(|signature| signature == expected)
}

#[actix_rt::test]
async fn while_a_rotation_overlaps_deliveries_carry_both_signatures_and_then_the_new_one_alone() {
    let demo = Demo::start().await;
    let receiver = Receiver::start(|_| 200.into());
    let made = register(&demo, &receiver, json!({})).await;
    let first = &made["secret"];
    assert_eq!(made["previous_secret_until"], Value::Null);
    let rotated = ask(&demo, &made, "rotate-secret", &json!({ "overlap_s": 4 })).await.expect(200);
    let second = &rotated["secret"];
    assert!(rotated["previous_secret_until"].is_string() && first != second, "{rotated}");
    assert!(read(&demo, &made).await.get("secret").is_none());
    writes(&demo, "during").await;
    let during = receiver.has_taken(1).await.pop().unwrap();
    assert!(verified_by(&during, first) && verified_by(&during, second), "{}", during.signatures);
    assert_eq!(during.signatures.split(' ').count(), 2);

    tokio::time::sleep(Duration::from_secs(4)).await;
    writes(&demo, "after").await;
    let after = receiver.has_taken(2).await.pop().unwrap();
    assert!(verified_by(&after, second) && !verified_by(&after, first), "{}", after.signatures);
    assert_eq!(read(&demo, &made).await["previous_secret_until"], Value::Null);

    // At once, for a secret that somebody else has seen.
    let third = ask(&demo, &made, "rotate-secret", &json!({ "overlap_s": 0 })).await.expect(200);
    writes(&demo, "at once").await;
    let last = receiver.has_taken(3).await.pop().unwrap();
    assert!(verified_by(&last, &third["secret"]) && last.signatures.split(' ').count() == 1);
    let refused = ask(&demo, &made, "rotate-secret", &json!({ "overlap_s": 604_801 })).await.expect(422);
    assert!(refused["errors"]["overlap_s"].is_array(), "{refused}");
}

#[actix_rt::test]
async fn what_was_delivered_is_kept_in_part_and_goes_out_once_more_when_asked_for() {
    let demo = Demo::start().await;
    let receiver =
        Receiver::start(|_| Reply { status: 201, body: "taken, thank you".into(), ..Reply::default() });
    let made = register(&demo, &receiver, json!({ "events": ["message.received", "message.status"] })).await;
    let mut message = text_message(&demo.ready.business_id, "+255712345678", "Habari");
    message["client_ref"] = json!("order-7");
    let sent = demo.api().post("/v1/messages", &message).await.expect(202);
    demo.api().message_reaches(sent["id"].as_str().unwrap(), "read").await;
    writes(&demo, "in").await;
    receiver.has_taken(1).await;
    let first = receiver.was_posted(4).await;
    assert!(first.iter().all(|post| !post.is_again()));
    for post in first.iter().filter(|post| post.body["type"] == "message.status") {
        assert_eq!(post.body["data"]["client_ref"], "order-7", "{}", post.body);
    }

    let path = format!("/v1/deliveries?endpoint_id={}&state=delivered", id(&made));
    let listed = eventually("a sample is kept", Duration::from_secs(20), || async {
        let listed = demo.api().get(&path).await.expect(200);
        if listed["data"].as_array().unwrap().len() == 4 { Ok(listed) } else { Err(listed.to_string()) }
    })
    .await;
    let delivery = listed["data"][0]["id"].as_str().unwrap();
    let shown = demo.api().get(&format!("/v1/deliveries/{delivery}")).await.expect(200);
    assert_eq!(shown["tries"][0]["answer"], "taken, thank you", "{shown}");
    assert!(shown["tries"][0]["latency_ms"].is_u64() && shown["next_at"].is_null(), "{shown}");

    let one = demo.api().post(&format!("/v1/deliveries/{delivery}/replay"), &json!({})).await.expect(202);
    assert_eq!((&one["status"], &one["replayed"]), (&json!("retrying"), &json!(true)), "{one}");
    receiver.was_posted(5).await;
    let stretch = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "state": "all" });
    let again = eventually("it is on its way no more", Duration::from_secs(10), || async {
        let answer = ask(&demo, &made, "replay", &stretch).await.expect(202);
        if answer["count"] == 4 { Ok(answer) } else { Err(answer.to_string()) }
    })
    .await;
    assert_eq!(again["next"], Value::Null);
    let posts = receiver.was_posted(9).await;
    let of = |posts: &[Post]| {
        posts
            .iter()
            .map(|post| (post.id.clone(), post.body["timestamp"].to_string()))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(of(&posts[5..]), of(&first), "the same ids, the original times");
    for post in &posts[4..] {
        assert!(post.is_again(), "{}", post.body);
        assert_eq!(post.body["type"] == "message.status", post.body["data"]["client_ref"] == "order-7");
    }

    let wrong = json!({ "from": "2100-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z" });
    let refused = ask(&demo, &made, "replay", &wrong).await.expect(422);
    assert!(refused["errors"]["to"].is_array(), "{refused}");
    let refused = demo.api().get("/v1/deliveries?state=lost").await.expect(422);
    assert!(refused["errors"]["state"].is_array(), "{refused}");
}
