use crate::support::*;
use reqwest::Method;
use sandbox::Config;
use serde_json::{Value, json};

/// Walks through the dialog's forms as a browser without JavaScript would.
struct Visitor<'a> {
    stage: &'a Stage,
    fields: Vec<(String, String)>,
    page: String,
    location: Option<String>,
}

impl<'a> Visitor<'a> {
    async fn open(stage: &'a Stage, asked: &[(&str, &str)]) -> Self {
        let app = stage.sandbox.app();
        let mut query = vec![
            ("client_id", app.id.as_str()),
            ("config_id", app.config_id.as_str()),
            ("response_type", "code"),
            ("override_default_response_type", "true"),
        ];
        query.extend_from_slice(asked);
        let url = format!("http://{}/dialog/oauth", stage.sandbox.address());
        let page = stage.client.get(url).query(&query).send().await.unwrap().text().await.unwrap();
        Self { stage, fields: hidden(&page), page, location: None }
    }

    async fn submit(&mut self, entered: &[(&str, &str)]) {
        self.fields.extend(entered.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let url = format!("http://{}/dialog/oauth", self.stage.sandbox.address());
        let answer = self.stage.client.post(url).form(&self.fields).send().await.unwrap();
        self.location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        self.page = answer.text().await.unwrap();
        self.fields = hidden(&self.page);
    }

    /// What the last page would tell its opener.
    fn posts(&self) -> Vec<String> {
        let json = self.page.split_once("id=\"posts\">").unwrap().1.split_once("</script>").unwrap().0;
        let posts: Value = serde_json::from_str(json).unwrap();
        posts.as_array().unwrap().iter().map(|post| post["data"].as_str().unwrap().to_owned()).collect()
    }
}

fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    inputs
        .map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            let value = rest.split_once("\">").unwrap().0;
            (name.to_owned(), value.replace("&quot;", "\"").replace("&amp;", "&"))
        })
        .collect()
}

const ORIGIN: &str = "http://127.0.0.1:8080";

#[tokio::test]
async fn a_customer_chooses_a_business_and_a_number_in_a_popup() {
    let stage = Stage::new().await;
    let mut visitor = Visitor::open(&stage, &[("origin", ORIGIN), ("cb", "f1")]).await;
    assert!(visitor.page.contains("this is not Facebook"));
    assert!(["login-email", "login-password", "login-submit"].iter().all(|id| visitor.page.contains(id)));
    visitor.submit(&[("email", "asha@example.com"), ("password", "x"), ("action", "continue")]).await;
    assert!(
        ["business", "number", "scenario", "continue"]
            .iter()
            .all(|id| visitor.page.contains(&format!("id=\"{id}\"")))
    );
    assert!(visitor.page.contains("Duka la Asha") && visitor.page.contains("+255 222 900 001"));
    let waba = "104996122399101";
    visitor
        .submit(&[
            ("business", waba),
            ("number", "115422318855701"),
            ("scenario", "ids_first"),
            ("action", "continue"),
        ])
        .await;
    assert!(visitor.page.contains("id=\"allow\"") && visitor.page.contains("id=\"cancel\""));
    visitor.submit(&[("action", "allow")]).await;

    let posts = visitor.posts();
    assert!(serde_json::from_str::<Value>(&posts[0]).is_err(), "the first one is noise");
    let session: Value = serde_json::from_str(&posts[1]).unwrap();
    assert_eq!((&session["type"], &session["event"]), (&json!("WA_EMBEDDED_SIGNUP"), &json!("FINISH")));
    assert_eq!(session["data"]["phone_number_id"], "115422318855701");
    let code = posts[2].strip_prefix("cb=f1&code=").unwrap();
    assert_eq!(stage.exchange(code).await.0, 200);
}

#[tokio::test]
async fn a_redirect_brings_code_and_state_back() {
    let stage = Stage::new().await;
    let back = "http://127.0.0.1:8080/callback?x=1";
    let mut visitor = Visitor::open(&stage, &[("redirect_uri", back), ("state", "s&1")]).await;
    visitor.submit(&[("action", "continue")]).await;
    visitor
        .submit(&[("business", "new"), ("number", "new"), ("scenario", "ids_first"), ("action", "continue")])
        .await;
    visitor.submit(&[("action", "allow")]).await;
    let location = visitor.location.clone().unwrap();
    assert!(
        location.starts_with("http://127.0.0.1:8080/callback?x=1&code=")
            && location.ends_with("&state=s%261"),
        "{location}"
    );

    let mut visitor = Visitor::open(&stage, &[("redirect_uri", back), ("state", "s")]).await;
    visitor.submit(&[("action", "cancel")]).await;
    assert!(visitor.location.unwrap().contains("error=access_denied"));
}

#[tokio::test]
async fn whoever_leaves_is_reported_with_the_step() {
    let stage = Stage::new().await;
    let mut visitor = Visitor::open(&stage, &[("origin", ORIGIN), ("cb", "f1")]).await;
    visitor.submit(&[("action", "continue")]).await;
    visitor.submit(&[("action", "cancel")]).await;
    let posts = visitor.posts();
    let session: Value = serde_json::from_str(&posts[0]).unwrap();
    assert_eq!(
        session,
        json!({"type": "WA_EMBEDDED_SIGNUP", "event": "CANCEL", "data": {"current_step": "PHONE_NUMBER_SETUP"}})
    );
    assert_eq!(posts[1], "cb=f1");
}

#[tokio::test]
async fn signups_go_wrong_as_asked() {
    let stage = Stage::new().await;
    let signup = async |scenario: &str| {
        let body = json!({"scenario": scenario, "waba_id": "104996122399101", "phone_number_id": "none"});
        stage.control(Method::POST, "signup", body).await.1
    };
    assert_eq!(signup("no_ids").await["message"], Value::Null);
    assert_eq!(signup("no_code").await["code"], Value::Null);
    assert_eq!(signup("ids_first").await["message"]["event"], "FINISH_ONLY_WABA");
    assert_ne!(signup("wrong_ids").await["message"]["data"]["waba_id"], "104996122399101");
    assert_eq!(signup("flow_error").await["message"]["event"], "ERROR");
    let reported = signup("reported_error").await;
    assert_eq!(reported["message"]["event"], "CANCEL");
    assert!(reported["message"]["data"]["session_id"].is_string());
    let old = signup("expired_code").await;
    let (_, body) = stage.exchange(old["code"].as_str().unwrap()).await;
    assert_eq!(body["error"]["error_subcode"], 36_007);
}

#[tokio::test]
async fn strangers_and_wrong_settings_are_refused() {
    let mut config = Config::for_tests();
    config.app.allowed_domains = vec!["app.example".to_owned()];
    let stage = Stage::with(config).await;
    let visitor = Visitor::open(&stage, &[("origin", "http://127.0.0.1:8080")]).await;
    assert!(visitor.page.contains("id=\"error\"") && visitor.page.contains("allowed domains"));
    let visitor = Visitor::open(&stage, &[("origin", "https://app.example")]).await;
    assert!(visitor.page.contains("login-email"));
    let url = format!("http://{}/v25.0/dialog/oauth?client_id=1", stage.sandbox.address());
    let page = stage.client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Invalid app id"));
}

#[tokio::test]
async fn a_finished_signup_is_announced_to_the_partner() {
    let (stage, gateway) = Stage::with_gateway(Config::for_tests()).await;
    let (code, ids) = stage.sign_up(json!({"scenario": "never_expires"})).await;
    let (_, body) = stage.exchange(&code).await;
    assert!(body.get("expires_in").is_none());
    until("two partner events", || gateway.values("account_update").len() == 2).await;
    let events = gateway.values("account_update");
    assert_eq!(events[0]["event"], "PARTNER_ADDED");
    assert_eq!(events[0]["waba_info"]["waba_id"], ids["waba_id"]);
    assert_eq!(events[1]["event"], "PARTNER_APP_INSTALLED");
}

#[tokio::test]
async fn the_sdk_has_weight_and_is_compressed_on_demand() {
    let stage = Stage::new().await;
    let url = format!("http://{}/sdk.js", stage.sandbox.address());
    let answer = stage.client.get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let script = answer.text().await.unwrap();
    assert!(script.len() > 150_000 && script.contains("window.FB") && script.contains("fbAsyncInit"));
    let answer = stage.client.get(&url).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert!(answer.bytes().await.unwrap().len() < script.len() / 2);
}
