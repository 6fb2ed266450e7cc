//! How many people the numbers of an account may write to first, within 24 hours.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::eventually;

fn template(demo: &Demo, person: u32) -> Value {
    json!({ "business_id": demo.ready.business_id, "message": {
        "to": format!("+2557120000{person:02}"), "type": "template",
        "template": { "name": "hello_world", "language": { "code": "en_US" } },
    } })
}

/// The platform tells the account's limit.
async fn limit(demo: &Demo, people: u32) {
    let change = json!({ "waba_id": demo.waba_id().await, "field": "business_capability_update",
        "value": { "max_daily_conversations_per_business": people, "max_phone_numbers_per_waba": 25 } });
    demo.sandbox().post("/control/change", &change).await.expect(200);
    eventually("the limit is heard", Duration::from_secs(20), || async {
        let events = demo.api().get("/v1/events").await.expect(200).to_string();
        if events.contains("business_capability_update") { Ok(()) } else { Err(events) }
    })
    .await;
}

#[actix_rt::test]
async fn beyond_the_limit_a_template_waits_for_room_and_an_answer_does_not() {
    let mut demo = Demo::start().await;
    let api = demo.api();
    limit(&demo, 10).await;
    // A tenth is kept for one-time codes.
    for person in 0..9 {
        let accepted = api.post("/v1/messages", &template(&demo, person)).await.expect(202);
        api.message_reaches(accepted["id"].as_str().unwrap(), "read").await;
    }
    let again = api.post("/v1/messages", &template(&demo, 3)).await.expect(202);
    api.message_reaches(again["id"].as_str().unwrap(), "read").await;

    let waiting = api.post("/v1/messages", &template(&demo, 50)).await.expect(202);
    let message = api.get(&format!("/v1/messages/{}", waiting["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(message["status"], "accepted");
    assert!(message["send_at"].is_string(), "{message}");
    assert!(message["timeline"].to_string().contains("daily_cap_reached"), "{message}");

    let mut immediate = template(&demo, 51);
    immediate["mode"] = json!("immediate");
    let answer = api.post("/v1/messages", &immediate).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.expect(429)["code"], "daily_cap_reached");

    demo.kill_and_restart().await;
    let api = demo.api();
    api.post("/v1/messages", &immediate).await.expect(429);
    let mut code = template(&demo, 52);
    code["priority"] = json!("otp");
    let code = api.post("/v1/messages", &code).await.expect(202);
    api.message_reaches(code["id"].as_str().unwrap(), "read").await;
    let answer = text_message(&demo.ready.business_id, "+255712000053", "an answer");
    let answered = api.post("/v1/messages", &answer).await.expect(202);
    api.message_reaches(answered["id"].as_str().unwrap(), "read").await;
}
