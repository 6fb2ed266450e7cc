use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::queue::QueuedMessage;
use domain::contracts::store::{LaneKey, NewMessage};
use domain::ids::{ConnectionId, MessageId};
use domain::message::{Order, Priority};
use domain::outbox::{Claim, OutboxState};
use domain::partition::Partition;

use crate::connections::connection;
use crate::support::{Fixture, Shared, at, claims, messages, unique_uuid};

claims! {
    waiting_messages_are_read_by_priority_in_order_and_only_of_their_connection
    messages_with_a_time_of_their_own_are_read_in_the_order_of_their_times
    a_lane_is_read_in_order_without_what_keeps_none_and_what_is_not_due
    what_is_claimed_is_read_for_itself
    a_glance_tells_what_there_is_to_read
    what_is_over_in_time_is_found_by_its_end
    what_was_sent_lately_and_holds_its_lane_is_found
    connections_with_work_are_those_with_something_to_do_soon
}

const FIRST: (Timestamp, i64) = (Timestamp::from_micros(i64::MIN), 0);

fn ids(rows: &[QueuedMessage]) -> Vec<MessageId> {
    rows.iter().map(|row| row.id).collect()
}

fn of(fixture: &Fixture, priority: Priority) -> NewMessage {
    NewMessage { priority, ..fixture.message() }
}

async fn waiting_messages_are_read_by_priority_in_order_and_only_of_their_connection(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let batch: Vec<_> =
        (0..6).map(|n| of(&fixture, if n % 2 == 0 { Priority::Bulk } else { Priority::Otp })).collect();
    fixture.commit(&messages(&batch)).await;
    let elsewhere = ConnectionId::from_uuid(unique_uuid());
    fixture.accept(&NewMessage { connection: elsewhere, ..of(&fixture, Priority::Bulk) }).await;
    let cancelled = fixture.transition(&batch[2], OutboxState::NEW, OutboxState::Cancelled { attempts: 0 });
    assert!(fixture.apply(&cancelled).await);
    let claim = OutboxState::Sending(fixture.claim(1, 1));
    assert!(fixture.apply(&fixture.transition(&batch[1], OutboxState::NEW, claim)).await);
    let later = OutboxState::RetryWait { attempts: 1, due: at(99) };
    assert!(fixture.apply(&fixture.transition(&batch[1], claim, later)).await);

    let connection = fixture.connection;
    let bulk = store.waiting(connection, Priority::Bulk, 0, 10).await.unwrap();
    assert_eq!(ids(&bulk), [batch[0].id, batch[4].id]);
    assert_eq!(
        ids(&store.waiting(connection, Priority::Bulk, bulk[0].seq, 10).await.unwrap()),
        [batch[4].id]
    );
    let codes = store.waiting(connection, Priority::Otp, 0, 2).await.unwrap();
    assert_eq!(ids(&codes), [batch[1].id, batch[3].id]);
    assert_eq!(codes[0].state, later);
    assert_eq!(store.waiting(connection, Priority::Normal, 0, 10).await.unwrap(), []);
    assert_eq!(store.backlog(connection, 100).await.unwrap(), 5);
    assert_eq!(store.backlog(connection, 3).await.unwrap(), 3);
}

async fn messages_with_a_time_of_their_own_are_read_in_the_order_of_their_times(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let times = [30, 10, 20, 20, 500];
    let batch: Vec<_> =
        times.iter().map(|&second| NewMessage { send_at: Some(at(second)), ..fixture.message() }).collect();
    fixture.commit(&messages(&batch)).await;
    let connection = fixture.connection;
    let priority = Priority::Normal;
    assert_eq!(store.waiting(connection, priority, 0, 10).await.unwrap(), []);
    let due = store.scheduled(connection, priority, FIRST, at(30), 3).await.unwrap();
    assert_eq!(ids(&due), [batch[1].id, batch[2].id, batch[3].id]);
    let last = (due[2].send_at.unwrap(), due[2].seq);
    assert_eq!(ids(&store.scheduled(connection, priority, last, at(30), 3).await.unwrap()), [batch[0].id]);
    assert_eq!(store.next_scheduled(connection, priority, last).await.unwrap(), Some(at(30)));
    assert_eq!(store.next_scheduled(connection, priority, (at(500), i64::MAX)).await.unwrap(), None);
    assert_eq!(store.next_scheduled(connection, Priority::Otp, FIRST).await.unwrap(), None);
}

async fn a_lane_is_read_in_order_without_what_keeps_none_and_what_is_not_due(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let lane = LaneKey(7);
    let of_lane = || NewMessage { lane, ..fixture.message() };
    let batch = [
        NewMessage { priority: Priority::Bulk, ..of_lane() },
        NewMessage { order: Order::Relaxed, ..of_lane() },
        NewMessage { send_at: Some(at(10)), ..of_lane() },
        NewMessage { send_at: Some(at(100)), ..of_lane() },
        NewMessage { order: Order::Delivered, priority: Priority::Otp, ..of_lane() },
        fixture.message(),
    ];
    fixture.commit(&messages(&batch)).await;
    let rows = store.waiting_in_lane(fixture.connection, lane, 0, at(50), 10).await.unwrap();
    assert_eq!(ids(&rows), [batch[0].id, batch[2].id, batch[4].id]);
    assert_eq!((rows[2].order, rows[2].priority), (Order::Delivered, Priority::Otp));
    let rest = store.waiting_in_lane(fixture.connection, lane, rows[0].seq, at(50), 1).await.unwrap();
    assert_eq!(ids(&rest), [batch[2].id]);
}

async fn what_is_claimed_is_read_for_itself(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let claim = fixture.claim(1, 1);
    let sending = NewMessage { state: OutboxState::Sending(claim), ..fixture.message() };
    let unknown = NewMessage { state: OutboxState::Ambiguous(claim), ..fixture.message() };
    fixture.commit(&messages(&[fixture.message(), sending.clone(), unknown.clone()])).await;
    let rows = store.claimed(fixture.connection).await.unwrap();
    assert_eq!(ids(&rows), [sending.id, unknown.id]);
    assert_eq!(rows[1].state, OutboxState::Ambiguous(claim));
    assert_eq!(store.waiting(fixture.connection, Priority::Normal, 0, 10).await.unwrap().len(), 1);
}

async fn a_glance_tells_what_there_is_to_read(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let all = async || {
        let seen = store.glance(fixture.connection, at(0)).await.unwrap();
        [seen.claimed, seen.waiting, seen.scheduled, seen.held]
    };
    assert_eq!(all().await, [false; 4]);
    let waiting = fixture.message();
    fixture.accept(&waiting).await;
    assert_eq!(all().await, [false, true, false, false]);
    fixture.accept(&NewMessage { send_at: Some(at(10)), ..fixture.message() }).await;
    let claim = fixture.claim(1, 1);
    let state = OutboxState::Sending(claim);
    let held = NewMessage { order: Order::Delivered, state, ..fixture.message() };
    fixture.accept(&held).await;
    assert_eq!(all().await, [true, true, true, false]);
    fixture.apply(&fixture.transition(&held, state, OutboxState::Sent { attempts: 1 })).await;
    fixture
        .apply(&fixture.transition(&waiting, OutboxState::NEW, OutboxState::Expired { attempts: 0 }))
        .await;
    assert_eq!(all().await, [false, false, true, true]);
}

async fn what_is_over_in_time_is_found_by_its_end(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let until = |second| NewMessage { expires_at: at(second), ..fixture.message() };
    let claimed = NewMessage { state: OutboxState::Sending(fixture.claim(1, 1)), ..until(5) };
    let batch = [until(30), until(10), claimed, until(20)];
    fixture.commit(&messages(&batch)).await;
    let connection = fixture.connection;
    assert_eq!(store.next_expiry(connection).await.unwrap(), Some(at(10)));
    let over = store.overdue(connection, at(20), 10).await.unwrap();
    assert_eq!(ids(&over), [batch[1].id, batch[3].id]);
    assert_eq!(store.overdue(connection, at(20), 1).await.unwrap().len(), 1);
    assert_eq!(store.overdue(connection, at(9), 10).await.unwrap(), []);
}

async fn what_was_sent_lately_and_holds_its_lane_is_found(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let state = OutboxState::Sending(fixture.claim(1, 1));
    let held = NewMessage { order: Order::Delivered, lane: LaneKey(9), state, ..fixture.message() };
    let other = NewMessage { state, ..fixture.message() };
    fixture.commit(&messages(&[held.clone(), other.clone()])).await;
    for message in [&held, &other] {
        assert!(fixture.apply(&fixture.transition(message, state, OutboxState::Sent { attempts: 1 })).await);
    }
    let found = store.held(fixture.connection, at(0)).await.unwrap();
    assert_eq!(found.iter().map(|held| (held.id, held.lane)).collect::<Vec<_>>(), [(held.id, LaneKey(9))]);
    assert_eq!(store.held(fixture.connection, found[0].sent_at).await.unwrap(), []);
}

async fn connections_with_work_are_those_with_something_to_do_soon(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let connection = connection(&fixture);
        store.save_connection(&connection, None).await.unwrap();
        numbers.push(connection.id);
    }
    numbers.sort_unstable_by_key(|id| id.uuid());
    let [waits, done, unknown, soon, later] = numbers[..] else { panic!("five") };
    let on = |connection| NewMessage { connection, ..fixture.message() };
    let claim = Claim { epoch: fixture.epoch(), attempt: 1, at: at(1) };
    let finished = on(done);
    fixture
        .commit(&messages(&[
            on(waits),
            on(waits),
            finished.clone(),
            NewMessage { state: OutboxState::Ambiguous(claim), ..on(unknown) },
            NewMessage { send_at: Some(at(60)), priority: Priority::Bulk, ..on(soon) },
            NewMessage { send_at: Some(at(600)), ..on(later) },
        ]))
        .await;
    let over = OutboxState::Expired { attempts: 0 };
    fixture.apply(&fixture.transition(&finished, OutboxState::NEW, over)).await;

    let expected = [waits, unknown, soon];
    let all: Vec<_> = Partition::all().collect();
    assert_eq!(store.connections_with_work(&all, at(60)).await.unwrap(), expected);
    let here = [fixture.business.partition, fixture.business.partition];
    let found = store.connections_with_work(&here, at(60)).await.unwrap();
    assert!(found.len() == 3 && expected.iter().all(|id| found.contains(id)), "{found:?}");
    let elsewhere = Partition((fixture.business.partition.0 + 1) % 1024);
    assert_eq!(store.connections_with_work(&[elsewhere], at(60)).await.unwrap(), []);
    assert_eq!(store.connections_with_work(&[], at(60)).await.unwrap(), []);
    let much_later = at(60).plus(Duration::from_hours(1));
    assert_eq!(store.connections_with_work(&all, much_later).await.unwrap().len(), 4);
}
