//! Outcomes that nobody knows, and answers that come late.

use std::sync::Arc;
use std::time::Duration;

use domain::contracts::provider::{ProviderError, SendError};
use domain::contracts::store::{Batch, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::message::MessageStatus::{Accepted, Ambiguous, Failed, Sent};
use domain::outbox::{Happening, OutboxState};
use domain::{Clock as _, ConnectionStatus};
use gateway_actors::{Config, SystemClock};

use crate::support::eventually;
use crate::support::tree::{Step, Tree, config};

fn unknown() -> SendError {
    SendError::OutcomeUnknown { error: ProviderError::default() }
}

/// The first post of "lost" is not answered.
fn one_is_lost() -> crate::support::scripted::Script {
    Arc::new(|number, text| if number == 1 && text == "lost" { Step::Fail(unknown()) } else { Step::Accept })
}

async fn prove(tree: &Tree) {
    // A status carries whole seconds: the proof has to be of a later one than the claim.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let other = tree.accept("+255712000002", "other").await;
    tree.reaches(other, Sent).await;
    tree.report(other, DeliveryStatus::Sent, None).await;
}

#[actix_rt::test]
async fn a_lost_message_goes_again_once_others_prove_that_reports_flow() {
    let tree = Tree::start(config(), one_is_lost()).await;
    let lost = tree.accept("+255712000001", "lost").await;
    tree.reaches(lost, Ambiguous).await;
    prove(&tree).await;
    tree.reaches(lost, Sent).await;
    assert_eq!(tree.posts().iter().filter(|text| *text == "lost").count(), 2);
    let reasons: Vec<_> =
        tree.store.timeline(lost).await.unwrap().into_iter().filter_map(|line| line.reason).collect();
    assert_eq!(reasons, ["outcome_unknown", "resent_on_proof"]);
}

#[actix_rt::test]
async fn a_report_that_comes_between_the_proof_and_the_next_attempt_is_in_time() {
    let script: crate::support::scripted::Script = Arc::new(|_, text| match text {
        "lost" => Step::Fail(unknown()),
        _ => Step::Accept,
    });
    let tree = Tree::start(config(), script).await;
    let lost = tree.accept("+255712000001", "lost").await;
    tree.reaches(lost, Ambiguous).await;
    // Its owner wants it slow now: what is proven unsent has to wait for its turn.
    let pace = Some(domain::connection::Pace { per_minute: 15, jitter_percent: 0 });
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let other = tree.accept("+255712000002", "other").await;
    tree.reaches(other, Sent).await;
    tree.gateway.set_pace(&tree.connection, pace).await.unwrap();
    tree.report(other, DeliveryStatus::Sent, None).await;
    tree.reaches(lost, Accepted).await;
    tree.report(lost, DeliveryStatus::Delivered, None).await;
    tree.reaches(lost, Sent).await;
    assert_eq!(tree.posts().iter().filter(|text| *text == "lost").count(), 1);
    let timeline = tree.store.timeline(lost).await.unwrap();
    assert_eq!(timeline.last().and_then(|line| line.reason.as_deref()), Some("reported_by_provider"));
}

#[actix_rt::test]
async fn silence_that_we_did_not_hear_is_no_proof() {
    let patient = Config { ambiguous_limit_s: 6, ..config() };
    let tree = Tree::start(patient, one_is_lost()).await;
    let lost = tree.accept("+255712000001", "lost").await;
    tree.reaches(lost, Ambiguous).await;
    // Something was turned away again and again: its report may have been among it.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        tree.gateway.missed_news();
        let other = tree.accept("+255712000002", "other").await;
        tree.reaches(other, Sent).await;
        tree.report(other, DeliveryStatus::Sent, None).await;
    }
    assert_eq!(tree.status(lost).await, Ambiguous);
    prove(&tree).await;
    tree.reaches(lost, Sent).await;
    assert_eq!(tree.posts().iter().filter(|text| *text == "lost").count(), 2);
}

#[actix_rt::test]
async fn without_a_subscription_nothing_is_proof_and_the_number_is_degraded() {
    let tree = Tree::start_subscribed(config(), one_is_lost(), false).await;
    let lost = tree.accept("+255712000001", "lost").await;
    tree.reaches(lost, Ambiguous).await;
    prove(&tree).await;
    tree.turns(tree.connection.id, ConnectionStatus::Degraded, Some("webhook_unsubscribed")).await;
    tree.reaches(lost, Failed).await;
    assert_eq!(tree.posts().iter().filter(|text| *text == "lost").count(), 1);
    let next = tree.accept("+255712000003", "next").await;
    tree.reaches(next, Sent).await;
}

#[actix_rt::test]
async fn a_report_settles_what_nobody_answered() {
    let tree = Tree::start(config(), one_is_lost()).await;
    let lost = tree.accept("+255712000001", "lost").await;
    let behind = tree.accept("+255712000001", "behind").await;
    tree.reaches(lost, Ambiguous).await;
    assert_eq!(tree.posts(), ["lost"], "the lane waits");
    tree.report(lost, DeliveryStatus::Delivered, None).await;
    tree.reaches(lost, Sent).await;
    tree.reaches(behind, Sent).await;
    assert_eq!(tree.posts(), ["lost", "behind"]);
}

#[actix_rt::test]
async fn an_answer_that_comes_after_its_claim_was_given_up_is_not_dropped() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::AcceptAfter(Duration::from_secs(1)))).await;
    let id = tree.accept("+255712000001", "slow").await;
    let stored = tree.store.message(tree.account(), id).await.unwrap().unwrap();
    let OutboxState::Sending(claim) = stored.state else { panic!("{:?}", stored.state) };
    // As a successor would, which does not know that the post is still under way.
    let given_up = Transition {
        message: id,
        connection: tree.connection.id,
        partition: tree.connection.partition,
        from: stored.state,
        to: stored.state.after(Happening::ClaimOrphaned).unwrap(),
        provider_id: None,
        error: None,
        at: SystemClock.now(),
        unless_reported: false,
        timeline: Vec::new(),
    };
    let batch = Batch { transitions: vec![given_up], ..Batch::default() };
    let epochs = [(tree.connection.partition, claim.epoch)];
    assert_eq!(tree.store.commit(&epochs, &batch).await.unwrap().transitions, [true]);
    tree.reaches(id, Sent).await;
    let stored = tree.store.message(tree.account(), id).await.unwrap().unwrap();
    assert_eq!(stored.provider_id.as_deref(), Some("wamid.1"));
    assert_eq!(tree.posts().len(), 1);
}

#[actix_rt::test]
async fn a_provider_that_is_away_is_not_asked_message_by_message() {
    let away = SendError::NotSent { error: ProviderError::default(), retry_after: None, attempts: None };
    let tree = Tree::start(config(), Arc::new(move |_, _| Step::Fail(away.clone()))).await;
    for number in 0..200 {
        tree.accept(&format!("+2557120{number:05}"), "x").await;
    }
    eventually("it rests", Duration::from_secs(10), || async {
        let seen = tree.observe(tree.connection.id).await;
        if seen.paused_until.is_some() { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let posts = tree.posts().len();
    assert!(posts < 60, "{posts} posts to a provider that is away");
}
