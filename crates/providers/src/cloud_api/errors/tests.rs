use super::*;
use crate::cloud_api::codes::CODES;
use ThrottleScope::{App, Number, Pair, Waba};
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Seconds to wait, tries in all.
    NotSent(Option<u64>, Option<u16>),
    Throttled(ThrottleScope),
    Reauthenticate,
    /// Seconds after which it is over.
    Blocked(Block, Option<u64>),
    Rejected(Fault),
    Unknown,
}

#[expect(clippy::needless_pass_by_value, reason = "each is made for this one look")]
fn says(error: SendError) -> Says {
    let seconds = |wait: Option<Duration>| wait.map(|wait| wait.as_secs());
    match error {
        SendError::NotSent { retry_after, attempts, .. } => Says::NotSent(seconds(retry_after), attempts),
        SendError::Throttled { scope, .. } => Says::Throttled(scope),
        SendError::Reauthenticate { .. } => Says::Reauthenticate,
        SendError::Blocked { block, retry_after, .. } => Says::Blocked(block, seconds(retry_after)),
        SendError::Rejected { fault, .. } => Says::Rejected(fault),
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

fn of_status(errors: &Value) -> Option<Says> {
    of_failed_status(&json!({"id": "wamid.A", "status": "failed", "errors": errors})).map(says)
}

const PERMISSION: Says = Says::Blocked(Block::Permission, None);
const BILLING: Says = Says::Blocked(Block::Billing, None);
const POLICY: Says = Says::Blocked(Block::Policy, None);
const TRANSIENT: Says = Says::NotSent(None, None);
const MESSAGE: Says = Says::Rejected(Fault::Message);
const RECIPIENT: Says = Says::Rejected(Fault::Recipient);
const FOR_NOW: Says = Says::Rejected(Fault::RecipientForNow);
const TEMPLATE: Says = Says::Rejected(Fault::Template);
const CONFIGURATION: Says = Says::Rejected(Fault::Configuration);

const fn not_ready(wait: Option<u64>) -> Says {
    Says::Blocked(Block::NumberNotReady, wait)
}

const fn tries(most: u16) -> Says {
    Says::NotSent(None, Some(most))
}

const fn later(wait: u64) -> Says {
    Says::NotSent(Some(wait), None)
}

/// Each row of the table of codes: one of its codes, and what an answer or a failed status with it says.
#[rustfmt::skip]
const EXPECTED: &[(i64, Says)] = &[
    (0, Says::Reauthenticate),
    (1, tries(3)),
    (2, TRANSIENT),
    (3, CONFIGURATION),
    (4, Says::Throttled(App)),
    (10, PERMISSION),
    (33, PERMISSION),
    (100, CONFIGURATION),
    (102, Says::Reauthenticate),
    (104, Says::Reauthenticate),
    (190, Says::Reauthenticate),
    (200, PERMISSION),
    (250, PERMISSION),
    (299, PERMISSION),
    (368, POLICY),
    (613, Says::Throttled(Number)),
    (1_026, RECIPIENT),
    (80_007, Says::Throttled(Waba)),
    (130_403, RECIPIENT),
    (130_429, Says::Throttled(Number)),
    (130_472, FOR_NOW),
    (130_497, RECIPIENT),
    (131_000, tries(3)),
    (131_005, PERMISSION),
    (131_008, CONFIGURATION),
    (131_009, CONFIGURATION),
    (131_014, tries(2)),
    (131_016, TRANSIENT),
    (131_020, MESSAGE),
    (131_021, MESSAGE),
    (131_026, RECIPIENT),
    (131_030, CONFIGURATION),
    (131_031, POLICY),
    (131_037, not_ready(None)),
    (131_041, MESSAGE),
    (131_042, BILLING),
    (131_044, BILLING),
    (131_045, not_ready(None)),
    (131_047, MESSAGE),
    (131_048, POLICY),
    (131_049, FOR_NOW),
    (131_050, RECIPIENT),
    (131_051, MESSAGE),
    (131_052, MESSAGE),
    (131_053, tries(3)),
    (131_055, CONFIGURATION),
    (131_056, Says::Throttled(Pair)),
    (131_057, not_ready(Some(60))),
    (131_059, CONFIGURATION),
    (131_060, MESSAGE),
    (131_062, MESSAGE),
    (131_063, CONFIGURATION),
    (131_064, POLICY),
    (131_201, MESSAGE),
    (131_207, MESSAGE),
    (131_208, Says::Throttled(Number)),
    (131_209, MESSAGE),
    (131_215, MESSAGE),
    (132_000, MESSAGE),
    (132_001, TEMPLATE),
    (132_005, MESSAGE),
    (132_007, TEMPLATE),
    (132_008, MESSAGE),
    (132_012, MESSAGE),
    (132_015, TEMPLATE),
    (132_016, TEMPLATE),
    (132_018, MESSAGE),
    (132_068, TEMPLATE),
    (132_069, later(3_600)),
    (133_000, CONFIGURATION),
    (133_004, TRANSIENT),
    (133_005, CONFIGURATION),
    (133_006, not_ready(None)),
    (133_008, CONFIGURATION),
    (133_009, CONFIGURATION),
    (133_010, not_ready(None)),
    (133_015, not_ready(Some(300))),
    (133_016, CONFIGURATION),
    (134_011, BILLING),
    (134_100, CONFIGURATION),
    (134_101, later(600)),
    (134_102, TRANSIENT),
    (135_000, tries(2)),
    (137_000, RECIPIENT),
    (138_000, CONFIGURATION),
    (138_018, CONFIGURATION),
    (139_000, CONFIGURATION),
    (139_101, CONFIGURATION),
    (139_103, TRANSIENT),
    (147_001, CONFIGURATION),
    (200_005, CONFIGURATION),
    (1_349_174, PERMISSION),
    (1_752_041, CONFIGURATION),
    (2_388_012, CONFIGURATION),
    (2_388_019, CONFIGURATION),
    (2_388_039, CONFIGURATION),
    (2_388_047, CONFIGURATION),
    (2_388_072, CONFIGURATION),
    (2_388_091, CONFIGURATION),
    (2_388_093, CONFIGURATION),
    (2_388_103, CONFIGURATION),
    (2_388_293, CONFIGURATION),
    (2_388_299, CONFIGURATION),
    (2_446_079, Says::Throttled(App)),
    (2_494_055, Says::Throttled(Number)),
    (2_494_071, Says::Throttled(Pair)),
    (2_494_100, not_ready(Some(60))),
    (2_494_164, CONFIGURATION),
    (2_593_107, CONFIGURATION),
];

#[test]
fn every_code_of_the_table_says_what_became_of_the_message() {
    for (code, says) in EXPECTED {
        assert_eq!(with_code(400, *code), *says, "code {code}");
    }
    for row in CODES.iter().filter(|row| row.subcode.is_none()) {
        let tested = EXPECTED.iter().any(|(code, _)| row.is_about(*code, None));
        assert!(tested, "no expectation for {} to {}", row.first, row.last);
    }
}

#[test]
fn a_failed_status_is_judged_by_its_first_error_as_an_answer_would_be() {
    for (code, says) in EXPECTED {
        let errors = json!([{"code": code, "title": "t"}, {"code": 131_047, "title": "another"}]);
        assert_eq!(of_status(&errors), Some(*says), "code {code}");
    }
    assert_eq!(of_status(&json!([{"code": 777_777}])), Some(Says::Rejected(Fault::Message)));
    assert_eq!(of_status(&json!([{"title": "no code"}])), Some(Says::Rejected(Fault::Message)));
    for none in [json!([]), json!(null), json!({}), json!(["text"])] {
        assert_eq!(of_status(&none), None, "{none}");
    }
}

#[test]
fn what_a_failed_status_tells_is_kept_in_its_old_and_its_new_shape() {
    let told = |error: Value| match of_failed_status(&json!({ "errors": [error] })) {
        Some(SendError::Rejected { error, .. }) => error,
        other => panic!("{other:?}"),
    };
    let new = told(json!({"code": 131_026, "title": "Undeliverable", "message": "Message undeliverable",
        "error_data": {"details": "not on WhatsApp"}, "href": "https://example.com"}));
    assert_eq!((new.code, new.message.as_str()), (Some(131_026), "Message undeliverable"));
    assert_eq!((new.details.as_deref(), new.http_status), (Some("not on WhatsApp"), None));
    let old = told(json!({"code": 131_026, "title": "Undeliverable", "details": "not on WhatsApp"}));
    assert_eq!((old.message.as_str(), old.details.as_deref()), ("Undeliverable", Some("not on WhatsApp")));
}

#[test]
fn a_code_that_is_not_known_is_judged_by_the_status_and_by_what_graph_says_of_it() {
    assert_eq!(with_code(400, 777_777), Says::Rejected(Fault::Message));
    assert_eq!(with_code(401, 777_777), Says::Reauthenticate);
    assert_eq!(with_code(403, 777_777), Says::Blocked(Block::Permission, None));
    assert_eq!(with_code(429, 777_777), Says::Throttled(ThrottleScope::Number));
    assert_eq!(with_code(500, 777_777), Says::Unknown);
    let transient = json!({"error": {"message": "m", "code": 777_777, "is_transient": true}});
    assert_eq!(says(refusal(400, &transient)), Says::NotSent(None, None));
    assert_eq!(says(refusal(500, &transient)), Says::Unknown);
    let known = json!({"error": {"message": "m", "code": 131_026, "is_transient": true}});
    assert_eq!(says(refusal(400, &known)), Says::Rejected(Fault::Recipient), "the code says more");
}

#[test]
fn an_object_that_the_token_cannot_see_blocks_the_number() {
    let body = json!({"error": {"message": "Unsupported post request.", "type": "GraphMethodException", "code": 100, "error_subcode": 33}});
    assert_eq!(says(refusal(400, &body)), Says::Blocked(Block::Permission, None));
}

#[test]
fn a_wrong_app_secret_is_no_fault_of_the_message() {
    let body =
        json!({"error": {"message": "Invalid appsecret_proof provided in the API argument", "code": 100}});
    assert_eq!(says(refusal(400, &body)), Says::NotSent(Some(60), None));
}

#[test]
fn a_server_error_leaves_the_outcome_open_unless_the_code_is_a_rate_or_the_token() {
    for (code, at_400) in EXPECTED {
        let at_the_door =
            matches!(at_400, Says::Throttled(_) | Says::Reauthenticate | Says::Blocked(Block::Permission, _));
        let expected = if at_the_door { *at_400 } else { Says::Unknown };
        assert_eq!(with_code(500, *code), expected, "code {code}");
        assert_eq!(with_code(503, *code), expected, "code {code}");
    }
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
fn the_wait_that_was_asked_for_is_kept_and_never_shortens_a_known_one() {
    let asked = |code, seconds| {
        let error = ProviderError { code: Some(code), http_status: Some(400), ..ProviderError::default() };
        send_error(error, false, Some(Duration::from_secs(seconds)))
    };
    for code in [130_429, 131_056, 80_007, 4] {
        let SendError::Throttled { retry_after, .. } = asked(code, 7) else { panic!("{code}") };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
    assert_eq!(says(asked(134_101, 7)), Says::NotSent(Some(600), None));
    assert_eq!(says(asked(134_101, 700)), Says::NotSent(Some(700), None));
    assert_eq!(says(asked(131_057, 90)), Says::Blocked(Block::NumberNotReady, Some(90)));
    assert_eq!(says(asked(368, 90)), Says::Blocked(Block::Policy, Some(90)));
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
    assert_eq!(says(send_failure(Failure::NotConnected("refused".to_owned()))), Says::NotSent(None, None));
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
