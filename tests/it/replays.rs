//! What did not arrive: why, and sending it again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, text_message};
use crate::support::demo::Demo;

const ASHA: &str = "+255712000001";

async fn faults(demo: &Demo, rules: Value) {
    demo.sandbox().put("/control/faults", &json!({ "rules": rules })).await.expect(200);
}

async fn fails_with(demo: &Demo, code: i64, text: &str) -> Value {
    faults(
        demo,
        json!([{ "match": { "path": "messages" }, "times": 1, "do": { "error": { "code": code } } }]),
    )
    .await;
    let mut message = text_message(&demo.ready.business_id, ASHA, text);
    message["client_ref"] = json!(format!("ref-{text}"));
    let id = demo.api().post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    demo.api().message_reaches(&id, "failed").await
}

async fn replay(demo: &Demo, id: &str, body: Value) -> Answer {
    demo.api().post(&format!("/v1/messages/{id}/replay"), &body).await
}

fn id_of(message: &Value) -> &str {
    message["id"].as_str().expect("an id")
}

#[actix_rt::test]
async fn a_replay_is_a_new_message_that_names_the_old_one() {
    let demo = Demo::start().await;
    let api = demo.api();
    let failed = fails_with(&demo, 131_008, "once more").await;
    assert_eq!(
        (&failed["reason"], &failed["retryable"]),
        (&json!("misconfigured"), &json!(true)),
        "{failed}"
    );
    assert_eq!(failed["error"]["code"], 131_008);

    let old = id_of(&failed);
    let request = api.request(Method::POST, &format!("/v1/messages/{old}/replay"));
    let accepted = api.send(request).await.unwrap().expect(202);
    assert_eq!(accepted["replay_of"], old);
    let new = api.message_reaches(id_of(&accepted), "read").await;
    assert_eq!((&new["replay_of"], &new["client_ref"]), (&json!(old), &json!("ref-once more")));
    let old_one = api.get(&format!("/v1/messages/{old}")).await.expect(200);
    assert_eq!((&old_one["status"], &old_one["replayed_as"]), (&json!("failed"), &accepted["id"]));
    let sent = demo.sandbox().everything_sent().await;
    let texts: Vec<_> = sent
        .iter()
        .filter(|post| post["outcome"] == "accepted")
        .map(|post| &post["body"]["text"]["body"])
        .collect();
    assert_eq!(texts, ["once more"]);

    let again = replay(&demo, old, json!({})).await.expect(409);
    assert_eq!(again["code"], "already_replayed");
    assert!(again["detail"].as_str().unwrap().contains(id_of(&accepted)), "{again}");
    let running = replay(&demo, id_of(&accepted), json!({})).await.expect(409);
    assert_eq!(running["code"], "state_conflict");
}

#[actix_rt::test]
async fn parallel_replays_make_one_message() {
    let demo = Demo::start().await;
    let failed = fails_with(&demo, 131_008, "once").await;
    let asked = (0..6).map(|_| replay(&demo, id_of(&failed), json!({})));
    let answers = futures_util::future::join_all(asked).await;
    let mut made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .map(|answer| answer.json()["id"].clone())
        .collect();
    assert!(!made.is_empty());
    made.dedup();
    assert_eq!(made.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 202 || answer.text.contains("already_replayed")));
}

#[actix_rt::test]
async fn what_the_platform_withheld_is_not_asked_again_the_same_day() {
    let demo = Demo::start().await;
    let failed = fails_with(&demo, 131_049, "offer").await;
    assert_eq!(failed["error"]["code"], 131_049);
    let answer = replay(&demo, id_of(&failed), json!({})).await;
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    assert_eq!(answer.expect(409)["code"], "retry_too_soon");
}

#[actix_rt::test]
async fn a_failure_that_a_webhook_reported_tells_its_reason() {
    let demo = Demo::start().await;
    demo.sandbox().put("/control/limits", &json!({ "service_window": true })).await.expect(200);
    let message = text_message(&demo.ready.business_id, ASHA, "outside");
    let id = demo.api().post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    let failed = demo.api().message_reaches(&id, "failed").await;
    assert_eq!(
        (&failed["reason"], &failed["error"]["code"]),
        (&json!("reported_failed"), &json!(131_047)),
        "{failed}"
    );
    assert!(failed["error"]["message"].is_string(), "{failed}");
    let listed = demo.api().get("/v1/messages?status=failed&reason=reported_failed").await.expect(200);
    assert_eq!(listed["data"][0]["error"]["code"], 131_047, "{listed}");
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[actix_rt::test]
async fn an_unknown_outcome_is_replayed_only_by_who_accepts_a_duplicate() {
    let demo = Demo::start_with(&[
        ("GATEWAY__ACTORS__AMBIGUOUS_SETTLE_S", "1"),
        ("GATEWAY__ACTORS__AMBIGUOUS_LIMIT_S", "2"),
    ])
    .await;
    faults(&demo, json!([{ "match": { "path": "messages" }, "times": 1, "do": { "cut": "before" } }])).await;
    let mut message = text_message(&demo.ready.business_id, ASHA, "who knows");
    message["on_ambiguous"] = json!("fail");
    let id = demo.api().post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    let failed = demo.api().message_reaches(&id, "failed").await;
    assert_eq!(failed["reason"], "outcome_unknown", "{failed}");
    let refused = replay(&demo, &id, json!({})).await.expect(409);
    assert_eq!(refused["code"], "may_be_duplicate");
    assert!(refused["errors"]["accept_duplicate"].is_array(), "{refused}");
    replay(&demo, &id, json!({ "accept_duplicate": true, "priority": "high" })).await.expect(202);
}

#[actix_rt::test]
async fn many_are_replayed_by_their_filter_and_never_twice() {
    let demo = Demo::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(id_of(&fails_with(&demo, 131_008, &format!("n{n}")).await).to_owned());
    }
    let listed = demo.api().get("/v1/messages?status=failed&reason=misconfigured&limit=2").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert!(listed["next"].is_string());

    let wanted = json!({ "business_id": demo.ready.business_id, "limit": 3 });
    let first = demo.api().post("/v1/messages/replay", &wanted).await.expect(200);
    assert_eq!(first["data"].as_array().unwrap().len(), 3, "{first}");
    let rest = json!({ "business_id": demo.ready.business_id, "after": first["next"] });
    let second = demo.api().post("/v1/messages/replay", &rest).await.expect(200);
    assert_eq!(second["data"].as_array().unwrap().len(), 2, "{second}");
    for line in first["data"].as_array().unwrap().iter().chain(second["data"].as_array().unwrap()) {
        assert!(ids.contains(&line["id"].as_str().unwrap().to_owned()));
        demo.api().message_reaches(line["replayed_as"].as_str().expect("a new one"), "read").await;
    }
    let again =
        demo.api().post("/v1/messages/replay", &json!({ "business_id": demo.ready.business_id })).await;
    assert_eq!(again.expect(200)["data"], json!([]));
    let arrived = demo.sandbox().everything_sent().await;
    assert_eq!(arrived.iter().filter(|post| post["outcome"] == "accepted").count(), 5);
}
