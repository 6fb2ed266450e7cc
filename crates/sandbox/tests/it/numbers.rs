use crate::support::*;
use reqwest::Method;
use serde_json::json;

/// A freshly signed up customer: token, WABA id, number id.
async fn customer(stage: &Stage, choice: serde_json::Value) -> (String, String, String) {
    let (code, ids) = stage.sign_up(choice).await;
    let (_, body) = stage.exchange(&code).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&body["access_token"]), text(&ids["waba_id"]), text(&ids["phone_number_id"]))
}

#[tokio::test]
async fn the_first_pin_is_kept_and_another_one_refused() {
    let stage = Stage::new().await;
    let (token, _, number) = customer(&stage, json!({})).await;
    let register = async |pin: &str| {
        let body = json!({"messaging_product": "whatsapp", "pin": pin});
        let (_, answer) =
            read(stage.graph_call_as(Method::POST, &format!("{number}/register"), &token).json(&body)).await;
        error_code(&answer)
    };
    assert_eq!(register("12345").await, 100);
    assert_eq!(register("123456").await, 0);
    assert_eq!(register("654321").await, 133_005);
    assert_eq!(register("123456").await, 0);

    let fields = "?fields=status,platform_type,throughput,is_pin_enabled,code_verification_status";
    let (_, body) = read(stage.graph_call_as(Method::GET, &format!("{number}{fields}"), &token)).await;
    assert_eq!((&body["status"], &body["platform_type"]), (&json!("CONNECTED"), &json!("CLOUD_API")));
    assert_eq!(body["throughput"], json!({"level": "STANDARD"}));
    assert_eq!(body["is_pin_enabled"], true);
}

#[tokio::test]
async fn the_eleventh_registration_within_three_days_is_refused() {
    let stage = Stage::new().await;
    let path = format!("{}/register", stage.business.phone_number_id);
    let body = json!({"messaging_product": "whatsapp", "pin": stage.business.pin});
    for _ in 0..10 {
        assert_eq!(stage.graph(Method::POST, &path, body.clone()).await.0, 200);
    }
    assert_eq!(error_code(&stage.graph(Method::POST, &path, body.clone()).await.1), 133_016);
    stage.advance(72 * 3600 + 1).await;
    assert_eq!(stage.graph(Method::POST, &path, body).await.0, 200);
}

#[tokio::test]
async fn an_unverified_number_is_verified_by_code_and_then_registered() {
    let stage = Stage::new().await;
    let (token, _, number) = customer(&stage, json!({"phone_number_id": "new_unverified"})).await;
    let post = async |edge: &str, body: serde_json::Value| {
        read(stage.graph_call_as(Method::POST, &format!("{number}/{edge}"), &token).json(&body)).await.1
    };
    let register = json!({"messaging_product": "whatsapp", "pin": "123456"});
    assert_eq!(error_code(&post("register", register.clone()).await), 133_006);
    assert_eq!(
        post("request_code", json!({"code_method": "SMS", "language": "en"})).await,
        json!({"success": true})
    );
    assert_eq!(error_code(&post("verify_code", json!({"code": "x"})).await), 136_025);

    let (_, shown) = read(stage.client.get(format!("{}/state", stage.sandbox.control_url()))).await;
    let numbers = shown["businesses"].as_array().unwrap().iter().flat_map(|business| {
        business["wabas"].as_array().unwrap().iter().flat_map(|waba| waba["numbers"].as_array().unwrap())
    });
    let code =
        numbers.clone().find(|known| known["id"] == number).unwrap()["code"].as_str().unwrap().to_owned();
    let dashed = format!("{}-{}", &code[..3], &code[3..]);
    assert_eq!(post("verify_code", json!({"code": dashed})).await, json!({"success": true}));
    assert_eq!(post("register", register).await, json!({"success": true}));
}

#[tokio::test]
async fn a_number_in_the_business_app_is_not_registered_here() {
    let stage = Stage::new().await;
    let number = &stage.business.phone_number_id;
    stage.control(Method::PATCH, &format!("numbers/{number}"), json!({"is_on_biz_app": true})).await;
    let body = json!({"messaging_product": "whatsapp", "pin": "123456"});
    assert_eq!(error_code(&stage.graph(Method::POST, &format!("{number}/register"), body).await.1), 100);
    assert_eq!(
        error_code(&stage.graph(Method::POST, &format!("{number}/deregister"), json!({})).await.1),
        100
    );
}

#[tokio::test]
async fn numbers_are_listed_in_pages() {
    let stage = Stage::new().await;
    let waba = &stage.business.waba_id;
    for index in 0..4 {
        let body = json!({"cc": "255", "phone_number": format!("71300000{index}"), "verified_name": "More"});
        assert_eq!(stage.graph(Method::POST, &format!("{waba}/phone_numbers"), body).await.0, 200);
    }
    let mut seen = Vec::new();
    let mut path = format!("{waba}/phone_numbers?fields=id,status&limit=2");
    loop {
        let (status, page) = stage.get(&path).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(
            page["data"].as_array().unwrap().iter().map(|number| number["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["paging"]["next"].as_str() else { break };
        path = next.split_once("/v25.0/").unwrap().1.to_owned();
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[0], stage.business.phone_number_id, "the one that was onboarded comes first");
    assert_eq!(error_code(&stage.get(&format!("{waba}/phone_numbers?after=xx")).await.1), 131_059);
}

#[tokio::test]
async fn only_fields_that_exist_can_be_read() {
    let stage = Stage::new().await;
    let (status, body) = stage.get(&stage.business.waba_id).await;
    assert_eq!((status, &body["id"]), (200, &json!(stage.business.waba_id)));
    assert!(body.get("country").is_none());
    let (_, body) =
        stage.get(&format!("{}?fields=country,owner_business_info{{id}}", stage.business.waba_id)).await;
    assert_eq!(body["owner_business_info"]["id"], stage.business.business_id);
    assert_eq!(error_code(&stage.get(&format!("{}?fields=nonsense", stage.business.waba_id)).await.1), 100);
    let (_, me) = stage.get("me?fields=client_business_id").await;
    assert_eq!(me["client_business_id"], stage.business.business_id);
}

#[tokio::test]
async fn each_connected_business_is_its_own() {
    let stage = Stage::new().await;
    let (again, other) =
        (stage.sandbox.seed_connected(0).await.unwrap(), stage.sandbox.seed_connected(1).await.unwrap());
    assert_eq!(again.access_token, stage.business.access_token);
    assert_ne!(other.access_token, stage.business.access_token);
    assert_ne!(other.phone_number_id, stage.business.phone_number_id);
}
