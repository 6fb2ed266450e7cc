//! A process that is killed in the middle of a burst loses nothing that it accepted or acknowledged.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::json;

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::{eventually, postgres};

const MESSAGES: usize = 200;

#[actix_rt::test]
async fn nothing_is_lost_on_sqlite() {
    nothing_is_lost(Demo::start().await).await;
}

#[actix_rt::test]
async fn nothing_is_lost_on_postgres() {
    let Some(url) = postgres::fresh_database().await else { return };
    nothing_is_lost(Demo::start_with(&[("GATEWAY__STORE__URL", &url)]).await).await;
}

async fn nothing_is_lost(mut demo: Demo) {
    let endpoint = Endpoint::start();
    demo.api().post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);

    let (accepted, acknowledged) = burst_until_killed(&mut demo).await;
    assert!(
        accepted.len() >= MESSAGES / 4,
        "the kill came before the burst was under way: {}",
        accepted.len()
    );

    let mut after_restart = accepted.clone();
    after_restart.extend(finish_burst(&demo, accepted.len()).await);
    assert_eq!(after_restart.len(), MESSAGES);

    for id in &after_restart {
        demo.api().message_reaches(id, "read").await;
    }
    let mut posts: HashMap<String, usize> = HashMap::new();
    for sent in demo.sandbox().everything_sent().await {
        let echo = sent["body"]["biz_opaque_callback_data"].as_str().unwrap().to_owned();
        let id = echo.split('.').nth(1).unwrap().to_owned();
        *posts.entry(id).or_default() += usize::from(!sent["id"].is_null());
    }
    for id in &after_restart {
        assert_eq!(posts.get(id), Some(&1), "{id} reached the provider not exactly once");
    }

    eventually("every acknowledged webhook is told", Duration::from_mins(1), || async {
        let heard: HashSet<_> = endpoint
            .of_type("message.received")
            .into_iter()
            .map(|delivery| delivery.body["data"]["message"]["id"].as_str().unwrap().to_owned())
            .collect();
        let missing = acknowledged.iter().filter(|id| !heard.contains(*id)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} missing", acknowledged.len())) }
    })
    .await;
    let mut events_of: HashMap<String, HashSet<String>> = HashMap::new();
    for delivery in endpoint.of_type("message.received") {
        let wamid = delivery.body["data"]["message"]["id"].as_str().unwrap().to_owned();
        events_of.entry(wamid).or_default().insert(delivery.id);
    }
    for (wamid, ids) in events_of {
        assert_eq!(ids.len(), 1, "{wamid} was told under several ids");
    }
}

/// Sends and receives at once, kills the process midway. Answers what was accepted, and what customers wrote.
async fn burst_until_killed(demo: &mut Demo) -> (Vec<String>, Vec<String>) {
    let (api, sandbox) = (demo.api(), demo.sandbox());
    let mut written = Vec::new();
    for n in 0..MESSAGES {
        let customer = json!({
            "phone_number_id": demo.ready.phone_number_id,
            "from": format!("25575400{n:04}"),
            "message": { "type": "text", "text": { "body": format!("customer {n}") } },
        });
        written.push(
            sandbox.post("/control/inbound", &customer).await.expect(200)["id"].as_str().unwrap().to_owned(),
        );
    }
    let mut sends: FuturesUnordered<_> = (0..MESSAGES)
        .map(|n| {
            let body =
                text_message(&demo.ready.business_id, &format!("+25571200{n:04}"), &format!("burst {n}"));
            let request = api.request(reqwest::Method::POST, "/v1/messages").json(&body);
            let api = api.clone();
            async move { api.send(request).await }
        })
        .collect();
    let mut accepted = Vec::new();
    while let Some(answer) = sends.next().await {
        if let Ok(answer) = answer {
            accepted.push(answer.expect(202)["id"].as_str().unwrap().to_owned());
        }
        if accepted.len() == MESSAGES / 2 {
            demo.kill_and_restart().await;
        }
    }
    (accepted, written)
}

/// The calls that the kill cut off are made again, as a client would.
async fn finish_burst(demo: &Demo, already: usize) -> Vec<String> {
    let api = demo.api();
    let mut accepted = Vec::new();
    for n in already..MESSAGES {
        let body = text_message(&demo.ready.business_id, &format!("+25571300{n:04}"), "after the restart");
        accepted.push(api.post("/v1/messages", &body).await.expect(202)["id"].as_str().unwrap().to_owned());
    }
    accepted
}
