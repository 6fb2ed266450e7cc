use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::ProviderName;
use domain::contracts::retention::Kept;
use domain::contracts::store::{Accepted, Batch, MessageFilter, NewMessage, Page, Quarantined, Transition};
use domain::event::{NewEvent, report_id, update_id};
use domain::ids::{EventId, MessageId};
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;
use domain::secret::Sealed;
use uuid::Uuid;

use crate::support::{Fixture, Shared, claims, events, messages, unique, unique_uuid};

claims! {
    events_go_by_when_they_were_heard
    quarantined_news_is_kept_as_long_as_other_news
    messages_go_when_they_are_old_and_over
    a_body_stays_as_long_as_its_message_may_be_sent
    of_an_old_day_only_what_is_over_goes
    deliveries_of_events_that_are_gone_go_too
    days_can_be_prepared_again_and_again
    what_is_known_is_known_on_every_day_that_is_kept
}

const DAY: Duration = Duration::from_hours(24);

/// Behind the end of a week: on Postgres rows of messages go by weeks.
const LATER: i64 = 20;

/// Noon of a day so far ahead that no migration has put it into the past.
fn noon(day: i64) -> Timestamp {
    Timestamp::from_seconds(4_102_444_800 + day * 86_400 + 43_200)
}

fn kept_since(day: i64) -> Kept {
    Kept { events: noon(day), messages: noon(day), bodies: noon(day) }
}

async fn let_go(store: &Shared, kept: &Kept) {
    store.drop_days(kept).await.unwrap();
    while store.delete_old(kept).await.unwrap() {}
}

fn message_of(fixture: &Fixture, day: i64) -> NewMessage {
    let millis = u128::try_from(noon(day).as_micros() / 1_000).unwrap();
    let id = Uuid::from_u128(millis << 80 | 0x7000_8000_0000_0000_0000 | u128::from(unique()));
    NewMessage {
        id: MessageId::from_uuid(id),
        state: OutboxState::Sending(fixture.claim(1, 1)),
        accepted_at: noon(day),
        expires_at: noon(day).plus(DAY),
        ..fixture.message()
    }
}

fn sent_on(fixture: &Fixture, message: &NewMessage, day: i64) -> Transition {
    let sent = fixture.transition(message, message.state, OutboxState::Sent { attempts: 1 });
    Transition { at: noon(day), ..sent }
}

fn event_of(fixture: &Fixture, day: i64) -> NewEvent {
    let id = update_id(noon(day), "106", &unique().to_string());
    NewEvent { id, occurred_at: noon(day), ..fixture.event() }
}

async fn heard(fixture: &Fixture) -> Vec<EventId> {
    let all = fixture
        .store
        .events_after(fixture.account, &domain::contracts::store::EventFilter::default(), 0, 10_000)
        .await
        .unwrap();
    all.into_iter().map(|event| event.id).collect()
}

async fn events_go_by_when_they_were_heard(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    store.prepare_days(noon(0)).await.unwrap();
    let old: Vec<_> = (0..600).map(|_| event_of(&fixture, 0)).collect();
    fixture.commit(&events(&old)).await;
    let recent = event_of(&fixture, 5);
    fixture.hear(&recent).await;
    // Read days later: its id is of the day on which its message was accepted.
    let message = message_of(&fixture, 0);
    let id = report_id(fixture.connection, message.id, "read", "");
    let late = NewEvent { id, occurred_at: noon(5), ..fixture.event() };
    fixture.hear(&late).await;
    let_go(&store, &kept_since(0)).await;
    assert_eq!(heard(&fixture).await.len(), 602);
    for _ in 0..2 {
        let_go(&store, &kept_since(4)).await;
        assert_eq!(heard(&fixture).await, [recent.id, late.id]);
    }
    assert!(!fixture.hear(&late).await, "it is still known");
    fixture.hear(&event_of(&fixture, 7)).await;
    let_go(&store, &kept_since(7)).await;
    assert_eq!(heard(&fixture).await.len(), 1);
}

async fn quarantined_news_is_kept_as_long_as_other_news(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let came_on = |day| Quarantined {
        id: unique_uuid(),
        provider: ProviderName::Meta,
        subject: "106".to_owned(),
        received_at: noon(day),
        body: Sealed::from_bytes(vec![1]),
    };
    let quarantine: Vec<_> = (0..600).map(|_| came_on(0)).chain([came_on(4), came_on(5)]).collect();
    fixture.commit(&Batch { quarantine, ..Batch::default() }).await;
    let_go(&store, &kept_since(0)).await;
    assert_eq!(store.quarantined().await.unwrap(), 602);
    let_go(&store, &Kept { events: noon(4), ..kept_since(0) }).await;
    assert_eq!(store.quarantined().await.unwrap(), 2);
}

async fn messages_go_when_they_are_old_and_over(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    store.prepare_days(noon(0)).await.unwrap();
    let batch: Vec<_> = (0..300).map(|_| message_of(&fixture, 0)).collect();
    fixture.commit(&messages(&batch)).await;
    let (waiting, rest) = batch.split_first().unwrap();
    for message in &rest[..3] {
        let line = TimelineEntry {
            at: noon(0),
            status: MessageStatus::Sent,
            attempt: None,
            reason: Some("why".to_owned()),
            error: None,
        };
        let sent = Transition { timeline: vec![line], ..sent_on(&fixture, message, 0) };
        assert!(fixture.apply(&sent).await);
    }
    for message in &rest[3..] {
        assert!(fixture.apply(&sent_on(&fixture, message, 0)).await);
    }
    let recent = message_of(&fixture, LATER);
    fixture.accept(&recent).await;
    let_go(&store, &kept_since(LATER)).await;
    let page = Page { after: None, limit: 1_000 };
    let left = store.messages(fixture.account, &MessageFilter::default(), page).await.unwrap();
    assert_eq!(left.into_iter().map(|message| message.id).collect::<Vec<_>>(), [recent.id, waiting.id]);
    for message in rest {
        assert_eq!(store.timeline(message.id).await.unwrap(), []);
        assert_eq!(store.message_body(message.id).await.unwrap(), None);
    }
    // What stayed is as it was: it can still be moved.
    assert!(fixture.apply(&sent_on(&fixture, waiting, LATER)).await);
    let_go(&store, &kept_since(LATER + 1)).await;
    assert!(store.message(fixture.account, waiting.id).await.unwrap().is_none());
}

async fn a_body_stays_as_long_as_its_message_may_be_sent(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    store.prepare_days(noon(0)).await.unwrap();
    let [waiting, over, just_over, replayable] = [(); 4].map(|()| message_of(&fixture, 0));
    let replayable = NewMessage { expires_at: noon(5), ..replayable };
    let all = [&waiting, &over, &just_over, &replayable];
    fixture.commit(&messages(&all.map(Clone::clone))).await;
    fixture.apply(&sent_on(&fixture, &over, 1)).await;
    fixture.apply(&sent_on(&fixture, &just_over, 3)).await;
    let failed = OutboxState::Failed { attempts: 1 };
    assert!(fixture.apply(&fixture.transition(&replayable, replayable.state, failed)).await);
    let kept = Kept { bodies: noon(2), ..kept_since(0) };
    let_go(&store, &kept).await;
    for (message, stays) in [(&waiting, true), (&over, false), (&just_over, true), (&replayable, true)] {
        assert_eq!(store.message_body(message.id).await.unwrap().is_some(), stays);
        assert!(store.message(fixture.account, message.id).await.unwrap().is_some(), "the row stays longer");
    }
    let_go(&store, &Kept { bodies: noon(6), ..kept }).await;
    for (message, stays) in [(&waiting, true), (&just_over, false), (&replayable, false)] {
        assert_eq!(store.message_body(message.id).await.unwrap().is_some(), stays);
    }
}

async fn of_an_old_day_only_what_is_over_goes(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    store.prepare_days(noon(0)).await.unwrap();
    let claim = fixture.claim(1, 1);
    let due = noon(9);
    let states = [
        OutboxState::NEW,
        OutboxState::Sending(claim),
        OutboxState::Ambiguous(claim),
        OutboxState::RetryWait { attempts: 1, due },
        OutboxState::Sent { attempts: 1 },
        OutboxState::Failed { attempts: 1 },
        OutboxState::Expired { attempts: 0 },
        OutboxState::Cancelled { attempts: 0 },
    ];
    for state in states {
        let message = NewMessage { state, ..message_of(&fixture, 0) };
        let Accepted::Committed { seq } = fixture.accept(&message).await else { panic!("not committed") };
        let_go(&store, &kept_since(LATER)).await;
        let left = store.message(fixture.account, message.id).await.unwrap();
        let expected = (!state.code().is_final()).then_some((seq, state));
        assert_eq!(left.map(|left| (left.seq, left.state)), expected);
    }
}

async fn deliveries_of_events_that_are_gone_go_too(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let endpoint = crate::endpoints::endpoint(&fixture);
    store.insert_endpoint(&endpoint).await.unwrap();
    let placed = fixture.commit(&events(&[event_of(&fixture, 0), event_of(&fixture, 5)])).await.events;
    let [Some(old), Some(recent)] = placed[..] else { panic!("{placed:?}") };
    let failed = [old, recent].map(|seq| crate::deliveries::failed(&endpoint, seq));
    crate::deliveries::fail(&fixture, &failed).await;
    let_go(&store, &kept_since(4)).await;
    assert_eq!(store.delivery(fixture.account, failed[0].id).await.unwrap(), None);
    assert!(store.delivery(fixture.account, failed[1].id).await.unwrap().is_some());
}

async fn days_can_be_prepared_again_and_again(store: Shared) {
    let fixture = std::sync::Arc::new(Fixture::new(store.clone()).await);
    // A day that nobody prepared, and that is prepared when it holds something already.
    let early = message_of(&fixture, 3);
    fixture.accept(&early).await;
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        nodes.spawn(async move { store.prepare_days(noon(0)).await });
    }
    for prepared in nodes.join_all().await {
        prepared.unwrap();
    }
    for day in 0..LATER + 4 {
        store.prepare_days(noon(day)).await.unwrap();
        let message = message_of(&fixture, day);
        assert!(matches!(fixture.accept(&message).await, Accepted::Committed { .. }));
        assert!(fixture.apply(&sent_on(&fixture, &message, day)).await);
    }
    assert_eq!(fixture.state(&early).await, early.state);
    let_go(&store, &kept_since(LATER)).await;
    let page = Page { after: None, limit: 100 };
    let left = store.messages(fixture.account, &MessageFilter::default(), page).await.unwrap();
    assert_eq!(left.len(), 5, "four of the last days, and one that is not over");
}

async fn what_is_known_is_known_on_every_day_that_is_kept(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let first: Vec<_> = (0..10).map(|day| event_of(&fixture, day)).collect();
    for (day, event) in (0..).zip(&first) {
        store.prepare_days(noon(day)).await.unwrap();
        let_go(&store, &kept_since(day - 9)).await;
        assert!(fixture.hear(event).await);
    }
    for event in &first {
        assert!(!fixture.hear(event).await);
    }
}
