//! Templates: read from the platform, moved by its webhooks, and checked before a message is accepted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::Answer;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

const PATIENCE: Duration = Duration::from_secs(40);

fn order(status: &str) -> Value {
    json!({
        "name": "order_ready", "language": "sw", "status": status, "components": [
            { "type": "HEADER", "format": "IMAGE" },
            { "type": "BODY", "text": "Habari {{1}}, agizo {{2}} liko tayari." },
            { "type": "BUTTONS", "buttons": [{ "type": "URL", "text": "Fungua", "url": "https://example.com/{{1}}" }] },
        ],
    })
}

fn code() -> Value {
    json!({ "name": "login_code", "language": "sw", "category": "AUTHENTICATION", "components": [
        { "type": "BODY", "text": "*{{1}}*" } ] })
}

/// The template messages of one demo.
struct Stage {
    demo: Demo,
    waba_id: String,
}

impl Stage {
    async fn start() -> Self {
        let demo = Demo::start().await;
        let state = demo.sandbox().get("/control/state").await.expect(200);
        let wabas =
            state["businesses"].as_array().unwrap().iter().flat_map(|b| b["wabas"].as_array().unwrap());
        let is_ours = |waba: &&Value| {
            let numbers = waba["numbers"].as_array().unwrap();
            numbers.iter().any(|number| number["id"] == demo.ready.phone_number_id.as_str())
        };
        let waba_id = wabas.clone().find(is_ours).unwrap()["id"].as_str().unwrap().to_owned();
        Self { demo, waba_id }
    }

    async fn set(&self, templates: &[Value], webhooks: bool) {
        let path = format!("/control/templates/{}", self.waba_id);
        let body = json!({ "templates": templates, "webhooks": webhooks });
        self.demo.sandbox().put(&path, &body).await.expect(200);
    }

    async fn list(&self, rest: &str) -> Answer {
        let path = format!("/v1/connections/{}/templates{rest}", self.demo.ready.connection_id);
        self.demo.api().get(&path).await
    }

    /// Waits until the gateway knows the template to have this status, and answers what it knows.
    async fn knows(&self, name: &str, status: &str) -> Value {
        eventually(&format!("{name} is {status}"), PATIENCE, || async {
            let answer = self.list(&format!("/{name}")).await;
            let known = answer.status == 200
                && answer.json()["data"][0]["status"] == status
                && answer.json()["data"][0]["parameters"] != json!([]);
            if known { Ok(answer.json()["data"][0].clone()) } else { Err(answer.text) }
        })
        .await
    }

    async fn send(&self, to: &str, name: &str, components: Value) -> Answer {
        let template = json!({ "name": name, "language": { "code": "sw" }, "components": components });
        let message = json!({ "to": to, "type": "template", "template": template });
        let body = json!({ "business_id": self.demo.ready.business_id, "message": message });
        self.demo.api().post("/v1/messages", &body).await
    }

    async fn send_order(&self, components: Value) -> Answer {
        self.send("+255712345678", "order_ready", components).await
    }
}

fn header(kind: &str) -> Value {
    let mut parameter = json!({ "type": kind });
    parameter[kind] = json!({ "link": "https://example.com/a" });
    json!({ "type": "header", "parameters": [parameter] })
}

fn body(count: usize) -> Value {
    json!({ "type": "body", "parameters": vec![json!({ "type": "text", "text": "x" }); count] })
}

fn button() -> Value {
    json!({ "type": "button", "sub_type": "url", "index": 0, "parameters": [{ "type": "text", "text": "7" }] })
}

fn filled() -> Value {
    json!([header("image"), body(2), button()])
}

#[track_caller]
fn refused(answer: Answer, status: u16, code: &str, field: &str) {
    let problem = answer.expect(status);
    assert_eq!(problem["code"], code, "{problem}");
    assert!(problem["errors"][field].is_array(), "{problem}");
}

#[actix_rt::test]
async fn a_template_message_is_accepted_when_its_template_is_approved_and_filled() {
    let stage = Stage::start().await;
    stage.send_order(json!([])).await.expect(202);
    stage.set(&[order("APPROVED"), code()], true).await;
    let known = stage.knows("order_ready", "APPROVED").await;
    assert_eq!((&known["category"], &known["sends"]), (&json!("UTILITY"), &json!(true)));
    let components: Vec<_> =
        known["parameters"].as_array().unwrap().iter().map(|p| p["component"].as_str().unwrap()).collect();
    assert_eq!(components, ["header", "body", "buttons[0]"]);

    let accepted = stage.send_order(filled()).await.expect(202);
    stage.demo.api().message_reaches(accepted["id"].as_str().unwrap(), "read").await;
    for (components, named) in [
        (json!([header("image"), body(1), button()]), "body"),
        (json!([header("video"), body(2), button()]), "header"),
        (json!([header("image"), body(2)]), "buttons[0]"),
    ] {
        let field = format!("message.template.components[{named}]");
        refused(stage.send_order(components).await, 422, "template_param_mismatch", &field);
    }
    let missing = stage.send("+255712345678", "nothing", json!([])).await;
    refused(missing, 409, "template_not_approved", "message.template.name");
    stage.knows("login_code", "APPROVED").await;
    let hidden = stage.send("TZ.13491208655302741918", "login_code", json!([body(1)])).await;
    refused(hidden, 422, "validation_failed", "message.to");
}

#[actix_rt::test]
async fn a_template_that_is_paused_is_refused_from_its_webhook_on_and_told_to_endpoints() {
    let stage = Stage::start().await;
    let endpoint = Endpoint::start();
    let wanted = json!({ "url": endpoint.url, "events": ["template.status"] });
    stage.demo.api().post("/v1/endpoints", &wanted).await.expect(201);
    stage.set(&[order("APPROVED")], true).await;
    stage.knows("order_ready", "APPROVED").await;
    stage.set(&[order("PAUSED")], true).await;
    stage.knows("order_ready", "PAUSED").await;
    refused(stage.send_order(filled()).await, 409, "template_not_approved", "message.template.name");
    let told = eventually("both changes are told", PATIENCE, || async {
        let told = endpoint.of_type("template.status");
        if told.len() == 2 { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await;
    let events: Vec<_> = told.iter().map(|event| event.body["data"]["value"]["event"].clone()).collect();
    assert_eq!(events, ["APPROVED", "PAUSED"]);
}

#[actix_rt::test]
async fn a_template_that_the_platform_refuses_is_not_tried_again() {
    let stage = Stage::start().await;
    stage.set(&[order("APPROVED"), code()], true).await;
    stage.knows("order_ready", "APPROVED").await;
    stage.set(&[order("PAUSED"), code()], false).await;
    let accepted = stage.send_order(filled()).await.expect(202);
    let failed = stage.demo.api().message_reaches(accepted["id"].as_str().unwrap(), "failed").await;
    assert_eq!(failed["error"]["code"], 132_015, "{failed}");
    stage.knows("order_ready", "PAUSED").await;
    refused(stage.send_order(filled()).await, 409, "template_not_approved", "message.template.name");
}

#[actix_rt::test]
async fn templates_are_listed_in_pages_and_by_status() {
    let stage = Stage::start().await;
    let first = stage.list("").await.expect(200);
    assert_eq!(first["data"], json!([]));
    stage.set(&[order("APPROVED"), code(), order_in("en_US")], true).await;
    stage.knows("order_ready", "APPROVED").await;
    let all = eventually("everything is listed", PATIENCE, || async {
        let list = stage.list("").await.expect(200);
        if list["data"].as_array().unwrap().len() == 3 { Ok(list) } else { Err(list.to_string()) }
    })
    .await;
    assert!(all["synced_at"].is_string(), "{all}");
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = stage.list(&format!("?limit=1{after}")).await.expect(200);
        let entry = &page["data"][0];
        names.push(format!("{} {}", entry["name"].as_str().unwrap(), entry["language"].as_str().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["login_code sw", "order_ready en_US", "order_ready sw"]);
    assert_eq!(stage.list("?status=paused").await.expect(200)["data"], json!([]));
    assert_eq!(stage.list("/order_ready").await.expect(200)["data"].as_array().unwrap().len(), 2);
    stage.list("/nothing").await.expect(404);
}

fn order_in(language: &str) -> Value {
    let mut template = order("APPROVED");
    template["language"] = language.into();
    template
}
