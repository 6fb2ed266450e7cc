use domain::clock::Timestamp;
use domain::contracts::store::{Batch, DeliveryProgress, Page, StoreError};
use domain::endpoint::{Endpoint, EndpointFormat, EndpointHealth, PreviousSecret};
use domain::event::EventType;
use domain::ids::EndpointId;
use domain::secret::Sealed;

use crate::support::{Fixture, Shared, at, claims, unique_uuid};

claims! {
    an_endpoint_reads_back_and_keeps_what_it_is_updated_with
    endpoints_are_listed_in_pages_and_disabled_ones_hear_nothing
    a_change_of_an_endpoint_leaves_a_rotated_secret_alone
    of_two_rotations_the_second_keeps_the_secret_of_the_first
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
    let health = EndpointHealth::Parked { since: at(7) };
    fixture.store.update_endpoint(&Endpoint { cursor: 77, health, ..endpoint.clone() }).await.unwrap();
    let read = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap();
    assert_eq!(
        read,
        Some(endpoint),
        "the cursor is moved by commits only, and its health by whoever delivers"
    );
}

/// What signs: the secret, and the one before it with its time.
async fn secrets(fixture: &Fixture, endpoint: &Endpoint) -> (Sealed, Option<PreviousSecret>) {
    let stored = fixture.store.endpoint(fixture.account, endpoint.id).await.unwrap().unwrap();
    (stored.secret, stored.previous_secret)
}

fn secret(byte: u8) -> Sealed {
    Sealed::from_bytes(vec![byte])
}

async fn rotate(fixture: &Fixture, endpoint: &Endpoint, byte: u8, previous_until: Option<Timestamp>) -> bool {
    fixture.store.rotate_secret(fixture.account, endpoint.id, &secret(byte), previous_until).await.unwrap()
}

async fn a_change_of_an_endpoint_leaves_a_rotated_secret_alone(store: Shared) {
    let fixture = Fixture::new(store).await;
    let read_before = endpoint(&fixture);
    fixture.store.insert_endpoint(&read_before).await.unwrap();
    assert!(rotate(&fixture, &read_before, 9, Some(at(60))).await);
    fixture.store.update_endpoint(&Endpoint { ordered: true, ..read_before.clone() }).await.unwrap();
    let previous = PreviousSecret { sealed: read_before.secret.clone(), until: at(60) };
    assert_eq!(secrets(&fixture, &read_before).await, (secret(9), Some(previous)));
    assert!(fixture.store.endpoint(fixture.account, read_before.id).await.unwrap().unwrap().ordered);
}

async fn of_two_rotations_the_second_keeps_the_secret_of_the_first(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let endpoint = endpoint(&fixture);
    store.insert_endpoint(&endpoint).await.unwrap();
    assert!(rotate(&fixture, &endpoint, 8, Some(at(60))).await);
    assert!(rotate(&fixture, &endpoint, 9, Some(at(61))).await);
    let previous = PreviousSecret { sealed: secret(8), until: at(61) };
    assert_eq!(secrets(&fixture, &endpoint).await, (secret(9), Some(previous)));
    assert!(rotate(&fixture, &endpoint, 10, None).await);
    assert_eq!(secrets(&fixture, &endpoint).await, (secret(10), None), "without an overlap");

    let other = store.ensure_account("other", at(0)).await.unwrap();
    assert!(!store.rotate_secret(other, endpoint.id, &secret(11), None).await.unwrap());
    store.delete_endpoint(fixture.account, endpoint.id).await.unwrap();
    assert!(!rotate(&fixture, &endpoint, 11, None).await);
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
