use domain::contracts::api_keys::ApiKey;
use domain::contracts::store::StoreError;
use domain::ids::ApiKeyId;

use crate::support::{Shared, at, claims, unique_uuid};

claims! {
    a_fresh_database_becomes_ready_by_migrating_and_migrates_twice_without_harm
    an_account_of_one_name_is_made_once
    an_api_key_is_found_by_its_hash_also_when_revoked
    a_key_hash_is_taken_once
}

async fn a_fresh_database_becomes_ready_by_migrating_and_migrates_twice_without_harm(store: Shared) {
    assert!(store.ready().await.unwrap());
    store.migrate().await.unwrap();
    assert!(store.ready().await.unwrap());
}

async fn an_account_of_one_name_is_made_once(store: Shared) {
    let first = store.ensure_account("acme", at(0)).await.unwrap();
    assert_eq!(store.ensure_account("acme", at(1)).await.unwrap(), first);
    assert_ne!(store.ensure_account("other", at(1)).await.unwrap(), first);
}

async fn key(store: &Shared) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_uuid(unique_uuid()),
        account: store.ensure_account("acme", at(0)).await.unwrap(),
        label: "Safarichat".to_owned(),
        scopes: vec!["messages:write".to_owned()],
        businesses: vec!["duka-1".parse().unwrap()],
        waits: true,
        created_at: at(0),
        revoked_at: None,
    }
}

async fn an_api_key_is_found_by_its_hash_also_when_revoked(store: Shared) {
    let key = key(&store).await;
    store.insert_api_key(&key, &[1; 32]).await.unwrap();
    assert_eq!(store.api_key_by_hash(&[1; 32]).await.unwrap(), Some(key.clone()));
    assert_eq!(store.api_key_by_hash(&[2; 32]).await.unwrap(), None);

    assert!(store.revoke_api_key(key.id, at(9)).await.unwrap());
    assert!(store.revoke_api_key(key.id, at(10)).await.unwrap());
    assert!(!store.revoke_api_key(ApiKeyId::from_uuid(unique_uuid()), at(9)).await.unwrap());
    let revoked = store.api_key_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(9)), "the first revocation counts");
    assert_eq!(store.api_keys().await.unwrap(), [revoked]);
}

async fn a_key_hash_is_taken_once(store: Shared) {
    store.insert_api_key(&key(&store).await, &[1; 32]).await.unwrap();
    let again = store.insert_api_key(&key(&store).await, &[1; 32]).await;
    assert!(matches!(again, Err(StoreError::Taken { what: "the API key" })), "{again:?}");
}
