use crate::support::*;
use reqwest::Method;
use sandbox::Config;
use serde_json::{Value, json};

#[tokio::test]
async fn statuses_follow_a_message_in_order_and_echo_its_data() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let mut body = text(CUSTOMER);
    body["biz_opaque_callback_data"] = json!("v1.msg_1.é/1");
    let (_, answer) = stage.send(body).await;
    let id = answer["messages"][0]["id"].as_str().unwrap();
    until("three statuses", || gateway.statuses_of(id).len() == 3).await;
    assert_eq!(gateway.statuses_of(id), ["sent", "delivered", "read"]);
    for status in gateway.statuses() {
        assert_eq!(status["biz_opaque_callback_data"], "v1.msg_1.é/1");
        assert_eq!(status["recipient_id"], "255712345678");
        assert!(status["timestamp"].is_string());
    }
    assert_eq!(gateway.statuses()[0]["pricing"]["category"], "service");
    assert!(gateway.raw_bodies().iter().all(|body| body.is_ascii()), "Meta escapes everything outside ASCII");
    until("nothing to wait", || stage.sandbox.webhooks_waiting() == 0).await;
}

#[tokio::test]
async fn a_reaction_is_only_ever_sent() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let reaction = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "reaction",
        "reaction": {"message_id": "wamid.A=", "emoji": "👍"}});
    let (_, answer) = stage.send(reaction).await;
    until("everything delivered", || stage.sandbox.webhooks_waiting() == 0).await;
    assert_eq!(gateway.statuses_of(answer["messages"][0]["id"].as_str().unwrap()), ["sent"]);
}

#[tokio::test]
async fn a_customer_writes() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let (status, answer) = stage
        .control(
            Method::POST,
            "inbound",
            json!({"phone_number_id": stage.business.phone_number_id, "from": "255712345678",
                "profile_name": "Asha", "message": {"type": "text", "text": {"body": "Habari"}}}),
        )
        .await;
    assert_eq!(status, 200);
    until("the message", || !gateway.values("messages").is_empty()).await;
    let value = &gateway.values("messages")[0];
    let message = &value["messages"][0];
    assert_eq!((&message["id"], &message["from"]), (&answer["id"], &json!("255712345678")));
    assert_eq!(message["text"]["body"], "Habari");
    assert_eq!(value["contacts"], json!([{"profile": {"name": "Asha"}, "wa_id": "255712345678"}]));
    assert_eq!(value["metadata"]["phone_number_id"], stage.business.phone_number_id);
}

#[tokio::test]
async fn a_customer_with_a_hidden_number_writes() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let body = json!({"phone_number_id": stage.business.phone_number_id, "from": null, "user_id": "TZ.134912",
        "message": {"type": "text", "text": {"body": "hi"}}});
    stage.control(Method::POST, "inbound", body).await;
    until("the message", || !gateway.values("messages").is_empty()).await;
    let value = &gateway.values("messages")[0];
    assert_eq!(value["contacts"], json!([{"user_id": "TZ.134912"}]));
    assert_eq!(value["messages"][0]["from_user_id"], "TZ.134912");
    assert!(value["messages"][0].get("from").is_none());
}

#[tokio::test]
async fn what_is_not_answered_with_200_comes_again() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    gateway.answer_with(500);
    let id = stage.send_text(CUSTOMER).await;
    until("some refusals", || gateway.posts() >= 4).await;
    gateway.answer_with(0);
    until("three statuses", || gateway.statuses_of(&id).len() == 3).await;
}

#[tokio::test]
async fn a_gateway_that_restarts_at_its_address_gets_what_it_missed() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    gateway.stop().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(stage.send_text(CUSTOMER).await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let again = Gateway::start(&stage.sandbox, gateway.port);
    until("everything", || stage.sandbox.webhooks_waiting() == 0).await;
    for id in ids {
        assert_eq!(again.statuses_of(&id).len(), 3);
    }
}

#[tokio::test]
async fn a_callback_that_starts_later_is_found_and_gets_everything() {
    let stage = Stage::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.sandbox.set_callback_url(&format!("http://127.0.0.1:{port}/hook")).await.unwrap();
    let id = stage.send_text(CUSTOMER).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!stage.sandbox.callback_is_verified());
    let gateway = Gateway::start(&stage.sandbox, port);
    until("three statuses", || gateway.statuses_of(&id).len() == 3).await;
}

#[tokio::test]
async fn a_callback_with_another_verify_token_gets_nothing() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.control(Method::PUT, "app", json!({"verify_token": "something else"})).await;
    stage.send_text(CUSTOMER).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(gateway.posts(), 0);
    let (_, shown) = read(stage.client.get(format!("{}/state", stage.sandbox.control_url()))).await;
    assert_eq!(shown["app"]["callback"]["verified"], false);
    assert_eq!(shown["app"]["callback"]["last_error"], "answered 403");
}

#[tokio::test]
async fn a_waba_without_subscription_gets_no_webhooks() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let path = format!("{}/subscribed_apps", stage.business.waba_id);
    assert_eq!(stage.graph(Method::DELETE, &path, json!({})).await.0, 200);
    stage.send_text(CUSTOMER).await;
    until("nothing to wait", || stage.sandbox.webhooks_waiting() == 0).await;
    assert_eq!(gateway.posts(), 0);
    assert_eq!(stage.graph(Method::POST, &path, json!({})).await.0, 200);
    let id = stage.send_text(CUSTOMER).await;
    until("three statuses", || gateway.statuses_of(&id).len() == 3).await;
}

#[tokio::test]
async fn an_override_gets_the_webhooks_of_its_waba() {
    let (stage, app) = Stage::with_gateway(Config::for_tests()).await;
    let own = Gateway::start(&stage.sandbox, 0);
    let path = format!("{}/subscribed_apps", stage.business.waba_id);
    let verify_token = stage.sandbox.app().verify_token;
    let body = |token: &str| json!({"override_callback_uri": own.url, "verify_token": token});
    assert_eq!(error_code(&stage.graph(Method::POST, &path, body("wrong")).await.1), 100);
    assert_eq!(stage.graph(Method::POST, &path, body(verify_token.expose())).await.0, 200);
    let id = stage.send_text(CUSTOMER).await;
    until("three statuses", || own.statuses_of(&id).len() == 3).await;
    assert_eq!(app.posts(), 0);
    let (_, subscribed) = stage.get(&path).await;
    assert_eq!(subscribed["data"][0]["override_callback_uri"], own.url);
}

#[tokio::test]
async fn webhooks_are_troubled_as_asked() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(json!({"webhooks": {"duplicate": 1.0, "echo": false}})).await;
    let mut body = text(CUSTOMER);
    body["biz_opaque_callback_data"] = json!("x");
    let (_, answer) = stage.send(body).await;
    let id = answer["messages"][0]["id"].as_str().unwrap();
    until("six statuses", || gateway.statuses_of(id).len() == 6).await;
    assert!(gateway.statuses().iter().all(|status| status.get("biz_opaque_callback_data").is_none()));

    stage.set_faults(json!({"webhooks": {"drop": 1.0}})).await;
    let id = stage.send_text(CUSTOMER).await;
    until("nothing to wait", || stage.sandbox.webhooks_waiting() == 0).await;
    assert!(gateway.statuses_of(&id).is_empty());
}

#[tokio::test]
async fn several_statuses_share_one_post_when_batched() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(json!({"webhooks": {"batch": 100}})).await;
    for _ in 0..50 {
        stage.send_text(CUSTOMER).await;
    }
    until("all statuses", || gateway.statuses().len() == 150).await;
    assert!(gateway.posts() < 100, "{} posts for 150 statuses", gateway.posts());
}

#[tokio::test]
async fn a_wrong_signature_can_be_asked_for() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let body = json!({"object": "whatsapp_business_account", "entry": []});
    for (signature, status) in [("good", 200), ("wrong", 401), ("none", 401)] {
        let (_, answer) =
            stage.control(Method::POST, "raw", json!({"body": body, "signature": signature})).await;
        assert_eq!(answer, json!({"status": status}));
    }
    assert_eq!(gateway.raw_bodies().len(), 1);
}

#[tokio::test]
async fn any_change_can_be_announced() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let change = json!({"waba_id": stage.business.waba_id, "field": "phone_number_quality_update",
        "value": {"event": "THROUGHPUT_UPGRADE"}});
    assert_eq!(stage.control(Method::POST, "change", change).await.0, 200);
    until("the change", || !gateway.values("phone_number_quality_update").is_empty()).await;
    let body: Value = serde_json::from_slice(&gateway.raw_bodies()[0]).unwrap();
    assert_eq!(body["entry"][0]["id"], stage.business.waba_id);
    assert!(body["entry"][0]["time"].is_i64());
}

#[tokio::test]
async fn every_post_is_logged_with_its_answer() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(json!({"webhooks": {"batch": 3}})).await;
    gateway.answer_with(503);
    let id = stage.send_text(CUSTOMER).await;
    until("a refusal", || gateway.posts() > 0).await;
    gateway.answer_with(0);
    until("nothing to wait", || stage.sandbox.webhooks_waiting() == 0).await;
    let (_, log) = stage.control(Method::GET, "webhooks", Value::Null).await;
    let posts = log["data"].as_array().unwrap();
    assert_eq!(posts[0]["status"], 503);
    assert_eq!(posts.last().unwrap()["status"], 200);
    let text = posts.iter().map(|post| post["body"].to_string()).collect::<String>();
    assert!(text.contains(&id), "{text}");
    assert!(posts.iter().all(|post| post["started_at"].as_str() <= post["ended_at"].as_str()), "{log}");
}

#[tokio::test]
async fn some_statuses_may_lack_the_echo() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    stage.set_faults(json!({"webhooks": {"echo_omitted": 0.5}})).await;
    let mut body = text(CUSTOMER);
    body["biz_opaque_callback_data"] = json!("v1.msg_1.1");
    for _ in 0..30 {
        stage.send(body.clone()).await;
    }
    until("all statuses", || gateway.statuses().len() == 90).await;
    let statuses = gateway.statuses();
    let with = statuses.iter().filter(|status| status["biz_opaque_callback_data"].is_string()).count();
    assert!((20..70).contains(&with), "{with} of 90");
}
