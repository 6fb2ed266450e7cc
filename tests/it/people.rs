//! People who do not want to be written to, and people with several names.

use std::time::Duration;

use domain::Clock;
use gateway_actors::SystemClock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::account::template;
use crate::support::api::{Api, text_message};
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

const ASHA: &str = "+255712000001";

async fn says(demo: &Demo, from: Option<&str>, user_id: Option<&str>, text: &str) {
    let inbound = json!({
        "phone_number_id": demo.ready.phone_number_id, "from": from, "user_id": user_id,
        "message": { "type": "text", "text": { "body": text } },
    });
    demo.sandbox().post("/control/inbound", &inbound).await.expect(200);
}

fn opt_out_of(demo: &Demo, phone: &str) -> String {
    format!("/v1/businesses/{}/opt-outs/{phone}", demo.ready.business_id)
}

async fn opted_out(demo: &Demo, phone: &str) -> Value {
    eventually("the opt-out is known", Duration::from_secs(20), || async {
        let answer = demo.api().get(&opt_out_of(demo, phone)).await;
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.text) }
    })
    .await
}

async fn opted_in(demo: &Demo, phone: &str) {
    eventually("the opt-out is lifted", Duration::from_secs(20), || async {
        let answer = demo.api().get(&opt_out_of(demo, phone)).await;
        if answer.status == 404 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}

fn of_priority(demo: &Demo, to: &str, priority: &str) -> Value {
    let mut message = text_message(&demo.ready.business_id, to, "Habari");
    message["priority"] = json!(priority);
    message
}

async fn refused(api: &Api, message: &Value) -> Value {
    let problem = api.post("/v1/messages", message).await.expect(409);
    assert_eq!(problem["code"], "opted_out", "{problem}");
    assert!(problem["errors"]["message.to"].is_array(), "{problem}");
    problem
}

#[actix_rt::test]
async fn who_is_opted_out_by_the_business_gets_nothing_until_it_is_lifted() {
    let demo = Demo::start().await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    api.post("/v1/endpoints", &json!({ "url": endpoint.url, "events": ["contact.updated"] }))
        .await
        .expect(201);
    let path = opt_out_of(&demo, "0712%20000%20001");
    let set = api.put(&path, &json!({})).await.expect(200);
    assert_eq!((&set["phone"], &set["scope"], &set["source"]), (&json!(ASHA), &json!("all"), &json!("api")));
    refused(&api, &of_priority(&demo, ASHA, "normal")).await;
    api.post("/v1/messages", &of_priority(&demo, ASHA, "otp")).await.expect(202);
    let list = api.get(&format!("/v1/businesses/{}/opt-outs", demo.ready.business_id)).await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");

    api.put(&path, &json!({ "scope": "marketing" })).await.expect(200);
    refused(&api, &of_priority(&demo, ASHA, "bulk")).await;
    api.post("/v1/messages", &of_priority(&demo, ASHA, "normal")).await.expect(202);

    api.call(Method::DELETE, &path, None).await.expect(204);
    api.get(&path).await.expect(404);
    api.post("/v1/messages", &of_priority(&demo, ASHA, "bulk")).await.expect(202);
    let told = eventually("every change is told", Duration::from_secs(20), || async {
        let told = endpoint.of_type("contact.updated");
        if told.len() >= 3 { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await;
    let scopes: Vec<_> = told.iter().map(|event| event.body["data"]["opt_out"]["scope"].clone()).collect();
    assert_eq!(scopes, [json!("all"), json!("marketing"), Value::Null]);
    assert_eq!(told[0].body["data"]["contact"]["phone"], ASHA);
}

#[actix_rt::test]
async fn a_word_is_enough_where_the_business_wants_it_and_survives_a_kill() {
    let mut demo = Demo::start().await;
    says(&demo, Some("255712000001"), None, "STOP").await;
    eventually("the word was heard", Duration::from_secs(20), || async {
        let events = demo.api().get("/v1/events?limit=50").await.expect(200).to_string();
        if events.contains("STOP") { Ok(()) } else { Err(events) }
    })
    .await;
    let business = format!("/v1/businesses/{}", demo.ready.business_id);
    let changed = demo.api().call(Method::PATCH, &business, Some(&json!({ "opt_out_keywords": true }))).await;
    assert_eq!(changed.expect(200)["opt_out_keywords"], true);
    says(&demo, Some("255712000002"), None, " Sitisha! ").await;
    let opt_out = opted_out(&demo, "+255712000002").await;
    assert_eq!((&opt_out["scope"], &opt_out["source"]), (&json!("all"), &json!("keyword")));
    demo.api().get(&opt_out_of(&demo, ASHA)).await.expect(404);

    // An answer may go inside the window that their word opened, and nothing else may.
    demo.api().post("/v1/messages", &of_priority(&demo, "+255712000002", "normal")).await.expect(202);
    refused(&demo.api(), &of_priority(&demo, "+255712000002", "bulk")).await;
    demo.kill_and_restart().await;
    refused(&demo.api(), &of_priority(&demo, "+255712000002", "bulk")).await;
    // The platform tells whole seconds, and of two wishes of one second the one that was heard first holds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    says(&demo, Some("255712000002"), None, "anza").await;
    opted_in(&demo, "+255712000002").await;
    demo.api().post("/v1/messages", &of_priority(&demo, "+255712000002", "bulk")).await.expect(202);
}

#[actix_rt::test]
async fn what_people_choose_in_whatsapp_is_about_marketing() {
    let demo = Demo::start().await;
    let choose = async |value: &str, at: i64| {
        let chosen = json!({ "messaging_product": "whatsapp",
            "metadata": { "phone_number_id": demo.ready.phone_number_id, "display_phone_number": "1" },
            "user_preferences": [{ "wa_id": "255712000001", "category": "marketing_messages", "detail": "x",
                "value": value, "timestamp": at }] });
        let change = json!({ "field": "user_preferences", "value": chosen,
            "phone_number_id": demo.ready.phone_number_id });
        demo.sandbox().post("/control/change", &change).await.expect(200);
    };
    let now = SystemClock.now().as_seconds();
    choose("stop", now - 100).await;
    let opt_out = opted_out(&demo, ASHA).await;
    assert_eq!((&opt_out["scope"], &opt_out["source"]), (&json!("marketing"), &json!("user_preference")));
    refused(&demo.api(), &of_priority(&demo, ASHA, "bulk")).await;
    choose("resume", now).await;
    opted_in(&demo, ASHA).await;
}

#[actix_rt::test]
async fn who_wants_no_marketing_gets_no_marketing_template_and_who_is_withheld_it_gets_it_later() {
    let demo = Demo::start().await;
    let api = demo.api();
    demo.has_template("offer", "MARKETING", "APPROVED").await;
    let offer = |to: &str| template(&demo.ready.business_id, to, "offer", &["Asha", "karibu"]);
    api.put(&opt_out_of(&demo, ASHA), &json!({ "scope": "marketing" })).await.expect(200);
    refused(&api, &offer(ASHA)).await;

    let juma = "+255712000002";
    let rule = json!({ "rules": [{ "match": { "path": "messages", "to": juma }, "times": 1,
        "do": { "error": { "code": 131_049 } } }] });
    demo.sandbox().put("/control/faults", &rule).await.expect(200);
    let id = api.post("/v1/messages", &offer(juma)).await.expect(202)["id"].as_str().unwrap().to_owned();
    api.message_reaches(&id, "failed").await;
    let answer = eventually("it is withheld", Duration::from_secs(20), || async {
        let answer = api.post("/v1/messages", &offer(juma)).await;
        if answer.status == 409 { Ok(answer) } else { Err(answer.text) }
    })
    .await;
    let problem = answer.expect(409);
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("recipient_capped"), &json!(true)));
    assert!(problem["retry_after"].as_u64().unwrap() > 86_000, "{problem}");
    api.post("/v1/messages", &of_priority(&demo, juma, "normal")).await.expect(202);
}

#[actix_rt::test]
async fn a_refusal_of_the_provider_for_marketing_is_an_opt_out() {
    let demo = Demo::start().await;
    let rule = json!({ "rules": [{ "match": { "path": "messages", "to": ASHA }, "times": 1,
        "do": { "error": { "code": 131_050 } } }] });
    demo.sandbox().put("/control/faults", &rule).await.expect(200);
    let id =
        demo.api().post("/v1/messages", &of_priority(&demo, ASHA, "normal")).await.expect(202)["id"].clone();
    let failed = demo.api().message_reaches(id.as_str().unwrap(), "failed").await;
    assert_eq!(failed["error"]["code"], 131_050, "{failed}");
    let opt_out = opted_out(&demo, ASHA).await;
    assert_eq!((&opt_out["scope"], &opt_out["source"]), (&json!("marketing"), &json!("provider")));
}

#[actix_rt::test]
async fn one_person_under_two_names_is_one_contact() {
    let demo = Demo::start().await;
    let api = demo.api();
    let user = "TZ.13491208655302741918";
    api.put(&opt_out_of(&demo, user), &json!({})).await.expect(200);
    api.post("/v1/messages", &of_priority(&demo, ASHA, "bulk")).await.expect(202);
    // Their message names both: the business did not know that they are the same.
    says(&demo, Some("255712000001"), Some(user), "Habari").await;
    let opt_out = opted_out(&demo, ASHA).await;
    assert_eq!((&opt_out["phone"], &opt_out["source"]), (&json!(ASHA), &json!("api")));
    refused(&api, &of_priority(&demo, ASHA, "bulk")).await;

    // A new number is told by a system message, a new id by a field of its own.
    let moved = json!({ "phone_number_id": demo.ready.phone_number_id, "from": "255712000001",
        "message": { "type": "system", "system": { "type": "user_changed_number", "wa_id": "255754000111", "body": "x" } } });
    demo.sandbox().post("/control/inbound", &moved).await.expect(200);
    opted_out(&demo, "+255754000111").await;
    let changed = json!({ "messaging_product": "whatsapp",
        "metadata": { "phone_number_id": demo.ready.phone_number_id, "display_phone_number": "1" },
        "user_id_update": [{ "detail": "x", "user_id": { "previous": user, "current": "TZ.2" }, "timestamp": SystemClock.now().as_seconds() }] });
    let change =
        json!({ "field": "user_id_update", "value": changed, "phone_number_id": demo.ready.phone_number_id });
    demo.sandbox().post("/control/change", &change).await.expect(200);
    let opt_out = opted_out(&demo, "TZ.2").await;
    assert_eq!(opt_out["phone"], ASHA, "known by the number that it was first known by");
    api.call(Method::DELETE, &opt_out_of(&demo, "TZ.2"), None).await.expect(204);
    opted_in(&demo, ASHA).await;
}
