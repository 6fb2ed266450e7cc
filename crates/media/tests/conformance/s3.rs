//! What a store may do to us.

use std::sync::Arc;

use domain::contracts::media::{Media, MediaError};
use domain::secret::SecretString;
use media::Config;

use crate::pretend::{Fault, Pretend};
use crate::support::{Place, bytes, in_pieces, new_id, on_pretend, open, put, read};

const LONG: usize = 11 * 1024 * 1024;

async fn start() -> (Pretend, Place) {
    let pretend = Pretend::start().await;
    let place = on_pretend(&pretend);
    (pretend, place)
}

fn fail(pretend: &Pretend, faults: &[(&'static str, Fault)]) {
    for (kind, fault) in faults {
        pretend.state().lock().unwrap().fail(kind, *fault);
    }
}

async fn refused_put(media: &Arc<dyn Media>, length: usize) -> (domain::ids::MediaId, MediaError) {
    let id = new_id();
    (id, media.put(id, in_pieces(&bytes(length), 70_001), u64::MAX).await.unwrap_err())
}

#[tokio::test]
async fn what_is_not_answered_is_asked_again_where_that_does_no_harm() {
    let (pretend, place) = start().await;
    fail(&pretend, &[("partNumber=2", Fault::Status(503)), ("partNumber=3", Fault::NoAnswer)]);
    let id = new_id();
    put(&place.media, id, &bytes(LONG)).await;
    fail(&pretend, &[("GET", Fault::Status(500)), ("GET", Fault::NoAnswer)]);
    assert!(read(&place.media, id).await.unwrap() == bytes(LONG));
    fail(&pretend, &[("DELETE", Fault::Status(503)), ("DELETE", Fault::NoAnswer)]);
    place.media.delete(id).await.unwrap();
    place.expect_empty(id).await;
}

#[tokio::test]
async fn a_put_that_stays_without_an_answer_leaves_nothing() {
    for (kind, length) in [("PUT", 1_000), ("PUT", LONG), ("POST", LONG)] {
        let (pretend, place) = start().await;
        fail(&pretend, &[(kind, Fault::NoAnswer); 3]);
        let (id, error) = refused_put(&place.media, length).await;
        assert!(matches!(error, MediaError::Unavailable(_)), "{kind} {length}: {error:?}");
        if kind == "POST" {
            // It began an upload whose id nobody learnt: that is for the bucket's rule.
            assert_eq!(pretend.state().lock().unwrap().left(), ["upload-1"]);
        } else {
            place.expect_empty(id).await;
        }
    }
}

#[tokio::test]
async fn a_completion_that_fails_late_or_without_an_answer_leaves_nothing() {
    for (fault, unavailable) in [
        (Fault::Code("InternalError"), true),
        (Fault::Code("InvalidPart"), false),
        (Fault::NoAnswer, true),
        (Fault::CutAnswer, true),
    ] {
        let (pretend, place) = start().await;
        fail(&pretend, &[("?uploadId=", fault)]);
        let (id, error) = refused_put(&place.media, LONG).await;
        assert_eq!(matches!(error, MediaError::Unavailable(_)), unavailable, "{fault:?}: {error:?}");
        assert!(unavailable || matches!(error, MediaError::Refused(_)), "{fault:?}: {error:?}");
        place.expect_empty(id).await;
    }
}

#[tokio::test]
async fn a_put_that_is_dropped_while_its_last_answer_is_due_leaves_nothing() {
    for (kind, length) in [("PUT", 1_000), ("?uploadId=", LONG)] {
        let (pretend, place) = start().await;
        fail(&pretend, &[(kind, Fault::Late)]);
        let (id, content) = (new_id(), bytes(length));
        let call = place.media.put(id, in_pieces(&content, LONG), u64::MAX);
        tokio::select! {
            answered = call => panic!("it was answered: {answered:?}"),
            () = until(&pretend, |left| left.iter().any(|name| name.starts_with('/'))) => {}
        }
        place.expect_empty(id).await;
    }
}

async fn until(pretend: &Pretend, holds: impl Fn(&[String]) -> bool) {
    while !holds(&pretend.state().lock().unwrap().left()) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn content_that_the_store_cuts_short_does_not_end_like_a_whole_one() {
    let (pretend, place) = start().await;
    let id = new_id();
    put(&place.media, id, &bytes(LONG)).await;
    fail(&pretend, &[("GET", Fault::CutAnswer)]);
    let cut = read(&place.media, id).await;
    assert!(matches!(cut, Err(MediaError::Unavailable(_))), "{:?}", cut.map(|content| content.len()));
}

#[tokio::test]
async fn keys_lie_behind_the_prefix() {
    let (pretend, place) = start().await;
    let id = new_id();
    put(&place.media, id, &bytes(1)).await;
    let expected = format!("PUT /media/gateway/{}?", id.uuid().simple());
    assert_eq!(pretend.state().lock().unwrap().seen, [expected]);
}

#[tokio::test]
async fn keys_that_are_not_taken_are_said_so_and_neither_they_nor_an_address_is_told() {
    let pretend = Pretend::start().await;
    let secret_access_key = Some(SecretString::from("another-planted"));
    let media = open(&Config { secret_access_key, ..pretend.config() });
    let away = Config { endpoint: Some("http://127.0.0.1:1/".parse().unwrap()), ..pretend.config() };
    let (_, refused) = refused_put(&media, 10).await;
    assert!(matches!(refused, MediaError::Refused(_)), "{refused:?}");
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(source, "it answered 403 SignatureDoesNotMatch");
    let (_, unavailable) = refused_put(&open(&away), 10).await;
    assert!(matches!(unavailable, MediaError::Unavailable(_)), "{unavailable:?}");
    for error in [refused, unavailable] {
        let told = format!("{error} {error:?} {}", std::error::Error::source(&error).unwrap());
        assert!(!told.contains("planted") && !told.contains("X-Amz"), "{told}");
    }
}
