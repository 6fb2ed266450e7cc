//! Wrong requests about people, replays and counters name the field and the remedy.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Answer;
use crate::support::demo::Demo;

fn names(answer: &Answer, field: &str) -> Value {
    assert_eq!(answer.status, 422, "{}", answer.text);
    let problem = answer.json();
    assert!(problem["errors"][field][0].is_string(), "{field} is not named: {problem}");
    problem
}

#[actix_rt::test]
async fn a_wrong_field_is_named_with_its_remedy() {
    let demo = Demo::start().await;
    let api = demo.api();
    let business = format!("/v1/businesses/{}", demo.ready.business_id);
    let message = "/v1/messages/msg_00000000000070008000000000000001";
    let nobody = api.get(&format!("{business}/opt-outs/12")).await;
    names(&nobody, "phone");
    for (method, path, body, field) in [
        (Method::PUT, format!("{business}/opt-outs/0712345678"), json!({ "scope": "some" }), "scope"),
        (Method::PUT, format!("{business}/opt-outs/0712345678"), json!({ "reason": "x" }), "reason"),
        (Method::PATCH, business.clone(), json!({ "opt_out_keywords": "yes" }), "opt_out_keywords"),
        (Method::PATCH, business.clone(), json!({ "id": "other" }), "id"),
        (
            Method::POST,
            "/v1/businesses".to_owned(),
            json!({ "id": "b", "opt_out_keywords": 1 }),
            "opt_out_keywords",
        ),
        (Method::POST, "/v1/messages/replay".to_owned(), json!({}), "business_id"),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "limit": 0 }),
            "limit",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "limit": 201 }),
            "limit",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "status": "sent" }),
            "status",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "from": "yesterday" }),
            "from",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "from": "2026-09-22T00:00:00Z", "to": "2026-09-21T00:00:00Z" }),
            "from",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "after": "42" }),
            "after",
        ),
        (
            Method::POST,
            "/v1/messages/replay".to_owned(),
            json!({ "business_id": "demo", "expires_at": "2001-01-01T00:00:00Z" }),
            "expires_at",
        ),
    ] {
        names(&api.call(method, &path, Some(&body)).await, field);
    }
    for (path, field) in [
        ("/v1/messages?from=yesterday", "from"),
        ("/v1/messages?to=1", "to"),
        ("/v1/messages?from=2026-09-22T00:00:00Z&to=2026-09-22T00:00:00Z", "from"),
        ("/v1/stats?group_by=week", "group_by"),
        ("/v1/stats?from=2026-01-01T00:00:00Z&to=2026-09-01T00:00:00Z", "from"),
        ("/v1/stats?from=2026-09-22T00:00:00Z&to=2026-09-21T00:00:00Z", "from"),
        ("/v1/stats?colour=red", "colour"),
    ] {
        names(&api.get(path).await, field);
    }
    api.post(&format!("{message}/replay"), &json!({})).await.expect(404);
    api.get("/v1/businesses/nobody/opt-outs").await.expect(404);
    api.get(&format!("/v1/connections/{}/windows/12", demo.ready.connection_id)).await.expect(422);
    api.get("/v1/connections/con_00000000000070008000000000000001/windows/0712345678").await.expect(404);
}

#[actix_rt::test]
async fn a_replay_names_what_it_does_not_take() {
    let demo = Demo::start().await;
    let api = demo.api();
    let fault = json!({ "rules": [{ "match": { "path": "messages" }, "times": 1, "do": { "error": { "code": 131_008 } } }] });
    demo.sandbox().put("/control/faults", &fault).await.expect(200);
    let message = crate::support::api::text_message(&demo.ready.business_id, "+255712000001", "x");
    let id = api.post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    api.message_reaches(&id, "failed").await;
    let path = format!("/v1/messages/{id}/replay");
    for (body, field) in [
        (json!({ "expires_at": "2001-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "priority": "urgent" }), "priority"),
        (json!({ "accept_duplicate": "yes" }), "accept_duplicate"),
        (json!({ "to": "+255712000002" }), "to"),
    ] {
        names(&api.post(&path, &body).await, field);
    }
    let request = api.request(Method::POST, &path).header("content-type", "application/json").body("{");
    api.send(request).await.unwrap().expect(400);
}
