//! How a connection behaves, whatever its provider does.

mod broken_app;
mod order;
mod pauses;
mod rates;
mod second_look;
mod unheard;
mod unknown;

use std::sync::Arc;
use std::time::Duration;

use domain::contracts::provider::{ProviderError, SendError, ThrottleScope};
use domain::message::MessageStatus::{Ambiguous, Cancelled, Expired, Failed, Retrying, Sent};
use domain::{Clock as _, Priority};
use gateway_actors::{Cancellation, SystemClock};
use providers::cloud_api;

use crate::support::eventually;
use crate::support::tree::{Step, Tree, config};

/// What the platform's own code says of a message.
fn refusal(code: i64) -> SendError {
    let error = ProviderError { code: Some(code), http_status: Some(400), ..ProviderError::default() };
    cloud_api::send_error(error, false, None)
}

fn throttled() -> SendError {
    SendError::Throttled {
        scope: ThrottleScope::Pair,
        error: ProviderError::default(),
        retry_after: Some(Duration::from_millis(30)),
    }
}

#[actix_rt::test]
async fn a_backlog_larger_than_memory_is_sent_whole_and_in_order_to_each_recipient() {
    let tree = Tree::start(
        config(),
        Arc::new(|number, _| if number % 7 == 0 { Step::Fail(throttled()) } else { Step::Accept }),
    )
    .await;
    let recipients = ["+255712000001", "+255712000002", "+255712000003"];
    let mut last = Vec::new();
    for n in 0..700 {
        let id = tree.accept(recipients[n % 3], &format!("{}:{n:04}", n % 3)).await;
        last.push(id);
    }
    for id in last {
        tree.reaches(id, Sent).await;
    }
    for lane in 0..3 {
        let mut of_lane: Vec<_> =
            tree.posts().into_iter().filter(|text| text.starts_with(&format!("{lane}:"))).collect();
        assert!(of_lane.is_sorted(), "a retry is a repetition, never a step back");
        of_lane.dedup();
        assert_eq!(of_lane.len(), (0..700).filter(|n| n % 3 == lane).count());
    }
}

#[actix_rt::test]
async fn a_panic_ends_one_connection_for_a_moment_and_its_message_is_not_posted_blindly_again() {
    let tree =
        Tree::start(config(), Arc::new(|_, text| if text == "boom" { Step::Panic } else { Step::Accept }))
            .await;
    let boom = tree.accept("+255712000001", "boom").await;
    tree.reaches(boom, Ambiguous).await;
    let other = tree.accept("+255712000002", "fine").await;
    tree.reaches(other, Sent).await;
    tree.reaches(boom, Failed).await;
    assert_eq!(tree.posts().iter().filter(|text| *text == "boom").count(), 1);
}

#[actix_rt::test]
async fn a_dead_token_holds_every_message_until_the_owner_connects_again() {
    let dead = SendError::Reauthenticate { error: ProviderError::default() };
    let tree = Tree::start(
        config(),
        Arc::new(move |number, _| if number == 1 { Step::Fail(dead.clone()) } else { Step::Accept }),
    )
    .await;
    let first = tree.accept("+255712000001", "first").await;
    tree.reaches(first, Retrying).await;
    let second = tree.accept("+255712000002", "second").await;
    let stored = tree.store.connection(tree.connection.id).await.unwrap().unwrap();
    assert_eq!((stored.status.as_str(), stored.reason.as_deref()), ("disconnected", Some("token_invalid")));
    assert_eq!(tree.posts().len(), 1, "nothing is tried with a token that the provider refused");
    tree.connect_again().await;
    tree.reaches(first, Sent).await;
    tree.reaches(second, Sent).await;
}

#[actix_rt::test]
async fn a_message_is_cancelled_until_it_is_claimed_and_expires_unsent() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    let now = SystemClock.now();
    let later = tree
        .accept_with("+255712000001", "later", |submission| {
            submission.send_at = Some(now.plus(Duration::from_mins(10)));
        })
        .await;
    assert_eq!(tree.gateway.cancel(tree.connection.id, later).await.unwrap(), Cancellation::Cancelled);
    assert_eq!(tree.status(later).await, Cancelled);
    let short = tree
        .accept_with("+255712000002", "short", |submission| {
            submission.send_at = Some(now.plus(Duration::from_mins(10)));
            submission.expires_at = Some(now.plus(Duration::from_secs(1)));
        })
        .await;
    tree.reaches(short, Expired).await;
    let sent = tree.accept("+255712000003", "sent").await;
    tree.reaches(sent, Sent).await;
    assert_eq!(tree.gateway.cancel(tree.connection.id, sent).await.unwrap(), Cancellation::TooLate);
    assert_eq!(tree.posts(), ["sent"]);
}

#[actix_rt::test]
async fn a_drain_waits_for_what_is_in_flight() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::AcceptAfter(Duration::from_millis(300)))).await;
    let id = tree.accept("+255712000001", "in flight").await;
    tree.gateway.stop(Duration::from_secs(10)).await;
    assert_eq!(tree.status(id).await, Sent);
}

#[actix_rt::test]
async fn an_unknown_outcome_of_a_one_time_code_ends_without_a_second_post() {
    let unknown = SendError::OutcomeUnknown { error: ProviderError::default() };
    let tree = Tree::start(config(), Arc::new(move |_, _| Step::Fail(unknown.clone()))).await;
    let id =
        tree.accept_with("+255712000001", "123456", |submission| submission.priority = Priority::Otp).await;
    tree.reaches(id, Failed).await;
    assert_eq!(tree.posts().len(), 1);
}

#[actix_rt::test]
async fn an_idle_connection_leaves_memory_and_comes_back_as_often_as_it_is_needed() {
    let config = gateway_actors::Config { idle_after_s: 1, ..config() };
    let tree = Tree::start(config, Arc::new(|_, _| Step::Accept)).await;
    for round in 0..3 {
        let id = tree.accept("+255712000001", &format!("round {round}")).await;
        tree.reaches(id, Sent).await;
        eventually("it has left memory", Duration::from_secs(10), || async {
            let running = tree.gateway.overview().await.connections.len();
            if running == 0 { Ok(()) } else { Err(running.to_string()) }
        })
        .await;
    }
    assert_eq!(tree.posts(), ["round 0", "round 1", "round 2"]);
}

#[actix_rt::test]
async fn a_message_for_later_holds_up_nobody() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    let soon = SystemClock.now().plus(Duration::from_secs(2));
    let later =
        tree.accept_with("+255712000001", "later", |submission| submission.send_at = Some(soon)).await;
    let now = tree.accept("+255712000001", "now").await;
    tree.reaches(now, Sent).await;
    tree.reaches(later, Sent).await;
    assert_eq!(tree.posts(), ["now", "later"]);
}
