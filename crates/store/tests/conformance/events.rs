use domain::connection::ProviderName;
use domain::contracts::store::{Batch, EventFilter, NewMessage, Quarantined, Report};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent, report_id};
use domain::ids::{ConnectionId, MessageId};
use domain::secret::Sealed;

use crate::support::{Fixture, Shared, at, business, commit_claims, events, unique_uuid};

commit_claims! {
    an_event_is_kept_once_however_often_it_is_heard
    the_stream_is_in_the_order_of_the_batches_and_pages
    events_of_many_writers_never_appear_behind_a_reader
    reports_are_those_of_the_message_on_its_own_connection
    an_event_lends_the_references_of_its_own_message_only
    the_watermark_is_the_latest_status_of_the_connection
    quarantined_webhooks_are_counted_once
}

async fn an_event_is_kept_once_however_often_it_is_heard(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (first, second) = (fixture.event(), fixture.event());
    let batch = events(&[first.clone(), first.clone(), second.clone()]);
    let first_placed = fixture.commit(&batch).await.events;
    assert!(
        matches!(first_placed[..], [Some(first), None, Some(second)] if first < second),
        "{first_placed:?}"
    );
    // Not a window: any number of other events may lie between.
    let others: Vec<_> = (0..300).map(|_| fixture.event()).collect();
    let placed = fixture.commit(&events(&others)).await.events;
    assert!(placed.is_sorted() && placed.iter().all(Option::is_some), "{placed:?}");
    let changed = NewEvent { body: Sealed::from_bytes(b"other".to_vec()), ..first };
    assert!(!fixture.hear(&changed).await);
    let stored = fixture.store.events_after(fixture.account, &EventFilter::default(), 0, 10).await.unwrap();
    assert_eq!((stored[0].id, &stored[0].body), (changed.id, &fixture.event().body));
    assert_eq!(stored[1].id, second.id);
    assert_eq!((Some(stored[0].seq), Some(stored[1].seq)), (first_placed[0], first_placed[2]));
}

async fn the_stream_is_in_the_order_of_the_batches_and_pages(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    assert_eq!(store.last_event().await.unwrap(), 0);
    let mut heard: Vec<_> = (0..5).map(|_| fixture.event()).collect();
    heard.reverse();
    fixture.commit(&events(&heard)).await;
    fixture.business = business(&store, fixture.account, "second").await;
    heard.push(fixture.event());
    fixture.hear(&heard[5]).await;

    let mut read = Vec::new();
    let mut after = 0;
    loop {
        let page = store.events_after(fixture.account, &EventFilter::default(), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2 && last.seq > after);
        after = last.seq;
        read.extend(page);
    }
    assert_eq!(store.last_event().await.unwrap(), after);
    assert!(read.iter().map(|event| event.id).eq(heard.iter().map(|event| event.id)));
    let of_second = EventFilter { business: Some(fixture.business.key), ..EventFilter::default() };
    let of_second = store.events_after(fixture.account, &of_second, 0, 10).await.unwrap();
    assert_eq!(of_second, read[5..]);
    assert_eq!(
        store.events_by_seq(&[after, read[1].seq, after + 1]).await.unwrap(),
        [read[1].clone(), read[5].clone()]
    );
    let other = store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(store.events_after(other, &EventFilter::default(), 0, 10).await.unwrap(), []);
}

async fn events_of_many_writers_never_appear_behind_a_reader(store: Shared) {
    let fixture = std::sync::Arc::new(Fixture::new(store.clone()).await);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let fixture = fixture.clone();
        writers.spawn(async move {
            for size in 1..12 {
                let batch: Vec<_> = (0..size).map(|_| fixture.event()).collect();
                fixture.commit(&events(&batch)).await;
            }
        });
    }
    let expected = 4 * (1..12).sum::<usize>();
    let mut seen = 0;
    let mut after = 0;
    while seen < expected {
        let done = writers.is_empty();
        let page = store.events_after(fixture.account, &EventFilter::default(), after, 7).await.unwrap();
        assert!(!(done && page.is_empty()), "only {seen} of {expected} events were met");
        seen += page.len();
        after = page.last().map_or(after, |event| event.seq);
        while writers.try_join_next().is_some() {}
    }
}

pub(crate) fn report(
    fixture: &Fixture,
    message: MessageId,
    status: DeliveryStatus,
    participant: &str,
) -> NewEvent {
    NewEvent {
        with_transition: false,
        id: report_id(fixture.connection, message, status.as_str(), participant),
        event_type: EventType::MessageStatus,
        message: Some(message),
        status: participant.is_empty().then_some(status),
        ..fixture.event()
    }
}

async fn reports_are_those_of_the_message_on_its_own_connection(store: Shared) {
    let mut fixture = Fixture::new(store).await;
    let (first, second) = (fixture.message().id, fixture.message().id);
    fixture.hear(&report(&fixture, first, DeliveryStatus::Sent, "")).await;
    fixture.hear(&NewEvent { occurred_at: at(7), ..report(&fixture, first, DeliveryStatus::Read, "") }).await;
    fixture.hear(&report(&fixture, first, DeliveryStatus::Delivered, "255712")).await;
    fixture.hear(&report(&fixture, second, DeliveryStatus::Failed, "")).await;
    let ours = fixture.connection;
    fixture.connection = ConnectionId::from_uuid(unique_uuid());
    fixture.hear(&report(&fixture, first, DeliveryStatus::Failed, "")).await;

    let asked = [(ours, first), (ours, second), (ours, fixture.message().id)];
    let mut reports = fixture.store.reports(&asked).await.unwrap();
    reports.sort_by_key(|report| (report.message, report.at));
    let report = |message, status, seconds| Report { message, status, at: at(seconds) };
    assert_eq!(
        reports,
        [
            report(first, DeliveryStatus::Sent, 1),
            report(first, DeliveryStatus::Read, 7),
            report(second, DeliveryStatus::Failed, 1)
        ]
    );
    assert_eq!(fixture.store.reports(&[]).await.unwrap(), []);
}

async fn an_event_lends_the_references_of_its_own_message_only(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let message = NewMessage {
        client_ref: Some("order-1".to_owned()),
        opaque: Some("mine".to_owned()),
        ..fixture.message()
    };
    fixture.accept(&message).await;
    fixture.hear(&report(&fixture, message.id, DeliveryStatus::Sent, "")).await;
    fixture.business = business(&store, fixture.account, "stranger").await;
    fixture.connection = ConnectionId::from_uuid(unique_uuid());
    fixture.hear(&report(&fixture, message.id, DeliveryStatus::Read, "")).await;

    let stored = store.events_after(fixture.account, &EventFilter::default(), 0, 10).await.unwrap();
    assert_eq!(
        (stored[0].client_ref.as_deref(), stored[0].opaque.as_deref()),
        (Some("order-1"), Some("mine"))
    );
    assert_eq!((stored[1].client_ref.as_deref(), stored[1].opaque.as_deref()), (None, None));
}

async fn the_watermark_is_the_latest_status_of_the_connection(store: Shared) {
    let fixture = Fixture::new(store).await;
    let key = fixture.business.key;
    assert_eq!(fixture.store.status_watermark(key, fixture.connection).await.unwrap(), None);
    for (seconds, status) in [(9, DeliveryStatus::Delivered), (5, DeliveryStatus::Sent)] {
        let message = fixture.message().id;
        fixture.hear(&NewEvent { occurred_at: at(seconds), ..report(&fixture, message, status, "") }).await;
    }
    fixture.hear(&NewEvent { occurred_at: at(20), ..fixture.event() }).await;
    assert_eq!(fixture.store.status_watermark(key, fixture.connection).await.unwrap(), Some(at(9)));
    let other = ConnectionId::from_uuid(unique_uuid());
    assert_eq!(fixture.store.status_watermark(key, other).await.unwrap(), None);
}

async fn quarantined_webhooks_are_counted_once(store: Shared) {
    let fixture = Fixture::new(store).await;
    let webhook = |number| Quarantined {
        id: unique_uuid(),
        provider: ProviderName::Meta,
        subject: format!("10{number}"),
        received_at: at(number),
        body: Sealed::from_bytes(vec![1]),
    };
    let batch = Batch { quarantine: vec![webhook(1), webhook(2), webhook(3)], ..Batch::default() };
    for _ in 0..2 {
        fixture.commit(&batch).await;
        assert_eq!(fixture.store.quarantined().await.unwrap(), 3);
    }
}
