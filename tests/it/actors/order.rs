//! Who goes first, and who waits for whom.

use std::sync::Arc;
use std::time::Duration;

use domain::Clock as _;
use domain::Priority;
use domain::delivery_status::DeliveryStatus;
use domain::message::MessageStatus::{Expired, Sent};
use domain::message::Order;
use gateway_actors::SystemClock;

use crate::support::eventually;
use crate::support::tree::{Step, Tree, config, paced};

fn recipient(number: usize) -> String {
    format!("+2557120{number:05}")
}

async fn flood(tree: &Tree, messages: usize) {
    for number in 0..messages {
        tree.accept_with(&recipient(number), &format!("bulk {number}"), |submission| {
            submission.priority = Priority::Bulk;
        })
        .await;
    }
}

#[actix_rt::test]
async fn a_code_goes_before_a_flood_but_never_before_an_earlier_message_to_the_same_person() {
    // Far slower than any machine accepts, so that there is a flood.
    let tree = Tree::start(paced(5), Arc::new(|_, _| Step::Accept)).await;
    flood(&tree, 400).await;
    let otp = |submission: &mut gateway_actors::Submission| submission.priority = Priority::Otp;
    let before = tree.posts().len();
    let code = tree.accept_with(&recipient(90_000), "a code", otp).await;
    let behind = tree.accept_with(&recipient(399), "a code behind bulk", otp).await;
    tree.reaches(code, Sent).await;
    tree.reaches(behind, Sent).await;
    let place = |text| tree.place(text).expect("posted");
    assert!(place("a code") < before + 20, "{} posts were before it", place("a code") - before);
    assert!(place("bulk 399") < place("a code behind bulk"), "what was accepted first goes first");
    assert!(place("a code behind bulk") < before + 60, "and pulls it forward");
    assert!(tree.posts().len() < 300, "the flood is still on its way");
}

#[actix_rt::test]
async fn a_backlog_stays_in_the_store() {
    let tree = Tree::start(paced(1), Arc::new(|_, _| Step::Accept)).await;
    flood(&tree, 600).await;
    for number in 0..300 {
        tree.accept(&recipient(1_000 + number), "normal").await;
    }
    let seen = tree.observe(tree.connection.id).await;
    assert!(seen.in_memory <= 256, "{seen:?}");
    assert!(seen.waiting > 850, "{seen:?}");
}

#[actix_rt::test]
async fn a_message_that_keeps_no_order_waits_for_nobody() {
    let slow = |_, text: &str| {
        if text == "slow" { Step::AcceptAfter(Duration::from_secs(2)) } else { Step::Accept }
    };
    let tree = Tree::start(config(), Arc::new(slow)).await;
    let first = tree.accept("+255712000001", "slow").await;
    let behind = tree.accept("+255712000001", "behind").await;
    let relaxed =
        tree.accept_with("+255712000001", "relaxed", |submission| submission.order = Order::Relaxed).await;
    tree.reaches(relaxed, Sent).await;
    assert_eq!(tree.posts(), ["slow", "relaxed"]);
    tree.reaches(first, Sent).await;
    tree.reaches(behind, Sent).await;
}

fn delivered(submission: &mut gateway_actors::Submission) {
    submission.order = Order::Delivered;
}

#[actix_rt::test]
async fn what_follows_waits_for_the_delivery_or_for_its_time() {
    let mut config = config();
    config.delivered_order_timeout_s = 3;
    let tree = Tree::start(config, Arc::new(|_, _| Step::Accept)).await;
    let first = tree.accept_with("+255712000001", "first", delivered).await;
    let second = tree.accept_with("+255712000001", "second", delivered).await;
    tree.reaches(first, Sent).await;
    tree.report(first, DeliveryStatus::Sent, None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tree.posts(), ["first"], "sent is not delivered");
    tree.report(first, DeliveryStatus::Delivered, None).await;
    tree.reaches(second, Sent).await;
    let third = tree.accept("+255712000001", "third").await;
    let other = tree.accept("+255712000002", "other").await;
    tree.reaches(other, Sent).await;
    assert_eq!(tree.posts(), ["first", "second", "other"], "nobody else waits");
    tree.reaches(third, Sent).await;
    let posted = tree.posted();
    assert!(posted[3].at - posted[1].at >= Duration::from_secs(3));
}

#[actix_rt::test]
async fn a_restart_does_not_forget_who_waits_for_a_delivery() {
    let mut config = config();
    config.delivered_order_timeout_s = 4;
    let tree = Tree::start(config.clone(), Arc::new(|_, _| Step::Accept)).await;
    let first = tree.accept_with("+255712000001", "first", delivered).await;
    tree.reaches(first, Sent).await;
    let second = tree.accept("+255712000001", "second").await;
    let tree = tree.restarted(config, Arc::new(|_, _| Step::Accept)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(tree.posts(), ["first"]);
    tree.report(first, DeliveryStatus::Read, None).await;
    tree.reaches(second, Sent).await;
    let posted = tree.posted();
    assert!(posted[1].at - posted[0].at < Duration::from_millis(3_500), "it did not wait for the time");
}

#[actix_rt::test]
async fn scheduled_messages_of_all_priorities_go_when_their_time_comes() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    // Long enough for all to be accepted before, on a machine that is busy.
    let soon = SystemClock.now().plus(Duration::from_secs(10));
    let mut ids = Vec::new();
    for number in 0..200 {
        let id = tree
            .accept_with(&recipient(number), &number.to_string(), |submission| {
                submission.send_at = Some(soon);
                submission.priority =
                    [Priority::Otp, Priority::High, Priority::Normal, Priority::Bulk][number % 4];
            })
            .await;
        ids.push(id);
    }
    assert_eq!(tree.observe(tree.connection.id).await.in_memory, 0, "until then they take no memory");
    for id in ids {
        tree.reaches(id, Sent).await;
    }
    assert_eq!(tree.posts().len(), 200);
}

#[actix_rt::test]
async fn nothing_is_posted_after_its_time_and_the_store_is_not_forgotten() {
    let tree = Tree::start(paced(1), Arc::new(|_, _| Step::Accept)).await;
    let until = SystemClock.now().plus(Duration::from_secs(3));
    let mut ids = Vec::new();
    for number in 0..300 {
        let id = tree
            .accept_with(&recipient(number), "short", |submission| submission.expires_at = Some(until))
            .await;
        ids.push(id);
    }
    eventually("all are over", Duration::from_secs(20), || async {
        let mut left = 0;
        for &id in &ids {
            left += usize::from(!matches!(tree.status(id).await, Sent | Expired));
        }
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    assert!(tree.posts().len() < 10, "{}", tree.posts().len());
    assert_eq!(tree.observe(tree.connection.id).await.waiting, 0);
}
