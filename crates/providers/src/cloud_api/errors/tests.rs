use super::*;
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, PartialEq, Eq)]
enum Says {
    NotSent(Option<u64>),
    Throttled(ThrottleScope),
    Reauthenticate,
    Rejected,
    Unknown,
}

#[expect(clippy::needless_pass_by_value, reason = "each is made for this one look")]
fn says(error: SendError) -> Says {
    match error {
        SendError::NotSent { retry_after, .. } => Says::NotSent(retry_after.map(|wait| wait.as_secs())),
        SendError::Throttled { scope, .. } => Says::Throttled(scope),
        SendError::Reauthenticate { .. } => Says::Reauthenticate,
        SendError::Rejected { .. } => Says::Rejected,
        SendError::OutcomeUnknown { .. } => Says::Unknown,
    }
}

fn refusal(status: u16, body: &Value) -> SendError {
    let answer = Answer { status, retry_after: None, api_version: None, body: body.to_string().into() };
    send_refusal(&answer, &Secrets::default())
}

fn with_code(status: u16, code: i64) -> Says {
    says(refusal(status, &json!({"error": {"message": "m", "code": code}})))
}

#[test]
fn a_code_of_4xx_says_what_became_of_the_message() {
    use ThrottleScope::{App, Number, Pair};
    let rows: &[(i64, u16, Says)] = &[
        (0, 401, Says::Reauthenticate),
        (1, 400, Says::NotSent(None)),
        (2, 400, Says::NotSent(None)),
        (3, 400, Says::Rejected),
        (4, 400, Says::Throttled(App)),
        (10, 403, Says::Reauthenticate),
        (33, 400, Says::Reauthenticate),
        (100, 400, Says::Rejected),
        (102, 401, Says::Reauthenticate),
        (190, 400, Says::Reauthenticate),
        (200, 403, Says::Reauthenticate),
        (299, 403, Says::Reauthenticate),
        (368, 403, Says::Rejected),
        (613, 400, Says::Throttled(Number)),
        (80_007, 400, Says::Throttled(Number)),
        (130_403, 400, Says::Rejected),
        (130_429, 400, Says::Throttled(Number)),
        (130_472, 400, Says::Rejected),
        (130_497, 403, Says::Rejected),
        (131_000, 400, Says::NotSent(None)),
        (131_005, 403, Says::Reauthenticate),
        (131_008, 400, Says::Rejected),
        (131_009, 400, Says::Rejected),
        (131_014, 400, Says::Rejected),
        (131_016, 400, Says::NotSent(None)),
        (131_020, 400, Says::Rejected),
        (131_021, 400, Says::Rejected),
        (131_026, 400, Says::Rejected),
        (131_030, 400, Says::Rejected),
        (131_031, 403, Says::Rejected),
        (131_037, 400, Says::NotSent(Some(300))),
        (131_041, 400, Says::Rejected),
        (131_042, 400, Says::Rejected),
        (131_045, 400, Says::NotSent(Some(300))),
        (131_047, 400, Says::Rejected),
        (131_048, 400, Says::Rejected),
        (131_049, 400, Says::Rejected),
        (131_050, 400, Says::Rejected),
        (131_051, 400, Says::Rejected),
        (131_053, 400, Says::Rejected),
        (131_055, 400, Says::Rejected),
        (131_056, 400, Says::Throttled(Pair)),
        (131_057, 400, Says::NotSent(Some(60))),
        (131_062, 400, Says::Rejected),
        (131_063, 400, Says::Rejected),
        (131_064, 400, Says::Rejected),
        (131_207, 400, Says::Rejected),
        (131_208, 400, Says::Throttled(Number)),
        (132_000, 400, Says::Rejected),
        (132_001, 404, Says::Rejected),
        (132_005, 400, Says::Rejected),
        (132_007, 400, Says::Rejected),
        (132_012, 400, Says::Rejected),
        (132_015, 400, Says::Rejected),
        (132_016, 400, Says::Rejected),
        (132_018, 400, Says::Rejected),
        (132_068, 400, Says::Rejected),
        (132_069, 400, Says::NotSent(Some(3_600))),
        (133_010, 400, Says::NotSent(Some(300))),
        (134_011, 400, Says::Rejected),
        (134_100, 400, Says::Rejected),
        (134_101, 400, Says::NotSent(Some(600))),
        (134_102, 400, Says::NotSent(None)),
        (135_000, 400, Says::Rejected),
        (137_000, 400, Says::Rejected),
        (1_752_041, 400, Says::Rejected),
    ];
    for (code, status, expected) in rows {
        assert_eq!(&with_code(*status, *code), expected, "code {code} with HTTP {status}");
    }
}

#[test]
fn a_code_that_is_not_known_is_judged_by_the_status_and_by_what_graph_says_of_it() {
    assert_eq!(with_code(400, 777_777), Says::Rejected);
    assert_eq!(with_code(401, 777_777), Says::Reauthenticate);
    assert_eq!(with_code(403, 777_777), Says::Reauthenticate);
    assert_eq!(with_code(429, 777_777), Says::Throttled(ThrottleScope::Number));
    assert_eq!(with_code(500, 777_777), Says::Unknown);
    let transient = json!({"error": {"message": "m", "code": 777_777, "is_transient": true}});
    assert_eq!(says(refusal(400, &transient)), Says::NotSent(None));
    assert_eq!(says(refusal(500, &transient)), Says::Unknown);
}

#[test]
fn an_object_that_the_token_cannot_see_asks_for_a_new_login() {
    let body = json!({"error": {"message": "Unsupported post request.", "type": "GraphMethodException", "code": 100, "error_subcode": 33}});
    assert_eq!(says(refusal(400, &body)), Says::Reauthenticate);
}

#[test]
fn a_wrong_app_secret_is_no_fault_of_the_message() {
    let body =
        json!({"error": {"message": "Invalid appsecret_proof provided in the API argument", "code": 100}});
    assert_eq!(says(refusal(400, &body)), Says::NotSent(Some(60)));
}

#[test]
fn a_server_error_leaves_the_outcome_open_unless_the_code_is_a_rate_or_the_token() {
    for code in [1, 2, 131_000, 131_016, 131_026, 131_057, 135_000] {
        assert_eq!(with_code(500, code), Says::Unknown, "code {code}");
    }
    assert_eq!(with_code(503, 131_056), Says::Throttled(ThrottleScope::Pair));
    assert_eq!(with_code(500, 190), Says::Reauthenticate);
}

#[test]
fn an_answer_that_graph_did_not_write_leaves_the_outcome_open() {
    let page = |status| {
        let answer =
            Answer { status, retry_after: None, api_version: None, body: "<html>Bad gateway</html>".into() };
        says(send_refusal(&answer, &Secrets::default()))
    };
    for status in [301, 400, 403, 404, 408, 500, 502, 504] {
        assert_eq!(page(status), Says::Unknown, "HTTP {status}");
    }
    assert_eq!(page(401), Says::Reauthenticate);
    assert_eq!(page(429), Says::Throttled(ThrottleScope::Number));
}

#[test]
fn the_wait_that_was_asked_for_is_kept() {
    let error = ProviderError { code: Some(130_429), http_status: Some(400), ..ProviderError::default() };
    let asked = Some(Duration::from_secs(7));
    assert_eq!(
        send_error(error.clone(), false, asked),
        SendError::Throttled { scope: ThrottleScope::Number, error, retry_after: asked }
    );
}

#[test]
fn error_data_may_be_an_object_a_text_or_absent() {
    let details = |data: Value| {
        let body = json!({"error": {"message": "m", "code": 1, "error_data": data}});
        graph_error(400, body.to_string().as_bytes()).unwrap().details
    };
    assert_eq!(details(json!({"messaging_product": "whatsapp", "details": "why"})), Some("why".to_owned()));
    assert_eq!(details(json!("why")), Some("why".to_owned()));
    assert_eq!(details(Value::Null), None);
    assert_eq!(details(json!([1])), None);
}

#[test]
fn the_error_answers_of_the_fixtures_are_read_whole() {
    let rate = include_bytes!("../../../fixtures/meta/error_rate_limit.json");
    let error = graph_error(400, rate).unwrap();
    assert_eq!((error.code, error.subcode), (Some(130_429), Some(2_494_055)));
    assert_eq!(error.trace_id.as_deref(), Some("Az8"));
    let expired = include_bytes!("../../../fixtures/meta/error_token_expired.json");
    let error = graph_error(401, expired).unwrap();
    assert_eq!((error.code, error.subcode), (Some(190), Some(463)));
}

#[test]
fn nothing_that_failed_before_a_connection_is_unknown_and_nothing_after_one_is_certain() {
    assert_eq!(says(send_failure(Failure::NotConnected("refused".to_owned()))), Says::NotSent(None));
    let cut = |status| Failure::NoAnswer { status, cause: "reset".to_owned() };
    assert_eq!(says(send_failure(cut(None))), Says::Unknown);
    assert_eq!(says(send_failure(cut(Some(200)))), Says::Unknown);
    assert_eq!(says(send_failure(cut(Some(400)))), Says::Unknown);
    assert_eq!(says(send_failure(cut(Some(429)))), Says::Throttled(ThrottleScope::Number));
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let answer = Answer { status, retry_after: None, api_version: None, body: body.into() };
        let _ = send_refusal(&answer, &Secrets::default());
    }
}
