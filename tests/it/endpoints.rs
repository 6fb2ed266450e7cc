//! What an endpoint may ask for, and what becomes of one that does not answer.

use std::collections::BTreeSet;
use std::time::Duration;

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

fn texts(posts: &[Post]) -> Vec<&str> {
    posts.iter().map(Post::text).collect()
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
    let alert = eventually("the alert is heard", Duration::from_secs(10), || async {
        let posts = other.posts();
        posts
            .into_iter()
            .find(|post| post.body["type"] == "account.alert")
            .ok_or_else(|| "no alert".to_owned())
    })
    .await;
    let told = &alert.body["data"];
    assert_eq!(
        (&told["field"], &told["business_id"]),
        (&json!("endpoint_parked"), &json!(demo.ready.business_id))
    );
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
    let path = format!("/v1/endpoints/{}", id(&endpoint));
    let change = json!({ "enabled": true });
    let changed = demo.api().call(reqwest::Method::PATCH, &path, Some(&change)).await.expect(200);
    assert_eq!(changed["state"], "active");
    assert_eq!(texts(&receiver.has_taken(2).await), ["first", "second"]);
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
    let receiver = Receiver::start(|_| Reply { status: 201, body: "taken, thank you", ..Reply::default() });
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
