use domain::contracts::store::{Batch, DeliveryProgress, Page, StoreError};
use domain::endpoint::{Endpoint, EndpointFormat, EndpointHealth, PreviousSecret};
use domain::event::EventType;
use domain::ids::EndpointId;
use domain::secret::Sealed;

use crate::support::{Fixture, Shared, at, claims, unique_uuid};

claims! {
    an_endpoint_reads_back_and_keeps_what_it_is_updated_with
    endpoints_are_listed_in_pages_and_disabled_ones_hear_nothing
    progress_never_goes_back
    how_an_endpoint_fares_is_kept
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
        ordered: false,
        secret: Sealed::from_bytes(vec![1, 2]),
        previous_secret: None,
        health: EndpointHealth::Taking,
        cursor: 3,
        created_at: at(0),
    }
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
    endpoint.ordered = true;
    endpoint.secret = Sealed::from_bytes(vec![9]);
    endpoint.previous_secret = Some(PreviousSecret { sealed: Sealed::from_bytes(vec![1, 2]), until: at(60) });
    let health = EndpointHealth::Parked { since: at(7) };
    fixture.store.update_endpoint(&Endpoint { cursor: 77, health, ..endpoint.clone() }).await.unwrap();
    let read = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap();
    assert_eq!(
        read,
        Some(endpoint),
        "the cursor is moved by commits only, and its health by whoever delivers"
    );
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

async fn an_endpoint_of_an_erased_business_is_refused(store: Shared) {
    let fixture = Fixture::new(store).await;
    let business = Some((fixture.business.key, fixture.business.reference.clone()));
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    let refused = fixture.store.insert_endpoint(&Endpoint { business, ..endpoint(&fixture) }).await;
    assert!(matches!(refused, Err(StoreError::Gone { what: "the business" })), "{refused:?}");
}

async fn how_an_endpoint_fares_is_kept(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let endpoint = endpoint(&fixture);
    store.insert_endpoint(&endpoint).await.unwrap();
    for health in [
        EndpointHealth::Failing { since: at(1) },
        EndpointHealth::Parked { since: at(2) },
        EndpointHealth::Gone { since: at(3) },
        EndpointHealth::Taking,
    ] {
        store.save_health(endpoint.id, health).await.unwrap();
        let stored = store.endpoint(fixture.account, endpoint.id).await.unwrap().unwrap();
        assert_eq!(stored, Endpoint { health, ..endpoint.clone() });
    }
}
