//! What happens to a message when the provider misbehaves.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, text_message};
use crate::support::demo::Demo;

/// Timers short enough for a test, long enough for a busy machine.
const TIMERS: [(&str, &str); 2] =
    [("GATEWAY__ACTORS__AMBIGUOUS_SETTLE_S", "2"), ("GATEWAY__ACTORS__AMBIGUOUS_LIMIT_S", "6")];

fn statuses(message: &Value) -> Vec<&str> {
    message["timeline"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect()
}

async fn faults(demo: &Demo, faults: Value) {
    demo.sandbox().put("/control/faults", &faults).await;
}

async fn send(demo: &Demo, body: &Value) -> String {
    demo.api().post("/v1/messages", body).await.expect(202)["id"].as_str().unwrap().to_owned()
}

#[actix_rt::test]
async fn a_lost_answer_is_settled_by_the_echo_and_never_sent_twice() {
    let demo = Demo::start_with(&TIMERS).await;
    faults(
        &demo,
        json!({ "rules": [{ "match": { "path": "messages" }, "times": 1, "do": { "cut": "after" } }] }),
    )
    .await;
    let id = send(&demo, &text_message(&demo.ready.business_id, "+255712345678", "cut")).await;
    let message = demo.api().message_reaches(&id, "read").await;
    assert!(
        statuses(&message).contains(&"ambiguous"),
        "what was known when stands in the timeline: {message}"
    );
    let sent = demo.sandbox().everything_sent().await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0]["outcome"], "cut");
}

#[actix_rt::test]
async fn a_message_that_never_arrived_is_sent_again_only_once_other_statuses_prove_the_silence() {
    let demo = Demo::start_with(&TIMERS).await;
    let unlucky = "+255712000001";
    faults(
        &demo,
        json!({ "rules": [{ "match": { "path": "messages", "to": unlucky }, "times": 1, "do": { "cut": "before" } }] }),
    )
    .await;
    let id = send(&demo, &text_message(&demo.ready.business_id, unlucky, "lost")).await;
    demo.api().message_reaches(&id, "ambiguous").await;
    // A status of the same number, in a later second than the claim, is the proof.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let other = send(&demo, &text_message(&demo.ready.business_id, "+255712000002", "proof")).await;
    demo.api().message_reaches(&other, "read").await;
    let message = demo.api().message_reaches(&id, "read").await;
    assert!(message.to_string().contains("resent_on_proof"), "{message}");
    let to_unlucky: Vec<_> = demo
        .sandbox()
        .everything_sent()
        .await
        .into_iter()
        .filter(|sent| sent["body"]["to"] == unlucky)
        .collect();
    assert_eq!(to_unlucky.len(), 2);
    assert_eq!(to_unlucky[0]["id"], Value::Null, "the first never arrived");
    assert_eq!(to_unlucky[1]["body"]["biz_opaque_callback_data"], format!("v1.{id}.2"));
}

#[actix_rt::test]
async fn without_proof_a_message_fails_as_unknown_and_a_one_time_code_is_never_resent() {
    let demo = Demo::start_with(&TIMERS).await;
    faults(
        &demo,
        json!({ "rules": [{ "match": { "path": "messages" }, "times": 2, "do": { "cut": "before" } }] }),
    )
    .await;
    let silent = send(&demo, &text_message(&demo.ready.business_id, "+255712000001", "silent")).await;
    demo.api().message_reaches(&silent, "ambiguous").await;
    let mut code = text_message(&demo.ready.business_id, "+255712000002", "123456");
    code["priority"] = json!("otp");
    let code = send(&demo, &code).await;
    for id in [&silent, &code] {
        let message = demo.api().message_reaches(id, "failed").await;
        assert!(message.to_string().contains("outcome_unknown"), "{message}");
    }
    assert_eq!(demo.sandbox().everything_sent().await.len(), 2, "one post each");
}

#[actix_rt::test]
async fn a_rejection_fails_with_metas_words_and_a_throttle_is_retried() {
    let demo = Demo::start_with(&TIMERS).await;
    faults(
        &demo,
        json!({ "rules": [
            { "match": { "path": "messages", "to": "+255712000001" }, "times": 1, "do": { "error": { "code": 131_051 } } },
            { "match": { "path": "messages", "to": "+255712000002" }, "times": 1, "do": { "error": { "code": 131_056 } } },
        ] }),
    )
    .await;
    let rejected = send(&demo, &text_message(&demo.ready.business_id, "+255712000001", "no")).await;
    let message = demo.api().message_reaches(&rejected, "failed").await;
    assert_eq!(message["error"]["code"], 131_051, "{message}");
    let throttled = send(&demo, &text_message(&demo.ready.business_id, "+255712000002", "later")).await;
    let message = demo.api().message_reaches(&throttled, "read").await;
    assert!(statuses(&message).contains(&"retrying"), "{message}");
}

#[actix_rt::test]
async fn order_to_one_recipient_survives_a_retry() {
    let demo = Demo::start_with(&TIMERS).await;
    let to = "+255712000009";
    faults(&demo, json!({ "rules": [{ "match": { "path": "messages", "to": to }, "times": 1, "do": { "error": { "code": 131_056 } } }] })).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(send(&demo, &text_message(&demo.ready.business_id, to, &format!("number {n}"))).await);
    }
    for id in &ids {
        demo.api().message_reaches(id, "read").await;
    }
    let sent = demo.sandbox().everything_sent().await;
    let arrived: Vec<_> = sent
        .iter()
        .filter(|sent| sent["outcome"] == "accepted")
        .map(|sent| sent["body"]["text"]["body"].as_str().unwrap())
        .collect();
    assert_eq!(arrived, ["number 0", "number 1", "number 2", "number 3", "number 4"]);
}

/// As a worker's queue repeats a job whose answer it did not like: with the same key each time.
async fn job(demo: &Demo, key: &str, body: &Value) -> Answer {
    let api = demo.api();
    let request = api.request(Method::POST, "/v1/messages").header("Idempotency-Key", key).json(body);
    api.send(request).await.expect("an answer")
}

/// Scenario A10: a job is tried three times, and once more beside itself, while the provider takes the message and
/// drops the connection.
#[actix_rt::test]
async fn a10_a_job_that_is_repeated_is_sent_once_whether_or_not_the_outcome_becomes_known() {
    let demo = Demo::start_with(&TIMERS).await;
    for (to, heard) in [("+255712345678", true), ("+255712345679", false)] {
        // Heard: the statuses come, a little later. Not heard: none of them ever does.
        let webhooks = if heard { json!({ "delay_ms": [1500, 1500] }) } else { json!({ "drop": 1.0 }) };
        let cut = json!({ "match": { "path": "messages", "to": to }, "times": 1, "do": { "cut": "after" } });
        faults(&demo, json!({ "rules": [cut], "webhooks": webhooks })).await;
        let body = text_message(&demo.ready.business_id, to, "your order");
        let first = job(&demo, to, &body).await.expect(202);
        let (second, beside) = tokio::join!(job(&demo, to, &body), job(&demo, to, &body));
        for answer in [second, beside, job(&demo, to, &body).await] {
            assert_eq!(answer.expect(202), first, "the same key has the same answer");
        }
        let other = text_message(&demo.ready.business_id, to, "another order");
        assert_eq!(job(&demo, to, &other).await.expect(409)["code"], "idempotency_conflict");

        let id = first["id"].as_str().unwrap();
        demo.api().message_reaches(id, "ambiguous").await;
        let message = demo.api().message_reaches(id, if heard { "read" } else { "failed" }).await;
        assert!(message.to_string().contains("outcome_unknown"), "what was known when: {message}");
        assert_eq!(statuses(&message).contains(&"sent"), heard, "{message}");
        let sent = demo.sandbox().everything_sent().await;
        let to_this = sent.iter().filter(|sent| sent["body"]["to"] == to).count();
        assert_eq!(to_this, 1, "{sent:?}");
    }
}
