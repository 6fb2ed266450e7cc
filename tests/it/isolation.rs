//! What belongs to another business does not exist: in a path, a query or a body, for every route.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Api, text_message};
use crate::support::demo::Demo;

/// A key that may act for one business only, in the account of the demo.
async fn key_for(demo: &Demo, business: &str) -> Api {
    let key = demo
        .command(&["api-key", "new", "--account", "demo", "--label", "narrow", "--business", business])
        .await;
    let key =
        key.split_whitespace().find(|word| word.starts_with("gw_")).expect("the key is printed").to_owned();
    demo.api().with_key(&key)
}

#[actix_rt::test]
async fn every_route_answers_404_for_what_another_business_owns() {
    let demo = Demo::start().await;
    let api = demo.api();
    api.post("/v1/businesses", &json!({ "id": "neighbour", "name": "Jirani", "country": "TZ" }))
        .await
        .expect(201);
    let message = text_message(&demo.ready.business_id, "+255712345678", "mine");
    let message_id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    api.message_reaches(&message_id, "read").await;
    let endpoint = json!({ "url": "http://127.0.0.1:9/events", "business_id": demo.ready.business_id });
    let endpoint_id =
        api.post("/v1/endpoints", &endpoint).await.expect(201)["id"].as_str().unwrap().to_owned();
    let session = json!({ "business_id": demo.ready.business_id, "transport": "official" });
    let session_id =
        api.post("/v1/onboarding-sessions", &session).await.expect(201)["id"].as_str().unwrap().to_owned();

    let neighbour = key_for(&demo, "neighbour").await;
    let (business, connection) = (&demo.ready.business_id, &demo.ready.connection_id);
    let cases: Vec<(Method, String, Option<Value>)> = vec![
        (Method::GET, format!("/v1/businesses/{business}"), None),
        (Method::DELETE, format!("/v1/businesses/{business}"), None),
        (Method::POST, "/v1/businesses".into(), Some(json!({ "id": business, "name": "taken over" }))),
        (Method::GET, format!("/v1/connections?business_id={business}"), None),
        (Method::GET, format!("/v1/connections/{connection}"), None),
        (Method::POST, format!("/v1/connections/{connection}/disconnect"), Some(json!({}))),
        (Method::POST, format!("/v1/connections/{connection}/reconnect"), Some(json!({}))),
        (Method::POST, "/v1/messages".into(), Some(text_message(business, "+255712345678", "x"))),
        (
            Method::POST,
            "/v1/messages".into(),
            Some(
                json!({ "connection_id": connection, "message": { "to": "+255712345678", "type": "text", "text": { "body": "x" } } }),
            ),
        ),
        (Method::GET, format!("/v1/messages/{message_id}"), None),
        (Method::GET, format!("/v1/messages?business_id={business}"), None),
        (Method::GET, format!("/v1/messages?connection_id={connection}"), None),
        (Method::POST, format!("/v1/messages/{message_id}/cancel"), Some(json!({}))),
        (Method::POST, format!("/v1/messages/{message_id}/replay"), Some(json!({}))),
        (Method::POST, "/v1/messages/replay".into(), Some(json!({ "business_id": business }))),
        (Method::POST, "/v1/messages/replay".into(), Some(json!({ "connection_id": connection }))),
        (Method::PATCH, format!("/v1/businesses/{business}"), Some(json!({ "opt_out_keywords": true }))),
        (Method::GET, format!("/v1/businesses/{business}/opt-outs"), None),
        (Method::GET, format!("/v1/businesses/{business}/opt-outs/0712345678"), None),
        (Method::PUT, format!("/v1/businesses/{business}/opt-outs/0712345678"), Some(json!({}))),
        (Method::DELETE, format!("/v1/businesses/{business}/opt-outs/0712345678"), None),
        (Method::GET, format!("/v1/connections/{connection}/windows/0712345678"), None),
        (
            Method::POST,
            format!("/v1/connections/{connection}/read-marks"),
            Some(json!({ "message_id": "wamid.x" })),
        ),
        (Method::GET, format!("/v1/stats?business_id={business}"), None),
        (Method::GET, format!("/v1/stats?connection_id={connection}"), None),
        (Method::POST, "/v1/onboarding-sessions".into(), Some(session)),
        (Method::GET, format!("/v1/onboarding-sessions/{session_id}"), None),
        (Method::POST, format!("/v1/onboarding-sessions/{session_id}/cancel"), Some(json!({}))),
        (Method::POST, "/v1/endpoints".into(), Some(endpoint)),
        (Method::GET, format!("/v1/endpoints/{endpoint_id}"), None),
        (Method::PATCH, format!("/v1/endpoints/{endpoint_id}"), Some(json!({ "enabled": false }))),
        (Method::DELETE, format!("/v1/endpoints/{endpoint_id}"), None),
        (Method::GET, format!("/v1/events?business_id={business}"), None),
        (Method::GET, format!("/v1/deliveries?endpoint_id={endpoint_id}"), None),
    ];
    for (method, path, body) in cases {
        let answer = neighbour.call(method.clone(), &path, body.as_ref()).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
    }
    let (number, body) = (&demo.ready.phone_number_id, text_message(business, "+255712345678", "x"));
    let waba = api.get(&format!("/v1/connections/{connection}")).await.expect(200)["waba_id"].clone();
    let waba = waba.as_str().expect("an account");
    let graph = [
        (Method::POST, format!("/v25.0/{number}/messages"), Some(body["message"].clone())),
        (
            Method::POST,
            format!("/v25.0/{number}/messages"),
            Some(json!({ "status": "read", "message_id": "wamid.x" })),
        ),
        (Method::GET, format!("/v25.0/{number}"), None),
        (Method::POST, format!("/v25.0/{number}"), Some(json!({ "new_display_name": "taken over" }))),
        (Method::GET, format!("/v25.0/{number}/whatsapp_business_profile"), None),
        (Method::POST, format!("/v25.0/{number}/whatsapp_business_profile"), Some(json!({ "about": "x" }))),
        (Method::GET, format!("/v25.0/{number}/block_users"), None),
        (Method::DELETE, format!("/v25.0/{number}/block_users"), Some(json!({ "block_users": [] }))),
        (Method::GET, format!("/v25.0/{number}/message_qrdls"), None),
        (Method::DELETE, format!("/v25.0/{number}/message_qrdls/ABC"), None),
        (Method::GET, format!("/v25.0/{waba}"), None),
        (Method::GET, format!("/v25.0/{waba}/phone_numbers"), None),
        (Method::GET, format!("/v25.0/{waba}/message_templates"), None),
        (Method::POST, format!("/v25.0/{waba}/message_templates"), Some(json!({ "name": "x" }))),
        (Method::DELETE, format!("/v25.0/{waba}/message_templates?name=x"), None),
    ];
    for (method, path, body) in graph {
        let answer = neighbour.call(method.clone(), &path, body.as_ref()).await;
        let error = answer.expect(400)["error"].clone();
        assert_eq!(
            (error["code"].as_i64(), error["error_subcode"].as_i64()),
            (Some(100), Some(33)),
            "{method} {path}: {error}"
        );
    }
    for path in
        ["/v1/connections", "/v1/messages", "/v1/events", "/v1/endpoints", "/v1/deliveries", "/v1/businesses"]
    {
        let listed = neighbour.get(path).await.expect(200).to_string();
        for foreign in [business.as_str(), connection, &message_id, &endpoint_id] {
            assert!(!listed.contains(&format!("\"{foreign}\"")), "{path} shows {foreign}: {listed}");
        }
    }
    assert_eq!(demo.sandbox().everything_sent().await.len(), 1, "nothing went out on a foreign number");
}

#[actix_rt::test]
async fn an_idempotency_key_opens_no_answer_of_another_business() {
    let demo = Demo::start().await;
    let api = demo.api();
    let neighbours = json!({ "id": "neighbour", "name": "Jirani", "country": "TZ" });
    api.post("/v1/businesses", &neighbours).await.expect(201);
    let neighbour = key_for(&demo, "neighbour").await;
    let (business, connection) = (&demo.ready.business_id, &demo.ready.connection_id);
    let url = "http://127.0.0.1:9/events";
    let session = json!({ "business_id": business, "transport": "official" });
    let message = text_message(business, "+255712345678", "mine");
    let cases = [
        ("/v1/endpoints".to_owned(), json!({ "url": url, "business_id": business }), 201, 404),
        ("/v1/endpoints".to_owned(), json!({ "url": url }), 201, 422),
        ("/v1/onboarding-sessions".to_owned(), session, 201, 404),
        ("/v1/messages".to_owned(), message, 202, 404),
        ("/v1/messages/replay".to_owned(), json!({ "business_id": business }), 200, 404),
        (format!("/v1/connections/{connection}/reconnect"), json!({}), 201, 404),
        ("/v1/businesses".to_owned(), json!({ "id": business, "name": "Duka" }), 200, 404),
    ];
    for (index, (path, body, made, refused)) in cases.iter().enumerate() {
        let send = async |api: &Api| {
            let request = api.request(Method::POST, path).header("Idempotency-Key", format!("key-{index}"));
            api.send(request.json(body)).await.expect("an answer")
        };
        let first = send(&api).await;
        assert_eq!(first.status, *made, "{path}: {}", first.text);
        let again = send(&api).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path} is replayed to its own");
        let foreign = send(&neighbour).await;
        assert_eq!(foreign.status, *refused, "{path} {body}: {}", foreign.text);
        assert!(!foreign.headers.contains_key("idempotent-replayed"), "{path}");
        assert!(!foreign.text.contains("whsec_"), "{path}");
    }
}

/// What was accepted stays so, for whom it was accepted: also where a number is named and its business is not.
#[actix_rt::test]
async fn a_narrow_key_that_names_only_a_number_hears_its_answer_again_when_it_would_be_refused_by_now() {
    let demo = Demo::start().await;
    let api = demo.api();
    let neighbours = json!({ "id": "neighbour", "name": "Jirani", "country": "TZ" });
    api.post("/v1/businesses", &neighbours).await.expect(201);
    let (business, connection) = (&demo.ready.business_id, &demo.ready.connection_id);
    let (own, neighbour) = (key_for(&demo, business).await, key_for(&demo, "neighbour").await);
    let message = json!({ "to": "+255712345678", "type": "text", "text": { "body": "once" } });
    let body = json!({ "connection_id": connection, "message": message });
    let send = async |api: &Api| {
        let request = api.request(Method::POST, "/v1/messages").header("Idempotency-Key", "order-1");
        api.send(request.json(&body)).await.expect("an answer")
    };
    let first = send(&own).await.expect(202);
    let opt_out = format!("/v1/businesses/{business}/opt-outs/0712345678");
    api.put(&opt_out, &json!({})).await.expect(200);
    assert_eq!(own.post("/v1/messages", &body).await.expect(409)["code"], "opted_out");

    let again = send(&own).await;
    assert_eq!(again.headers.get("idempotent-replayed").expect("it is said"), "true");
    assert_eq!(again.expect(202), first);
    let foreign = send(&neighbour).await;
    assert!(!foreign.headers.contains_key("idempotent-replayed"));
    assert_eq!(foreign.expect(404)["code"], "not_found");
    api.message_reaches(first["id"].as_str().unwrap(), "read").await;
    assert_eq!(demo.sandbox().everything_sent().await.len(), 1);
}

#[actix_rt::test]
async fn a_key_does_only_what_its_scopes_say_and_nothing_once_revoked() {
    let demo = Demo::start().await;
    let made = demo
        .command(&["api-key", "new", "--account", "demo", "--label", "reader", "--scope", "messages:read"])
        .await;
    let key =
        made.split_whitespace().find(|word| word.starts_with("gw_")).expect("the key is printed").to_owned();
    let reader = demo.api().with_key(&key);
    reader.get("/v1/messages").await.expect(200);
    let refused =
        reader.post("/v1/messages", &text_message(&demo.ready.business_id, "+255712345678", "x")).await;
    assert_eq!(refused.expect(403)["code"], "insufficient_scope");

    let listed = demo.command(&["api-key", "list"]).await;
    assert!(!listed.contains(&key), "a key is shown once");
    let id = listed
        .lines()
        .find(|line| line.contains("reader"))
        .and_then(|line| line.split_whitespace().find(|word| word.starts_with("key_")))
        .expect("the key's id is listed")
        .to_owned();
    demo.command(&["api-key", "revoke", &id]).await;
    crate::support::eventually("the key is refused", std::time::Duration::from_secs(20), || async {
        let answer = reader.get("/v1/messages").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}
