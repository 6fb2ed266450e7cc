use domain::contracts::store::{Accepted, MessageFilter, NewMessage, Page};
use domain::ids::{ConnectionId, MessageId};
use domain::outbox::{OutboxState, StateCode};
use domain::partition::{Epoch, Partition};

use crate::support::{Fixture, Shared, at, business, commit_claims, messages, take_all, unique_uuid};

commit_claims! {
    an_accepted_message_reads_back
    the_order_of_acceptance_is_the_order_of_the_batch
    an_accept_under_an_older_epoch_is_refused
    a_fenced_row_does_not_take_its_neighbours_with_it
    messages_are_listed_in_pages_newest_first
    messages_are_found_by_what_they_are_filtered_by
    text_that_a_database_cannot_hold_does_not_fail_the_batch
    a_commit_that_is_cancelled_leaves_no_transaction_open
}

async fn an_accepted_message_reads_back(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = fixture.claim(1, 2);
    let message = NewMessage {
        state: OutboxState::Sending(claim),
        client_ref: Some("order-1".to_owned()),
        send_at: Some(at(1)),
        ..fixture.message()
    };
    let Accepted::Committed { seq } = fixture.accept(&message).await else { panic!("not committed") };
    let stored = fixture.store.message(fixture.account, message.id).await.unwrap().unwrap();
    assert_eq!((stored.seq, stored.state), (seq, message.state));
    assert_eq!(
        (&stored.recipient, stored.lane, &stored.kind),
        (&message.recipient, message.lane, &message.kind)
    );
    assert_eq!((stored.claimed_at, stored.sent_at), (Some(claim.at), None));
    assert_eq!((stored.accepted_at, stored.send_at), (message.accepted_at, message.send_at));
    assert_eq!(stored.expires_at, message.expires_at);
    assert_eq!((stored.priority, stored.on_ambiguous), (message.priority, message.on_ambiguous));
    assert_eq!((&stored.client_ref, &stored.provider_id), (&message.client_ref, &None));
    assert_eq!(stored.business_reference, fixture.business.reference);
    assert_eq!(fixture.store.message_body(message.id).await.unwrap(), Some(message.body));
    let other = fixture.store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(fixture.store.message(other, message.id).await.unwrap(), None);
}

async fn the_order_of_acceptance_is_the_order_of_the_batch(store: Shared) {
    let fixture = Fixture::new(store).await;
    let mut last = 0;
    for size in [1, 7, 300] {
        let mut batch: Vec<_> = (0..size).map(|_| fixture.message()).collect();
        batch.reverse();
        let committed = fixture.commit(&messages(&batch)).await;
        assert_eq!(committed.messages.len(), size);
        for accepted in committed.messages {
            let Accepted::Committed { seq } = accepted else { panic!("{accepted:?}") };
            assert!(seq > last);
            last = seq;
        }
    }
}

async fn an_accept_under_an_older_epoch_is_refused(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let message = fixture.message();
    take_all(&store).await;
    assert_eq!(fixture.accept(&message).await, Accepted::Fenced);
    assert_eq!(store.message(fixture.account, message.id).await.unwrap(), None);
    assert_eq!(store.message_body(message.id).await.unwrap(), None);
    let without_any = store.commit(&[], &messages(&[message])).await.unwrap();
    assert_eq!(without_any.messages, [Accepted::Fenced]);
}

async fn a_fenced_row_does_not_take_its_neighbours_with_it(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let ours = fixture.message();
    let elsewhere = Partition((fixture.business.partition.0 + 1) % 1024);
    let foreign = NewMessage { partition: elsewhere, ..fixture.message() };
    fixture.epochs.retain(|(partition, _)| *partition != elsewhere);
    fixture.epochs.push((elsewhere, Epoch(99)));
    let committed = fixture.commit(&messages(&[foreign, ours.clone()])).await;
    assert_eq!(committed.messages[0], Accepted::Fenced);
    assert!(matches!(committed.messages[1], Accepted::Committed { .. }));
    assert_eq!(fixture.state(&ours).await, OutboxState::NEW);
}

async fn messages_are_listed_in_pages_newest_first(store: Shared) {
    let fixture = Fixture::new(store).await;
    let batch: Vec<_> = (0..5).map(|_| fixture.message()).collect();
    fixture.commit(&messages(&batch)).await;
    let mut listed: Vec<MessageId> = Vec::new();
    loop {
        let page = Page { after: listed.last().copied(), limit: 2 };
        let found = fixture.store.messages(fixture.account, &MessageFilter::default(), page).await.unwrap();
        if found.is_empty() {
            break;
        }
        assert!(found.len() <= 2);
        listed.extend(found.iter().map(|message| message.id));
    }
    let newest_first: Vec<_> = batch.iter().rev().map(|message| message.id).collect();
    assert_eq!(listed, newest_first);
}

async fn messages_are_found_by_what_they_are_filtered_by(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let first = NewMessage { client_ref: Some("order-1".to_owned()), ..fixture.message() };
    fixture.accept(&first).await;
    fixture.business = business(&store, fixture.account, "second").await;
    let state = OutboxState::Sending(fixture.claim(1, 1));
    let second = NewMessage { state, ..fixture.message() };
    fixture.accept(&second).await;

    let all = MessageFilter::default();
    let by_business = MessageFilter { business: Some(fixture.business.key), ..all.clone() };
    let by_reference = MessageFilter { client_ref: Some("order-1".to_owned()), ..all.clone() };
    let by_state = MessageFilter { state: Some(StateCode::Sending), ..all.clone() };
    let by_nothing_there =
        MessageFilter { connection: Some(ConnectionId::from_uuid(unique_uuid())), ..all.clone() };
    let expected = [
        (all, vec![second.id, first.id]),
        (by_business, vec![second.id]),
        (by_reference, vec![first.id]),
        (by_state, vec![second.id]),
        (by_nothing_there, vec![]),
    ];
    for (filter, ids) in expected {
        let page = Page { after: None, limit: 10 };
        let found = store.messages(fixture.account, &filter, page).await.unwrap();
        assert_eq!(found.iter().map(|message| message.id).collect::<Vec<_>>(), ids, "{filter:?}");
    }
}

async fn text_that_a_database_cannot_hold_does_not_fail_the_batch(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = NewMessage { client_ref: Some("a\0b".to_owned()), ..fixture.message() };
    assert!(matches!(fixture.accept(&message).await, Accepted::Committed { .. }));
    let stored = fixture.store.message(fixture.account, message.id).await.unwrap().unwrap();
    assert_eq!(stored.client_ref.as_deref(), Some("a\u{fffd}b"));
}

async fn a_commit_that_is_cancelled_leaves_no_transaction_open(store: Shared) {
    let fixture = Fixture::new(store).await;
    let mut cancelled = Vec::new();
    for turns in 1..80 {
        let message = fixture.message();
        let batch = messages(std::slice::from_ref(&message));
        // Given up after so many turns, wherever it is by then.
        let mut commit = std::pin::pin!(fixture.store.commit(&fixture.epochs, &batch));
        let mut turn = 0;
        let given_up = std::future::poll_fn(|context| {
            turn += 1;
            let done = commit.as_mut().poll(context).is_ready();
            if done || turn == turns { std::task::Poll::Ready(!done) } else { std::task::Poll::Pending }
        });
        if given_up.await {
            cancelled.push(message.id);
        }
    }
    assert!(!cancelled.is_empty());
    // Whoever borrows the connections next runs in transactions of their own.
    for _ in 0..8 {
        let message = fixture.message();
        assert!(matches!(fixture.accept(&message).await, Accepted::Committed { .. }));
        assert_eq!(fixture.state(&message).await, OutboxState::NEW, "another connection sees it");
    }
    for id in cancelled {
        let row = fixture.store.message(fixture.account, id).await.unwrap();
        let body = fixture.store.message_body(id).await.unwrap();
        assert_eq!(row.is_some(), body.is_some(), "all of it or nothing");
    }
}
