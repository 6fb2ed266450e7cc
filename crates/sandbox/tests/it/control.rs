use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn mistakes_are_answered_with_the_member_they_are_in() {
    let stage = Stage::new().await;
    let number = &stage.business.phone_number_id;
    let message = json!({"type": "text", "text": {"body": "x"}});
    for (method, path, body, status, field) in [
        (
            Method::POST,
            "inbound",
            json!({"from": "255712345678", "message": message}),
            422,
            "phone_number_id",
        ),
        (
            Method::POST,
            "inbound",
            json!({"phone_number_id": "1", "from": "255712345678", "message": message}),
            404,
            "phone_number_id",
        ),
        (
            Method::POST,
            "inbound",
            json!({"phone_number_id": number, "from": null, "message": message}),
            422,
            "from",
        ),
        (Method::PUT, "faults", json!({"rules": [{"do": {"cut": "twice"}}]}), 422, "rules[0].do.cut"),
        (Method::PUT, "faults", json!({"webhooks": {"drop": "often"}}), 422, "webhooks.drop"),
        (Method::PUT, "app", json!({"callback_url": "gateway"}), 422, "callback_url"),
        (Method::POST, "clock", json!({"advance_s": -5}), 422, "advance_s"),
        (Method::PUT, "limits", json!({"pair": {"seconds": 6}}), 422, "pair.burst"),
    ] {
        let (got, problem) = stage.control(method, path, body.clone()).await;
        assert_eq!((got, &problem["error"]["field"]), (status, &json!(field)), "{body}");
        assert!(problem["error"]["message"].as_str().unwrap().contains(field), "{problem}");
    }
    let url = format!("{}/faults", stage.sandbox.control_url());
    let (status, problem) = read(stage.client.put(url).body("{not json")).await;
    assert_eq!(status, 400, "{problem}");
}

#[tokio::test]
async fn reset_forgets_messages_and_faults_and_keeps_the_accounts() {
    let stage = Stage::new().await;
    stage.send_text(CUSTOMER).await;
    stage.set_faults(json!({"rules": [{"times": null, "do": {"status": 500}}]})).await;
    let url = format!("{}/reset", stage.sandbox.control_url());
    assert_eq!(stage.client.post(url).send().await.unwrap().status(), 204);
    assert_eq!(stage.sent("").await, json!({"data": [], "next": null}));
    stage.send_text(CUSTOMER).await;
    assert_eq!(stage.sent("").await["data"][0]["seq"], 2, "numbers are not used twice");
}

#[tokio::test]
async fn a_page_of_another_site_may_not_use_it() {
    let stage = Stage::new().await;
    let url = format!("{}/reset", stage.sandbox.control_url());
    for (origin, status) in [("https://evil.example", 403), ("http://127.0.0.1:8080", 204)] {
        let answer = stage.client.post(&url).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn the_state_shows_accounts_and_no_tokens() {
    let stage = Stage::new().await;
    let answer = stage.client.get(format!("{}/state", stage.sandbox.control_url())).send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("Duka la Asha") && text.contains(&stage.business.waba_id));
    assert!(!text.contains(stage.business.access_token.expose()));
    assert!(!text.contains(stage.sandbox.app().secret.expose()));
    let printed = format!("{:?} {:?}", stage.sandbox, stage.business);
    assert!(!printed.contains(stage.business.access_token.expose()));
}

#[tokio::test]
async fn businesses_can_be_added_and_limits_changed() {
    let stage = Stage::new().await;
    let body = json!({"name": "Kariakoo", "numbers": [{"display_phone_number": "+255 715 000 001"}]});
    let (status, made) = stage.control(Method::POST, "businesses", body).await;
    assert_eq!(status, 200, "{made}");
    let number = &made["phone_number_ids"][0];
    let (_, ids) = stage.sign_up(json!({"waba_id": made["waba_id"], "phone_number_id": number})).await;
    assert_eq!(&ids["phone_number_id"], number);

    let (_, limits) = stage.control(Method::PUT, "limits", json!({"throughput_per_s": 5})).await;
    assert_eq!(limits, json!({"throughput_per_s": 5, "pair": Value::Null, "service_window": false}));
    let mut refused = 0;
    for _ in 0..8 {
        refused += u32::from(stage.send(text(CUSTOMER)).await.0 != 200);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn many_connected_businesses_are_made_at_once_and_stay_as_they_are() {
    let stage = Stage::new().await;
    let numbers = async |body| stage.control(Method::POST, "numbers", body).await;
    let (status, made) = numbers(json!({"count": 3})).await;
    assert_eq!(status, 200, "{made}");
    let first = &made["data"][0];
    assert_eq!(first["phone_number_id"], stage.business.phone_number_id);
    assert_eq!(first["access_token"], stage.business.access_token.expose());
    let (_, more) = numbers(json!({"first": 2, "count": 2})).await;
    assert_eq!(more["data"][0], made["data"][2]);
    let last = &more["data"][1];
    let path = format!("{}/messages", last["phone_number_id"].as_str().unwrap());
    let token = last["access_token"].as_str().unwrap();
    let send = stage.graph_call_as(Method::POST, &path, token).json(&text(CUSTOMER));
    assert_eq!(read(send).await.0, 200);
    for wrong in [json!({}), json!({"count": 0}), json!({"count": 10_001}), json!({"count": 1, "first": -1})]
    {
        assert_eq!(numbers(wrong.clone()).await.0, 422, "{wrong}");
    }
}

#[tokio::test]
async fn outside_the_service_window_only_templates_arrive() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(&stage.sandbox, 0);
    stage.sandbox.set_callback_url(&gateway.url).await.unwrap();
    stage.control(Method::PUT, "limits", json!({"service_window": true})).await;
    let id = stage.send_text(CUSTOMER).await;
    until("the refusal", || gateway.statuses_of(&id) == ["failed"]).await;
    assert_eq!(gateway.statuses()[0]["errors"][0]["code"], 131_047);

    let template = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "template",
        "template": {"name": "order_ready", "language": {"code": "sw"}}});
    let (_, answer) = stage.send(template).await;
    let id = answer["messages"][0]["id"].as_str().unwrap();
    until("the template", || gateway.statuses_of(id).len() == 3).await;

    let inbound = json!({"phone_number_id": stage.business.phone_number_id, "from": "255712345678",
        "message": {"type": "text", "text": {"body": "Habari"}}});
    stage.control(Method::POST, "inbound", inbound).await;
    let id = stage.send_text(CUSTOMER).await;
    until("the answer", || gateway.statuses_of(&id).len() == 3).await;
}
