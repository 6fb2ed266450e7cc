//! An endpoint that does not take an event holds up nobody, and gets it later.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

async fn heard(endpoint: &Endpoint, count: usize) -> BTreeSet<String> {
    eventually(&format!("{count} events are heard"), Duration::from_secs(30), || async {
        // Receivers deduplicate by id: after a crash an event may come twice.
        let ids: BTreeSet<_> =
            endpoint.of_type("message.received").into_iter().map(|delivery| delivery.id).collect();
        if ids.len() >= count { Ok(ids) } else { Err(format!("{}", ids.len())) }
    })
    .await
}

#[actix_rt::test]
async fn a_failing_endpoint_delays_no_other_and_hears_the_same_event_after_a_restart() {
    let mut demo = Demo::start().await;
    let (failing, healthy) = (Endpoint::start(), Endpoint::start());
    failing.answer_with(503);
    for endpoint in [&failing, &healthy] {
        demo.api().post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    }
    for n in 0..3 {
        let written = json!({
            "phone_number_id": demo.ready.phone_number_id,
            "from": format!("25575400011{n}"),
            "message": { "type": "text", "text": { "body": "Habari" } },
        });
        demo.sandbox().post("/control/inbound", &written).await.expect(200);
    }
    let ids = heard(&healthy, 3).await;
    let listed = eventually("what failed is listed", Duration::from_secs(10), || async {
        let listed = demo.api().get("/v1/deliveries").await.expect(200);
        if listed["data"].as_array().is_some_and(|rows| rows.len() == 3) {
            Ok(listed)
        } else {
            Err(listed.to_string())
        }
    })
    .await;
    for delivery in listed["data"].as_array().unwrap() {
        assert_eq!((&delivery["last_status"], &delivery["attempts"]), (&json!(503), &json!(1)), "{delivery}");
    }

    demo.kill_and_restart().await;
    failing.answer_with(200);
    assert_eq!(heard(&failing, 3).await, ids, "the same events under the same ids");
}
