use domain::connection::{Connection, ConnectionStatus, ProviderName};
use domain::contracts::deliveries::DeliveryFilter;
use domain::contracts::store::{
    Accepted, Batch, EventFilter, IdempotencyRecord, MessageFilter, NewMessage, Page, Quarantined, StoreError,
};
use domain::endpoint::Endpoint;
use domain::secret::{Sealed, WrappedDataKey};

use crate::deliveries::{fail, failed};
use crate::endpoints::endpoint;
use crate::support::{Fixture, Shared, at, business, commit_claims, events, messages, record, unique_uuid};

commit_claims! {
    an_erased_business_refuses_accepts_and_has_no_data_keys
    nothing_that_names_an_erased_business_is_left_and_its_neighbour_keeps_everything
    what_was_answered_about_an_erased_business_is_forgotten
    quarantined_news_of_the_numbers_and_accounts_of_an_erased_business_goes_with_it
    the_reference_of_an_erased_business_can_be_used_again
    an_erasure_among_accepts_leaves_no_message_behind
}

fn data_key() -> WrappedDataKey {
    WrappedDataKey { generation: 1, master_key_id: "m1".to_owned(), wrapped: vec![1; 40] }
}

async fn an_erased_business_refuses_accepts_and_has_no_data_keys(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (store, key) = (&fixture.store, fixture.business.key);
    store.insert_data_key(key, &data_key()).await.unwrap();
    store.erase_business(key).await.unwrap();
    assert_eq!(store.data_keys(key).await.unwrap(), []);
    assert_eq!(store.insert_data_key(key, &data_key()).await.unwrap(), None);
    assert_eq!(store.business_by_key(key).await.unwrap(), None);

    let message = NewMessage { idempotency: Some(record(fixture.account, 1, "x")), ..fixture.message() };
    let committed = fixture.commit(&Batch { events: vec![fixture.event()], ..messages(&[message]) }).await;
    assert_eq!((committed.messages, committed.events), (vec![Accepted::Erased], vec![None]));
    assert_eq!(store.remembered(fixture.account, &[1; 32]).await.unwrap(), None);
    store.erase_business(key).await.unwrap();
}

async fn nothing_that_names_an_erased_business_is_left_and_its_neighbour_keeps_everything(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let listener = endpoint(&fixture);
    store.insert_endpoint(&listener).await.unwrap();
    let mut written = Vec::new();
    for (number, name) in ["neighbour", "leaving"].into_iter().enumerate() {
        fixture.business = business(&store, fixture.account, name).await;
        let connection = connection(&fixture);
        store.save_connection(&connection, None).await.unwrap();
        let business = Some((fixture.business.key, fixture.business.reference.clone()));
        let own = Endpoint { business, ..endpoint(&fixture) };
        store.insert_endpoint(&own).await.unwrap();
        let batch: Vec<_> = (0..600).map(|_| fixture.message()).collect();
        fixture.commit(&messages(&batch)).await;
        let key = u8::try_from(number).unwrap();
        let message =
            NewMessage { idempotency: Some(record(fixture.account, key, name)), ..fixture.message() };
        fixture.accept(&message).await;
        let heard: Vec<_> = (0..300).map(|_| fixture.event()).collect();
        fixture.commit(&events(&heard)).await;
        let last = store.last_event().await.unwrap();
        fail(&fixture, &[failed(&listener, last), failed(&own, last)]).await;
        written.push((fixture.business.clone(), connection, own, message));
    }
    let before = store.last_event().await.unwrap();
    store.erase_business(fixture.business.key).await.unwrap();

    let account = fixture.account;
    for (gone, (business, connection, own, message)) in [false, true].into_iter().zip(&written) {
        let left = usize::from(!gone);
        assert_eq!(store.business(account, &business.reference).await.unwrap().is_none(), gone);
        assert_eq!(store.connection(connection.id).await.unwrap().is_none(), gone);
        assert_eq!(store.endpoint(account, own.id).await.unwrap().is_none(), gone);
        assert_eq!(store.message_body(message.id).await.unwrap().is_none(), gone);
        let key_hash = message.idempotency.as_ref().unwrap().key_hash;
        assert_eq!(store.remembered(account, &key_hash).await.unwrap().is_none(), gone);
        let filter = MessageFilter { business: Some(business.key), ..MessageFilter::default() };
        let listed = store.messages(account, &filter, Page { after: None, limit: 1_000 }).await.unwrap();
        assert_eq!(listed.len(), 601 * left);
        let filter = EventFilter { business: Some(business.key), ..EventFilter::default() };
        let heard = store.events_after(account, &filter, 0, 1_000).await.unwrap();
        assert_eq!(heard.len(), 300 * left);
    }
    let page = Page { after: None, limit: 10 };
    assert_eq!(store.deliveries(account, &DeliveryFilter::default(), page).await.unwrap().len(), 2);

    // A cursor that stood at the end of the stream must not miss what comes next.
    fixture.business = written[0].0.clone();
    fixture.hear(&fixture.event()).await;
    assert_eq!(store.events_after(account, &EventFilter::default(), before, 10).await.unwrap().len(), 1);
}

fn connection(fixture: &Fixture) -> Connection {
    Connection {
        id: domain::ids::ConnectionId::from_uuid(crate::support::unique_uuid()),
        business: fixture.business.key,
        business_reference: fixture.business.reference.clone(),
        account: fixture.account,
        partition: fixture.business.partition,
        provider: ProviderName::WaApi,
        status: ConnectionStatus::Pending,
        reason: None,
        graph_id: None,
        waba_id: None,
        phone_number: None,
        verified_name: None,
        quality_rating: None,
        sending: domain::connection::Sending::default(),
        created_at: at(0),
        updated_at: at(0),
    }
}

async fn what_was_answered_about_an_erased_business_is_forgotten(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let neighbour = business(&store, fixture.account, "neighbour").await;
    let sealed = |owner| format!(r#"{{"sealed":"c2VhbGVk"{}"#, IdempotencyRecord::ending(owner));
    let answers = [sealed(fixture.business.key), sealed(neighbour.key), r#"{"of":"nobody"}"#.to_owned()];
    for (key, answer) in (1..).zip(&answers) {
        store.remember(&record(fixture.account, key, answer)).await.unwrap();
    }
    store.erase_business(fixture.business.key).await.unwrap();
    for (key, stays) in [(1, false), (2, true), (3, true)] {
        assert_eq!(store.remembered(fixture.account, &[key; 32]).await.unwrap().is_some(), stays);
    }
}

async fn quarantined_news_of_the_numbers_and_accounts_of_an_erased_business_goes_with_it(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let (number, waba) = (Some("106".to_owned()), Some("2001".to_owned()));
    let connection = Connection { graph_id: number, waba_id: waba, ..connection(&fixture) };
    store.save_connection(&connection, None).await.unwrap();
    let webhook = |subject: &str| Quarantined {
        id: unique_uuid(),
        provider: ProviderName::Meta,
        subject: subject.to_owned(),
        received_at: at(0),
        body: Sealed::from_bytes(vec![1]),
    };
    let quarantine = ["106", "2001", "1060", "elsewhere"].map(webhook).to_vec();
    fixture.commit(&Batch { quarantine, ..Batch::default() }).await;
    store.erase_business(fixture.business.key).await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 2);
}

async fn the_reference_of_an_erased_business_can_be_used_again(store: Shared) {
    let fixture = Fixture::new(store).await;
    let stale = connection(&fixture);
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    let again = business(&fixture.store, fixture.account, fixture.business.reference.as_str()).await;
    assert_ne!(again.key, fixture.business.key);
    let refused = fixture.store.save_connection(&stale, None).await;
    assert!(matches!(refused, Err(StoreError::Gone { what: "the business" })), "{refused:?}");
}

async fn an_erasure_among_accepts_leaves_no_message_behind(store: Shared) {
    let fixture = std::sync::Arc::new(Fixture::new(store.clone()).await);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let fixture = fixture.clone();
        writers.spawn(async move {
            let mut accepted = Vec::new();
            loop {
                let message = fixture.message();
                let batch =
                    Batch { events: vec![fixture.event()], ..messages(std::slice::from_ref(&message)) };
                accepted.push(message.id);
                if fixture.commit(&batch).await.messages == [Accepted::Erased] {
                    return accepted;
                }
            }
        });
    }
    tokio::task::yield_now().await;
    store.erase_business(fixture.business.key).await.unwrap();
    for id in writers.join_all().await.concat() {
        assert_eq!(store.message_body(id).await.unwrap(), None);
    }
    assert_eq!(store.last_event().await.unwrap(), 0, "no event is left either");
}
