use domain::contracts::media::MediaError;
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use crate::support::{
    Place, bytes, claims, drop_while_it_waits, in_pieces, new_id, put, read, that_breaks_off, that_never_ends,
};

claims! {
    content_of_any_length_reads_back_whole
    content_that_is_put_again_takes_the_place_of_what_was_there
    media_is_not_there_before_it_is_put_and_after_it_is_deleted
    content_is_not_there_before_all_of_it_is
    content_that_breaks_off_leaves_nothing
    content_that_is_too_long_leaves_nothing
    a_put_that_is_dropped_leaves_nothing
    media_does_not_mix
    a_reader_may_stop_before_the_end
}

/// Short, and in more than one part of what a store takes.
const SHORT: usize = 100_000;
const LONG: usize = 11 * 1024 * 1024;

async fn content_of_any_length_reads_back_whole(place: Place) {
    const PART: usize = 5 * 1024 * 1024;
    for length in [0, 1, SHORT, PART - 1, PART, PART + 1, LONG] {
        let (id, content) = (new_id(), bytes(length));
        assert_eq!(put(&place.media, id, &content).await, length as u64);
        assert!(read(&place.media, id).await.unwrap() == content, "{length} bytes");
    }
    let (id, content) = (new_id(), bytes(LONG));
    let in_one_piece = place.media.put(id, in_pieces(&content, LONG), LONG as u64).await;
    assert_eq!(in_one_piece.unwrap(), LONG as u64);
    assert!(read(&place.media, id).await.unwrap() == content);
}

async fn content_that_is_put_again_takes_the_place_of_what_was_there(place: Place) {
    let id = new_id();
    for length in [LONG, SHORT, LONG + 1] {
        put(&place.media, id, &bytes(length)).await;
        assert!(read(&place.media, id).await.unwrap() == bytes(length), "{length} bytes");
    }
}

async fn media_is_not_there_before_it_is_put_and_after_it_is_deleted(place: Place) {
    let id = new_id();
    place.media.delete(id).await.unwrap();
    place.expect_empty(id).await;
    put(&place.media, id, &bytes(SHORT)).await;
    place.media.delete(id).await.unwrap();
    place.expect_empty(id).await;
    place.media.delete(id).await.unwrap();
}

async fn content_is_not_there_before_all_of_it_is(place: Place) {
    for length in [SHORT, LONG] {
        let id = new_id();
        let (say, said) = tokio::sync::oneshot::channel::<()>();
        let media = place.media.clone();
        let rest = futures_util::stream::once(async move {
            let not_yet = media.read(id).await;
            assert!(matches!(not_yet, Err(MediaError::NotThere)), "{not_yet:?}");
            say.send(()).unwrap();
            Ok(bytes(1))
        });
        let content = in_pieces(&bytes(length), 64 * 1024).chain(rest).boxed();
        assert_eq!(place.media.put(id, content, u64::MAX).await.unwrap(), length as u64 + 1);
        said.await.unwrap();
        assert_eq!(read(&place.media, id).await.unwrap().len(), length + 1);
    }
}

async fn content_that_breaks_off_leaves_nothing(place: Place) {
    for length in [0, SHORT, LONG] {
        let id = new_id();
        let error = place.media.put(id, that_breaks_off(&bytes(length)), u64::MAX).await.unwrap_err();
        assert!(matches!(&error, MediaError::Broken(cause) if cause.to_string() == "the caller went away"));
        place.expect_empty(id).await;
    }
}

async fn content_that_is_too_long_leaves_nothing(place: Place) {
    for length in [SHORT, LONG] {
        let (id, content) = (new_id(), bytes(length));
        let at_most = length as u64 - 1;
        let error = place.media.put(id, in_pieces(&content, 50_000), at_most).await.unwrap_err();
        assert!(matches!(error, MediaError::TooLarge { at_most: told } if told == at_most), "{error:?}");
        place.expect_empty(id).await;
        place.media.put(id, in_pieces(&content, 50_000), length as u64).await.unwrap();
        place.media.delete(id).await.unwrap();
    }
}

async fn a_put_that_is_dropped_leaves_nothing(place: Place) {
    for length in [0, SHORT, LONG] {
        let id = new_id();
        drop_while_it_waits(place.media.put(id, that_never_ends(&bytes(length)), u64::MAX)).await;
        place.expect_empty(id).await;
    }
}

async fn media_does_not_mix(place: Place) {
    let mut puts = JoinSet::new();
    for number in 0..8 {
        let media = place.media.clone();
        puts.spawn(async move {
            let (id, length) = (new_id(), SHORT * (number + 1) + number);
            put(&media, id, &bytes(length)).await;
            (id, length)
        });
    }
    let kept = puts.join_all().await;
    place.media.delete(kept[0].0).await.unwrap();
    for (id, length) in &kept[1..] {
        assert!(read(&place.media, *id).await.unwrap() == bytes(*length));
    }
}

async fn a_reader_may_stop_before_the_end(place: Place) {
    let id = new_id();
    put(&place.media, id, &bytes(LONG)).await;
    let mut kept = place.media.read(id).await.unwrap();
    assert!(!kept.content.next().await.unwrap().unwrap().is_empty());
    drop(kept);
    assert_eq!(read(&place.media, id).await.unwrap().len(), LONG);
}
