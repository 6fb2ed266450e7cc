use domain::contracts::store::{Batch, DeliveryProgress, Page, StoreError};
use domain::endpoint::{DeliveryState, Endpoint, EndpointFormat, FailedDelivery};
use domain::event::EventType;
use domain::ids::EndpointId;
use domain::secret::Sealed;
use uuid::Uuid;

use crate::support::{Fixture, Shared, at, claims, unique_uuid};

claims! {
    an_endpoint_reads_back_and_keeps_what_it_is_updated_with
    endpoints_are_listed_in_pages_and_disabled_ones_hear_nothing
    progress_never_goes_back
    a_failed_delivery_is_replaced_by_its_id
    deliveries_are_listed_in_pages_newest_first
    a_deleted_endpoint_leaves_no_deliveries_behind
    an_endpoint_of_an_erased_business_is_refused
}

pub(crate) fn endpoint(fixture: &Fixture) -> Endpoint {
    Endpoint {
        id: EndpointId::from_uuid(unique_uuid()),
        account: fixture.account,
        business: None,
        url: "https://hooks.example/whatsapp?a=1".parse().unwrap(),
        events: vec![EventType::MessageReceived, EventType::MessageStatus],
        format: EndpointFormat::Standard,
        enabled: true,
        secret: Sealed::from_bytes(vec![1, 2]),
        cursor: 3,
        created_at: at(0),
    }
}

pub(crate) fn failed(endpoint: &Endpoint, event_seq: i64) -> FailedDelivery {
    FailedDelivery {
        id: unique_uuid(),
        endpoint: endpoint.id,
        event_seq,
        attempts: 1,
        state: DeliveryState::Retrying,
        next_at: at(60),
        last_status: Some(503),
        last_error: None,
    }
}

pub(crate) async fn fail(fixture: &Fixture, failures: &[FailedDelivery]) {
    fixture.commit(&Batch { failed_deliveries: failures.to_vec(), ..Batch::default() }).await;
}

async fn an_endpoint_reads_back_and_keeps_what_it_is_updated_with(store: Shared) {
    let fixture = Fixture::new(store).await;
    let business = Some((fixture.business.key, fixture.business.reference.clone()));
    let mut endpoint = Endpoint { business, ..endpoint(&fixture) };
    fixture.store.insert_endpoint(&endpoint).await.unwrap();
    let read = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&endpoint));

    endpoint.url = "https://other.example/".parse().unwrap();
    endpoint.events = Vec::new();
    endpoint.format = EndpointFormat::CloudApi;
    endpoint.enabled = false;
    endpoint.secret = Sealed::from_bytes(vec![9]);
    fixture.store.update_endpoint(&Endpoint { cursor: 77, ..endpoint.clone() }).await.unwrap();
    let read = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap();
    assert_eq!(read, Some(endpoint), "the cursor is moved by commits only");
}

async fn endpoints_are_listed_in_pages_and_disabled_ones_hear_nothing(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let mut made = Vec::new();
    for number in 0..5 {
        let endpoint = Endpoint { enabled: number != 2, ..endpoint(&fixture) };
        store.insert_endpoint(&endpoint).await.unwrap();
        made.push(endpoint);
    }
    let first = store.endpoints(fixture.account, Page { after: None, limit: 3 }).await.unwrap();
    let rest = store.endpoints(fixture.account, Page { after: Some(first[2].id), limit: 3 }).await.unwrap();
    assert_eq!([first, rest].concat(), made);
    made.remove(2);
    assert_eq!(store.all_endpoints().await.unwrap(), made);
}

async fn progress_never_goes_back(store: Shared) {
    let fixture = Fixture::new(store).await;
    let endpoint = endpoint(&fixture);
    fixture.store.insert_endpoint(&endpoint).await.unwrap();
    for (cursors, expected) in [(vec![9, 5], 9), (vec![7], 9), (vec![2, 12, 11], 12)] {
        let progress = cursors.into_iter().map(|cursor| DeliveryProgress { endpoint: endpoint.id, cursor });
        fixture.commit(&Batch { progress: progress.collect(), ..Batch::default() }).await;
        let stored = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap().unwrap();
        assert_eq!(stored.cursor, expected);
    }
}

async fn a_failed_delivery_is_replaced_by_its_id(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (store, endpoint) = (&fixture.store, endpoint(&fixture));
    store.insert_endpoint(&endpoint).await.unwrap();
    let mut first = failed(&endpoint, 10);
    let second = FailedDelivery { next_at: at(30), ..failed(&endpoint, 11) };
    fail(&fixture, &[first.clone(), second.clone()]).await;
    assert_eq!(store.next_delivery(endpoint.id).await.unwrap(), Some(at(30)));
    assert_eq!(store.due_deliveries(endpoint.id, at(29), 10).await.unwrap(), []);
    assert_eq!(store.due_deliveries(endpoint.id, at(30), 10).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.due_deliveries(endpoint.id, at(60), 10).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.due_deliveries(endpoint.id, at(60), 1).await.unwrap(), std::slice::from_ref(&second));

    first.attempts = 2;
    let parked = FailedDelivery {
        attempts: 9,
        state: DeliveryState::Parked,
        last_status: None,
        last_error: Some("timeout".to_owned()),
        ..first.clone()
    };
    fail(&fixture, &[first, parked.clone()]).await;
    assert_eq!(store.delivery(fixture.account, parked.id).await.unwrap(), Some(parked));
    assert_eq!(store.due_deliveries(endpoint.id, at(60), 10).await.unwrap(), [second]);
}

async fn deliveries_are_listed_in_pages_newest_first(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (one, other) = (endpoint(&fixture), endpoint(&fixture));
    for endpoint in [&one, &other] {
        fixture.store.insert_endpoint(endpoint).await.unwrap();
    }
    let mut made: Vec<_> = (0..5).map(|seq| failed(if seq == 1 { &other } else { &one }, seq)).collect();
    fail(&fixture, &made).await;
    made.reverse();
    let mut listed: Vec<FailedDelivery> = Vec::new();
    loop {
        let page = Page { after: listed.last().map(|last| last.id), limit: 2 };
        let found = fixture.store.deliveries(fixture.account, None, page).await.unwrap();
        if found.is_empty() {
            break;
        }
        listed.extend(found);
    }
    assert_eq!(listed, made);
    let page: Page<Uuid> = Page { after: None, limit: 10 };
    let of_other = fixture.store.deliveries(fixture.account, Some(other.id), page).await.unwrap();
    assert_eq!(of_other.iter().map(|delivery| delivery.event_seq).collect::<Vec<_>>(), [1]);
    let stranger = fixture.store.ensure_account("other", at(0)).await.unwrap();
    assert_eq!(fixture.store.deliveries(stranger, None, page).await.unwrap(), []);
    assert_eq!(fixture.store.delivery(stranger, made[0].id).await.unwrap(), None);
}

async fn a_deleted_endpoint_leaves_no_deliveries_behind(store: Shared) {
    let fixture = Fixture::new(store).await;
    let endpoint = endpoint(&fixture);
    fixture.store.insert_endpoint(&endpoint).await.unwrap();
    fail(&fixture, &[failed(&endpoint, 1)]).await;
    let stranger = fixture.store.ensure_account("other", at(0)).await.unwrap();
    assert!(!fixture.store.delete_endpoint(stranger, endpoint.id).await.unwrap());
    assert!(fixture.store.delete_endpoint(fixture.account, endpoint.id).await.unwrap());
    assert!(!fixture.store.delete_endpoint(fixture.account, endpoint.id).await.unwrap());
    // A delivery that was under way when the endpoint went.
    fail(&fixture, &[failed(&endpoint, 2)]).await;
    assert_eq!(fixture.store.due_deliveries(endpoint.id, at(1_000), 10).await.unwrap(), []);
}

async fn an_endpoint_of_an_erased_business_is_refused(store: Shared) {
    let fixture = Fixture::new(store).await;
    let business = Some((fixture.business.key, fixture.business.reference.clone()));
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    let refused = fixture.store.insert_endpoint(&Endpoint { business, ..endpoint(&fixture) }).await;
    assert!(matches!(refused, Err(StoreError::Gone { what: "the business" })), "{refused:?}");
}
