use crate::support::*;
use reqwest::Method;
use sandbox::{Config, Limits, PairLimit};
use serde_json::{Value, json};

#[tokio::test]
async fn an_accepted_message_is_answered_as_graph_does_and_shown_in_the_log() {
    let stage = Stage::new().await;
    let answer =
        stage.graph_call(Method::POST, &stage.messages()).json(&text(CUSTOMER)).send().await.unwrap();
    assert_eq!(answer.headers()["facebook-api-version"], "v25.0");
    let usage: Value =
        serde_json::from_str(answer.headers()["x-business-use-case-usage"].to_str().unwrap()).unwrap();
    assert_eq!(usage[&stage.business.waba_id][0]["type"], "whatsapp");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["contacts"], json!([{"input": CUSTOMER, "wa_id": "255712345678"}]));

    let sent = stage.sent("").await;
    let entry = &sent["data"][0];
    assert_eq!((&entry["outcome"], &entry["id"]), (&json!("accepted"), &body["messages"][0]["id"]));
    assert_eq!(entry["body"], text(CUSTOMER));
    assert_eq!(entry["phone_number_id"], stage.business.phone_number_id);
    assert_eq!(sent["next"], Value::Null);
}

#[tokio::test]
async fn a_user_id_is_answered_without_a_wa_id() {
    let stage = Stage::new().await;
    let body = json!({"messaging_product": "whatsapp", "recipient": "TZ.13491208", "text": {"body": "x"}});
    let (_, answer) = stage.send(body).await;
    assert_eq!(answer["contacts"], json!([{"input": "TZ.13491208", "user_id": "TZ.13491208"}]));
}

#[tokio::test]
async fn a_read_mark_is_a_success_and_no_message() {
    let stage = Stage::new().await;
    let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.A="});
    assert_eq!(stage.send(body).await, (200, json!({"success": true})));
    let entry = &stage.sent("").await["data"][0];
    assert_eq!((&entry["outcome"], &entry["id"]), (&json!("accepted"), &Value::Null));
}

#[tokio::test]
async fn a_refused_message_is_in_the_log_without_an_id() {
    let stage = Stage::new().await;
    let body = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "text", "text": {}});
    let (status, answer) = stage.send(body).await;
    assert_eq!((status, error_code(&answer)), (400, 131_008));
    assert!(
        answer["error"]["error_data"]["details"].is_string() && answer["error"]["fbtrace_id"].is_string()
    );
    let entry = &stage.sent("").await["data"][0];
    assert_eq!((&entry["outcome"], &entry["id"]), (&json!("rejected"), &Value::Null));
}

#[tokio::test]
async fn who_may_not_send_is_told_why() {
    let stage = Stage::new().await;
    let number = &stage.business.phone_number_id;
    let url = format!("{}/v25.0/{number}/messages", stage.sandbox.graph_url());
    let token = stage.business.access_token.expose();
    let ask = |request: reqwest::RequestBuilder| async {
        let (status, body) = read(request.json(&text(CUSTOMER))).await;
        (status, error_code(&body), body["error"]["error_subcode"].as_u64())
    };
    assert_eq!(ask(stage.client.post(&url)).await, (401, 104, None));
    assert_eq!(ask(stage.client.post(&url).bearer_auth("EAAnonsense")).await, (401, 190, None));
    assert_eq!(ask(stage.client.post(&url).bearer_auth(token)).await, (400, 100, None));
    let wrong = [("appsecret_proof", stage.proof("another token"))];
    assert_eq!(ask(stage.client.post(&url).bearer_auth(token).query(&wrong)).await, (400, 100, None));
    assert_eq!(ask(stage.graph_call(Method::POST, "4711/messages")).await, (400, 100, Some(33)));

    let other = stage.sandbox.seed_connected(1).await.unwrap();
    let path = format!("{}/messages", other.phone_number_id);
    assert_eq!(ask(stage.graph_call(Method::POST, &path)).await, (400, 100, Some(33)));

    let deregister = format!("{number}/deregister");
    assert_eq!(stage.graph(Method::POST, &deregister, json!({})).await.0, 200);
    assert_eq!(ask(stage.graph_call(Method::POST, &stage.messages())).await, (400, 133_010, None));
}

#[tokio::test]
async fn the_pair_limit_lets_a_burst_pass_and_then_refuses() {
    let limits = Limits { pair: Some(PairLimit { seconds: 6, burst: 45 }), ..Limits::none() };
    let stage = Stage::with(Config { limits, ..Config::for_tests() }).await;
    for _ in 0..45 {
        stage.send_text(CUSTOMER).await;
    }
    let (status, body) = stage.send(text(CUSTOMER)).await;
    assert_eq!((status, error_code(&body)), (400, 131_056));
    stage.send_text("+255799999999").await;
    stage.advance(6).await;
    stage.send_text(CUSTOMER).await;
}

#[tokio::test]
async fn the_log_is_read_in_pages() {
    let stage = Stage::new().await;
    for _ in 0..5 {
        stage.send_text(CUSTOMER).await;
    }
    let first = stage.sent("?limit=3").await;
    assert_eq!((first["data"].as_array().unwrap().len(), &first["next"]), (3, &json!(3)));
    let second = stage.sent("?after=3&limit=3").await;
    assert_eq!((second["data"].as_array().unwrap().len(), &second["next"]), (2, &Value::Null));
    let (status, problem) = stage.control(Method::GET, "sent?after=x", json!({})).await;
    assert_eq!((status, &problem["error"]["field"]), (422, &json!("after")));
}
