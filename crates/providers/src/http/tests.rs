use super::*;
use crate::testing::{Reply, Server};

const QUICK: Timeouts = Timeouts { connect: Duration::from_millis(300), total: Duration::from_millis(600) };

fn http() -> Http {
    Http::new("meta", QUICK, false).unwrap()
}

async fn get(url: &str) -> Result<Answer, Failure> {
    let http = http();
    let secrets = Secrets::of(["planted-code-1234", "planted-app-secret"]);
    let request =
        http.get(url).query(&[("code", "planted-code-1234"), ("client_secret", "planted-app-secret")]);
    http.call(request, Call { operation: "test", usage: Usage::Messages, secrets: &secrets }).await
}

fn is_silent(failure: &Failure) {
    let shown = format!("{failure:?}");
    assert!(!shown.contains("planted") && !shown.contains("http://"), "{shown}");
}

#[tokio::test]
async fn a_refused_connection_is_known_to_have_carried_nothing() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failure = get(&format!("http://127.0.0.1:{port}/x")).await.unwrap_err();
    assert!(matches!(&failure, Failure::NotConnected(cause) if cause.contains("refused")), "{failure:?}");
    is_silent(&failure);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_known_to_have_carried_nothing() {
    let failure = get("http://nowhere.invalid/x").await.unwrap_err();
    assert!(matches!(&failure, Failure::NotConnected(_)), "{failure:?}");
    is_silent(&failure);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_known_to_have_carried_nothing() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let failure = get(&format!("https://{address}/x")).await.unwrap_err();
    assert!(matches!(&failure, Failure::NotConnected(_)), "{failure:?}");
    is_silent(&failure);
}

#[tokio::test]
async fn what_breaks_after_the_request_left_may_have_been_carried_out() {
    for (reply, status) in [
        (Reply::Cut, None),
        (Reply::Silence, None),
        (Reply::CutAfterHead(200), Some(200)),
        (Reply::CutAfterHead(400), Some(400)),
    ] {
        let server = Server::start(vec![reply.clone()]).await;
        let failure = get(&format!("{}/x", server.base)).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::NoAnswer { status: found, .. } if *found == status),
            "{reply:?}: {failure:?}"
        );
        is_silent(&failure);
        assert_eq!(server.seen().len(), 1, "never repeated: {reply:?}");
    }
}

#[tokio::test]
async fn a_post_on_a_connection_that_the_server_cuts_is_made_once() {
    let server = Server::start(vec![Reply::ok("{}"), Reply::Cut]).await;
    let http = http();
    let secrets = Secrets::default();
    let post = || {
        http.call(
            http.post(&format!("{}/x", server.base)).body("{}"),
            Call { operation: "test", usage: Usage::Messages, secrets: &secrets },
        )
    };
    assert!(post().await.is_ok());
    assert!(matches!(post().await, Err(Failure::NoAnswer { .. })));
    assert_eq!(server.seen().len(), 2, "the second went over the kept connection, and no third was made");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Server::start(vec![Reply::ok("{}")]).await;
    let location: &'static str = Box::leak(format!("location: {}/\r\n", elsewhere.base).into_boxed_str());
    let server = Server::start(vec![Reply::Answer(302, location, String::new())]).await;
    assert_eq!(get(&format!("{}/x", server.base)).await.unwrap().status, 302);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let server = Server::start(vec![Reply::ok("x".repeat(LONGEST_ANSWER + 1))]).await;
    let failure = get(&format!("{}/x", server.base)).await.unwrap_err();
    assert!(matches!(failure, Failure::NoAnswer { status: Some(200), .. }), "{failure:?}");
    let server = Server::start(vec![Reply::ok("x".repeat(200_000))]).await;
    assert_eq!(get(&format!("{}/x", server.base)).await.unwrap().body.len(), 200_000);
}

#[tokio::test]
async fn we_say_who_we_are_and_read_how_long_to_wait() {
    let server = Server::start(vec![Reply::Answer(
        429,
        "retry-after: 7\r\nfacebook-api-version: v24.0\r\n",
        "{}".to_owned(),
    )])
    .await;
    let answer = get(&format!("{}/x", server.base)).await.unwrap();
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(answer.api_version.as_deref(), Some("v24.0"));
    assert!(server.seen()[0].contains(&format!("user-agent: {USER_AGENT}\r\n")), "{:?}", server.seen());
}
