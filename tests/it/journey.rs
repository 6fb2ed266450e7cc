//! What a person can do with a fresh clone, over HTTP.

use std::time::Duration;

use serde_json::json;

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

#[actix_rt::test]
async fn a_message_goes_from_accepted_to_read_and_carries_our_id_to_meta() {
    let demo = Demo::start().await;
    let api = demo.api();
    let accepted =
        api.post("/v1/messages", &text_message(&demo.ready.business_id, "0712 345 678", "Habari")).await;
    let accepted = accepted.expect(202);
    let id = accepted["id"].as_str().expect("an id");
    assert_eq!(accepted["to"], "+255712345678");
    assert_eq!(accepted["connection_id"], demo.ready.connection_id.as_str());

    let message = api.message_reaches(id, "read").await;
    let statuses: Vec<_> =
        message["timeline"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "sending", "sent", "delivered", "read"], "{message}");
    let times: Vec<_> =
        message["timeline"].as_array().unwrap().iter().map(|line| line["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "oldest first: {message}");

    let sent = demo.sandbox().everything_sent().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["outcome"], "accepted");
    assert_eq!(sent[0]["phone_number_id"], demo.ready.phone_number_id.as_str());
    assert_eq!(sent[0]["body"]["to"], "+255712345678");
    assert_eq!(sent[0]["body"]["biz_opaque_callback_data"], format!("v1.{id}.1"));
}

#[actix_rt::test]
async fn what_a_customer_writes_reaches_an_endpoint_signed_for_any_standard_library() {
    let demo = Demo::start().await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    let registered = api.post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    let secret = registered["secret"].as_str().expect("shown once");

    let written = json!({
        "phone_number_id": demo.ready.phone_number_id,
        "from": "255754000111",
        "profile_name": "Asha",
        "message": { "type": "text", "text": { "body": "Habari ya asubuhi \u{1f600}" } },
    });
    let wamid = demo.sandbox().post("/control/inbound", &written).await.expect(200)["id"].clone();
    let delivery = eventually("message.received arrives", Duration::from_secs(20), || async {
        endpoint.of_type("message.received").pop().ok_or_else(|| "nothing yet".to_owned())
    })
    .await;
    let data = &delivery.body["data"];
    assert_eq!(data["message"]["id"], wamid);
    assert_eq!(data["message"]["text"]["body"], "Habari ya asubuhi \u{1f600}");
    assert_eq!(data["business_id"], demo.ready.business_id.as_str());
    assert_eq!(data["connection_id"], demo.ready.connection_id.as_str());
    assert_eq!(data["contact"]["profile"]["name"], "Asha");

    let mut headers = http::HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let verifier = standardwebhooks::Webhook::new(secret).expect("the secret is in the standard's form");
    verifier.verify(&delivery.raw, &headers).expect("the signature holds");
    let mut altered = delivery.raw.clone();
    altered[10] ^= 1;
    assert!(verifier.verify(&altered, &headers).is_err());

    let hidden = api.get(&format!("/v1/endpoints/{}", registered["id"].as_str().unwrap())).await;
    assert!(!hidden.text.contains(secret), "the secret is in the first answer only");
}

#[actix_rt::test]
async fn statuses_reach_an_endpoint_with_the_callers_own_reference() {
    let demo = Demo::start().await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    api.post("/v1/endpoints", &json!({ "url": endpoint.url, "events": ["message.status"] }))
        .await
        .expect(201);
    let mut message = text_message(&demo.ready.business_id, "+255712345678", "Asante");
    message["client_ref"] = json!("order-77");
    message["message"]["biz_opaque_callback_data"] = json!("my own data");
    let id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    let statuses = eventually("three statuses arrive", Duration::from_secs(20), || async {
        let heard = endpoint.of_type("message.status");
        if heard.len() >= 3 { Ok(heard) } else { Err(format!("{heard:?}")) }
    })
    .await;
    for status in statuses {
        assert_eq!(status.body["data"]["client_ref"], "order-77");
        assert_eq!(status.body["data"]["message_id"], id);
        assert_eq!(status.body["data"]["status"]["biz_opaque_callback_data"], "my own data");
    }
}

#[actix_rt::test]
async fn the_same_idempotency_key_has_the_same_answer_and_sends_once() {
    let demo = Demo::start().await;
    let api = demo.api();
    let message = text_message(&demo.ready.business_id, "+255712345678", "once");
    let ask = |body: serde_json::Value| {
        let request = api.request(reqwest::Method::POST, "/v1/messages").header("Idempotency-Key", "order-1");
        let api = api.clone();
        async move { api.send(request.json(&body)).await.expect("an answer") }
    };
    let answers = futures_util::future::join_all((0..8).map(|_| ask(message.clone()))).await;
    let first = answers[0].clone().expect(202);
    for answer in answers {
        assert_eq!(answer.expect(202), first);
    }
    ask(text_message(&demo.ready.business_id, "+255712345678", "twice")).await.expect(409);
    api.message_reaches(first["id"].as_str().unwrap(), "read").await;
    assert_eq!(demo.sandbox().everything_sent().await.len(), 1);
}
