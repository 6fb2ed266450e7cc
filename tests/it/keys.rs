//! Idempotency keys under parallel duplicates and across a kill.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, text_message};
use crate::support::demo::Demo;

async fn ask(demo: &Demo, path: &str, key: &str, body: &Value) -> Answer {
    let api = demo.api();
    let request = api.request(Method::POST, path).header("Idempotency-Key", key);
    api.send(request.json(body)).await.expect("an answer")
}

#[actix_rt::test]
async fn parallel_duplicates_of_many_keys_send_each_message_once() {
    let demo = Demo::start().await;
    let mut requests = Vec::new();
    for n in 0..20 {
        let message = text_message(&demo.ready.business_id, &format!("+2557120000{n:02}"), &format!("n{n}"));
        for _ in 0..4 {
            let (demo, message) = (&demo, message.clone());
            requests.push(async move { (n, ask(demo, "/v1/messages", &format!("key-{n}"), &message).await) });
        }
    }
    let answers = futures_util::future::join_all(requests).await;
    let mut ids = vec![None; 20];
    for (n, answer) in answers {
        let id = answer.expect(202)["id"].clone();
        assert_eq!(*ids[n].get_or_insert(id.clone()), id, "key-{n}");
    }
    for id in ids.into_iter().flatten() {
        demo.api().message_reaches(id.as_str().unwrap(), "read").await;
    }
    let sent = demo.sandbox().everything_sent().await;
    assert_eq!(sent.iter().filter(|post| post["outcome"] == "accepted").count(), 20);
}

#[actix_rt::test]
async fn a_key_means_the_same_after_a_kill() {
    let mut demo = Demo::start().await;
    let message = text_message(&demo.ready.business_id, "+255712000001", "once");
    let endpoint = json!({ "url": "http://127.0.0.1:9/events" });
    let first = ask(&demo, "/v1/messages", "order-1", &message).await.expect(202);
    let registered = ask(&demo, "/v1/endpoints", "endpoint-1", &endpoint).await.expect(201);
    demo.kill_and_restart().await;
    let again = ask(&demo, "/v1/messages", "order-1", &message).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.expect(202), first);
    assert_eq!(ask(&demo, "/v1/endpoints", "endpoint-1", &endpoint).await.expect(201), registered);
    let other = text_message(&demo.ready.business_id, "+255712000001", "twice");
    let conflict = ask(&demo, "/v1/messages", "order-1", &other).await.expect(409);
    assert_eq!(conflict["code"], "idempotency_conflict");
    ask(&demo, "/v1/endpoints", "order-1", &endpoint).await.expect(409);
    demo.api().message_reaches(first["id"].as_str().unwrap(), "read").await;
    assert_eq!(demo.sandbox().everything_sent().await.len(), 1);
}

#[actix_rt::test]
async fn a_hundred_keys_at_once_do_their_own_work_each() {
    let demo = Demo::start().await;
    let endpoint = json!({ "url": "http://127.0.0.1:9/events" });
    let keys: Vec<String> = (0..100).map(|n| format!("key-{n}")).collect();
    let answers =
        futures_util::future::join_all(keys.iter().map(|key| ask(&demo, "/v1/endpoints", key, &endpoint)))
            .await;
    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.expect(201)["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}
