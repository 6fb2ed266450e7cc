use domain::contracts::deliveries::{DeliveryFilter, DeliveryWrite, Reference};
use domain::contracts::store::{Batch, DeliveryProgress, NewMessage, Page};
use domain::endpoint::{DeliveryAttempt, DeliveryState, Endpoint, FailedDelivery, OrderKey};
use domain::ids::MessageId;
use domain::secret::Sealed;
use uuid::Uuid;

use crate::endpoints::endpoint;
use crate::support::{Fixture, Shared, at, claims, events, unique_uuid};

claims! {
    a_delivery_that_is_due_is_found_oldest_first
    a_try_counts_once_whoever_writes_it_and_a_delivery_that_ended_stays_as_it_is
    an_event_has_one_row_for_each_endpoint
    of_one_contact_the_first_alone_is_due
    the_newest_tries_are_kept_with_their_answers
    deliveries_are_listed_in_pages_newest_first
    a_delivery_is_replayed_from_the_start_and_only_by_its_account
    many_are_replayed_whether_they_have_a_row_or_not
    a_deleted_endpoint_leaves_no_deliveries_behind
    only_the_newest_of_what_was_delivered_stay
    the_oldest_event_is_the_first_that_is_kept
    what_a_caller_said_is_found_with_its_owner
}

pub(crate) fn failed(endpoint: &Endpoint, event_seq: i64) -> FailedDelivery {
    FailedDelivery {
        id: unique_uuid(),
        endpoint: endpoint.id,
        event_seq,
        attempts: 1,
        state: DeliveryState::Retrying,
        next_at: at(60),
        order_key: None,
        replayed: false,
        last_status: Some(503),
        last_error: None,
    }
}

pub(crate) async fn fail(fixture: &Fixture, failures: &[FailedDelivery]) {
    write(fixture, failures.iter().cloned().map(DeliveryWrite::from).collect()).await;
}

async fn write(fixture: &Fixture, failed_deliveries: Vec<DeliveryWrite>) {
    fixture.commit(&Batch { failed_deliveries, ..Batch::default() }).await;
}

async fn the_oldest_event_is_the_first_that_is_kept(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    assert_eq!(store.oldest_event().await.unwrap(), None);
    let heard = [fixture.event(), fixture.event(), fixture.event()];
    let placed = fixture.commit(&events(&heard)).await.events;
    let first = placed[0].unwrap();
    assert_eq!(store.oldest_event().await.unwrap(), Some((first, heard[0].occurred_at)));
    store.erase_business(fixture.business.key).await.unwrap();
    assert_eq!(store.oldest_event().await.unwrap(), None);
    let fixture = Fixture::new(store.clone()).await;
    let later = fixture.event();
    let placed = fixture.commit(&events(std::slice::from_ref(&later))).await.events;
    assert_eq!(store.oldest_event().await.unwrap(), placed[0].zip(Some(later.occurred_at)));
    assert!(placed[0] > Some(first), "a place is never given twice");
}

async fn made(store: &Shared) -> (Fixture, Endpoint) {
    let fixture = Fixture::new(store.clone()).await;
    let endpoint = endpoint(&fixture);
    store.insert_endpoint(&endpoint).await.unwrap();
    (fixture, endpoint)
}

fn seqs(deliveries: &[FailedDelivery]) -> Vec<i64> {
    deliveries.iter().map(|delivery| delivery.event_seq).collect()
}

async fn a_delivery_that_is_due_is_found_oldest_first(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let first = failed(&endpoint, 10);
    let second = FailedDelivery { next_at: at(30), ..failed(&endpoint, 11) };
    fail(&fixture, &[first.clone(), second.clone()]).await;
    assert_eq!(store.next_delivery(endpoint.id, at(0)).await.unwrap(), Some(at(30)));
    assert_eq!(store.next_delivery(endpoint.id, at(30)).await.unwrap(), Some(at(60)));
    assert_eq!(store.next_delivery(endpoint.id, at(60)).await.unwrap(), None);
    assert_eq!(store.due_deliveries(endpoint.id, at(29), 10).await.unwrap(), []);
    assert_eq!(store.due_deliveries(endpoint.id, at(30), 10).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.due_deliveries(endpoint.id, at(60), 10).await.unwrap(), [second.clone(), first]);
    assert_eq!(store.due_deliveries(endpoint.id, at(60), 1).await.unwrap(), [second]);
    assert_eq!(store.deliveries_behind(endpoint.id, 10).await.unwrap(), [11]);
    store.make_due(endpoint.id, at(5)).await.unwrap();
    assert_eq!(seqs(&store.due_deliveries(endpoint.id, at(5), 10).await.unwrap()), [10, 11]);
}

async fn a_try_counts_once_whoever_writes_it_and_a_delivery_that_ended_stays_as_it_is(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let first = failed(&endpoint, 10);
    let second = FailedDelivery {
        attempts: 2,
        next_at: at(90),
        last_status: None,
        last_error: Some("timeout".to_owned()),
        ..first.clone()
    };
    let read = async || store.delivery(fixture.account, first.id).await.unwrap().unwrap();
    // In one commit, in the order of the batch.
    fail(&fixture, &[first.clone(), second.clone()]).await;
    assert_eq!(read().await, second);
    // An attempt that somebody else wrote already, one that skips another, and the first once more.
    let late = FailedDelivery { last_status: Some(500), ..second.clone() };
    let skipping = FailedDelivery { attempts: 4, ..second.clone() };
    fail(&fixture, &[late, skipping, first.clone()]).await;
    assert_eq!(read().await, second);
    let taken =
        FailedDelivery { attempts: 3, state: DeliveryState::Delivered, last_status: Some(200), ..second };
    fail(&fixture, std::slice::from_ref(&taken)).await;
    fail(&fixture, &[FailedDelivery { attempts: 4, state: DeliveryState::Parked, ..taken.clone() }]).await;
    assert_eq!(read().await, FailedDelivery { last_error: Some("timeout".to_owned()), ..taken });
}

async fn an_event_has_one_row_for_each_endpoint(store: Shared) {
    let (fixture, one) = made(&store).await;
    let other = endpoint(&fixture);
    store.insert_endpoint(&other).await.unwrap();
    let first = failed(&one, 10);
    fail(&fixture, &[first.clone(), failed(&other, 10)]).await;
    // After a crash the same failure is told under another id.
    fail(&fixture, &[failed(&one, 10)]).await;
    let page = Page { after: None, limit: 10 };
    let filter = DeliveryFilter { endpoint: Some(one.id), state: None };
    assert_eq!(store.deliveries(fixture.account, &filter, page).await.unwrap(), [first]);
    assert_eq!(store.deliveries(fixture.account, &DeliveryFilter::default(), page).await.unwrap().len(), 2);
}

async fn of_one_contact_the_first_alone_is_due(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let of = |seq, key, attempts| FailedDelivery {
        attempts,
        order_key: Some(OrderKey(key)),
        next_at: at(if attempts == 0 { 1 } else { 60 }),
        ..failed(&endpoint, seq)
    };
    let head = of(10, 1, 1);
    fail(&fixture, &[head.clone(), of(11, 1, 0), of(12, 2, 1), of(13, 2, 0), of(14, 1, 0)]).await;
    assert_eq!(store.waiting_deliveries(endpoint.id).await.unwrap(), [(OrderKey(1), 3), (OrderKey(2), 2)]);
    assert_eq!(store.due_deliveries(endpoint.id, at(59), 10).await.unwrap(), []);
    assert_eq!(
        store.next_delivery(endpoint.id, at(0)).await.unwrap(),
        Some(at(60)),
        "not before their first"
    );
    assert_eq!(seqs(&store.due_deliveries(endpoint.id, at(60), 10).await.unwrap()), [10, 12]);
    for state in [DeliveryState::Parked, DeliveryState::Delivered] {
        let ended = FailedDelivery {
            attempts: 2,
            state,
            ..if state == DeliveryState::Parked { head.clone() } else { of(12, 2, 1) }
        };
        fail(&fixture, &[ended]).await;
    }
    assert_eq!(seqs(&store.due_deliveries(endpoint.id, at(60), 10).await.unwrap()), [11, 13]);
    // What is asked for once more stands beside: nothing new waits for it.
    store.replay_delivery(fixture.account, head.id, at(2)).await.unwrap().unwrap();
    assert_eq!(seqs(&store.due_deliveries(endpoint.id, at(60), 10).await.unwrap()), [11, 13, 10]);
    assert_eq!(store.waiting_deliveries(endpoint.id).await.unwrap(), [(OrderKey(1), 2), (OrderKey(2), 1)]);
}

async fn the_newest_tries_are_kept_with_their_answers(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let delivery = failed(&endpoint, 10);
    let attempt = |number: u32| DeliveryAttempt {
        at: at(i64::from(number)),
        latency_ms: number,
        status: number.is_multiple_of(2).then_some(500),
        error: (number % 2 == 1).then(|| "timeout".to_owned()),
        answer: number.is_multiple_of(2).then(|| Sealed::from_bytes(vec![7])),
    };
    for number in 1..=25 {
        let delivery = FailedDelivery { attempts: number, ..delivery.clone() };
        let line = DeliveryWrite { delivery, attempt: Some(attempt(number)) };
        write(&fixture, vec![line.clone()]).await;
        // The same once more, as after an unknown outcome.
        write(&fixture, vec![line]).await;
    }
    let kept: Vec<_> = (6..=25).map(attempt).collect();
    assert_eq!(store.delivery_attempts(delivery.id).await.unwrap(), kept);
    assert!(store.delete_endpoint(fixture.account, endpoint.id).await.unwrap());
    assert_eq!(store.delivery_attempts(delivery.id).await.unwrap(), []);
}

async fn deliveries_are_listed_in_pages_newest_first(store: Shared) {
    let (fixture, one) = made(&store).await;
    let other = endpoint(&fixture);
    store.insert_endpoint(&other).await.unwrap();
    let mut made: Vec<_> = (0..5).map(|seq| failed(if seq == 1 { &other } else { &one }, seq)).collect();
    made[3].state = DeliveryState::Parked;
    fail(&fixture, &made).await;
    made.reverse();
    let mut listed: Vec<FailedDelivery> = Vec::new();
    loop {
        let page = Page { after: listed.last().map(|last| last.id), limit: 2 };
        let found = store.deliveries(fixture.account, &DeliveryFilter::default(), page).await.unwrap();
        if found.is_empty() {
            break;
        }
        listed.extend(found);
    }
    assert_eq!(listed, made);
    let page: Page<Uuid> = Page { after: None, limit: 10 };
    let of = async |filter| seqs(&store.deliveries(fixture.account, &filter, page).await.unwrap());
    assert_eq!(of(DeliveryFilter { endpoint: Some(other.id), state: None }).await, [1]);
    assert_eq!(of(DeliveryFilter { endpoint: None, state: Some(DeliveryState::Parked) }).await, [3]);
    let both = DeliveryFilter { endpoint: Some(other.id), state: Some(DeliveryState::Parked) };
    assert_eq!(of(both).await, [0_i64; 0]);
    let stranger = store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(store.deliveries(stranger, &DeliveryFilter::default(), page).await.unwrap(), []);
    assert_eq!(store.delivery(stranger, made[0].id).await.unwrap(), None);
}

async fn a_delivery_is_replayed_from_the_start_and_only_by_its_account(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let parked = FailedDelivery { attempts: 77, state: DeliveryState::Parked, ..failed(&endpoint, 10) };
    let retrying = FailedDelivery { attempts: 3, next_at: at(900), ..failed(&endpoint, 11) };
    fail(&fixture, &[parked.clone(), retrying.clone()]).await;
    let stranger = store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(store.replay_delivery(stranger, parked.id, at(5)).await.unwrap(), None);
    for (delivery, replayed) in [(parked, true), (retrying, false)] {
        let again = FailedDelivery {
            attempts: 0,
            state: DeliveryState::Retrying,
            next_at: at(5),
            replayed,
            ..delivery.clone()
        };
        let answered = store.replay_delivery(fixture.account, delivery.id, at(5)).await.unwrap();
        assert_eq!(answered, Some(again.clone()));
        assert_eq!(store.delivery(fixture.account, delivery.id).await.unwrap(), Some(again));
        // A try that was under way meanwhile comes too late to be written.
        fail(&fixture, &[FailedDelivery { attempts: delivery.attempts + 1, ..delivery }]).await;
    }
    assert_eq!(store.due_deliveries(endpoint.id, at(5), 10).await.unwrap().len(), 2);
}

async fn many_are_replayed_whether_they_have_a_row_or_not(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let parked = FailedDelivery { attempts: 9, state: DeliveryState::Parked, ..failed(&endpoint, 10) };
    let delivered = FailedDelivery { state: DeliveryState::Delivered, ..failed(&endpoint, 11) };
    let retrying = failed(&endpoint, 12);
    let gone = FailedDelivery {
        endpoint: domain::ids::EndpointId::from_uuid(unique_uuid()),
        ..failed(&endpoint, 14)
    };
    fail(&fixture, &[parked.clone(), delivered, retrying.clone()]).await;
    assert_eq!(store.parked_deliveries(endpoint.id, 9, 10).await.unwrap(), [parked]);
    assert_eq!(store.parked_deliveries(endpoint.id, 10, 10).await.unwrap(), []);

    let asked: Vec<_> = (10..=13)
        .map(|seq| FailedDelivery {
            next_at: at(3),
            order_key: Some(OrderKey(seq)),
            ..failed(&endpoint, seq)
        })
        .chain([gone])
        .collect();
    assert_eq!(store.replay_deliveries(&asked).await.unwrap(), 3);
    assert_eq!(store.replay_deliveries(&asked).await.unwrap(), 0, "they are on their way");
    let due = store.due_deliveries(endpoint.id, at(3), 10).await.unwrap();
    assert_eq!(seqs(&due), [10, 11, 13]);
    assert!(due.iter().all(|delivery| delivery.replayed && delivery.attempts == 0), "{due:?}");
    let untouched = store.delivery(fixture.account, retrying.id).await.unwrap();
    assert_eq!(untouched, Some(retrying));
}

async fn a_deleted_endpoint_leaves_no_deliveries_behind(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    fail(&fixture, &[failed(&endpoint, 1)]).await;
    let stranger = store.ensure_account("other", at(0)).await.unwrap();
    assert!(!store.delete_endpoint(stranger, endpoint.id).await.unwrap());
    assert!(store.delete_endpoint(fixture.account, endpoint.id).await.unwrap());
    assert!(!store.delete_endpoint(fixture.account, endpoint.id).await.unwrap());
    // A delivery that was under way when the endpoint went.
    fail(&fixture, &[failed(&endpoint, 2)]).await;
    assert_eq!(store.due_deliveries(endpoint.id, at(1_000), 10).await.unwrap(), []);
}

async fn only_the_newest_of_what_was_delivered_stay(store: Shared) {
    let (fixture, endpoint) = made(&store).await;
    let rows: Vec<_> = (1..=6)
        .map(|seq| FailedDelivery {
            state: if seq == 2 { DeliveryState::Parked } else { DeliveryState::Delivered },
            ..failed(&endpoint, seq)
        })
        .collect();
    fail(&fixture, &rows).await;
    let left = async || store.deliveries_behind(endpoint.id, 0).await.unwrap();
    // A restart begins at the cursor, which is 3: what it may read again must be known as delivered.
    store.trim_deliveries(endpoint.id, 2).await.unwrap();
    assert_eq!(left().await, [2, 4, 5, 6]);
    let progress = vec![DeliveryProgress { endpoint: endpoint.id, cursor: 6 }];
    fixture.commit(&Batch { progress, ..Batch::default() }).await;
    store.trim_deliveries(endpoint.id, 2).await.unwrap();
    assert_eq!(left().await, [2, 5, 6]);
}

async fn what_a_caller_said_is_found_with_its_owner(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let said = NewMessage { client_ref: Some("order-7".to_owned()), ..fixture.message() };
    let silent = fixture.message();
    for message in [&said, &silent] {
        fixture.accept(message).await;
    }
    let found = store.references(&[said.id, silent.id, MessageId::from_uuid(unique_uuid())]).await.unwrap();
    let expected = Reference {
        message: said.id,
        business: fixture.business.key,
        client_ref: Some("order-7".to_owned()),
        opaque: None,
    };
    assert_eq!(found, [expected]);
}
