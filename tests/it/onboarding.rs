//! What may not happen on the way to a connection, whatever a browser sends.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::demo::Demo;
use crate::support::owner::{Owner, path};

async fn session(demo: &Demo, owner: &Owner) -> Value {
    demo.api().get(&format!("/v1/onboarding-sessions/{}", owner.session_id)).await.expect(200)
}

#[actix_rt::test]
async fn an_owner_connects_and_sends_a_first_message() {
    let demo = Demo::start().await;
    let mut owner = Owner::invited(&demo, "duka-jipya").await;
    let answer = owner.connects().await.expect(200);
    assert_eq!(answer["status"], "connected", "{answer}");
    let message = crate::support::api::text_message("duka-jipya", "0712345678", "Tumefungua!");
    let id = demo.api().post("/v1/messages", &message).await.expect(202)["id"].as_str().unwrap().to_owned();
    demo.api().message_reaches(&id, "read").await;
}

#[actix_rt::test]
async fn a_forged_state_is_403_and_a_used_one_410_and_neither_stores_anything() {
    let demo = Demo::start().await;
    let mut owner = Owner::invited(&demo, "duka-a").await;
    let state = owner.begins().await;
    let (code, _) = owner.allows(&json!({})).await;
    let forged = owner.returns(&json!({ "state": "forged".repeat(8), "code": code })).await;
    assert_eq!(forged.status, 403, "{}", forged.text);
    assert_eq!(session(&demo, &owner).await["status"], "authorizing");

    let mut stranger = Owner::invited(&demo, "duka-b").await;
    stranger.begins().await;
    let stolen = stranger.returns(&json!({ "state": state, "code": code })).await;
    assert_eq!(stolen.status, 403, "another browser's state: {}", stolen.text);

    owner.returns(&json!({ "state": state, "code": code })).await.expect(200);
    let (second, _) = owner.allows(&json!({})).await;
    let used = owner.returns(&json!({ "state": state, "code": second })).await;
    assert_eq!(used.status, 410, "{}", used.text);
    let connections = demo.api().get("/v1/connections?business_id=duka-a").await.expect(200);
    assert_eq!(connections["data"].as_array().unwrap().len(), 1, "{connections}");
    let none = demo.api().get("/v1/connections?business_id=duka-b").await.expect(200);
    assert_eq!(none["data"].as_array().unwrap().len(), 0, "{none}");
}

#[actix_rt::test]
async fn an_expired_session_is_410() {
    let demo = Demo::start_with(&[("GATEWAY__ONBOARDING__SESSION_LIFETIME_S", "2")]).await;
    let mut owner = Owner::invited(&demo, "duka-c").await;
    let state = owner.begins().await;
    let (code, _) = owner.allows(&json!({})).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let late = owner.returns(&json!({ "state": state, "code": code })).await;
    assert_eq!(late.status, 410, "{}", late.text);
    assert_eq!(session(&demo, &owner).await["status"], "expired");
}

#[actix_rt::test]
async fn a_link_belongs_to_the_first_browser_that_opens_it() {
    let demo = Demo::start().await;
    let owner = Owner::invited(&demo, "duka-d").await;
    let other = Api::new(&demo.ready.gateway, "");
    let second = other.get(path(&owner.link)).await;
    assert_eq!(second.status, 403, "{}", second.text);
    let again = other.request(Method::GET, path(&owner.link)).header("cookie", &owner.cookie);
    assert_eq!(other.send(again).await.unwrap().status, 303, "the same browser comes back");
}

#[actix_rt::test]
async fn ids_from_the_browser_are_hints_that_the_token_has_to_confirm() {
    let demo = Demo::start().await;
    let mut owner = Owner::invited(&demo, "duka-e").await;
    let state = owner.begins().await;
    let (code, _) = owner.allows(&json!({})).await;
    let lie = json!({ "state": state, "code": code, "waba_id": "424242424242", "phone_number_id": demo.ready.phone_number_id });
    owner.returns(&lie).await;
    let listed = demo.api().get("/v1/connections?business_id=duka-e").await.expect(200);
    assert!(
        !listed.to_string().contains(&demo.ready.phone_number_id),
        "a foreign number was taken: {listed}"
    );
    let still = demo.api().get(&format!("/v1/connections/{}", demo.ready.connection_id)).await.expect(200);
    assert_eq!(still["status"], "connected", "the demo's own number is untouched");
}

#[actix_rt::test]
async fn pages_carry_the_headers_that_protect_them() {
    let demo = Demo::start().await;
    let mut owner = Owner::invited(&demo, "duka-f").await;
    owner.begins().await;
    let page = &owner.read[1];
    for header in ["content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"] {
        assert!(page.contains(header), "{header} is missing: {page}");
    }
    assert!(page.contains("frame-ancestors 'none'"));
    assert!(!page.contains("unsafe-inline") && !page.contains("unsafe-eval"));
}
