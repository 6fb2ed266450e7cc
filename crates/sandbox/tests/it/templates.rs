use crate::support::*;
use reqwest::Method;
use sandbox::Config;
use serde_json::{Value, json};

fn of(names: &[&str]) -> Value {
    let template = |name: &&str| json!({"name": name, "language": "sw"});
    json!({"templates": names.iter().map(template).collect::<Vec<_>>()})
}

async fn set(stage: &Stage, templates: Value) {
    let path = format!("templates/{}", stage.business.waba_id);
    let (status, answer) = stage.control(Method::PUT, &path, templates).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn templates_are_listed_in_pages_with_the_fields_that_are_asked_for() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..5).map(|number| format!("order_{number}")).collect();
    set(&stage, of(&names.iter().map(String::as_str).collect::<Vec<_>>())).await;
    let list = format!("{}/message_templates", stage.business.waba_id);
    let mut found = Vec::new();
    let mut after = String::new();
    for page in 1..=3 {
        let (status, body) =
            stage.get(&format!("{list}?limit=2&fields=name,status,quality_score{after}")).await;
        assert_eq!(status, 200);
        for entry in body["data"].as_array().unwrap() {
            assert_eq!(
                (&entry["status"], &entry["quality_score"]["score"]),
                (&json!("APPROVED"), &json!("UNKNOWN"))
            );
            assert!(entry.get("components").is_none());
            found.push(entry["name"].as_str().unwrap().to_owned());
        }
        assert_eq!(body["paging"].get("next").is_some(), page < 3);
        after = format!("&after={}", body["paging"]["cursors"]["after"].as_str().unwrap());
    }
    assert_eq!(found, names);
    let (_, body) = stage.get(&format!("{list}?name=order_3")).await;
    assert_eq!(body["data"].as_array().unwrap().len(), 1);
    assert_eq!(body["data"][0]["components"][0]["type"], "BODY");
}

#[tokio::test]
async fn every_change_of_a_template_is_told_by_its_webhook() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    set(&stage, of(&["order"])).await;
    set(&stage, of(&["order"])).await;
    let changed = json!({"name": "order", "language": "sw", "status": "PAUSED", "quality": "RED",
        "category": "MARKETING", "components": [{"type": "BODY", "text": "Habari {{1}}"}]});
    set(&stage, json!({"templates": [changed]})).await;
    set(&stage, json!({"templates": [], "webhooks": false})).await;
    set(&stage, of(&["order"])).await;
    set(&stage, of(&[])).await;
    until("everything told", || gateway.values("message_template_status_update").len() == 4).await;
    let mut events: Vec<_> =
        gateway.values("message_template_status_update").iter().map(|value| value["event"].clone()).collect();
    events.sort_by_key(Value::to_string);
    assert_eq!(events, [json!("APPROVED"), json!("APPROVED"), json!("DELETED"), json!("PAUSED")]);
    assert_eq!(gateway.values("message_template_quality_update")[0]["new_quality_score"], "RED");
    assert_eq!(gateway.values("template_category_update")[0]["new_category"], "MARKETING");
    let components = &gateway.values("message_template_components_update")[0];
    assert_eq!(components["message_template_element"], "Habari {{1}}");
}

#[tokio::test]
async fn a_message_uses_a_template_that_is_there_approved_and_filled() {
    let stage = Stage::new().await;
    let send = async |name: &str, parameters: usize| {
        let parameters = vec![json!({"type": "text", "text": "x"}); parameters];
        let message = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "template", "template":
            {"name": name, "language": {"code": "sw"}, "components": [{"type": "body", "parameters": parameters}]}});
        error_code(&stage.send(message).await.1)
    };
    assert_eq!(send("anything", 3).await, 0, "as long as none were set");
    let body = json!([{"type": "BODY", "text": "Habari {{1}}"}]);
    let template = |name: &str, status: &str| json!({"name": name, "language": "sw", "status": status, "components": body});
    let templates = [
        template("good", "APPROVED"),
        template("paused", "PAUSED"),
        template("off", "DISABLED"),
        template("new", "PENDING"),
    ];
    set(&stage, json!({ "templates": templates })).await;
    let mut codes = Vec::new();
    for name in ["good", "paused", "off", "new", "anything"] {
        codes.push(send(name, 1).await);
    }
    assert_eq!(codes, [0, 132_015, 132_016, 132_001, 132_001]);
    assert_eq!(send("good", 2).await, 132_000);
}
