//! What the Graph door passes on to Meta: profile, block list, QR codes, numbers and templates.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::demo::Demo;
use crate::support::eventually;
use crate::support::owner::Owner;

async fn waba(demo: &Demo) -> String {
    let connection =
        demo.api().get(&format!("/v1/connections/{}", demo.ready.connection_id)).await.expect(200);
    connection["waba_id"].as_str().expect("an account").to_owned()
}

#[actix_rt::test]
async fn a_profile_is_written_and_read_and_a_wrong_one_has_metas_own_words() {
    let demo = Demo::start().await;
    let (api, path) =
        (demo.api(), format!("/v25.0/{}/whatsapp_business_profile", demo.ready.phone_number_id));
    let profile = json!({ "messaging_product": "whatsapp", "about": "Duka la vitenge", "websites": ["https://duka.example"] });
    assert_eq!(api.post(&path, &profile).await.expect(200), json!({ "success": true }));
    let read = api.get(&format!("{path}?fields=about,websites")).await.expect(200);
    assert_eq!(read["data"], json!([profile]));

    let long = json!({ "messaging_product": "whatsapp", "about": "x".repeat(140) });
    let error = api.post(&path, &long).await.expect(400)["error"].clone();
    assert_eq!((error["code"].as_i64(), error["type"].as_str()), (Some(100), Some("OAuthException")));
    assert!(error["message"].as_str().unwrap().contains("139"), "{error}");
}

#[actix_rt::test]
async fn people_are_blocked_and_codes_made_and_taken_away() {
    let demo = Demo::start().await;
    let (api, number) = (demo.api(), format!("/v25.0/{}", demo.ready.phone_number_id));
    let block = json!({ "messaging_product": "whatsapp", "block_users": [{ "user": "+255754000111" }] });
    let blocks = format!("{number}/block_users");
    let added = api.post(&blocks, &block).await.expect(200);
    assert_eq!(added["block_users"]["added_users"][0]["wa_id"], "255754000111");
    assert_eq!(api.get(&blocks).await.expect(200)["data"][0]["wa_id"], "255754000111");
    api.call(Method::DELETE, &blocks, Some(&block)).await.expect(200);
    assert_eq!(api.get(&blocks).await.expect(200)["data"], json!([]));

    let codes = format!("{number}/message_qrdls");
    let made = api.post(&codes, &json!({ "prefilled_message": "Habari" })).await.expect(200);
    let code = made["code"].as_str().expect("a code");
    assert_eq!(api.get(&codes).await.expect(200)["data"][0]["prefilled_message"], "Habari");
    api.call(Method::DELETE, &format!("{codes}/{code}"), None).await.expect(200);
    assert_eq!(api.get(&codes).await.expect(200)["data"], json!([]));
}

#[actix_rt::test]
async fn a_number_is_read_and_renamed_and_cannot_be_taken_away() {
    let demo = Demo::start().await;
    let (api, number) = (demo.api(), format!("/v25.0/{}", demo.ready.phone_number_id));
    let fields = api.get(&format!("{number}?fields=id,health_status,throughput")).await.expect(200);
    assert_eq!(fields["health_status"]["can_send_message"], "AVAILABLE");
    api.post(&number, &json!({ "new_display_name": "Duka Jipya" })).await.expect(200);
    assert_eq!(api.get(&number).await.expect(200)["verified_name"], "Duka Jipya");

    let away = json!({ "webhook_configuration": { "override_callback_uri": "https://elsewhere.example" } });
    let error = api.post(&number, &away).await.expect(400)["error"].clone();
    assert_eq!(error["error_data"]["rules"], json!({ "webhook_configuration": ["unsupported"] }));
    for edge in ["register", "deregister", "subscribed_apps"] {
        api.post(&format!("{number}/{edge}"), &json!({ "pin": "123456" })).await.expect(400);
    }
    let numbers = api.get(&format!("/v25.0/{}/phone_numbers", waba(&demo).await)).await.expect(200);
    assert_eq!(numbers["data"][0]["id"], demo.ready.phone_number_id.as_str());
}

#[actix_rt::test]
async fn templates_are_made_listed_in_pages_used_and_deleted() {
    let demo = Demo::start().await;
    let (api, waba) = (demo.api(), waba(&demo).await);
    let templates = format!("/v25.0/{waba}/message_templates");
    for name in ["oda_imefika", "karibu", "risiti"] {
        let body = json!([{ "type": "BODY", "text": "Habari {{1}}, asante." }]);
        let template = json!({ "name": name, "language": "sw", "category": "UTILITY", "components": body });
        let made = api.post(&templates, &template).await.expect(200);
        assert_eq!(made["status"], "PENDING");
    }
    // Page after page, by the links of the answers.
    let (mut names, mut next) = (Vec::new(), format!("{templates}?fields=name&limit=2"));
    loop {
        let page: Value = api.get(&next).await.expect(200);
        names.extend(
            page["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()),
        );
        let Some(link) = page["paging"]["next"].as_str() else { break };
        assert!(!link.contains("access_token"), "{link}");
        next = link.strip_prefix(&api.base).unwrap_or_else(|| panic!("{link} leads elsewhere")).to_owned();
    }
    assert!(
        ["oda_imefika", "karibu", "risiti"].iter().all(|name| names.iter().any(|known| known == name)),
        "{names:?}"
    );

    // The registry hears of it, and knows what it takes.
    let known = format!("/v1/connections/{}/templates/karibu", demo.ready.connection_id);
    eventually("the registry knows the template", Duration::from_secs(30), || async {
        let answer = api.get(&known).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text) }
    })
    .await;
    let message = |parameters: Value| {
        json!({
            "to": "255712345678", "type": "template",
            "template": { "name": "karibu", "language": { "code": "sw" }, "components": [{ "type": "body", "parameters": parameters }] },
        })
    };
    let messages = format!("/v25.0/{}/messages?wait=sent", demo.ready.phone_number_id);
    let few = api.post(&messages, &message(json!([]))).await.expect(400);
    assert_eq!(few["error"]["code"], 132_000, "{few}");
    api.post(&messages, &message(json!([{ "type": "text", "text": "Asha" }]))).await.expect(200);

    let listed = api.get(&format!("{templates}?name=karibu")).await.expect(200);
    let one = format!("/v25.0/{}", listed["data"][0]["id"].as_str().expect("an id"));
    let edited = json!({ "components": [{ "type": "BODY", "text": "Karibu tena, {{1}}." }] });
    assert_eq!(api.post(&one, &edited).await.expect(200), json!({ "success": true }));
    let read = api.get(&format!("{one}?fields=name,components")).await.expect(200);
    assert_eq!(read["components"][0]["text"], "Karibu tena, {{1}}.");

    let deleted = api.call(Method::DELETE, &format!("{templates}?name=karibu"), None).await;
    assert_eq!(deleted.expect(200), json!({ "success": true }));
    let left = api.get(&format!("{templates}?name=karibu")).await.expect(200);
    assert_eq!(left["data"], json!([]));
}

#[actix_rt::test]
async fn who_shares_an_account_sees_its_own_number_and_changes_nothing_for_the_others() {
    let demo = Demo::start().await;
    let (api, waba) = (demo.api(), waba(&demo).await);
    api.post("/v1/businesses", &json!({ "id": "jirani", "name": "Jirani", "country": "TZ" }))
        .await
        .expect(201);
    Owner::invited(&demo, "jirani").await.connects_with(&json!({ "waba_id": waba })).await;
    let number = eventually("the neighbour is connected", Duration::from_secs(30), || async {
        let listed = api.get("/v1/connections?business_id=jirani").await.expect(200);
        let number = listed["data"][0]["phone_number_id"].as_str().map(str::to_owned);
        number.ok_or_else(|| listed.to_string())
    })
    .await;
    let printed = demo.command(&["api-key", "new", "--account", "demo", "--business", "jirani"]).await;
    let key = printed.split_whitespace().find(|word| word.starts_with("gw_")).expect("the key is printed");
    let neighbour = api.with_key(key);

    let numbers = neighbour.get(&format!("/v25.0/{waba}/phone_numbers")).await.expect(200);
    let ids: Vec<_> =
        numbers["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [number.as_str()]);
    neighbour.get(&format!("/v25.0/{waba}/message_templates")).await.expect(200);
    let body = json!([{ "type": "BODY", "text": "Habari" }]);
    let template = json!({ "name": "yangu", "language": "sw", "category": "UTILITY", "components": body });
    for (method, path, body) in [
        (Method::POST, format!("/v25.0/{waba}/message_templates"), Some(&template)),
        (Method::DELETE, format!("/v25.0/{waba}/message_templates?name=hello_world"), None),
        (Method::GET, format!("/v25.0/{waba}?fields=phone_numbers"), None),
    ] {
        let refused = neighbour.call(method.clone(), &path, body).await.expect(403);
        assert_eq!(refused["error"]["code"], 10, "{method} {path}");
    }
    for fields in ["fields=phone_numbers%7Bid%7D", "fields=id&fields=phone_numbers%7Bid%7D"] {
        let nested = api.get(&format!("/v25.0/{waba}?{fields}")).await.expect(400);
        assert_eq!(nested["error"]["error_data"]["rules"], json!({ "fields": ["unsupported"] }), "{fields}");
    }
    api.post(&format!("/v25.0/{waba}/message_templates"), &template).await.expect(200);
}
