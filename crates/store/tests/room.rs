//! A limit on the size of SQLite's database: what does not fit is refused whole, and a larger limit goes on.

use domain::clock::Timestamp;
use domain::contracts::api_keys::ApiKey;
use domain::contracts::store::{Store, StoreError};
use domain::ids::ApiKeyId;
use store::Config;
use uuid::Uuid;

const MOST: u8 = 200;

async fn insert(store: &dyn Store, number: u8) -> Result<(), StoreError> {
    let now = Timestamp::from_seconds(1_790_000_000);
    let key = ApiKey {
        id: ApiKeyId::from_uuid(Uuid::from_u128(number.into())),
        account: store.ensure_account("acme", now).await?,
        label: "x".repeat(20_000),
        scopes: vec!["*".to_owned()],
        businesses: Vec::new(),
        waits: false,
        created_at: now,
        revoked_at: None,
    };
    store.insert_api_key(&key, &[number; 32]).await
}

#[tokio::test]
async fn a_full_database_refuses_what_does_not_fit_and_goes_on_with_more_room() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/gateway.db", folder.path().display());
    let small = Config { max_size_mb: 1, ..Config::with_url(url.clone()) };
    let full = store::open(&small).await.unwrap();
    full.migrate().await.unwrap();

    let mut kept = Vec::new();
    let refused = loop {
        let number = u8::try_from(kept.len() + 1).unwrap();
        match insert(&*full, number).await {
            Ok(()) if number < MOST => kept.push(number),
            result => break result,
        }
    };
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(kept.len() > 5, "there was room for {} rows of 20 kB in 1 MB", kept.len());
    drop(full);

    let roomy = store::open(&Config::with_url(url)).await.unwrap();
    assert_eq!(
        roomy.api_keys().await.unwrap().len(),
        kept.len(),
        "what was confirmed is there, and nothing else"
    );
    insert(&*roomy, MOST).await.unwrap();
}
