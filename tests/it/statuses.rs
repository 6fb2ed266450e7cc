//! What providers report of messages, in whatever order, however often, and with or without our echo.

use std::sync::Arc;
use std::time::Duration;

use domain::contracts::provider::{Content, ProviderError, SendError, StatusUpdate, Subject, Update};
use domain::ids::MessageId;
use domain::message::{Echo, MessageStatus, Order};
use domain::{Clock, Connection, DeliveryStatus, ProviderName, Timestamp};
use gateway_actors::{Config, Ingested, SystemClock};
use serde_json::json;

use crate::support::eventually;
use crate::support::tree::{Step, Tree, config};

const ASHA: &str = "+255712000001";

/// Nothing is settled by waiting within a test.
fn patient() -> Config {
    Config { ambiguous_settle_s: 600, ambiguous_limit_s: 3_600, ..config() }
}

async fn nobody_knows() -> Tree {
    let unknown = SendError::OutcomeUnknown { error: ProviderError::default() };
    Tree::start(patient(), Arc::new(move |_, _| Step::Fail(unknown.clone()))).await
}

async fn all_sent() -> Tree {
    Tree::start(patient(), Arc::new(|_, _| Step::Accept)).await
}

/// A status as it comes without our echo.
fn status(word: &str, provider_id: &str, recipient: &str) -> StatusUpdate {
    StatusUpdate {
        provider_id: provider_id.to_owned(),
        word: word.to_owned(),
        status: word.parse().ok(),
        echo: None,
        participant: String::new(),
        contact: None,
        judged: None,
        object: json!({ "id": provider_id, "status": word, "recipient_id": recipient.trim_start_matches('+') }),
        metadata: json!({}),
    }
}

fn echoing(message: MessageId, status: StatusUpdate) -> StatusUpdate {
    StatusUpdate { echo: Some(Echo { message, attempt: 1 }), ..status }
}

async fn hear(tree: &Tree, connection: &Connection, statuses: Vec<StatusUpdate>) -> Ingested {
    hear_at(SystemClock.now(), tree, connection, statuses).await
}

async fn hear_at(
    at: Timestamp,
    tree: &Tree,
    connection: &Connection,
    statuses: Vec<StatusUpdate>,
) -> Ingested {
    let subject = Subject::Number(connection.graph_id.clone().expect("a number"));
    let update = |status| Update { subject: subject.clone(), at, content: Content::Status(Box::new(status)) };
    let updates = statuses.into_iter().map(update).collect();
    tree.gateway.ingest(ProviderName::Meta, updates).await.expect("kept")
}

/// As the API shows it.
async fn shown(tree: &Tree, id: MessageId) -> MessageStatus {
    let stored = tree.store.message(tree.account(), id).await.expect("readable").expect("there");
    let reports = tree.store.reports(&[(stored.connection, id)]).await.expect("readable");
    let reported = DeliveryStatus::of_reports(reports.iter().map(|report| report.status));
    MessageStatus::of(stored.state.code(), reported)
}

async fn is_shown(tree: &Tree, id: MessageId, status: MessageStatus) {
    eventually(&format!("{id} is {status}"), Duration::from_secs(10), || async {
        let now = shown(tree, id).await;
        if now == status { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

#[actix_rt::test]
async fn a_failed_status_without_echo_settles_the_one_message_that_hangs_in_the_air() {
    let tree = nobody_knows().await;
    let (id, other) = (tree.accept(ASHA, "hangs").await, tree.accept("+255712000002", "hangs too").await);
    for id in [id, other] {
        tree.reaches(id, MessageStatus::Ambiguous).await;
    }
    let failed = status("failed", "wamid.unheard.of", ASHA);
    assert_eq!(hear(&tree, &tree.connection, vec![failed]).await.new, 1);
    is_shown(&tree, id, MessageStatus::Failed).await;
    tree.reaches(id, MessageStatus::Sent).await;
    assert_eq!(tree.status(other).await, MessageStatus::Ambiguous, "nothing was said about it");
    assert_eq!(tree.posts().len(), 2, "and nothing is sent again");
}

#[actix_rt::test]
async fn among_several_that_hang_none_is_chosen_and_no_other_word_than_failed_settles_anything() {
    let tree = nobody_knows().await;
    let mut hanging = Vec::new();
    for text in ["one", "two"] {
        let id = tree.accept_with(ASHA, text, |submission| submission.order = Order::Relaxed).await;
        tree.reaches(id, MessageStatus::Ambiguous).await;
        hanging.push(id);
    }
    let alone = tree.accept("+255712000002", "alone").await;
    tree.reaches(alone, MessageStatus::Ambiguous).await;
    let heard = vec![
        status("failed", "wamid.unheard.of", ASHA),
        status("sent", "wamid.unheard.of", "+255712000002"),
        status("failed", "wamid.of.nobody", "+255712000003"),
    ];
    assert_eq!(
        hear(&tree, &tree.connection, heard).await.new,
        3,
        "they are kept, and endpoints hear of them"
    );
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for id in hanging.into_iter().chain([alone]) {
        assert_eq!(shown(&tree, id).await, MessageStatus::Ambiguous);
    }
}

#[actix_rt::test]
async fn a_status_without_echo_is_found_by_the_providers_id() {
    let tree = all_sent().await;
    let id = tree.accept(ASHA, "sent").await;
    tree.reaches(id, MessageStatus::Sent).await;
    let provider_id = tree.store.message(tree.account(), id).await.unwrap().unwrap().provider_id.unwrap();
    hear(&tree, &tree.connection, vec![status("read", &provider_id, ASHA)]).await;
    assert_eq!(shown(&tree, id).await, MessageStatus::Read);
}

#[actix_rt::test]
async fn a_status_without_echo_waits_for_the_answer_that_tells_its_id() {
    let slow = Duration::from_millis(400);
    let tree = Tree::start(patient(), Arc::new(move |_, _| Step::AcceptAfter(slow))).await;
    let id = tree.accept(ASHA, "slow").await;
    tree.reaches(id, MessageStatus::Sending).await;
    let heard = [status("delivered", "wamid.1", ASHA), status("delivered", "wamid.of.another.tool", ASHA)];
    hear(&tree, &tree.connection, heard.to_vec()).await;
    let provider_id = tree.store.message(tree.account(), id).await.unwrap().unwrap().provider_id;
    assert_eq!(provider_id.as_deref(), Some("wamid.1"), "it was answered while the status waited");
    assert_eq!(shown(&tree, id).await, MessageStatus::Delivered);
}

#[actix_rt::test]
async fn statuses_out_of_order_and_repeated_leave_the_furthest_and_are_each_told_once() {
    let tree = all_sent().await;
    let id = tree.accept(ASHA, "sent").await;
    let told = |word| echoing(id, status(word, "wamid.1", ASHA));
    for (words, new) in [
        (vec!["read"], 1),
        (vec!["sent", "delivered", "read"], 2),
        (vec!["delivered", "delivered"], 0),
        (vec!["failed"], 1),
    ] {
        let statuses: Vec<_> = words.iter().map(|word| told(word)).collect();
        let count = statuses.len() as u64;
        let heard = hear(&tree, &tree.connection, statuses).await;
        assert_eq!((heard.new, heard.known), (new, count - new), "{words:?}");
        assert_eq!(shown(&tree, id).await, MessageStatus::Read, "after {words:?}");
    }
}

#[actix_rt::test]
async fn a_status_that_comes_before_the_answer_to_the_post_settles_it() {
    let step = Step::AcceptAfter(Duration::from_millis(700));
    let tree = Tree::start(patient(), Arc::new(move |_, _| step.clone())).await;
    let id = tree.accept(ASHA, "slow").await;
    let delivered = echoing(id, status("delivered", "wamid.1", ASHA));
    assert_eq!(hear(&tree, &tree.connection, vec![delivered]).await.new, 1);
    assert_eq!(shown(&tree, id).await, MessageStatus::Delivered);
    tree.reaches(id, MessageStatus::Sent).await;
    assert_eq!(shown(&tree, id).await, MessageStatus::Delivered);
}

#[actix_rt::test]
async fn a_status_of_a_message_that_does_not_exist_is_kept_and_harms_nothing() {
    let tree = all_sent().await;
    let nobody = MessageId::from_uuid(uuid::Uuid::from_u128(404));
    let read = || vec![echoing(nobody, status("read", "wamid.404", ASHA)), status("read", "wamid.405", ASHA)];
    let at = SystemClock.now();
    assert_eq!(hear_at(at, &tree, &tree.connection, read()).await.new, 2);
    assert_eq!(hear_at(at, &tree, &tree.connection, read()).await.known, 2);
    assert!(tree.store.message(tree.account(), nobody).await.unwrap().is_none());
    let id = tree.accept(ASHA, "goes on").await;
    tree.reaches(id, MessageStatus::Sent).await;
}

#[actix_rt::test]
async fn what_another_number_says_about_a_message_counts_for_nothing() {
    let tree = nobody_knows().await;
    let id = tree.accept(ASHA, "hangs").await;
    tree.reaches(id, MessageStatus::Ambiguous).await;
    // The number moved to another business, or somebody echoes what is not theirs.
    let elsewhere = tree.another("dukani").await;
    let heard = hear(
        &tree,
        &elsewhere,
        vec![echoing(id, status("read", "wamid.1", ASHA)), status("failed", "wamid.2", ASHA)],
    );
    assert_eq!(heard.await.new, 2);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(shown(&tree, id).await, MessageStatus::Ambiguous);
    let theirs = tree
        .store
        .events_after(tree.account(), &domain::contracts::store::EventFilter::default(), 0, 100)
        .await
        .unwrap();
    let theirs: Vec<_> = theirs.iter().filter(|event| event.connection == Some(elsewhere.id)).collect();
    assert!(theirs.iter().all(|event| event.client_ref.is_none()));
}

#[actix_rt::test]
async fn a_status_of_a_number_that_nobody_has_is_quarantined() {
    let tree = all_sent().await;
    let gone = Connection { graph_id: Some("999".to_owned()), ..tree.connection.clone() };
    let heard = hear(&tree, &gone, vec![status("read", "wamid.1", ASHA)]).await;
    assert_eq!((heard.new, heard.quarantined), (0, 1));
    assert_eq!(tree.store.quarantined().await.unwrap(), 1);
}
