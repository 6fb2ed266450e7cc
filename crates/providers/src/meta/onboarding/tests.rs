use std::collections::BTreeMap;

use super::*;
use crate::meta::config::DEFAULT_APP;
use crate::testing::{Reply, Server};
use domain::contracts::provider::Send as _;
use domain::contracts::provider::SendRequest;
use domain::message::Echo;
use url::Url;

const APP_SECRET: &str = "9f3c51planted7aa20e";
const CODE: &str = "AQDplantedKq-w8_xR";
const TOKEN: &str = "EAAplantedGm0PX4ZCpsBO";
const PIN: &str = "493817";

fn config(base: &str) -> Config {
    let app = App {
        id: "670843887433847".to_owned(),
        secret: APP_SECRET.into(),
        previous_secret: None,
        config_id: "1057862931420388".to_owned(),
        verify_token: "planted_verify_token".into(),
    };
    let url = Url::parse(&format!("{base}/graph")).unwrap();
    Config {
        graph_url: url.clone(),
        allowed_bases: vec![url],
        timeout_seconds: 1,
        connect_timeout_seconds: 1,
        apps: BTreeMap::from([(DEFAULT_APP.to_owned(), app)]),
        ..Config::default()
    }
}

fn onboard_with(config: &Config) -> MetaOnboard {
    let app = &config.apps[DEFAULT_APP];
    MetaOnboard::new(Arc::new(Graph::new(config, app).unwrap()), config, app)
}

fn onboard(server: &Server) -> MetaOnboard {
    onboard_with(&config(&server.base))
}

fn token() -> AccessToken {
    AccessToken::new(TOKEN)
}

async fn exchange(server: &Server) -> Result<AccessToken, OnboardError> {
    onboard(server).exchange_code(&AuthorizationCode::new(CODE), None).await
}

#[tokio::test]
async fn a_code_is_exchanged_for_a_token_in_one_call() {
    let server =
        Server::start(vec![Reply::ok(format!(r#"{{"access_token":"{TOKEN}","token_type":"bearer"}}"#))])
            .await;
    assert_eq!(exchange(&server).await.unwrap().expose_secret(), TOKEN);
    let asked = format!(
        "GET /graph/v25.0/oauth/access_token?client_id=670843887433847&client_secret={APP_SECRET}&code={CODE} HTTP/1.1"
    );
    assert!(server.seen()[0].starts_with(&asked), "{:?}", server.seen());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_redirect_is_named_where_there_was_one_and_for_a_popup_as_configured() {
    let server = Server::start(vec![Reply::ok(format!(r#"{{"business_token":"{TOKEN}"}}"#))]).await;
    let code = AuthorizationCode::new(CODE);
    onboard(&server).exchange_code(&code, Some("https://gw.example/cb?x=1")).await.unwrap();
    assert!(server.seen()[0].contains("&redirect_uri=https%3A%2F%2Fgw.example%2Fcb%3Fx%3D1 "));
    let empty = Config { popup_redirect_uri: PopupRedirect::Empty, ..config(&server.base) };
    onboard_with(&empty).exchange_code(&code, None).await.unwrap();
    assert!(server.seen()[1].contains("&redirect_uri= "));
    exchange(&server).await.unwrap();
    assert!(!server.seen()[2].contains("redirect_uri"));
}

#[tokio::test]
async fn a_code_that_expired_is_told_as_such() {
    let body = include_str!("../../../fixtures/meta/error_code_expired.json");
    let server = Server::start(vec![Reply::Answer(400, "", body.to_owned())]).await;
    let error = exchange(&server).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::CodeExpired);
    assert_eq!(error.error.trace_id.as_deref(), Some("D3"));
}

/// Runs every call against the base. Gives all that its error shows, and what it must not show.
async fn all_errors(base: &str) -> Vec<(String, Vec<&'static str>)> {
    let config = config(base);
    let onboard = onboard_with(&config);
    let token = token();
    let mut shown = Vec::new();
    let mut show = |error: OnboardError, secrets: &[&'static str]| {
        let json = serde_json::to_string(&error.error).unwrap();
        shown.push((format!("{error} {error:?} {json}"), [secrets, &[APP_SECRET]].concat()));
    };
    let (code, pin) = (AuthorizationCode::new(CODE), Pin::new(PIN));
    let (exchange, inspect, numbers, subscribe, register) = tokio::join!(
        onboard.exchange_code(&code, Some("https://gw.example/cb")),
        onboard.inspect_token(&token),
        onboard.numbers(&token, "102290129340398"),
        onboard.subscribe(&token, "102290129340398"),
        onboard.register(&token, "106540352242922", &pin),
    );
    show(exchange.unwrap_err(), &[CODE]);
    show(inspect.unwrap_err(), &[TOKEN]);
    show(numbers.unwrap_err(), &[TOKEN]);
    show(subscribe.unwrap_err(), &[TOKEN]);
    show(register.unwrap_err(), &[TOKEN, PIN]);
    let graph = Arc::new(Graph::new(&config, &config.apps[DEFAULT_APP]).unwrap());
    let request = SendRequest {
        graph_id: "106540352242922",
        token: &token,
        message: r#"{"to":"+255712345678"}"#,
        echo: Echo { message: "msg_00000000000000000000000000000007".parse().unwrap(), attempt: 1 },
    };
    let sent = crate::meta::send::MetaSend::new(graph).send(request).await.unwrap_err();
    shown.push((format!("{sent} {sent:?}"), vec![APP_SECRET, TOKEN]));
    shown
}

fn assert_silent(errors: Vec<(String, Vec<&str>)>, after: &str) {
    for (shown, secrets) in errors {
        for planted in secrets.iter().chain(&["client_secret=", "appsecret_proof", "http://"]) {
            assert!(!shown.contains(planted), "{planted} after {after}: {shown}");
        }
        for piece in
            secrets.iter().filter(|secret| secret.len() > 8).flat_map(|secret| [&secret[..8], &secret[8..16]])
        {
            assert!(!shown.contains(piece), "{piece} after {after}: {shown}");
        }
    }
}

#[tokio::test]
async fn no_error_of_any_call_shows_a_secret_or_the_address_that_carried_it() {
    let everything = format!(
        "{APP_SECRET} {CODE} {TOKEN} {PIN} 670843887433847|{APP_SECRET} {}… code={CODE}",
        &TOKEN[..12]
    );
    let error = json!({"error": {
        "message": format!("Malformed access token {everything}"), "type": "OAuthException", "code": 190,
        "error_data": {"details": everything}, "error_user_msg": everything, "fbtrace_id": everything,
    }});
    let text_data = json!({"error": {"message": everything, "code": 100, "error_data": everything}});
    let invalid = json!({"data": {"is_valid": false, "error": {"code": 190, "message": everything}}});
    let replies = [
        Reply::Cut,
        Reply::Silence,
        Reply::CutAfterHead(200),
        Reply::CutAfterHead(400),
        Reply::Answer(400, "", error.to_string()),
        Reply::Answer(200, "", error.to_string()),
        Reply::Answer(500, "", text_data.to_string()),
        Reply::Answer(302, "location: https://elsewhere.example/?code=AQDplantedKq-w8_xR\r\n", String::new()),
        Reply::Answer(502, "", format!("<html>{everything}</html>")),
        Reply::Answer(200, "", invalid.to_string()),
        Reply::Answer(200, "", json!({"error": everything}).to_string()),
    ];
    for reply in replies {
        let server = Server::start(vec![reply.clone()]).await;
        assert_silent(all_errors(&server.base).await, &format!("{reply:?}"));
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_shows_nothing_either_and_is_unavailable() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let errors = all_errors(&format!("http://127.0.0.1:{port}")).await;
    assert!(errors[..5].iter().all(|(shown, _)| shown.starts_with("provider_unavailable")), "{errors:?}");
    assert!(errors[5].0.starts_with("not sent"), "{errors:?}");
    assert_silent(errors, "a refused connection");
}

fn debug_token(data: &Value) -> Result<Grant, OnboardError> {
    grant(data, "670843887433847", &Secrets::default())
}

fn valid(extra: &Value) -> Value {
    let mut data = json!({
        "app_id": "670843887433847", "is_valid": true, "expires_at": 0,
        "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
    });
    for (name, value) in extra.as_object().unwrap() {
        data[name] = value.clone();
    }
    data
}

#[test]
fn a_token_is_taken_with_the_scopes_of_either_list() {
    assert_eq!(debug_token(&valid(&json!({}))).unwrap().waba_ids, [""; 0]);
    let granular = json!([
        {"scope": "whatsapp_business_management", "target_ids": ["102", "103"]},
        {"scope": "whatsapp_business_messaging", "target_ids": ["102"]},
    ]);
    let grant = debug_token(&valid(&json!({"scopes": [], "granular_scopes": granular}))).unwrap();
    assert_eq!(grant.waba_ids, ["102", "103"]);
    assert_eq!(grant.scopes, ["whatsapp_business_management", "whatsapp_business_messaging"]);
}

#[test]
fn expiry_is_a_time_or_never() {
    assert_eq!(debug_token(&valid(&json!({}))).unwrap().expires_at, None);
    let expiring = debug_token(&valid(&json!({"expires_at": 1_790_000_000}))).unwrap();
    assert_eq!(expiring.expires_at, Some(Timestamp::from_seconds(1_790_000_000)));
}

#[test]
fn a_token_that_is_invalid_foreign_or_too_weak_is_refused() {
    let problem = |data: &Value| debug_token(data).unwrap_err().problem;
    assert_eq!(problem(&valid(&json!({"is_valid": false}))), OnboardProblem::TokenInvalid);
    assert_eq!(problem(&valid(&json!({"app_id": "1"}))), OnboardProblem::TokenInvalid);
    assert_eq!(
        problem(&valid(&json!({"scopes": ["whatsapp_business_management"]}))),
        OnboardProblem::ScopeMissing
    );
    assert_eq!(problem(&Value::Null), OnboardProblem::TokenInvalid);
}

#[tokio::test]
async fn every_page_of_numbers_is_read_and_a_circle_is_left() {
    let page = |id: &str, after: &str, next: bool| {
        let mut page = json!({"data": [{"id": id}], "paging": {"cursors": {"after": after}}});
        if next {
            page["paging"]["next"] = "https://elsewhere.example/?access_token=EAAplanted".into();
        }
        Reply::ok(page.to_string())
    };
    let ids = async |server: &Server| -> Vec<String> {
        let numbers = onboard(server).numbers(&token(), "102").await.unwrap();
        numbers.into_iter().map(|number| number.phone_number_id).collect()
    };
    let server = Server::start(vec![page("1", "b", true), page("2", "a", true), page("3", "a", false)]).await;
    assert_eq!(ids(&server).await, ["1", "2", "3"]);
    assert!(
        server.seen()[1].contains("&after=b ") && server.seen()[2].contains("&after=a "),
        "{:?}",
        server.seen()
    );
    let circle = Server::start(vec![page("1", "c", true)]).await;
    assert_eq!(ids(&circle).await, ["1", "1"]);
}

#[tokio::test]
async fn every_call_with_a_token_carries_it_in_a_header_with_its_proof() {
    let server = Server::start(vec![Reply::ok(r#"{"success":true}"#)]).await;
    onboard(&server).subscribe(&token(), "102").await.unwrap();
    onboard(&server).register(&token(), "106", &Pin::new(PIN)).await.unwrap();
    let proof = crate::cloud_api::signature::proof(&APP_SECRET.into(), TOKEN);
    let seen = server.seen();
    assert!(
        seen[0].starts_with(&format!("POST /graph/v25.0/102/subscribed_apps?appsecret_proof={proof} ")),
        "{seen:?}"
    );
    assert!(seen[1].ends_with(r#"{"messaging_product":"whatsapp","pin":"493817"}"#), "{seen:?}");
    for request in seen {
        assert!(request.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn an_id_from_a_browser_cannot_lead_the_call_elsewhere() {
    let server = Server::start(vec![Reply::ok("{}")]).await;
    for id in ["", "../me", "1/../2", "1?fields=x", "１２"] {
        let error = onboard(&server).numbers(&token(), id).await.unwrap_err();
        assert_eq!(error.problem, OnboardProblem::WabaNotGranted);
    }
    assert!(server.seen().is_empty());
}

#[test]
fn the_window_says_nothing_secret_and_lacks_only_state_and_redirect() {
    let window = onboard_with(&config("http://localhost:1")).login_window();
    assert!(!format!("{window:?}").contains("planted"));
    assert_eq!(
        window.dialog_url.as_str(),
        "https://www.facebook.com/v25.0/dialog/oauth?client_id=670843887433847&config_id=1057862931420388\
         &response_type=code&override_default_response_type=true&extras=%7B%22setup%22%3A%7B%7D%7D"
    );
}

#[tokio::test]
async fn a_call_that_would_pass_the_hourly_limit_is_not_made_and_says_so() {
    let server = Server::start(vec![Reply::ok(r#"{"data":[]}"#)]).await;
    let calls = |hourly| std::num::NonZeroU32::new(hourly).unwrap();
    let limits = crate::meta::ManagementCalls { onboarding: calls(6), connected: calls(300) };
    let onboard = onboard_with(&Config { management_calls_per_hour: limits, ..config(&server.base) });
    for _ in 0..2 {
        assert_eq!(onboard.numbers(&token(), "102").await, Ok(Vec::new()));
    }
    let held_back = onboard.numbers(&token(), "102").await.unwrap_err();
    assert_eq!(held_back.problem, OnboardProblem::ProviderUnavailable);
    assert_eq!(held_back.error.code, Some(80_007));
    assert_eq!(server.seen().len(), 2, "the third was not made");
    assert_eq!(onboard.numbers(&token(), "103").await, Ok(Vec::new()), "another account has its own limit");
    assert_eq!(
        onboard.is_subscribed(&token(), "102").await,
        Ok(false),
        "a connected number may call more often"
    );
}

#[tokio::test]
async fn only_our_own_subscription_counts_and_only_without_an_override() {
    let answer = |apps: &str| Reply::ok(format!(r#"{{"data":[{apps}]}}"#));
    let app = |id: &str, more: &str| format!(r#"{{"whatsapp_business_api_data":{{"id":"{id}"}}{more}}}"#);
    let ours = app("670843887433847", "");
    let server = Server::start(vec![
        answer(&format!("{},{ours}", app("1", ""))),
        answer(&app("1", "")),
        answer(&app("670843887433847", r#","override_callback_uri":"https://elsewhere.example/hook""#)),
        Reply::ok("{}"),
    ])
    .await;
    let onboard = onboard(&server);
    assert_eq!(onboard.is_subscribed(&token(), "102").await, Ok(true));
    assert_eq!(onboard.is_subscribed(&token(), "102").await, Ok(false));
    assert_eq!(onboard.is_subscribed(&token(), "102").await, Ok(false));
    let unexpected = onboard.is_subscribed(&token(), "102").await.unwrap_err();
    assert_eq!(unexpected.problem, OnboardProblem::ProviderRefused);
    let strange = onboard.is_subscribed(&token(), "../me").await.unwrap_err();
    assert_eq!(strange.problem, OnboardProblem::WabaNotGranted);
}
