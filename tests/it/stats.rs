//! Counters over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::eventually;

#[actix_rt::test]
async fn everything_that_happened_is_counted_once_also_across_a_kill() {
    let mut demo = Demo::start().await;
    let api = demo.api();
    for n in 0..3 {
        let message = text_message(&demo.ready.business_id, "+255712000001", &format!("n{n}"));
        let id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
        api.message_reaches(&id, "read").await;
    }
    let inbound = json!({ "phone_number_id": demo.ready.phone_number_id, "from": "255712000001",
        "message": { "type": "text", "text": { "body": "Asante" } } });
    demo.sandbox().post("/control/inbound", &inbound).await.expect(200);
    let expected = json!({ "accepted": 3, "sent": 3, "delivered": 3, "read": 3, "inbound": 1, "failed": 0, "expired": 0,
        "cancelled": 0, "ambiguous": 0, "resent": 0, "retried": 0, "echoes": 0 });
    counted(&demo, "group_by=day", &expected).await;
    demo.kill_and_restart().await;
    counted(&demo, "group_by=day", &expected).await;
    counted(&demo, &format!("group_by=day&connection_id={}", demo.ready.connection_id), &expected).await;

    let types = stats(&demo, "group_by=type").await;
    let of = |kind: Value| {
        let groups = types["data"].as_array().unwrap();
        groups.iter().find(|group| group["type"] == kind).unwrap_or_else(|| panic!("{types}"))["counters"]
            .clone()
    };
    assert_eq!((&of(json!("text"))["read"], &of(json!(""))["inbound"]), (&json!(3), &json!(1)));
    let hours = stats(&demo, "group_by=hour").await;
    assert!(hours["data"][0]["from"].is_string(), "{hours}");
}

async fn stats(demo: &Demo, query: &str) -> Value {
    demo.api().get(&format!("/v1/stats?business_id={}&{query}", demo.ready.business_id)).await.expect(200)
}

/// Over all groups: midnight may pass during the test.
async fn counted(demo: &Demo, query: &str, expected: &Value) {
    eventually("everything is counted", Duration::from_secs(90), || async {
        let stats = stats(demo, query).await;
        let mut totals = serde_json::Map::new();
        for group in stats["data"].as_array().unwrap() {
            for (counter, count) in group["counters"].as_object().unwrap() {
                let before = totals.get(counter).and_then(Value::as_u64).unwrap_or(0);
                totals.insert(counter.clone(), json!(before + count.as_u64().unwrap()));
            }
        }
        if Value::Object(totals) == *expected { Ok(()) } else { Err(stats.to_string()) }
    })
    .await;
}
