use domain::business::{Business, NewBusiness, Routing};
use domain::contracts::store::Page;
use domain::ids::BusinessKey;
use domain::partition::Partition;
use domain::recipient::Country;
use domain::secret::WrappedDataKey;

use crate::support::{Fixture, Shared, at, business, claims};

claims! {
    a_business_is_made_once_for_each_account_and_reference
    a_business_keeps_what_it_is_updated_with
    businesses_are_listed_in_pages_by_reference
    of_two_writers_of_a_data_key_the_first_wins
    rotation_finds_the_keys_that_are_not_under_the_new_master_key
}

async fn a_business_is_made_once_for_each_account_and_reference(store: Shared) {
    let account = store.ensure_account("acme", at(0)).await.unwrap();
    let other = store.ensure_account("other", at(0)).await.unwrap();
    let new = NewBusiness::unnamed("duka".parse().unwrap(), "sw");
    let (first, made) = store.ensure_business(account, &new, at(0)).await.unwrap();
    assert!(made);
    assert_eq!(first.partition, Partition::of(account, &new.reference));
    assert_eq!(store.ensure_business(account, &new, at(5)).await.unwrap(), (first.clone(), false));
    let (second, made) = store.ensure_business(other, &new, at(0)).await.unwrap();
    assert!(made);
    assert_ne!(first.key, second.key);
    assert_ne!(first.key, BusinessKey::INSTALLATION);
    assert_eq!(store.business(account, &new.reference).await.unwrap(), Some(first.clone()));
    assert_eq!(store.business_by_key(first.key).await.unwrap(), Some(first));
    assert_eq!(store.business(account, &"shop".parse().unwrap()).await.unwrap(), None);
}

async fn a_business_keeps_what_it_is_updated_with(store: Shared) {
    let fixture = Fixture::new(store).await;
    let business = Business {
        name: Some("Duka la Asha".to_owned()),
        country: Country::from_code("KE").unwrap(),
        locale: "en".to_owned(),
        routing: Routing::OfficialFirst,
        opt_out_keywords: true,
        ..fixture.business
    };
    fixture.store.update_business(&business).await.unwrap();
    assert_eq!(fixture.store.business_by_key(business.key).await.unwrap(), Some(business));
}

async fn businesses_are_listed_in_pages_by_reference(store: Shared) {
    let account = store.ensure_account("acme", at(0)).await.unwrap();
    for reference in ["b", "Z", "a", "é", "c"] {
        business(&store, account, reference).await;
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = store.businesses(account, Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.reference.clone());
        listed.extend(page.into_iter().map(|business| business.reference.to_string()));
    }
    assert_eq!(listed, ["Z", "a", "b", "c", "é"]);
}

fn data_key(generation: u32, master_key_id: &str, byte: u8) -> WrappedDataKey {
    WrappedDataKey { generation, master_key_id: master_key_id.to_owned(), wrapped: vec![byte; 40] }
}

async fn of_two_writers_of_a_data_key_the_first_wins(store: Shared) {
    let fixture = Fixture::new(store).await;
    for owner in [fixture.business.key, BusinessKey::INSTALLATION] {
        let store = &fixture.store;
        let first = data_key(1, "m1", 1);
        assert_eq!(store.insert_data_key(owner, &first).await.unwrap(), Some(first.clone()));
        assert_eq!(store.insert_data_key(owner, &data_key(1, "m1", 2)).await.unwrap(), Some(first.clone()));
        let second = data_key(2, "m1", 3);
        store.insert_data_key(owner, &second).await.unwrap();
        assert_eq!(store.data_keys(owner).await.unwrap(), [first, second]);
    }
}

async fn rotation_finds_the_keys_that_are_not_under_the_new_master_key(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (store, owner) = (&fixture.store, fixture.business.key);
    for generation in 1..=3 {
        store.insert_data_key(owner, &data_key(generation, "m1", 1)).await.unwrap();
    }
    assert_eq!(store.data_keys_not_under("m2", 2).await.unwrap().len(), 2);
    for generation in 1..=3 {
        store.rewrap_data_key(owner, &data_key(generation, "m2", 9)).await.unwrap();
    }
    assert_eq!(store.data_keys_not_under("m2", 10).await.unwrap(), []);
    assert_eq!(store.data_keys(owner).await.unwrap()[2], data_key(3, "m2", 9));
}
