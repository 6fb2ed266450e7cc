//! Every row is counted once, whoever counts and however often.

use domain::clock::Timestamp;
use domain::contracts::stats::{Count, Counter, GroupBy, Source, StatsQuery};
use domain::contracts::store::{NewMessage, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent};
use domain::ids::MessageId;
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;
use uuid::Uuid;

use crate::support::{Fixture, Shared, at, business, claims, events, messages, unique};

claims! {
    rows_are_counted_once_in_the_hour_in_which_they_happened
    counters_are_grouped_by_hour_by_day_and_by_type
    nodes_that_count_at_once_count_once
    an_erased_business_is_not_counted_any_more
}

const HOUR: i64 = 3_600;
/// 22 September 2026, 00:00:00Z, seen from [`at`].
const MIDNIGHT: i64 = 35_200;

async fn count_everything(fixture: &Fixture) {
    for source in Source::ALL {
        let newest = fixture.store.newest(source).await.unwrap();
        while fixture.store.count(source, newest, 3).await.unwrap() < newest {}
    }
}

fn query(fixture: &Fixture, group_by: GroupBy) -> StatsQuery {
    StatsQuery {
        account: fixture.account,
        business: Some(fixture.business.key),
        connection: None,
        from: Timestamp::from_seconds(0),
        to: at(1_000_000),
        group_by,
    }
}

async fn counted(fixture: &Fixture, group_by: GroupBy) -> Vec<Count> {
    fixture.store.stats(&query(fixture, group_by)).await.unwrap()
}

fn totals(counts: &[Count]) -> Vec<(&'static str, u64)> {
    counts.iter().map(|count| (count.counter.as_str(), count.total)).collect()
}

/// Two texts and a template that went through everything.
async fn live(fixture: &Fixture) {
    // A message's id begins with a millisecond, here one of its own for each.
    let id = || MessageId::from_uuid(Uuid::from_u128((1_790_000_000_000 + u128::from(unique())) << 80));
    let text = |seconds| NewMessage { id: id(), accepted_at: at(MIDNIGHT + seconds), ..fixture.message() };
    let template = NewMessage { kind: "template".to_owned(), ..text(HOUR + 10) };
    let accepted = [text(10), text(20), template];
    fixture.commit(&messages(&accepted)).await;
    let heard = |message: &NewMessage, status, seconds| NewEvent {
        event_type: EventType::MessageStatus,
        message: Some(message.id),
        status: Some(status),
        occurred_at: at(MIDNIGHT + seconds),
        ..fixture.event()
    };
    let inbound = NewEvent { occurred_at: at(MIDNIGHT + HOUR + 1), ..fixture.event() };
    let told = [
        heard(&accepted[0], DeliveryStatus::Sent, 30),
        heard(&accepted[0], DeliveryStatus::Delivered, HOUR + 5),
        heard(&accepted[2], DeliveryStatus::Failed, HOUR + 30),
        inbound,
    ];
    fixture.commit(&events(&told)).await;
    let expired = OutboxState::Expired { attempts: 0 };
    let line = |status, reason: &str| TimelineEntry {
        at: at(MIDNIGHT + 2 * HOUR),
        status,
        attempt: None,
        reason: Some(reason.to_owned()),
        error: None,
    };
    let transition = Transition {
        timeline: vec![
            line(MessageStatus::Accepted, "resent_on_proof"),
            line(MessageStatus::Accepted, "another reason"),
            line(MessageStatus::Expired, "expired"),
        ],
        ..fixture.transition(&accepted[1], OutboxState::NEW, expired)
    };
    assert!(fixture.apply(&transition).await);
}

async fn rows_are_counted_once_in_the_hour_in_which_they_happened(store: Shared) {
    let fixture = Fixture::new(store).await;
    live(&fixture).await;
    assert_eq!(counted(&fixture, GroupBy::Hour).await, []);
    for _ in 0..3 {
        count_everything(&fixture).await;
        let hours = counted(&fixture, GroupBy::Hour).await;
        let of = |hours_later| {
            let from = Some(at(MIDNIGHT + hours_later * HOUR));
            totals(&hours.iter().filter(|count| count.from == from).cloned().collect::<Vec<_>>())
        };
        assert_eq!(of(0), [("accepted", 2), ("sent", 1)]);
        assert_eq!(of(1), [("accepted", 1), ("delivered", 1), ("failed", 1), ("inbound", 1)]);
        assert_eq!(of(2), [("expired", 1), ("resent", 1)]);
    }
    live(&fixture).await;
    count_everything(&fixture).await;
    assert_eq!(counted(&fixture, GroupBy::Hour).await[0].total, 4);
}

async fn counters_are_grouped_by_hour_by_day_and_by_type(store: Shared) {
    let fixture = Fixture::new(store).await;
    live(&fixture).await;
    count_everything(&fixture).await;
    let days = counted(&fixture, GroupBy::Day).await;
    assert!(days.iter().all(|count| count.from == Some(at(MIDNIGHT)) && count.kind.is_none()));
    assert_eq!(days.iter().find(|count| count.counter == Counter::Accepted).unwrap().total, 3);
    let types = counted(&fixture, GroupBy::Type).await;
    let of = |kind: &str| {
        totals(&types.iter().filter(|count| count.kind.as_deref() == Some(kind)).cloned().collect::<Vec<_>>())
    };
    assert_eq!(of("template"), [("accepted", 1), ("failed", 1)]);
    assert_eq!(of(""), [("inbound", 1)]);
    assert_eq!(of("text").len(), 5);

    let narrow = StatsQuery {
        from: at(MIDNIGHT + HOUR),
        to: at(MIDNIGHT + 2 * HOUR),
        connection: Some(fixture.connection),
        business: None,
        ..query(&fixture, GroupBy::Day)
    };
    let found = fixture.store.stats(&narrow).await.unwrap();
    assert_eq!(totals(&found), [("accepted", 1), ("delivered", 1), ("failed", 1), ("inbound", 1)]);
    let other = fixture.store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(fixture.store.stats(&StatsQuery { account: other, ..narrow }).await.unwrap(), []);
}

async fn nodes_that_count_at_once_count_once(store: Shared) {
    let fixture = Fixture::new(store).await;
    for _ in 0..4 {
        live(&fixture).await;
    }
    let mut counting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = fixture.store.clone();
        counting.spawn(async move {
            for source in Source::ALL {
                let newest = store.newest(source).await.unwrap();
                while store.count(source, newest, 2).await.unwrap() < newest {}
            }
        });
    }
    counting.join_all().await;
    count_everything(&fixture).await;
    let days = counted(&fixture, GroupBy::Day).await;
    assert_eq!(days.iter().find(|count| count.counter == Counter::Accepted).unwrap().total, 12);
}

async fn an_erased_business_is_not_counted_any_more(store: Shared) {
    let mut fixture = Fixture::new(store).await;
    live(&fixture).await;
    count_everything(&fixture).await;
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    assert_eq!(counted(&fixture, GroupBy::Day).await, []);
    fixture.business = business(&fixture.store, fixture.account, "neighbour").await;
    live(&fixture).await;
    count_everything(&fixture).await;
    assert!(!counted(&fixture, GroupBy::Day).await.is_empty());
}
