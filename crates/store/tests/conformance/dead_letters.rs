//! What did not arrive is found among everything that did, with its reason and what took its place.

use domain::contracts::dead_letters::REPORTED_FAILED;
use domain::contracts::store::Transition;
use domain::contracts::store::{MessageFilter, NewMessage, Page};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent, report_id};
use domain::ids::MessageId;
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;

use crate::support::{Fixture, Shared, at, claims, events, messages};

claims! {
    failures_of_either_kind_are_listed_newest_first
    messages_are_found_by_time_and_by_reason
    a_replay_names_the_message_in_whose_place_it_is
    the_providers_report_of_a_failure_is_found
}

fn failed_report(fixture: &Fixture, message: &NewMessage) -> NewEvent {
    NewEvent {
        id: report_id(message.connection, message.id, "failed", ""),
        event_type: EventType::MessageStatus,
        message: Some(message.id),
        status: Some(DeliveryStatus::Failed),
        ..fixture.event()
    }
}

async fn fail(fixture: &Fixture, message: &NewMessage, reason: &str) {
    let line = TimelineEntry {
        at: at(5),
        status: MessageStatus::Failed,
        attempt: None,
        reason: Some(reason.to_owned()),
        error: None,
    };
    let sending = OutboxState::Sending(fixture.claim(1, 1));
    assert!(fixture.apply(&fixture.transition(message, OutboxState::NEW, sending)).await);
    let failed = OutboxState::Failed { attempts: 1 };
    let transition = Transition { timeline: vec![line], ..fixture.transition(message, sending, failed) };
    assert!(fixture.apply(&transition).await);
}

async fn listed(fixture: &Fixture, filter: MessageFilter) -> Vec<MessageId> {
    let page = Page { after: None, limit: 100 };
    let rows = fixture.store.messages(fixture.account, &filter, page).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

async fn failures_of_either_kind_are_listed_newest_first(store: Shared) {
    let fixture = Fixture::new(store).await;
    let all: Vec<_> = (0..6).map(|_| fixture.message()).collect();
    fixture.commit(&messages(&all)).await;
    fail(&fixture, &all[1], "rejected").await;
    fixture.commit(&events(&[failed_report(&fixture, &all[4])])).await;
    for business in [None, Some(fixture.business.key)] {
        let filter = MessageFilter { failed: true, business, ..MessageFilter::default() };
        let found = listed(&fixture, filter.clone()).await;
        assert_eq!(found, [all[4].id, all[1].id]);
        let page = Page { after: Some(all[4].id), limit: 1 };
        let rows = fixture.store.messages(fixture.account, &filter, page).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), [all[1].id]);
    }
}

async fn messages_are_found_by_time_and_by_reason(store: Shared) {
    let fixture = Fixture::new(store).await;
    let all: Vec<_> = (0..4).map(|n| NewMessage { accepted_at: at(100 * n), ..fixture.message() }).collect();
    fixture.commit(&messages(&all)).await;
    fail(&fixture, &all[0], "rejected").await;
    fail(&fixture, &all[2], "outcome_unknown").await;
    let filter = MessageFilter { business: Some(fixture.business.key), ..MessageFilter::default() };
    let between = MessageFilter { from: Some(at(100)), to: Some(at(300)), ..filter.clone() };
    assert_eq!(listed(&fixture, between).await, [all[2].id, all[1].id]);
    let of = |reason: &str| MessageFilter { reason: Some(reason.to_owned()), ..filter.clone() };
    assert_eq!(listed(&fixture, of("outcome_unknown")).await, [all[2].id]);
    fixture.commit(&events(&[failed_report(&fixture, &all[3]), failed_report(&fixture, &all[0])])).await;
    assert_eq!(listed(&fixture, of(REPORTED_FAILED)).await, [all[3].id]);
}

async fn a_replay_names_the_message_in_whose_place_it_is(store: Shared) {
    let fixture = Fixture::new(store).await;
    let old = NewMessage { opaque: Some("theirs".to_owned()), ..fixture.message() };
    let new = NewMessage { replay_of: Some(old.id), ..fixture.message() };
    fixture.commit(&messages(&[old.clone(), new.clone()])).await;
    let stored = fixture.store.message(fixture.account, new.id).await.unwrap().unwrap();
    assert_eq!(stored.replay_of, Some(old.id));
    let stored = fixture.store.message(fixture.account, old.id).await.unwrap().unwrap();
    assert_eq!((stored.replay_of, stored.opaque.as_deref()), (None, Some("theirs")));
    assert_eq!(fixture.store.replays(&[new.id, old.id]).await.unwrap(), [(old.id, new.id)]);
    assert_eq!(fixture.store.replays(&[]).await.unwrap(), []);
}

async fn the_providers_report_of_a_failure_is_found(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = fixture.message();
    fixture.accept(&message).await;
    let find = async || fixture.store.failed_report(message.connection, message.id).await.unwrap();
    assert_eq!(find().await, None);
    let report = failed_report(&fixture, &message);
    fixture.hear(&report).await;
    assert_eq!(find().await, Some((report.id, report.body)));
}
