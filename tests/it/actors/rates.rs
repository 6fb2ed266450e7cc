//! How fast a number sends, and how much may wait for it.

use std::sync::Arc;
use std::time::Duration;

use domain::connection::Pace;
use domain::contracts::provider::{ProviderError, SendError, ThrottleScope};
use domain::delivery_status::DeliveryStatus;
use domain::message::MessageStatus::Sent;
use domain::news::NumberNews;
use gateway_actors::AcceptError;

use super::refusal;
use crate::support::held_date::HeldDate;
use crate::support::tree::{Step, Tree, config, paced};

fn throttled(scope: ThrottleScope, retry_after: Option<Duration>) -> SendError {
    SendError::Throttled { scope, error: ProviderError::default(), retry_after }
}

fn first_fails(error: SendError) -> crate::support::scripted::Script {
    Arc::new(move |number, _| if number == 1 { Step::Fail(error.clone()) } else { Step::Accept })
}

fn recipient(number: usize) -> String {
    format!("+2557120{number:05}")
}

#[actix_rt::test]
async fn a_number_never_sends_faster_than_its_rate() {
    let tree = Tree::start(paced(40), Arc::new(|_, _| Step::Accept)).await;
    let mut last = Vec::new();
    for number in 0..100 {
        last.push(tree.accept(&recipient(number), "x").await);
    }
    for id in last {
        tree.reaches(id, Sent).await;
    }
    let posted = tree.posted();
    let took = posted[99].at - posted[0].at;
    // An eighth of a second's worth at once, and then forty a second; a commit may take a moment longer for the first.
    assert!(took >= Duration::from_millis(2_200), "{took:?}");
}

#[actix_rt::test]
async fn a_complaint_halves_the_rate_and_a_restart_does_not_bring_it_back() {
    let tree = Tree::start(config(), first_fails(throttled(ThrottleScope::Number, None))).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.reaches(id, Sent).await;
    let slower = tree.observe(tree.connection.id).await.messages_per_second;
    assert!((500..=550).contains(&slower), "{slower}");
    let tree = tree.restarted(config(), Arc::new(|_, _| Step::Accept)).await;
    let id = tree.accept("+255712000001", "two").await;
    tree.reaches(id, Sent).await;
    let slower = tree.observe(tree.connection.id).await.messages_per_second;
    assert!((500..=600).contains(&slower), "{slower}");
}

#[actix_rt::test]
async fn complaints_that_are_reported_within_five_seconds_halve_the_rate_once() {
    let date = Arc::new(HeldDate::today());
    let tree = Tree::start_by(date.clone(), config(), Arc::new(|_, _| Step::Accept), true).await;
    let mut sent = Vec::new();
    for number in 0..12 {
        let id = tree.accept(&recipient(number), "x").await;
        tree.reaches(id, Sent).await;
        sent.push(id);
    }
    let mut rates = Vec::new();
    for (passes, reports) in [(0, 5), (5_000, 3), (1, 1), (5_000, 3)] {
        date.advance(Duration::from_millis(passes));
        for id in sent.drain(..reports) {
            tree.report(id, DeliveryStatus::Failed, Some(refusal(130_429))).await;
            rates.push(tree.observe(tree.connection.id).await.messages_per_second);
        }
    }
    assert_eq!(rates, [[500; 8].as_slice(), &[250; 4]].concat());
}

#[actix_rt::test]
async fn a_throttle_of_the_app_holds_every_number_of_it() {
    let wait = Duration::from_secs(2);
    let tree = Tree::start(config(), first_fails(throttled(ThrottleScope::App, Some(wait)))).await;
    let other = tree.another("b").await;
    let first = tree.accept("+255712000001", "one").await;
    tree.reaches(first, domain::message::MessageStatus::Retrying).await;
    let second = tree.accept_on(other.id, "+255712000002", "two", |_| {}).await.unwrap();
    tree.reaches(second, Sent).await;
    let posted = tree.posted();
    assert!(posted[1].at - posted[0].at >= Duration::from_millis(1_900));
}

#[actix_rt::test]
async fn one_person_gets_a_burst_and_then_one_at_a_time_and_nobody_else_waits() {
    let mut config = config();
    config.limiter.pair_every_s = 1;
    config.limiter.pair_burst = 4;
    let tree = Tree::start(config, Arc::new(|_, _| Step::Accept)).await;
    let begun = tokio::time::Instant::now();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(tree.accept("+255712000001", &format!("chat {number}")).await);
    }
    let other = tree.accept("+255712000002", "other").await;
    tree.reaches(other, Sent).await;
    for id in ids {
        tree.reaches(id, Sent).await;
    }
    // After a start a person new to us has half the burst left, and the one that is taken.
    let posts = tree.posts();
    assert_eq!(posts.iter().position(|text| text == "other"), Some(2), "{posts:?}");
    let chat: Vec<_> = tree.posted().into_iter().filter(|post| post.text != "other").collect();
    assert!(chat[4].at - begun >= Duration::from_millis(2_900));
}

#[actix_rt::test]
async fn a_pace_that_the_owner_asks_for_is_kept_and_taken_away() {
    let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
    let pace = Some(Pace { per_minute: 120, jitter_percent: 20 });
    tree.gateway.set_pace(&tree.connection, pace).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(tree.accept(&recipient(number), "x").await);
    }
    for id in &ids[..3] {
        tree.reaches(*id, Sent).await;
    }
    for pair in tree.posted().windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(390));
    }
    tree.gateway.set_pace(&tree.connection, None).await.unwrap();
    assert_eq!(tree.row(tree.connection.id).await.sending.pace, None);
    tree.reaches(ids[3], Sent).await;
}

#[actix_rt::test]
async fn a_number_learns_how_much_the_platform_allows_it() {
    let tree = Tree::start(paced(80), Arc::new(|_, _| Step::Accept)).await;
    let id = tree.accept("+255712000001", "one").await;
    tree.reaches(id, Sent).await;
    let more = NumberNews { throughput_per_second: Some(1_000), ..NumberNews::default() };
    tree.news(&tree.connection, more).await;
    assert_eq!(tree.observe(tree.connection.id).await.messages_per_second, 1_000);
}

#[actix_rt::test]
async fn beyond_its_backlog_a_number_refuses_before_it_accepts() {
    let mut config = paced(1);
    config.backlog_per_connection = 20;
    let tree = Tree::start(config.clone(), Arc::new(|_, _| Step::Accept)).await;
    let mut refused = 0;
    for number in 0..40 {
        match tree.accept_on(tree.connection.id, &recipient(number), "x", |_| {}).await {
            Ok(_) => {}
            Err(AcceptError::Overloaded { retry_after }) => {
                assert!(retry_after > Duration::ZERO);
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!((10..=20).contains(&refused), "{refused}");
    // Counted anew, it is the same.
    let tree = tree.restarted(config, Arc::new(|_, _| Step::Accept)).await;
    let mut taken = 0;
    while tree.accept_on(tree.connection.id, &recipient(100), "x", |_| {}).await.is_ok() {
        taken += 1;
    }
    assert!(taken < 10, "{taken}");
}

#[actix_rt::test]
async fn a_flood_of_one_business_does_not_take_the_posts_of_another() {
    let mut config = config();
    config.posts_in_flight_total = std::num::NonZeroU32::new(10).unwrap();
    let slow = |_, text: &str| {
        let wait = if text == "flood" { 300 } else { 10 };
        Step::AcceptAfter(Duration::from_millis(wait))
    };
    let tree = Tree::start(config, Arc::new(slow)).await;
    let other = tree.another("b").await;
    for number in 0..300 {
        tree.accept(&recipient(number), "flood").await;
    }
    for number in 0..5 {
        let begun = tokio::time::Instant::now();
        let id = tree.accept_on(other.id, &recipient(number), "mine", |_| {}).await.unwrap();
        tree.reaches(id, Sent).await;
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    }
    assert!(tree.posts().iter().filter(|text| *text == "flood").count() < 300, "the flood goes on");
}
