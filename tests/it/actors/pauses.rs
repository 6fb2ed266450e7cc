//! What forbids every message pauses the number, or the app, and burns nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ConnectionStatus::{Connected, Disconnected, Suspended};
use domain::MessageId;
use domain::contracts::provider::{Block, ProviderError, SendError};
use domain::delivery_status::DeliveryStatus;
use domain::message::MessageStatus::{Accepted, Retrying, Sent};
use domain::news::NumberNews;

use crate::support::eventually;
use crate::support::tree::{Step, Tree, config};

fn blocked(block: Block, retry_after: Option<Duration>) -> SendError {
    SendError::Blocked { block, error: ProviderError::default(), retry_after }
}

/// Blocks until the switch is thrown.
fn until_lifted(error: SendError) -> (Arc<AtomicBool>, crate::support::scripted::Script) {
    let lifted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&lifted);
    let script = Arc::new(
        move |_, _: &str| {
            if seen.load(Ordering::SeqCst) { Step::Accept } else { Step::Fail(error.clone()) }
        },
    );
    (lifted, script)
}

#[actix_rt::test]
async fn a_declined_card_suspends_the_number_and_burns_no_message() {
    let (lifted, script) = until_lifted(blocked(Block::Billing, None));
    let tree = Tree::start(config(), script).await;
    let first = tree.accept("+255712000001", "first").await;
    tree.turns(tree.connection.id, Suspended, Some("billing")).await;
    tree.reaches(first, Retrying).await;
    let mut queue = Vec::new();
    for number in 0..200 {
        queue.push(tree.accept(&format!("+2557120{number:05}"), "queued").await);
    }
    assert_eq!(tree.status(queue[7]).await, Accepted);
    let seen = tree.observe(tree.connection.id).await;
    assert_eq!((seen.waiting, seen.in_memory), (201, 0), "the queue waits in the store");
    assert!(seen.paused_until.is_some());
    assert_eq!(tree.posts().len(), 1, "nothing is tried meanwhile");

    lifted.store(true, Ordering::SeqCst);
    let lift = NumberNews { lift: vec![Block::Policy], ..NumberNews::default() };
    tree.news(&tree.connection, lift).await;
    assert_eq!(tree.row(tree.connection.id).await.status, Suspended, "another reason is lifted");
    let lift = NumberNews { lift: vec![Block::Billing], ..NumberNews::default() };
    tree.news(&tree.connection, lift).await;
    tree.turns(tree.connection.id, Connected, None).await;
    for id in queue.into_iter().chain([first]) {
        tree.reaches(id, Sent).await;
    }
    let stored = tree.store.message(tree.account(), first).await.unwrap().unwrap();
    assert_eq!(stored.state.attempts(), 1, "the refusal cost no attempt");
}

#[actix_rt::test]
async fn an_operator_resumes_a_suspended_number_and_a_reason_that_remains_suspends_it_again() {
    let (lifted, script) = until_lifted(blocked(Block::Policy, None));
    let tree = Tree::start(config(), script).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.turns(tree.connection.id, Suspended, Some("policy")).await;
    tree.gateway.resume_connection(&tree.row(tree.connection.id).await).await.unwrap();
    eventually("it was tried", Duration::from_secs(5), || async {
        let posts = tree.posts().len();
        if posts == 2 { Ok(()) } else { Err(posts.to_string()) }
    })
    .await;
    tree.turns(tree.connection.id, Suspended, Some("policy")).await;
    lifted.store(true, Ordering::SeqCst);
    tree.gateway.resume_connection(&tree.row(tree.connection.id).await).await.unwrap();
    tree.reaches(id, Sent).await;
    tree.turns(tree.connection.id, Connected, None).await;
}

/// A number that this block suspended, started again when it may try whether the block is over, on a platform that
/// takes every message from now on; and the message that waits.
async fn may_try(block: Block, reason: &str) -> (Tree, MessageId) {
    let wait = Duration::from_secs(200);
    let (lifted, script) = until_lifted(blocked(block, Some(wait)));
    let tree = Tree::start(config(), script.clone()).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.turns(tree.connection.id, Suspended, Some(reason)).await;
    let probe = tree.row(tree.connection.id).await.sending.probe.expect("it is written down");
    assert_eq!(probe.tried, 0);
    // As if that long had passed while nobody was there.
    let due = domain::connection::Probe { at: probe.at.minus(wait), ..probe };
    let change = domain::connection::SendingChange::Probe(Some(due));
    tree.store.change_sending(tree.connection.id, change, probe.at).await.unwrap();
    lifted.store(true, Ordering::SeqCst);
    (tree.restarted(config(), script).await, id)
}

#[actix_rt::test]
async fn a_suspended_number_tries_by_itself_with_one_message() {
    let (tree, id) = may_try(Block::NumberNotReady, "number_not_ready").await;
    tree.reaches(id, Sent).await;
    let next = tree.accept("+255712000002", "two").await;
    assert_eq!(tree.row(tree.connection.id).await.status, Suspended, "taken, and not reported yet");
    tree.report(id, DeliveryStatus::Sent, None).await;
    tree.turns(tree.connection.id, Connected, None).await;
    tree.reaches(next, Sent).await;
}

#[actix_rt::test]
async fn a_try_that_is_taken_and_fails_later_burns_nothing_of_the_queue() {
    let (tree, id) = may_try(Block::Billing, "billing").await;
    tree.reaches(id, Sent).await;
    for number in 0..20 {
        tree.accept(&format!("+2557120001{number:02}"), "queued").await;
    }
    tree.report(id, DeliveryStatus::Failed, Some(blocked(Block::Billing, None))).await;
    eventually("the try counts", Duration::from_secs(10), || async {
        let tried = tree.row(tree.connection.id).await.sending.probe.map(|probe| probe.tried);
        if tried == Some(1) { Ok(()) } else { Err(format!("{tried:?}")) }
    })
    .await;
    assert_eq!(tree.row(tree.connection.id).await.status, Suspended);
    assert_eq!(tree.posts().iter().filter(|text| *text == "queued").count(), 0);
}

#[actix_rt::test]
async fn a_block_that_ends_within_a_minute_changes_no_status() {
    let (lifted, script) = until_lifted(blocked(Block::NumberNotReady, Some(Duration::from_secs(2))));
    let tree = Tree::start(config(), script).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.reaches(id, Retrying).await;
    lifted.store(true, Ordering::SeqCst);
    assert_eq!(tree.row(tree.connection.id).await.status, Connected);
    tree.reaches(id, Sent).await;
    let posted = tree.posted();
    assert!(posted[1].at - posted[0].at >= Duration::from_millis(1_900));
}

#[actix_rt::test]
async fn a_failed_status_that_names_a_block_suspends_as_an_answer_does() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.reaches(id, Sent).await;
    tree.report(id, DeliveryStatus::Failed, Some(blocked(Block::Billing, None))).await;
    tree.turns(tree.connection.id, Suspended, Some("billing")).await;
}

#[actix_rt::test]
async fn what_the_platform_says_of_a_number_holds_also_when_it_is_not_in_memory() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    let quiet = tree.another("quiet").await;
    let block = NumberNews { block: Some(Block::Policy), ..NumberNews::default() };
    tree.news(&quiet, block).await;
    tree.turns(quiet.id, Suspended, Some("policy")).await;
    let lift = NumberNews { lift: vec![Block::Policy], ..NumberNews::default() };
    tree.news(&quiet, lift).await;
    tree.turns(quiet.id, Connected, None).await;
    let rate = NumberNews { throughput_per_second: Some(500), ..NumberNews::default() };
    tree.news(&quiet, rate).await;
    assert_eq!(tree.row(quiet.id).await.sending.messages_per_second, Some(500));
}

fn dead() -> SendError {
    SendError::Reauthenticate { error: ProviderError { code: Some(190), ..ProviderError::default() } }
}

#[actix_rt::test]
async fn one_dead_token_is_its_owners_trouble_after_a_moment() {
    let mut config = config();
    config.app_trouble_grace_s = 1;
    let tree = Tree::start(config, Arc::new(|_, _| Step::Fail(dead()))).await;
    tree.accept("+255712000001", "one").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tree.row(tree.connection.id).await.status, Connected, "it may yet be the app");
    tree.turns(tree.connection.id, Disconnected, Some("token_invalid")).await;
    assert!(tree.gateway.broken_apps().is_empty());
}

#[actix_rt::test]
async fn when_many_are_refused_alike_the_app_is_broken_and_no_owner_hears_of_it() {
    let mut config = config();
    config.app_trouble_grace_s = 2;
    let tree = Tree::start(config, Arc::new(|_, _| Step::Fail(dead()))).await;
    let mut numbers = vec![tree.connection.clone()];
    for reference in ["b", "c", "d"] {
        numbers.push(tree.another(reference).await);
    }
    let mut ids = Vec::new();
    for number in &numbers {
        ids.push(tree.accept_on(number.id, "+255712000001", "one", |_| {}).await.unwrap());
    }
    eventually("the app counts as broken", Duration::from_secs(5), || async {
        let broken = tree.gateway.broken_apps();
        if broken.len() == 1 { Ok(()) } else { Err(format!("{broken:?}")) }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let posts = tree.posts().len();
    assert!((3..=4).contains(&posts), "{posts}: nothing is sent through a broken app");
    for (number, id) in numbers.iter().zip(ids) {
        assert_eq!(tree.row(number.id).await.status, Connected);
        assert!(matches!(tree.status(id).await, Retrying | Accepted), "every message is kept");
    }
    assert_eq!(tree.gateway.overview().await.broken_apps.len(), 1);
}
