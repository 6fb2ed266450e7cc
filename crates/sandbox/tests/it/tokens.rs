use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

const DAY: u32 = 86_400;

#[tokio::test]
async fn a_code_buys_one_token() {
    let stage = Stage::new().await;
    let (code, ids) = stage.sign_up(json!({})).await;
    let (status, body) = stage.exchange(&code).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 60 * DAY);
    let (_, again) = stage.exchange(&code).await;
    assert_eq!((error_code(&again), &again["error"]["error_subcode"]), (100, &json!(36_009)));

    let token = body["access_token"].as_str().unwrap();
    let waba = ids["waba_id"].as_str().unwrap();
    let (status, numbers) =
        read(stage.graph_call_as(Method::GET, &format!("{waba}/phone_numbers"), token)).await;
    assert_eq!((status, &numbers["data"][0]["id"]), (200, &ids["phone_number_id"]));
}

#[tokio::test]
async fn a_code_lives_thirty_seconds() {
    let stage = Stage::new().await;
    let (young, _) = stage.sign_up(json!({})).await;
    stage.advance(28).await;
    assert_eq!(stage.exchange(&young).await.0, 200);
    let (old, _) = stage.sign_up(json!({})).await;
    stage.advance(31).await;
    let (status, body) = stage.exchange(&old).await;
    assert_eq!((status, error_code(&body), &body["error"]["error_subcode"]), (400, 100, &json!(36_007)));
}

#[tokio::test]
async fn the_exchange_is_particular_about_app_and_redirect() {
    let stage = Stage::new().await;
    let app = stage.sandbox.app();
    let url = format!("{}/v25.0/oauth/access_token", stage.sandbox.graph_url());
    let (code, _) = stage.sign_up(json!({"redirect_uri": "http://127.0.0.1/back"})).await;
    let ask = async |secret: &str, redirect: &str| {
        let form = [
            ("client_id", app.id.as_str()),
            ("client_secret", secret),
            ("code", &code),
            ("redirect_uri", redirect),
        ];
        read(stage.client.post(&url).form(&form)).await
    };
    assert_eq!(error_code(&ask("wrong", "http://127.0.0.1/back").await.1), 1);
    let (_, body) = ask(app.secret.expose(), "http://127.0.0.1/other").await;
    assert_eq!(body["error"]["error_subcode"], 36_008);
    assert_eq!(ask(app.secret.expose(), "http://127.0.0.1/back").await.0, 200);
}

async fn debug(stage: &Stage, token: &str) -> Value {
    let app = stage.sandbox.app();
    let by = format!("{}|{}", app.id, app.secret.expose());
    let url = format!("{}/v25.0/debug_token", stage.sandbox.graph_url());
    let (status, body) =
        read(stage.client.get(url).query(&[("input_token", token), ("access_token", &by)])).await;
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

#[tokio::test]
async fn a_token_can_be_looked_at() {
    let stage = Stage::new().await;
    let data = debug(&stage, stage.business.access_token.expose()).await;
    assert_eq!((&data["is_valid"], &data["expires_at"]), (&json!(true), &json!(0)));
    assert_eq!(data["app_id"], stage.sandbox.app().id);
    assert_eq!(data["granular_scopes"][1]["target_ids"], json!([stage.business.waba_id]));
    assert_eq!(debug(&stage, "EAAnonsense").await["is_valid"], false);

    let (code, _) = stage.sign_up(json!({"scenario": "no_targets"})).await;
    let (_, body) = stage.exchange(&code).await;
    let data = debug(&stage, body["access_token"].as_str().unwrap()).await;
    assert!(data["granular_scopes"][0].get("target_ids").is_none());
}

#[tokio::test]
async fn a_token_is_prolonged_before_its_end_and_not_after() {
    let stage = Stage::new().await;
    let (code, _) = stage.sign_up(json!({})).await;
    let (_, body) = stage.exchange(&code).await;
    let old = body["access_token"].as_str().unwrap();
    let app = stage.sandbox.app();
    let refresh = async |token: &str| {
        let url = format!("{}/v25.0/oauth/access_token", stage.sandbox.graph_url());
        let query = [
            ("grant_type", "fb_exchange_token"),
            ("client_id", &app.id),
            ("client_secret", app.secret.expose()),
            ("set_token_expires_in_60_days", "true"),
            ("fb_exchange_token", token),
        ];
        read(stage.client.get(url).query(&query)).await
    };
    stage.advance(30 * DAY).await;
    let (status, body) = refresh(old).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(60 * DAY)));
    assert_eq!(debug(&stage, old).await["is_valid"], true);
    stage.advance(31 * DAY).await;
    let (status, refused) = refresh(old).await;
    assert_eq!((status, error_code(&refused), &refused["error"]["error_subcode"]), (401, 190, &json!(463)));
    assert_eq!(debug(&stage, old).await["error"]["subcode"], 463);
    assert_eq!(debug(&stage, body["access_token"].as_str().unwrap()).await["is_valid"], true);
}

#[tokio::test]
async fn a_token_dies_silently_in_several_ways() {
    let stage = Stage::new().await;
    let waba = stage.business.waba_id.clone();
    for (action, status, code, subcode) in [
        ("uninstall", 401, 190, json!(458)),
        ("revive", 200, 0, Value::Null),
        ("invalidate", 401, 190, json!(467)),
        ("revive", 200, 0, Value::Null),
        ("expire", 401, 190, json!(463)),
        ("revive", 200, 0, Value::Null),
        ("revoke", 401, 190, Value::Null),
        ("revive", 200, 0, Value::Null),
        ("forbid", 403, 10, Value::Null),
        ("unshare", 400, 100, json!(33)),
    ] {
        assert_eq!(stage.control(Method::POST, &format!("tokens/{waba}/{action}"), json!({})).await.0, 200);
        let (got, body) = stage.send(text(CUSTOMER)).await;
        assert_eq!(
            (got, error_code(&body), &body["error"]["error_subcode"]),
            (status, code, &subcode),
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_token_can_be_given_back() {
    let stage = Stage::new().await;
    let app = stage.sandbox.app();
    let url = format!("{}/v25.0/oauth/revoke", stage.sandbox.graph_url());
    let token = stage.business.access_token.expose();
    let query = [
        ("client_id", app.id.as_str()),
        ("client_secret", app.secret.expose()),
        ("revoke_token", token),
        ("access_token", token),
    ];
    assert_eq!(read(stage.client.get(url).query(&query)).await, (200, json!({"success": "true"})));
    assert_eq!(error_code(&stage.send(text(CUSTOMER)).await.1), 190);
}

#[tokio::test]
async fn the_app_has_a_token_of_its_own() {
    let stage = Stage::new().await;
    let app = stage.sandbox.app();
    let url = format!("{}/v25.0/oauth/access_token", stage.sandbox.graph_url());
    let query = [
        ("grant_type", "client_credentials"),
        ("client_id", app.id.as_str()),
        ("client_secret", app.secret.expose()),
    ];
    let (_, body) = read(stage.client.get(url).query(&query)).await;
    assert_eq!(body["access_token"], format!("{}|{}", app.id, app.secret.expose()));
}
