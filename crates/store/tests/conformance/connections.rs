use domain::connection::{
    Connection, ConnectionStatus, Pace, Probe, ProviderName, Sending, SendingChange, Slowed,
};
use domain::contracts::store::{Credential, Page, StoreError};
use domain::ids::ConnectionId;
use domain::secret::Sealed;

use crate::support::{Fixture, Shared, at, business, claims, unique_uuid};

claims! {
    a_connection_and_its_credential_read_back
    a_number_is_taken_once
    a_connection_moves_only_from_the_status_it_is_in
    a_credential_can_be_replaced_alone
    how_a_connection_sends_is_changed_member_by_member_and_outlives_being_saved
    connections_are_listed_in_pages_and_by_business
    a_connection_is_found_by_its_graph_id_and_its_waba
}

pub(crate) fn connection(fixture: &Fixture) -> Connection {
    Connection {
        id: ConnectionId::from_uuid(unique_uuid()),
        business: fixture.business.key,
        business_reference: fixture.business.reference.clone(),
        account: fixture.account,
        partition: fixture.business.partition,
        provider: ProviderName::Meta,
        status: ConnectionStatus::Connected,
        reason: None,
        graph_id: None,
        waba_id: Some("2001".to_owned()),
        phone_number: Some("+255712000001".to_owned()),
        verified_name: Some("Duka".to_owned()),
        quality_rating: None,
        sending: Sending::default(),
        created_at: at(0),
        updated_at: at(0),
    }
}

fn credential(connection: &Connection) -> Credential {
    Credential {
        connection: connection.id,
        waba_id: "2001".to_owned(),
        phone_number_id: None,
        app_id: "app".to_owned(),
        provider: ProviderName::Meta,
        access_token: Sealed::from_bytes(vec![1, 2, 3]),
        pin: Some(Sealed::from_bytes(vec![4])),
        token_expires_at: Some(at(1_000)),
        scopes: vec!["whatsapp_business_messaging".to_owned()],
    }
}

async fn a_connection_and_its_credential_read_back(store: Shared) {
    let fixture = Fixture::new(store).await;
    let mut connection = connection(&fixture);
    let credential = credential(&connection);
    fixture.store.save_connection(&connection, Some(&credential)).await.unwrap();
    assert_eq!(fixture.store.connection(connection.id).await.unwrap(), Some(connection.clone()));
    assert_eq!(fixture.store.credential(connection.id).await.unwrap(), Some(credential));

    connection.verified_name = Some("Duka Kubwa".to_owned());
    connection.updated_at = at(5);
    fixture.store.save_connection(&connection, None).await.unwrap();
    assert_eq!(fixture.store.connection(connection.id).await.unwrap(), Some(connection.clone()));
    assert!(fixture.store.credential(connection.id).await.unwrap().is_some());
    assert_eq!(fixture.store.connection(fixture.connection).await.unwrap(), None);
}

async fn a_number_is_taken_once(store: Shared) {
    let fixture = Fixture::new(store).await;
    let first = Connection { graph_id: Some("106".to_owned()), ..connection(&fixture) };
    fixture.store.save_connection(&first, None).await.unwrap();
    fixture.store.save_connection(&first, None).await.unwrap();
    let second = Connection { graph_id: Some("106".to_owned()), ..connection(&fixture) };
    let refused = fixture.store.save_connection(&second, Some(&credential(&second))).await;
    assert!(matches!(refused, Err(StoreError::Taken { what: "the number" })), "{refused:?}");
    assert_eq!(fixture.store.connection(second.id).await.unwrap(), None);
    assert_eq!(fixture.store.credential(second.id).await.unwrap(), None);
    // What was refused does not stand in the way of what follows.
    fixture.store.save_connection(&connection(&fixture), None).await.unwrap();
}

async fn a_connection_moves_only_from_the_status_it_is_in(store: Shared) {
    use ConnectionStatus::{Connected, Degraded, Suspended};
    let fixture = Fixture::new(store).await;
    let (store, connection) = (&fixture.store, connection(&fixture));
    store.save_connection(&connection, Some(&credential(&connection))).await.unwrap();
    assert!(
        store
            .move_connection(connection.id, Connected, Degraded, Some("token_expiring"), at(3))
            .await
            .unwrap()
    );
    assert!(!store.move_connection(connection.id, Connected, Suspended, None, at(4)).await.unwrap());
    let moved = store.connection(connection.id).await.unwrap().unwrap();
    assert_eq!(
        (moved.status, moved.reason.as_deref(), moved.updated_at),
        (Degraded, Some("token_expiring"), at(3))
    );
    assert!(store.move_connection(connection.id, Degraded, Connected, None, at(5)).await.unwrap());
    assert_eq!(store.connection(connection.id).await.unwrap().unwrap().reason, None);
}

async fn a_credential_can_be_replaced_alone(store: Shared) {
    let fixture = Fixture::new(store).await;
    let connection = connection(&fixture);
    fixture.store.save_connection(&connection, None).await.unwrap();
    let mut credential = credential(&connection);
    fixture.store.save_credential(&credential).await.unwrap();
    credential.access_token = Sealed::from_bytes(vec![9, 9]);
    credential.phone_number_id = Some("106".to_owned());
    credential.pin = None;
    fixture.store.save_credential(&credential).await.unwrap();
    assert_eq!(fixture.store.credential(connection.id).await.unwrap(), Some(credential.clone()));

    credential.connection = fixture.connection;
    let refused = fixture.store.save_credential(&credential).await;
    assert!(matches!(refused, Err(StoreError::Gone { what: "the connection" })), "{refused:?}");
}

async fn connections_are_listed_in_pages_and_by_business(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let mut made = Vec::new();
    for number in 0..5 {
        if number == 3 {
            fixture.business = business(&store, fixture.account, "second").await;
        }
        let connection = connection(&fixture);
        store.save_connection(&connection, None).await.unwrap();
        made.push(connection);
    }
    let mut listed: Vec<Connection> = Vec::new();
    loop {
        let page = Page { after: listed.last().map(|last| last.id), limit: 2 };
        let found = store.connections(fixture.account, None, page).await.unwrap();
        if found.is_empty() {
            break;
        }
        assert!(found.len() <= 2);
        listed.extend(found);
    }
    assert_eq!(listed, made);
    let page = Page { after: None, limit: 10 };
    let of_second = store.connections(fixture.account, Some(fixture.business.key), page).await.unwrap();
    assert_eq!(of_second, made[3..]);
}

async fn a_connection_is_found_by_its_graph_id_and_its_waba(store: Shared) {
    let fixture = Fixture::new(store).await;
    let first = Connection { graph_id: Some("106".to_owned()), ..connection(&fixture) };
    let second = Connection { created_at: at(1), ..connection(&fixture) };
    let other = Connection { waba_id: None, ..connection(&fixture) };
    for connection in [&second, &first, &other] {
        fixture.store.save_connection(connection, None).await.unwrap();
    }
    assert_eq!(fixture.store.connection_by_graph_id("106").await.unwrap(), Some(first.clone()));
    assert_eq!(fixture.store.connection_by_graph_id("107").await.unwrap(), None);
    assert_eq!(fixture.store.connections_of_waba("2001").await.unwrap(), [first, second]);
}

async fn how_a_connection_sends_is_changed_member_by_member_and_outlives_being_saved(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let connection = connection(&fixture);
    store.save_connection(&connection, None).await.unwrap();
    let pace = Pace { per_minute: 20, jitter_percent: 30 };
    let slowed = Slowed { messages_per_second: 40, at: at(3) };
    let changes = [
        SendingChange::MessagesPerSecond(1_000),
        SendingChange::Pace(Some(pace)),
        SendingChange::Slowed(slowed),
        SendingChange::Probe(Some(Probe { at: at(300), tried: 2 })),
    ];
    let mut expected = Sending::default();
    for change in changes {
        store.change_sending(connection.id, change, at(4)).await.unwrap();
        expected = expected.with(change);
        let stored = store.connection(connection.id).await.unwrap().unwrap();
        assert_eq!((stored.sending, stored.updated_at), (expected, at(4)));
    }
    store.save_connection(&connection, None).await.unwrap();
    let again = store.connection(connection.id).await.unwrap().unwrap();
    assert_eq!(again.sending, Sending { probe: None, ..expected }, "connected again, it has nothing to try");
    let at_twenty = Sending { messages_per_second: Some(20), ..Sending::default() };
    store.save_connection(&Connection { sending: at_twenty, ..connection.clone() }, None).await.unwrap();
    let stored = store.connection(connection.id).await.unwrap().unwrap();
    assert_eq!(stored.sending.messages_per_second, Some(20));
    store.change_sending(connection.id, SendingChange::Pace(None), at(5)).await.unwrap();
    assert_eq!(store.connection(connection.id).await.unwrap().unwrap().sending.pace, None);
}
