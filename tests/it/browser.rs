//! An owner connects a number, in a real browser: the popup and the pages beside it, in both languages.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::browser::{Browser, Choice, Programs};
use crate::support::demo::Demo;
use crate::support::eventually;
use crate::support::owner::Owner;

const PAGE: &str = "/onboarding/whatsapp/official";

async fn session(api: &Api, business: &str, locale: &str, transport: &str) -> (String, String) {
    let asked = json!({
        "business_id": business, "transport": transport, "locale": locale,
        "return_url": "https://app.example.com/whatsapp?tab=1",
    });
    let made = api.post("/v1/onboarding-sessions", &asked).await.expect(201);
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("id"), text("url"))
}

async fn reaches(api: &Api, id: &str, status: &str) -> Value {
    eventually(&format!("the session is {status}"), Duration::from_secs(30), || async {
        let session = api.get(&format!("/v1/onboarding-sessions/{id}")).await.expect(200);
        if session["status"] == status { Ok(session) } else { Err(session.to_string()) }
    })
    .await
}

/// What shall go wrong at the provider, once each.
async fn faults(demo: &Demo, rules: &[(&str, Value)]) {
    let rules: Vec<_> =
        rules.iter().map(|(path, act)| json!({ "match": { "path": path }, "times": 1, "do": act })).collect();
    demo.sandbox().put("/control/faults", &json!({ "rules": rules })).await.expect(200);
}

#[actix_rt::test]
async fn an_owner_connects_a_new_business_in_the_browser() {
    let Some(programs) = Programs::find() else { return };
    let (demo, browser) = (Demo::start().await, Browser::start(&programs).await);
    let api = demo.api();
    let (id, url) = session(&api, "duka-la-neema", "sw", "choose").await;

    browser.open(&url).await;
    assert!(!browser.address().await.contains("session="), "the secret left the address");
    assert_eq!(browser.text("h1").await, "Unganisha WhatsApp");
    browser.pictures("choice", ["sw", "en"]).await;
    assert_eq!(browser.text("h1").await, "Connect WhatsApp");
    browser.tap("#unofficial").await;
    browser.pictures("unofficial", ["en", "sw"]).await;
    browser.tap("#official").await;
    browser.sees("#connect").await;
    browser.picture("official-sw").await;
    every_state_of_the_page(&browser, "sw").await;
    assert_eq!(browser.run("return typeof window.FB").await, "undefined", "no SDK before the tap");

    browser.tap("#connect").await;
    let page = browser.to_window().await;
    browser.back_to(page.clone()).await;
    browser.sees("[data-view=waiting]").await;
    browser.picture("waiting-sw").await;
    reaches(&api, &id, "authorizing").await;
    // Anybody may post a message to a page; only the provider's origins are believed.
    let forged =
        r#"window.postMessage(JSON.stringify({type: "WA_EMBEDDED_SIGNUP", event: "CANCEL", data: {}}), "*")"#;
    browser.run(forged).await;

    faults(&demo, &[("subscribed_apps", json!({ "delay_ms": 2_500 }))]).await;
    browser.to_window().await;
    browser.grants(Choice::NEW).await;
    browser.back_to(page).await;
    browser.sees("[data-step=inspect_token].done").await;
    browser.picture("progress-sw").await;

    browser.sees("#connected").await;
    assert_eq!(browser.text("h1").await, "WhatsApp imeunganishwa");
    let number = browser.text("#number").await;
    assert!(number.starts_with("+255 "), "{number}");
    assert_eq!(browser.text("#quality").await, "Mzuri");
    let back = browser.sees("a.button").await.attr("href").await.expect("a link").expect("an address");
    assert_eq!(back, format!("https://app.example.com/whatsapp?tab=1&session={id}"));
    browser.pictures("connected", ["sw", "en"]).await;

    let session = reaches(&api, &id, "connected").await;
    let outcomes: Vec<_> =
        session["steps"].as_array().expect("steps").iter().map(|step| &step["outcome"]).collect();
    assert_eq!(outcomes, ["done"; 6], "{session}");
    let connections = api.get("/v1/connections?business_id=duka-la-neema").await.expect(200);
    assert_eq!(connections["data"][0]["status"], "connected", "{connections}");
    browser.close().await;
}

/// Pictures of what the script shows for a moment only.
async fn every_state_of_the_page(browser: &Browser, lang: &str) {
    for view in ["loading", "open", "waiting", "blocked", "no-network", "progress"] {
        let only = format!(
            "document.querySelectorAll('[data-view]').forEach(v => v.hidden = v.getAttribute('data-view') !== '{view}')"
        );
        browser.run(&only).await;
        browser.picture(&format!("{view}-{lang}")).await;
    }
    browser.run("location.reload()").await;
    browser.sees("#connect").await;
}

#[actix_rt::test]
async fn an_owner_who_cancels_in_the_browser_reads_what_happened_and_tries_again() {
    let Some(programs) = Programs::find() else { return };
    let (demo, browser) = (Demo::start().await, Browser::start(&programs).await);
    let api = demo.api();
    let (id, url) = session(&api, "duka-la-juma", "en", "official").await;
    browser.open(&url).await;
    browser.picture("official-en").await;
    every_state_of_the_page(&browser, "en").await;

    // Says no in the window.
    browser.tap("#connect").await;
    let page = browser.to_window().await;
    browser.logs_in().await;
    browser.tap("#cancel").await;
    browser.back_to(page.clone()).await;
    assert!(browser.text("#failure").await.contains("You stopped before the end"));
    assert_eq!(reaches(&api, &id, "failed").await["problem"], "user_cancelled");

    // Closes the window.
    browser.tap("#connect").await;
    browser.to_window().await;
    browser.sees("#login-email").await;
    browser.close_window().await;
    browser.back_to(page.clone()).await;
    reaches(&api, &id, "failed").await;
    browser.sees("#failure").await;
    browser.pictures("cancelled", ["en", "sw"]).await;

    // Whatever order the code and the ids come in, and whichever of them is missing. On a slow network the tap has
    // lost its force when the SDK is there: a second one opens the window.
    browser.run("Object.defineProperty(navigator, 'userActivation', { value: { isActive: false } })").await;
    browser.tap("#connect").await;
    browser.tap("[data-view=open] button").await;
    browser.to_window().await;
    browser.grants(Choice { scenario: "reported_error", ..Choice::NEW }).await;
    browser.back_to(page.clone()).await;
    browser.sees("#failure").await;
    assert_eq!(reaches(&api, &id, "failed").await["problem"], "window_failed");
    browser.pictures("window-failed", ["en", "sw"]).await;
    browser.tap("#connect").await;
    browser.to_window().await;
    browser.grants(Choice { scenario: "no_code", ..Choice::NEW }).await;
    browser.back_to(page.clone()).await;
    eventually("the missing code is told", Duration::from_secs(30), || async {
        let problem = reaches(&api, &id, "failed").await["problem"].clone();
        if problem == "code_missing" { Ok(()) } else { Err(problem.to_string()) }
    })
    .await;
    browser.sees("#failure").await;
    browser.pictures("code-missing", ["sw", "en"]).await;
    browser.tap("#connect").await;
    browser.to_window().await;
    browser.grants(Choice { scenario: "code_first", ..Choice::NEW }).await;
    browser.back_to(page).await;
    browser.sees("#connected").await;
    reaches(&api, &id, "connected").await;
    browser.close().await;
}

#[actix_rt::test]
async fn an_error_of_meta_is_explained_in_the_browser_and_the_next_try_succeeds() {
    let Some(programs) = Programs::find() else { return };
    let (demo, browser) = (Demo::start().await, Browser::start(&programs).await);
    let api = demo.api();
    let (id, url) = session(&api, "duka-la-rehema", "sw", "official").await;
    let expired = json!({ "status": 400, "error": { "code": 100, "error_subcode": 36_007 } });
    let locked = json!({ "status": 400, "error": { "code": 133_016 } });
    // The number that the failed registration leaves behind is the one that the last try connects.
    let choice = Choice { business: "104996122399101", number: "115422318855701", scenario: "no_ids" };
    browser.open(&url).await;

    for (fault, problem, name) in [
        (("oauth/access_token", expired), "code_expired", "code-expired"),
        (("register", locked), "registration_locked", "registration-locked"),
    ] {
        faults(&demo, &[fault]).await;
        browser.tap("#connect").await;
        let page = browser.to_window().await;
        browser.grants(Choice { scenario: "ids_first", ..choice }).await;
        browser.back_to(page).await;
        eventually("the page shows it", Duration::from_secs(30), || async {
            let words = browser.words().await;
            if words.contains(problem) { Ok(()) } else { Err(words) }
        })
        .await;
        assert_eq!(reaches(&api, &id, "failed").await["problem"], problem);
        browser.pictures(name, ["en", "sw"]).await;
    }

    // No ids this time, and the account has several numbers.
    browser.tap("#connect").await;
    let page = browser.to_window().await;
    browser.grants(choice).await;
    browser.back_to(page).await;
    browser.sees("#connect-number").await;
    browser.pictures("numbers", ["sw", "en"]).await;
    browser.tap("input[value='115422318855701']").await;
    browser.tap("#connect-number").await;
    browser.sees("#connected").await;
    let connected = reaches(&api, &id, "connected").await;
    let connections = api.get("/v1/connections?business_id=duka-la-rehema").await.expect(200);
    let live = connections["data"].as_array().expect("a list").iter().filter(|c| c["status"] == "connected");
    assert_eq!(live.map(|c| &c["id"]).collect::<Vec<_>>(), [&connected["connection_id"]], "{connections}");

    // Another business cannot take it.
    let (other, url) = session(&api, "duka-jingine", "sw", "official").await;
    browser.open(&url).await;
    browser.tap("#connect").await;
    let page = browser.to_window().await;
    browser.grants(Choice { scenario: "ids_first", ..choice }).await;
    browser.back_to(page).await;
    browser.sees("#failure").await;
    browser.pictures("number-in-use", ["en", "sw"]).await;
    let refused = reaches(&api, &other, "failed").await;
    assert_eq!(refused["problem"], "number_in_use");
    assert!(!browser.words().await.contains("rehema"), "nothing is said of who holds it");
    browser.close().await;
}

#[actix_rt::test]
async fn a_browser_without_popups_goes_through_facebook_in_the_same_tab() {
    let Some(programs) = Programs::find() else { return };
    let (demo, browser) = (Demo::start().await, Browser::start(&programs).await);
    let api = demo.api();
    let (id, url) = session(&api, "duka-la-baraka", "en", "official").await;
    browser.open(&url).await;
    browser.run("window.open = function () { return null; }").await;
    browser.tap("#connect").await;
    browser.sees("[data-view=blocked]").await;
    browser.picture("blocked-for-real-en").await;
    browser.tap("[data-view=blocked] form button").await;
    browser.logs_in().await;
    browser.tap("#cancel").await;
    assert!(browser.text("#failure").await.contains("You stopped before the end"));
    assert!(browser.address().await.ends_with(PAGE), "neither code nor state stays in the address");

    browser.run("window.open = function () { return null; }").await;
    browser.tap("#connect").await;
    browser.tap("[data-view=blocked] form button").await;
    browser.grants(Choice::NEW).await;
    browser.sees("#connected").await;
    assert!(browser.address().await.ends_with(PAGE));
    reaches(&api, &id, "connected").await;
    browser.close().await;
}

#[actix_rt::test]
async fn what_a_browser_loads_before_the_tap_weighs_less_than_40_kb() {
    let demo = Demo::start().await;
    let mut owner = Owner::invited(&demo, "duka-la-kilo").await;
    let plain = Api::new(&demo.ready.gateway, "");
    let mut weight = 0;
    let mut addresses = vec![PAGE.to_owned()];
    while let Some(address) = addresses.pop() {
        let page = owner.ask(plain.request(Method::GET, &address)).await;
        assert_eq!(page.status, 200, "{address}");
        let own = page.text.split('"').filter(|text| text.starts_with("/onboarding/assets/"));
        addresses.extend(own.map(str::to_owned));
        let packed = plain.request(Method::GET, &address).header("accept-encoding", "gzip");
        let packed = packed.header("cookie", &owner.cookie).send().await.expect("an answer");
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{address}");
        let bytes = packed.bytes().await.expect("a body").len();
        tracing::info!(address, bytes, "compressed");
        weight += bytes;
    }
    assert!(weight < 40 * 1024, "{weight} bytes");
}

#[actix_rt::test]
async fn a_link_works_in_the_first_browser_only() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start().await;
    let (first, second) = (Browser::start(&programs).await, Browser::start(&programs).await);
    let api = demo.api();
    let (id, url) = session(&api, "duka-la-zawadi", "sw", "official").await;
    first.open(&url).await;
    first.sees("#connect").await;
    second.open(&url).await;
    second.sees("#notice").await;
    second.open(&format!("{url}&lang=sw")).await;
    assert!(second.words().await.contains("kivinjari kingine"));
    second.picture("other-browser-sw").await;
    second.open(&format!("{url}&lang=en")).await;
    second.picture("other-browser-en").await;
    second.open(&format!("{}{PAGE}", demo.ready.gateway)).await;
    second.pictures("no-session", ["sw", "en"]).await;
    second.open(&format!("{}{PAGE}/callback?state=made-up&code=made-up", demo.ready.gateway)).await;
    second.sees("#notice").await;
    second.picture("forged-en").await;

    first.open(&url).await;
    first.tap("#not-now").await;
    first.sees("#notice").await;
    first.pictures("given-up", ["en", "sw"]).await;
    assert_eq!(reaches(&api, &id, "cancelled").await["problem"], "user_cancelled");
    first.close().await;
    second.close().await;
}
