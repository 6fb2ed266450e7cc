//! Every wrong request gets an answer that names the field and the remedy, and loses nothing.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, text_message};
use crate::support::demo::Demo;
use crate::support::eventually;

fn problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "code", "request_id"] {
        assert!(problem[member].is_string(), "{member} is missing: {problem}");
    }
    assert!(problem["retryable"].is_boolean(), "{problem}");
    problem
}

fn fields(problem: &Value) -> Vec<String> {
    match &problem["errors"] {
        Value::Array(errors) => {
            errors.iter().map(|e| e["field"].as_str().unwrap_or_default().to_owned()).collect()
        }
        Value::Object(errors) => errors.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

async fn nothing_was_sent(demo: &Demo) {
    assert_eq!(demo.sandbox().everything_sent().await, Vec::<Value>::new());
}

#[actix_rt::test]
async fn a_wrong_or_missing_key_is_401() {
    let demo = Demo::start().await;
    for key in ["", "gw_wrong", "Basic", &"x".repeat(5_000)] {
        let answer = demo.api().with_key(key).get("/v1/connections").await;
        problem(&answer, 401);
        assert!(answer.headers.contains_key("www-authenticate"));
    }
}

#[actix_rt::test]
async fn broken_json_is_400_and_says_where() {
    let demo = Demo::start().await;
    let api = demo.api();
    let request = api
        .request(Method::POST, "/v1/messages")
        .header("content-type", "application/json")
        .body("{\"business_id\":\"demo\",");
    let answer = api.send(request).await.unwrap();
    let problem = problem(&answer, 400);
    assert!(problem["detail"].as_str().unwrap().contains("line 1"), "{problem}");
    nothing_was_sent(&demo).await;
}

#[actix_rt::test]
async fn a_field_that_is_wrong_is_422_and_named() {
    let demo = Demo::start().await;
    let business = demo.ready.business_id.clone();
    let text = |body: String| text_message(&business, "+255712345678", &body);
    let cases: Vec<(&str, Value)> = vec![
        ("message.text.body", text("x".repeat(4_097))),
        ("message.text.body", text(String::new())),
        (
            "message.type",
            json!({ "business_id": business, "message": { "to": "+255712345678", "type": "telegram" } }),
        ),
        ("message.to", text_message(&business, "07123", "short")),
        ("message.to", text_message(&business, "255254712345678", "doubled prefix")),
        (
            "message.image",
            json!({ "business_id": business, "message": { "to": "+255712345678", "type": "image", "image": {} } }),
        ),
        ("priority", {
            let mut m = text("x".into());
            m["priority"] = json!("urgent");
            m
        }),
        ("send_at", {
            let mut m = text("x".into());
            m["send_at"] = json!("tomorrow");
            m
        }),
        ("expires_at", {
            let mut m = text("x".into());
            m["expires_at"] = json!("2001-01-01T00:00:00Z");
            m
        }),
        ("client_ref", {
            let mut m = text("x".into());
            m["client_ref"] = json!("x".repeat(2_000));
            m
        }),
        (
            "business_id",
            json!({ "message": { "to": "+255712345678", "type": "text", "text": { "body": "x" } } }),
        ),
        ("message", json!({ "business_id": business })),
    ];
    for (field, body) in cases {
        let answer = demo.api().post("/v1/messages", &body).await;
        let problem = problem(&answer, 422);
        let named = fields(&problem);
        assert!(named.iter().any(|name| name.starts_with(field)), "{field} is not named: {problem}");
    }
    nothing_was_sent(&demo).await;
}

#[actix_rt::test]
async fn exactly_4096_characters_are_sent_and_none_is_cut() {
    let demo = Demo::start().await;
    let body = "x".repeat(4_096);
    let message = text_message(&demo.ready.business_id, "+255712345678", &body);
    let id = demo.api().post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    demo.api().message_reaches(&id, "read").await;
    assert_eq!(demo.sandbox().everything_sent().await[0]["body"]["text"]["body"], body.as_str());
}

#[actix_rt::test]
async fn a_body_over_one_megabyte_is_413() {
    let demo = Demo::start().await;
    let message = text_message(&demo.ready.business_id, "+255712345678", &"x".repeat(1 << 20));
    let api = demo.api();
    // The server may hang up before it has read everything; then there is no answer, and nothing else either.
    if let Ok(answer) = api.send(api.request(Method::POST, "/v1/messages").json(&message)).await {
        problem(&answer, 413);
    }
    nothing_was_sent(&demo).await;
}

#[actix_rt::test]
async fn an_unknown_route_and_a_wrong_method_are_problems_too() {
    let demo = Demo::start().await;
    problem(&demo.api().get("/v1/nothing").await, 404);
    problem(&demo.api().call(Method::DELETE, "/v1/messages", None).await, 405);
}

#[actix_rt::test]
async fn what_belongs_to_nobody_is_404() {
    let demo = Demo::start().await;
    let nothing = "00000000000070008000000000000001";
    for path in [
        format!("/v1/messages/msg_{nothing}"),
        format!("/v1/connections/con_{nothing}"),
        format!("/v1/endpoints/ep_{nothing}"),
        format!("/v1/onboarding-sessions/onb_{nothing}"),
        "/v1/messages/42".to_owned(),
        "/v1/businesses/nobody".to_owned(),
    ] {
        problem(&demo.api().get(&path).await, 404);
    }
    let unknown = text_message("nobody", "+255712345678", "x");
    problem(&demo.api().post("/v1/messages", &unknown).await, 404);
}

#[actix_rt::test]
async fn a_webhook_with_a_wrong_signature_is_401_counted_and_not_stored() {
    let demo = Demo::start().await;
    let plain = Api::new(&demo.ready.gateway, "");
    let body = "{\"object\":\"whatsapp_business_account\",\"entry\":[]}";
    for signature in
        ["", "sha256=00", &format!("sha256={}", "0".repeat(64)), &format!("sha1={}", "0".repeat(40))]
    {
        let request =
            plain.request(Method::POST, "/webhooks/meta").header("x-hub-signature-256", signature).body(body);
        let answer = plain.send(request).await.unwrap();
        assert_eq!(answer.status, 401, "{signature}: {}", answer.text);
    }
    let metrics = demo.operations().get("/metrics").await.text;
    assert!(metrics.contains("gateway_webhooks_refused_total"), "{metrics}");
    let events = demo.api().get("/v1/events").await.expect(200);
    assert!(!events.to_string().contains("account.alert"), "{events}");
}

#[actix_rt::test]
async fn a_webhook_for_a_number_that_is_not_ours_is_kept_aside_and_answered_200() {
    let demo = Demo::start().await;
    let message = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550783881", "phone_number_id": "999999999999" },
        "messages": [{ "from": "16505551234", "id": "wamid.NOBODY", "timestamp": "1790000000", "type": "text", "text": { "body": "hi" } }],
    });
    let envelope = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": message }] }] });
    let raw = json!({ "body": envelope.to_string(), "signature": "good" });
    let answer = eventually("the callback is verified", Duration::from_secs(10), || async {
        let answer = demo.sandbox().post("/control/raw", &raw).await;
        if answer.status == 409 { Err(answer.text) } else { Ok(answer.expect(200)) }
    })
    .await;
    assert_eq!(answer["status"], 200, "{answer}");
    let metrics = demo.operations().get("/metrics").await.text;
    let counted = metrics.lines().any(|line| {
        line.starts_with("gateway_updates_total{") && line.contains("quarantined") && line.ends_with(" 1")
    });
    assert!(counted, "{metrics}");
    let events = demo.api().get("/v1/events").await.expect(200);
    assert!(!events.to_string().contains("NOBODY"));
}

#[actix_rt::test]
async fn a_handshake_with_the_wrong_token_is_refused_and_the_challenge_is_not_echoed() {
    let demo = Demo::start().await;
    let plain = Api::new(&demo.ready.gateway, "");
    let answer =
        plain.get("/webhooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=wrong").await;
    assert_eq!(answer.status, 403);
    assert!(!answer.text.contains("1158201444"));
}

#[actix_rt::test]
async fn an_endpoint_address_that_is_not_one_is_refused_with_the_reason() {
    let demo = Demo::start_with(&[("GATEWAY__ENDPOINTS__ALLOW_PRIVATE_ADDRESSES", "false")]).await;
    for url in [
        "not a url",
        "ftp://example.com/x",
        "http://127.0.0.1:9000/x",
        "https://10.0.0.8/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://user:secret@example.com/x",
        "https://169.254.169.254/latest",
    ] {
        let answer = demo.api().post("/v1/endpoints", &json!({ "url": url })).await;
        assert_eq!(fields(&problem(&answer, 422)), ["url"], "{url}: {}", answer.text);
    }
}
