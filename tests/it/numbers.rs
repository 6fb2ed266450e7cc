//! What the API tells and takes about how a number sends.

use reqwest::Method;
use serde_json::json;

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::eventually;
use std::time::Duration;

#[actix_rt::test]
async fn a_number_tells_how_it_sends_and_takes_a_pace() {
    let demo = Demo::start().await;
    let api = demo.api();
    let path = format!("/v1/connections/{}", demo.ready.connection_id);
    let number = api.get(&path).await.expect(200);
    assert_eq!((&number["status"], &number["remedy"]), (&json!("connected"), &json!(null)), "{number}");
    assert_eq!(number["sending"]["messages_per_second"], 80);
    assert_eq!(number["sending"]["waiting"], 0);

    let pace = json!({ "pace": { "per_minute": 6, "jitter": 0.1 } });
    let changed = api.call(Method::PATCH, &path, Some(&pace)).await.expect(200);
    assert_eq!(changed["sending"]["pace"], pace["pace"]);
    for n in 0..3 {
        let to = format!("+25571234567{n}");
        api.post("/v1/messages", &text_message(&demo.ready.business_id, &to, "slowly")).await.expect(202);
    }
    let listed = api.get("/v1/connections").await.expect(200);
    let waiting = listed["data"][0]["sending"]["waiting"].as_u64().unwrap();
    assert!(waiting >= 2, "{listed}");
    let none = json!({ "pace": null });
    let changed = api.call(Method::PATCH, &path, Some(&none)).await.expect(200);
    assert_eq!(changed["sending"]["pace"], json!(null));
    eventually("all went", Duration::from_secs(10), || async {
        let number = api.get(&path).await.expect(200);
        if number["sending"]["waiting"] == 0 { Ok(()) } else { Err(number.to_string()) }
    })
    .await;

    let wrong = json!({ "pace": { "per_minute": 0 } });
    let problem = api.call(Method::PATCH, &path, Some(&wrong)).await.expect(422);
    assert!(problem["errors"]["pace.per_minute"].is_array(), "{problem}");
    let unknown = json!({ "speed": 3 });
    assert!(api.call(Method::PATCH, &path, Some(&unknown)).await.status.is_client_error());
}

#[actix_rt::test]
async fn a_suspended_number_says_why_and_what_to_do_and_goes_on_when_it_is_told_to() {
    let demo = Demo::start().await;
    let (api, path) = (demo.api(), format!("/v1/connections/{}", demo.ready.connection_id));
    // The account cannot pay.
    let declined =
        json!({ "match": { "path": "messages" }, "times": 1, "do": { "error": { "code": 131_042 } } });
    demo.sandbox().put("/control/faults", &json!({ "rules": [declined] })).await;
    let message = text_message(&demo.ready.business_id, "+255712345678", "hello");
    let id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    let number = eventually("it is suspended", Duration::from_secs(10), || async {
        let number = api.get(&path).await.expect(200);
        let keeps_it = number["status"] == "suspended" && number["sending"]["waiting"] == 1;
        if keeps_it { Ok(number) } else { Err(number.to_string()) }
    })
    .await;
    assert_eq!(number["reason"], "billing");
    assert!(number["remedy"].as_str().unwrap().contains("payment"), "{number}");
    assert!(number["sending"]["paused_until"].is_string(), "{number}");

    let resumed = api.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    assert_eq!((&resumed["status"], &resumed["reason"]), (&json!("connected"), &json!(null)));
    api.message_reaches(&id, "read").await;

    api.post(&format!("{path}/disconnect"), &json!({})).await.expect(200);
    let refused = api.post(&format!("{path}/resume"), &json!({})).await.expect(409);
    assert_eq!(refused["code"], "state_conflict", "its owner took it off");
}
