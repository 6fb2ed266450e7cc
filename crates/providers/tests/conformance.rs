//! What every provider has to do, claimed once and tried on each of them against the sandbox.

mod fuzz;
mod support;

use domain::DeliveryStatus;
use domain::ExposeSecret as _;
use domain::contracts::provider::{Block, Content, Fault, OnboardProblem, SendError, Subject, ThrottleScope};
use domain::news::Quality;
use domain::secret::AuthorizationCode;
use domain::template::{Category, Places, TemplateChange, TemplateStatus};
use domain::{AccessToken, Pin};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Stage, echo, text};

/// Runs each claim as a test of its own for one provider.
macro_rules! claims {
    ($provider:ident: $($claim:ident),* $(,)?) => {
        mod $provider {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim(super::Stage::$provider().await).await;
                }
            )*
        }
    };
}

claims!(meta:
    every_type_of_message_is_accepted_and_carries_our_echo,
    statuses_come_back_signed_and_with_our_echo,
    an_accepted_message_whose_answer_is_lost_is_unknown_and_its_status_settles_it,
    a_wrong_token_asks_for_a_new_login,
    a_number_that_is_taken_from_the_app_is_blocked,
    errors_say_what_became_of_the_message,
    without_a_connection_nothing_was_sent,
    what_customers_write_arrives,
    a_webhook_that_is_not_signed_is_not_heard,
    a_number_is_connected_from_code_to_first_message,
    a_code_is_good_once_for_half_a_minute_and_for_its_address,
    a_token_sees_only_what_was_granted,
    a_pin_is_not_guessed_at,
    a_subscription_is_what_the_platform_says_of_it,
    every_template_is_listed_however_many_pages_it_takes,
    news_about_a_template_is_told_as_what_it_changes,
    what_an_account_is_told_says_whether_it_may_send,
    a_failed_status_is_judged_as_an_answer_would_be,
);

async fn every_type_of_message_is_accepted_and_carries_our_echo(stage: Stage) {
    let media = "https://example.com/a";
    let messages = [
        json!({"type": "text", "text": {"body": "Habari 😀"}}),
        json!({"type": "image", "image": {"link": media, "caption": "Picha"}}),
        json!({"type": "audio", "audio": {"link": media}}),
        json!({"type": "video", "video": {"link": media}}),
        json!({"type": "document", "document": {"link": media, "filename": "a.pdf"}}),
        json!({"type": "sticker", "sticker": {"link": media}}),
        json!({"type": "location", "location": {"latitude": "-6.79", "longitude": "39.20", "name": "Dar es Salaam"}}),
        json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Asha Juma", "first_name": "Asha"}}]}),
        json!({"type": "template", "template": {"name": "hello", "language": {"code": "sw"}}}),
        json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "Chagua"}, "action":
            {"buttons": [{"type": "reply", "reply": {"id": "a", "title": "Ndiyo"}}]}}}),
        json!({"type": "interactive", "interactive": {"type": "list", "body": {"text": "Chagua"}, "action":
            {"button": "Fungua", "sections": [{"rows": [{"id": "a", "title": "Moja"}]}]}}}),
        json!({"type": "interactive", "interactive": {"type": "cta_url", "body": {"text": "Tazama"}, "action":
            {"name": "cta_url", "parameters": {"display_text": "Fungua", "url": media}}}}),
    ];
    let count = messages.len();
    for (index, mut message) in messages.into_iter().enumerate() {
        message["to"] = "0712 345 678".into();
        let shown = message.to_string();
        let receipt = stage.send(message, echo(index as u128)).await;
        let receipt = receipt.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
        assert_eq!(receipt.wa_id.as_deref(), Some("255712345678"));
        let sent = stage.sent().await;
        let last = sent.last().unwrap();
        assert_eq!((sent.len(), &last["id"]), (index + 1, &json!(receipt.provider_id)));
        assert_eq!(last["body"]["biz_opaque_callback_data"], echo(index as u128).to_string());
        assert_eq!(last["body"]["to"], "+255712345678");
    }
    let hidden = json!({"to": "US.13491208655302741918", "type": "text", "text": {"body": "Habari"}});
    let receipt = stage.send(hidden, echo(99)).await.unwrap();
    assert_eq!((receipt.wa_id, receipt.user_id.as_deref()), (None, Some("US.13491208655302741918")));
    assert_eq!(stage.sent().await.len(), count + 1);
}

async fn statuses_come_back_signed_and_with_our_echo(stage: Stage) {
    let callback = stage.callback().await;
    let receipt = stage.send(text("Habari \"dunia\" \\ 😀 </é>"), echo(7)).await.unwrap();
    let updates = callback.hears(3).await;
    let mut words = Vec::new();
    for update in &updates {
        assert_eq!(update.subject, Subject::Number(stage.number.phone_number_id.clone()));
        let Content::Status(status) = &update.content else { panic!("{update:?}") };
        assert_eq!((status.provider_id.as_str(), status.echo), (receipt.provider_id.as_str(), Some(echo(7))));
        words.extend(status.status);
    }
    words.sort_by_key(|status| status.as_str());
    assert_eq!(words, [DeliveryStatus::Delivered, DeliveryStatus::Read, DeliveryStatus::Sent]);
}

async fn an_accepted_message_whose_answer_is_lost_is_unknown_and_its_status_settles_it(stage: Stage) {
    let callback = stage.callback().await;
    let lost = stage.send_under(json!({"cut": "after"})).await;
    assert!(matches!(lost, Err(SendError::OutcomeUnknown { .. })), "{lost:?}");
    assert_eq!(stage.sent().await.len(), 1, "and it was posted once");
    let updates = callback.hears(1).await;
    assert!(
        matches!(&updates[0].content, Content::Status(status) if status.echo == Some(echo(1))),
        "{updates:?}"
    );
    let before = stage.send_under(json!({"cut": "before"})).await;
    assert!(matches!(before, Err(SendError::OutcomeUnknown { .. })), "{before:?}");
}

async fn a_wrong_token_asks_for_a_new_login(stage: Stage) {
    let wrong = AccessToken::new("EAAwrongwrongwrong");
    let refused = stage.send_with(&wrong, &stage.number.phone_number_id, text("Habari"), echo(1)).await;
    assert!(matches!(refused, Err(SendError::Reauthenticate { .. })), "{refused:?}");
    stage.control(Method::POST, &format!("tokens/{}/expire", stage.number.waba_id), json!({})).await;
    let expired = stage.send(text("Habari"), echo(2)).await;
    assert!(matches!(expired, Err(SendError::Reauthenticate { .. })), "{expired:?}");
}

async fn a_number_that_is_taken_from_the_app_is_blocked(stage: Stage) {
    stage.control(Method::POST, &format!("tokens/{}/unshare", stage.number.waba_id), json!({})).await;
    let refused = stage.send(text("Habari"), echo(2)).await;
    assert!(matches!(refused, Err(SendError::Blocked { block: Block::Permission, .. })), "{refused:?}");
}

async fn errors_say_what_became_of_the_message(stage: Stage) {
    let under = async |act: Value| stage.send_under(act).await.unwrap_err();
    for (code, expected) in [
        (131_056, ThrottleScope::Pair),
        (130_429, ThrottleScope::Number),
        (80_007, ThrottleScope::Waba),
        (4, ThrottleScope::App),
    ] {
        let error = under(json!({"error": {"code": code}})).await;
        assert!(
            matches!(error, SendError::Throttled { scope, .. } if scope == expected),
            "{code}: {error:?}"
        );
    }
    for (code, expected) in [
        (131_047, Fault::Message),
        (131_026, Fault::Recipient),
        (131_049, Fault::RecipientForNow),
        (132_001, Fault::Template),
        (131_008, Fault::Configuration),
    ] {
        let error = under(json!({"error": {"code": code}})).await;
        assert!(matches!(error, SendError::Rejected { fault, .. } if fault == expected), "{code}: {error:?}");
    }
    for (code, expected) in [
        (368, Block::Policy),
        (131_042, Block::Billing),
        (131_045, Block::NumberNotReady),
        (10, Block::Permission),
        (131_005, Block::Permission),
    ] {
        let error = under(json!({"status": 400, "error": {"code": code}})).await;
        assert!(matches!(error, SendError::Blocked { block, .. } if block == expected), "{code}: {error:?}");
    }
    let error = under(json!({"error": {"code": 190}})).await;
    assert!(matches!(error, SendError::Reauthenticate { .. }), "{error:?}");
    for status in [500, 502, 503] {
        let error = under(json!({"status": status})).await;
        assert!(matches!(error, SendError::OutcomeUnknown { .. }), "{status}: {error:?}");
    }
}

async fn without_a_connection_nothing_was_sent(stage: Stage) {
    let Stage { provider, sandbox, number, .. } = stage;
    sandbox.stop().await;
    let token = AccessToken::new(number.access_token.expose());
    let request = domain::contracts::provider::SendRequest {
        graph_id: &number.phone_number_id,
        token: &token,
        message: r#"{"to":"+255712345678","type":"text","text":{"body":"Habari"}}"#,
        echo: echo(1),
    };
    let error = provider.send.send(request).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
}

async fn what_customers_write_arrives(stage: Stage) {
    let callback = stage.callback().await;
    let messages = [
        json!({"type": "text", "text": {"body": "Nahitaji bei 😀"}}),
        json!({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": "😀"}}),
        json!({"type": "location", "location": {"latitude": -6.79, "longitude": 39.2}}),
        json!({"type": "hologram", "hologram": {"x": 1}}),
    ];
    let mut ids = Vec::new();
    for message in messages {
        let inbound = json!({"phone_number_id": stage.number.phone_number_id, "from": "255712345678", "profile_name": "Asha", "message": message});
        ids.push(stage.control(Method::POST, "inbound", inbound).await["id"].as_str().unwrap().to_owned());
    }
    let hidden = json!({"phone_number_id": stage.number.phone_number_id, "from": null, "user_id": "TZ.13491208", "message": {"type": "text", "text": {"body": "Mimi"}}});
    ids.push(stage.control(Method::POST, "inbound", hidden).await["id"].as_str().unwrap().to_owned());
    let updates = callback.hears(ids.len()).await;
    let mut heard = Vec::new();
    for update in updates {
        assert_eq!(update.subject, Subject::Number(stage.number.phone_number_id.clone()));
        let Content::Message { key, contact, message, .. } = update.content else { panic!("{update:?}") };
        assert!(contact.is_some(), "{message}");
        heard.push(key);
    }
    heard.sort();
    ids.sort();
    assert_eq!(heard, ids);
}

async fn a_webhook_that_is_not_signed_is_not_heard(stage: Stage) {
    let callback = stage.callback().await;
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "x", "value": {"é": "/"}}]}]});
    for (signature, status) in [("good", 200), ("wrong", 401), ("none", 401)] {
        let raw = json!({"body": body, "signature": signature});
        assert_eq!(stage.control(Method::POST, "raw", raw).await["status"], status, "{signature}");
    }
    assert_eq!(callback.heard().len(), 1);
}

async fn signed_up(stage: &Stage, wish: Value) -> AuthorizationCode {
    let answer = stage.control(Method::POST, "signup", wish).await;
    AuthorizationCode::new(answer["code"].as_str().unwrap())
}

async fn a_number_is_connected_from_code_to_first_message(stage: Stage) {
    let onboard = stage.onboard();
    let code = signed_up(&stage, json!({"business_name": "Duka la Juma"})).await;
    let token = onboard.exchange_code(&code, None).await.unwrap();
    let grant = onboard.inspect_token(&token).await.unwrap();
    assert!(grant.expires_at.is_some(), "the login configuration gives sixty days");
    let [waba_id] = grant.waba_ids.as_slice() else { panic!("{grant:?}") };
    let numbers = onboard.numbers(&token, waba_id).await.unwrap();
    let [number] = numbers.as_slice() else { panic!("{numbers:?}") };
    assert!(number.verified && !number.registered && !number.coexistence, "{number:?}");
    assert!(number.phone_number.as_ref().is_some_and(|shown| shown.starts_with('+')), "{number:?}");
    onboard.subscribe(&token, waba_id).await.unwrap();
    onboard.subscribe(&token, waba_id).await.unwrap();
    onboard.register(&token, &number.phone_number_id, &Pin::new("493817")).await.unwrap();
    let again = onboard.numbers(&token, waba_id).await.unwrap();
    assert!(again[0].registered, "{again:?}");
    stage.send_with(&token, &number.phone_number_id, text("Habari"), echo(1)).await.unwrap();
}

async fn a_code_is_good_once_for_half_a_minute_and_for_its_address(stage: Stage) {
    let onboard = stage.onboard();
    let problem = async |code: &AuthorizationCode, uri: Option<&str>| {
        let error = onboard.exchange_code(code, uri).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains(code.expose_secret()) && !shown.contains(stage.sandbox.app().secret.expose()),
            "{shown}"
        );
        error.problem
    };
    let code = signed_up(&stage, Value::Null).await;
    onboard.exchange_code(&code, None).await.unwrap();
    assert_eq!(problem(&code, None).await, OnboardProblem::CodeUsed);

    let code = signed_up(&stage, Value::Null).await;
    stage.control(Method::POST, "clock", json!({"advance_s": 31})).await;
    assert_eq!(problem(&code, None).await, OnboardProblem::CodeExpired);

    let redirect = "http://127.0.0.1:9/onboarding/whatsapp/official/callback";
    let code = signed_up(&stage, json!({"redirect_uri": redirect})).await;
    assert_eq!(problem(&code, None).await, OnboardProblem::RedirectMismatch);
    onboard.exchange_code(&code, Some(redirect)).await.unwrap();
}

async fn a_token_sees_only_what_was_granted(stage: Stage) {
    let onboard = stage.onboard();
    let other = stage.sandbox.seed_connected(1).await.unwrap();
    let error = onboard.numbers(&stage.token(), &other.waba_id).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::WabaNotGranted);
    let error = onboard.subscribe(&stage.token(), &other.waba_id).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::WabaNotGranted);
    let error = onboard.inspect_token(&AccessToken::new("EAAwrongwrongwrong")).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::TokenInvalid);
    let error = onboard.numbers(&AccessToken::new("EAAwrongwrongwrong"), &other.waba_id).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::TokenInvalid);
}

async fn a_pin_is_not_guessed_at(stage: Stage) {
    let onboard = stage.onboard();
    let register = async |pin: &str| {
        onboard.register(&stage.token(), &stage.number.phone_number_id, &Pin::new(pin)).await
    };
    let right = stage.number.pin.expose().to_owned();
    let wrong = if right == "000000" { "111111" } else { "000000" };
    assert_eq!(register(wrong).await.unwrap_err().problem, OnboardProblem::PinWrong);
    register(&right).await.unwrap();
    stage.fault(json!({"match": {"path": "register"}, "do": {"error": {"code": 133_016}}})).await;
    assert_eq!(register(&right).await.unwrap_err().problem, OnboardProblem::RegistrationLocked);
    stage.fault(json!({"match": {"path": "register"}, "do": {"cut": "after"}})).await;
    assert_eq!(register(&right).await.unwrap_err().problem, OnboardProblem::ProviderUnavailable);
}

async fn a_subscription_is_what_the_platform_says_of_it(stage: Stage) {
    let (onboard, token, waba_id) = (stage.onboard(), stage.token(), stage.number.waba_id.clone());
    assert!(onboard.is_subscribed(&token, &waba_id).await.unwrap());
    stage.graph(Method::DELETE, &format!("{waba_id}/subscribed_apps")).await;
    assert!(!onboard.is_subscribed(&token, &waba_id).await.unwrap());
    onboard.subscribe(&token, &waba_id).await.unwrap();
    assert!(onboard.is_subscribed(&token, &waba_id).await.unwrap());
    let other = stage.sandbox.seed_connected(1).await.unwrap();
    let error = onboard.is_subscribed(&token, &other.waba_id).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::WabaNotGranted);
    stage.fault(json!({"match": {"path": "subscribed_apps"}, "do": {"cut": "after"}})).await;
    let error = onboard.is_subscribed(&token, &waba_id).await.unwrap_err();
    assert_eq!(error.problem, OnboardProblem::ProviderUnavailable);
}

async fn set_templates(stage: &Stage, templates: Value) {
    let path = format!("templates/{}", stage.number.waba_id);
    stage.control(Method::PUT, &path, json!({ "templates": templates })).await;
}

async fn every_template_is_listed_however_many_pages_it_takes(stage: Stage) {
    let templates = stage.provider.templates.clone().expect("this provider lists templates");
    let list = async || templates.list(&stage.token(), &stage.number.waba_id).await;
    assert_eq!(list().await, Ok(Vec::new()));
    let mut many: Vec<_> =
        (0..230).map(|number| json!({"name": format!("order_{number:03}"), "language": "sw"})).collect();
    many.push(json!({"name": "order_000", "language": "en_US", "status": "PAUSED", "category": "MARKETING",
        "quality": "RED", "components": [{"type": "BODY", "text": "Hi {{1}}, {{2}}"}]}));
    set_templates(&stage, many.into()).await;
    let listed = list().await.unwrap();
    assert_eq!(listed.len(), 231);
    let paused = listed.iter().find(|template| template.language == "en_US").unwrap();
    assert_eq!((paused.name.as_str(), paused.status.as_str()), ("order_000", "PAUSED"));
    assert_eq!((paused.category, paused.quality), (Some(Category::Marketing), Quality::Red));
    assert_eq!(paused.shape.main.body, Places::Numbered(2));
    for (act, expected) in [
        (json!({"error": {"code": 80_007}}), "called too often"),
        (json!({"status": 503}), "not available"),
        (json!({"cut": "before"}), "not available"),
        (json!({"error": {"code": 190}}), "refused"),
    ] {
        stage.fault(json!({"match": {"path": "message_templates"}, "do": act})).await;
        let error = list().await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{act}: {error}");
    }
}

async fn news_about_a_template_is_told_as_what_it_changes(stage: Stage) {
    let callback = stage.callback().await;
    let order = |status: &str, quality: &str| json!([{"name": "order", "language": "en_US", "status": status, "quality": quality}]);
    set_templates(&stage, order("APPROVED", "GREEN")).await;
    set_templates(&stage, order("PAUSED", "RED")).await;
    let updates = callback.hears(3).await;
    let mut changes = Vec::new();
    for update in updates {
        assert_eq!(update.subject, Subject::Waba(stage.number.waba_id.clone()));
        let Content::Other { template: Some(news), .. } = update.content else { panic!("{update:?}") };
        assert_eq!((news.name.as_str(), news.language.as_str()), ("order", "en_US"));
        changes.push(news.change);
    }
    for expected in [
        TemplateChange::Status(TemplateStatus::new("APPROVED")),
        TemplateChange::Status(TemplateStatus::new("PAUSED")),
        TemplateChange::Quality(Quality::Red),
    ] {
        assert!(changes.contains(&expected), "{expected:?} in {changes:?}");
    }
}

async fn what_an_account_is_told_says_whether_it_may_send(stage: Stage) {
    let callback = stage.callback().await;
    let waba_id = &stage.number.waba_id;
    for (field, value) in [
        ("account_update", json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}})),
        (
            "phone_number_quality_update",
            json!({"display_phone_number": "255222000000", "event": "THROUGHPUT_UPGRADE"}),
        ),
        ("security", json!({"display_phone_number": "255222000000", "event": "PIN_CHANGED"})),
    ] {
        let change = json!({"waba_id": waba_id, "field": field, "value": value});
        stage.control(Method::POST, "change", change).await;
    }
    for update in callback.hears(3).await {
        let Content::Other { field, means, .. } = update.content else { panic!("{update:?}") };
        let means = means.as_deref();
        match field.as_str() {
            "account_update" => assert_eq!(means.and_then(|news| news.block), Some(Block::Policy)),
            "phone_number_quality_update" => {
                assert_eq!(means.and_then(|news| news.throughput_per_second), Some(1_000));
                assert_eq!(means.and_then(|news| news.phone_number.as_deref()), Some("+255222000000"));
            }
            _ => assert_eq!(means, None, "{field}"),
        }
    }
}

async fn a_failed_status_is_judged_as_an_answer_would_be(stage: Stage) {
    let callback = stage.callback().await;
    let receipt = stage.send_under(json!({"async_error": {"code": 131_049}})).await.unwrap();
    let updates = callback.hears(1).await;
    let Content::Status(status) = &updates[0].content else { panic!("{updates:?}") };
    assert_eq!((&status.provider_id, status.status), (&receipt.provider_id, Some(DeliveryStatus::Failed)));
    assert!(
        matches!(&status.judged, Some(SendError::Rejected { fault: Fault::RecipientForNow, error }) if error.code == Some(131_049)),
        "{status:?}"
    );
}
