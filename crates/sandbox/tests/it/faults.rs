use crate::support::*;
use reqwest::Method;
use sandbox::Config;
use serde_json::{Value, json};

fn rule(act: &Value, times: Option<u64>) -> Value {
    json!({"rules": [{"match": {"path": "messages"}, "times": times, "do": act}]})
}

#[tokio::test]
async fn a_rule_applies_so_many_times_and_then_no_more() {
    let stage = Stage::new().await;
    stage.set_faults(rule(&json!({"error": {"code": 131_056}}), Some(2))).await;
    for _ in 0..2 {
        let (status, body) = stage.send(text(CUSTOMER)).await;
        assert_eq!((status, error_code(&body)), (400, 131_056));
    }
    stage.send_text(CUSTOMER).await;
    let (_, faults) = stage.control(Method::GET, "faults", json!({})).await;
    assert_eq!(faults["rules"][0]["times"], 0);
    let outcomes: Vec<_> = stage.sent("").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["rejected", "rejected", "accepted"]);
}

#[tokio::test]
async fn a_connection_cut_after_loses_the_answer_and_not_the_message() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(rule(&json!({"cut": "after"}), Some(1))).await;
    let error =
        stage.graph_call(Method::POST, &stage.messages()).json(&text(CUSTOMER)).send().await.unwrap_err();
    assert!(error.status().is_none() && !error.is_timeout(), "{error:?}");

    let entry = &stage.sent("").await["data"][0];
    assert_eq!(entry["outcome"], "cut");
    let id = entry["id"].as_str().unwrap();
    until("three statuses", || gateway.statuses_of(id).len() == 3).await;
}

#[tokio::test]
async fn a_connection_cut_before_loses_the_message_too() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(rule(&json!({"cut": "before"}), Some(1))).await;
    let error =
        stage.graph_call(Method::POST, &stage.messages()).json(&text(CUSTOMER)).send().await.unwrap_err();
    assert!(error.status().is_none(), "{error:?}");
    let entry = &stage.sent("").await["data"][0];
    assert_eq!((&entry["outcome"], &entry["id"]), (&json!("cut"), &Value::Null));
    assert_eq!((stage.sandbox.webhooks_waiting(), gateway.posts()), (0, 0));
    stage.send_text(CUSTOMER).await;
}

#[tokio::test]
async fn nothing_at_all_comes_back_on_a_cut_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = Stage::new().await;
    stage.set_faults(json!({"rules": [{"times": null, "do": {"cut": "after"}}]})).await;
    let mut connection = tokio::net::TcpStream::connect(stage.sandbox.address()).await.unwrap();
    connection.write_all(b"GET /graph/v25.0/me HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    assert_eq!(String::from_utf8_lossy(&answer), "");
}

#[tokio::test]
async fn a_status_alone_looks_like_trouble_in_front_of_graph() {
    let stage = Stage::new().await;
    stage.set_faults(rule(&json!({"status": 502}), Some(1))).await;
    let answer =
        stage.graph_call(Method::POST, &stage.messages()).json(&text(CUSTOMER)).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn trouble_in_front_of_graph_may_hide_that_the_message_was_taken() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(rule(&json!({"status": 502, "carry_out": true}), Some(1))).await;
    let (status, _) = stage.send(text(CUSTOMER)).await;
    assert_eq!(status, 502);
    let entry = &stage.sent("").await["data"][0];
    let id = entry["id"].as_str().expect("the message was taken");
    assert_eq!(entry["host"], stage.sandbox.address().to_string());
    until("three statuses", || gateway.statuses_of(id).len() == 3).await;
}

#[tokio::test]
async fn a_message_can_be_accepted_and_fail_later() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage
        .set_faults(json!({"rules": [{"match": {"to": "255700000013"}, "times": null,
            "do": {"async_error": {"code": 131_026}}}]}))
        .await;
    let id = stage.send_text("+255700000013").await;
    until("the failure", || gateway.statuses_of(&id) == ["failed"]).await;
    assert_eq!(gateway.statuses()[0]["errors"][0]["code"], 131_026);
    let other = stage.send_text(CUSTOMER).await;
    until("three statuses", || gateway.statuses_of(&other).len() == 3).await;
}

#[tokio::test]
async fn a_lost_exchange_has_spent_the_code() {
    let stage = Stage::new().await;
    let (code, _) = stage.sign_up(json!({})).await;
    stage
        .set_faults(
            json!({"rules": [{"match": {"path": "oauth/access_token"}, "times": 1, "do": {"cut": "after"}}]}),
        )
        .await;
    let app = stage.sandbox.app();
    let query = [("client_id", app.id.as_str()), ("client_secret", app.secret.expose()), ("code", &code)];
    let url = format!("{}/v25.0/oauth/access_token", stage.sandbox.graph_url());
    assert!(stage.client.get(url).query(&query).send().await.is_err());
    let (_, body) = stage.exchange(&code).await;
    assert_eq!(body["error"]["error_subcode"], 36_009);
}
