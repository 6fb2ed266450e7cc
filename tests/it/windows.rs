//! The service window, as a sales agent meets it.

use std::time::Duration;

use domain::Clock;
use gateway_actors::SystemClock;
use serde_json::{Value, json};

use crate::support::account::template;
use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

const CHECKED: [(&str, &str); 1] = [("GATEWAY__ACTORS__SERVICE_WINDOW", "true")];
const RECENT: &str = "+255712000001";
const LATE: &str = "+255712000002";

/// Somebody writes, or wrote so long ago.
async fn writes(demo: &Demo, from: &str, ago: Duration) {
    let at = SystemClock.now().minus(ago).as_seconds().to_string();
    let message = json!({ "type": "text", "text": { "body": "Habari" }, "timestamp": at });
    let inbound = json!({ "phone_number_id": demo.ready.phone_number_id, "from": from, "message": message });
    demo.sandbox().post("/control/inbound", &inbound).await.expect(200);
}

async fn window(demo: &Demo, phone: &str) -> Value {
    let path = format!("/v1/connections/{}/windows/{phone}", demo.ready.connection_id);
    demo.api().get(&path).await.expect(200)
}

async fn window_becomes(demo: &Demo, phone: &str, state: &str) {
    eventually(&format!("the window is {state}"), Duration::from_secs(20), || async {
        let window = window(demo, phone).await;
        if window["state"] == state { Ok(()) } else { Err(window.to_string()) }
    })
    .await;
}

async fn posted_to(demo: &Demo, phone: &str) -> Vec<Value> {
    let sent = demo.sandbox().everything_sent().await;
    sent.into_iter().filter(|post| post["body"]["to"] == phone).collect()
}

/// Scenario A14: a sales agent, a customer who last wrote 23 h 59 min ago, and one of 24 h 01 min ago.
#[actix_rt::test]
async fn a14_text_goes_inside_the_window_and_only_a_template_outside() {
    let demo = Demo::start_days_ago(&CHECKED).await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    let wanted = json!({ "url": endpoint.url, "events": ["template.status"] });
    api.post("/v1/endpoints", &wanted).await.expect(201);
    let business = demo.ready.business_id.as_str();
    let minute = Duration::from_mins(1);
    writes(&demo, RECENT, Duration::from_hours(24).saturating_sub(minute)).await;
    writes(&demo, LATE, Duration::from_hours(24) + minute).await;
    window_becomes(&demo, RECENT, "open").await;
    window_becomes(&demo, LATE, "closed").await;

    let text = api.post("/v1/messages", &text_message(business, RECENT, "Karibu tena")).await.expect(202);
    api.message_reaches(text["id"].as_str().unwrap(), "read").await;

    let refused = api.post("/v1/messages", &text_message(business, LATE, "Karibu tena")).await;
    let problem = refused.expect(409);
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("window_closed"), &json!(false)));
    assert!(problem["errors"]["message.type"][0].as_str().unwrap().contains("send a template"), "{problem}");
    assert_eq!(posted_to(&demo, LATE).await, Vec::<Value>::new(), "the provider is not asked");

    demo.has_template("order_ready", "UTILITY", "APPROVED").await;
    let order = template(business, LATE, "order_ready", &["42", "Asha"]);
    let sent = api.post("/v1/messages", &order).await.expect(202);
    api.message_reaches(sent["id"].as_str().unwrap(), "read").await;

    let wrong = template(business, LATE, "order_ready", &["42"]);
    assert_eq!(api.post("/v1/messages", &wrong).await.json()["code"], "template_param_mismatch");
    demo.has_template("order_ready", "UTILITY", "PAUSED").await;
    assert_eq!(api.post("/v1/messages", &order).await.json()["code"], "template_not_approved");
    let told = eventually("template.status arrives", Duration::from_secs(20), || async {
        let heard = endpoint.of_type("template.status");
        let paused = heard.into_iter().find(|event| event.body.to_string().contains("PAUSED"));
        paused.ok_or_else(|| "nothing yet".to_owned())
    })
    .await;
    assert!(told.body.to_string().contains("order_ready"), "{:?}", told.body);
    assert_eq!(posted_to(&demo, LATE).await.len(), 1, "neither was asked of the provider");

    writes(&demo, LATE, Duration::ZERO).await;
    window_becomes(&demo, LATE, "open").await;
    api.post("/v1/messages", &text_message(business, LATE, "Asante")).await.expect(202);
}

#[actix_rt::test]
async fn a_message_that_waited_until_the_window_closed_fails_and_says_so() {
    let demo = Demo::start_days_ago(&CHECKED).await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    api.post("/v1/endpoints", &json!({ "url": endpoint.url, "events": ["message.status"] }))
        .await
        .expect(201);
    // Half a minute is left for clocks that differ.
    let nearly = Duration::from_hours(24).saturating_sub(Duration::from_secs(5));
    writes(&demo, RECENT, nearly).await;
    window_becomes(&demo, RECENT, "open").await;
    let mut message = text_message(&demo.ready.business_id, RECENT, "later");
    message["send_at"] = json!(SystemClock.now().plus(Duration::from_secs(37)));
    let id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    let failed = eventually("it fails", Duration::from_mins(1), || async {
        let message = api.get(&format!("/v1/messages/{id}")).await.expect(200);
        if message["status"] == "failed" { Ok(message) } else { Err(message.to_string()) }
    })
    .await;
    assert_eq!(
        (&failed["reason"], &failed["retryable"]),
        (&json!("window_closed"), &json!(true)),
        "{failed}"
    );
    assert_eq!(posted_to(&demo, RECENT).await, Vec::<Value>::new());
    eventually("the failure is told", Duration::from_secs(20), || async {
        let told = endpoint
            .of_type("message.status")
            .iter()
            .any(|event| event.body.to_string().contains("window_closed"));
        if told { Ok(()) } else { Err("nothing yet".to_owned()) }
    })
    .await;
}

#[actix_rt::test]
async fn nobody_is_refused_on_a_number_that_was_connected_today() {
    let demo = Demo::start_with(&CHECKED).await;
    writes(&demo, LATE, Duration::from_hours(30)).await;
    eventually("the message is heard", Duration::from_secs(20), || async {
        let events = demo.api().get("/v1/events").await.expect(200).to_string();
        if events.contains("message.received") { Ok(()) } else { Err(events) }
    })
    .await;
    let window = window(&demo, LATE).await;
    assert_eq!((&window["state"], &window["open"]), (&json!("unknown"), &json!(false)));
    demo.api().post("/v1/messages", &text_message(&demo.ready.business_id, LATE, "Karibu")).await.expect(202);
}

#[actix_rt::test]
async fn an_advertisement_keeps_the_window_open_and_a_stranger_has_none() {
    let demo = Demo::start_days_ago(&CHECKED).await;
    let at = SystemClock.now().minus(Duration::from_hours(30)).as_seconds().to_string();
    let clicked = json!({ "type": "text", "text": { "body": "Bei?" }, "timestamp": at,
        "referral": { "source_type": "ad", "source_id": "1" } });
    let inbound =
        json!({ "phone_number_id": demo.ready.phone_number_id, "from": RECENT, "message": clicked });
    demo.sandbox().post("/control/inbound", &inbound).await.expect(200);
    window_becomes(&demo, RECENT, "open").await;
    assert_eq!(window(&demo, RECENT).await["free_entry"], true);
    assert_eq!(window(&demo, "0712%20999%20999").await["state"], "unknown");
}
