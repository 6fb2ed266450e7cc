use domain::contracts::retention::Kept;
use domain::contracts::store::StoreError;
use domain::ids::{AccountKey, MediaId};
use domain::media::{Fetch, MediaContent, MediaDirection, MediaRow, MediaStage, MediaState};
use domain::secret::Sealed;

use crate::support::{Fixture, Shared, at, business, claims, unique_uuid};

claims! {
    media_reads_back_for_its_own_account_only
    the_same_row_may_be_written_again_and_another_may_not_have_its_provider_id
    media_is_found_by_the_providers_id_on_its_connection
    what_the_provider_was_given_is_known_by_its_id
    media_is_fetched_when_it_is_due_and_put_off_while_it_is_pending
    media_moves_as_its_states_allow_and_only_from_where_it_is
    expired_media_is_listed_until_it_is_gone
    gone_media_is_forgotten_when_it_is_old
    media_of_an_erased_business_leaves_only_the_ids_of_content_to_delete
}

const CONTENT: MediaContent = MediaContent { size: 61_901, sha256: [9; 32] };

pub(crate) fn media(fixture: &Fixture) -> MediaRow {
    MediaRow {
        id: MediaId::from_uuid(unique_uuid()),
        account: fixture.account,
        business: fixture.business.key,
        connection: fixture.connection,
        direction: MediaDirection::In,
        provider_id: None,
        provider_until: None,
        fetch: None,
        mime_type: "application/pdf".to_owned(),
        file_name: Some(Sealed::from_bytes(b"sealed name".to_vec())),
        state: MediaState::Pending,
        created_at: at(0),
        expires_at: at(100),
    }
}

async fn read(fixture: &Fixture, id: MediaId) -> Option<MediaRow> {
    fixture.store.media(fixture.account, id).await.unwrap()
}

async fn media_reads_back_for_its_own_account_only(store: Shared) {
    let fixture = Fixture::new(store).await;
    for (state, direction) in [
        (MediaState::Pending, MediaDirection::In),
        (MediaState::Stored(CONTENT), MediaDirection::Out),
        (MediaState::Failed, MediaDirection::In),
        (MediaState::Gone, MediaDirection::In),
    ] {
        let file_name = (direction == MediaDirection::In).then(|| Sealed::from_bytes(vec![0, 1]));
        let row = MediaRow { state, direction, file_name, ..media(&fixture) };
        fixture.store.insert_media(&row).await.unwrap();
        assert_eq!(read(&fixture, row.id).await.as_ref(), Some(&row));
        let stranger = AccountKey(fixture.account.0 + 1);
        assert_eq!(fixture.store.media(stranger, row.id).await.unwrap(), None);
    }
}

async fn the_same_row_may_be_written_again_and_another_may_not_have_its_provider_id(store: Shared) {
    let fixture = Fixture::new(store).await;
    let row = MediaRow { provider_id: Some("1013859600285441".to_owned()), ..media(&fixture) };
    fixture.store.insert_media(&row).await.unwrap();
    assert!(fixture.store.move_media(row.id, MediaStage::Pending, &MediaState::Failed).await.unwrap());
    fixture.store.insert_media(&row).await.unwrap();
    assert_eq!(read(&fixture, row.id).await.unwrap().state, MediaState::Failed, "it is not written over");

    let second = MediaRow { id: MediaId::from_uuid(unique_uuid()), ..row.clone() };
    let refused = fixture.store.insert_media(&second).await;
    assert!(matches!(refused, Err(StoreError::Taken { what: "the provider's media id" })), "{refused:?}");
    let connection = domain::ids::ConnectionId::from_uuid(unique_uuid());
    fixture.store.insert_media(&MediaRow { connection, ..second }).await.unwrap();
}

async fn media_is_found_by_the_providers_id_on_its_connection(store: Shared) {
    let fixture = Fixture::new(store).await;
    let row = MediaRow { provider_id: Some("77".to_owned()), ..media(&fixture) };
    fixture.store.insert_media(&row).await.unwrap();
    fixture.store.insert_media(&media(&fixture)).await.unwrap();
    let found = fixture.store.media_by_provider_id(fixture.connection, "77").await.unwrap();
    assert_eq!(found, Some(row));
    assert_eq!(fixture.store.media_by_provider_id(fixture.connection, "7").await.unwrap(), None);
    let elsewhere = domain::ids::ConnectionId::from_uuid(unique_uuid());
    assert_eq!(fixture.store.media_by_provider_id(elsewhere, "77").await.unwrap(), None);
}

async fn what_the_provider_was_given_is_known_by_its_id(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let row = MediaRow { direction: MediaDirection::Out, ..media(&fixture) };
    store.insert_media(&row).await.unwrap();
    assert!(!store.name_media(row.id, "88", at(50)).await.unwrap(), "there is nothing to give yet");
    assert!(store.move_media(row.id, MediaStage::Pending, &MediaState::Stored(CONTENT)).await.unwrap());
    assert!(store.name_media(row.id, "88", at(50)).await.unwrap());
    let named = read(&fixture, row.id).await.unwrap();
    assert_eq!((named.provider_id.as_deref(), named.provider_until), (Some("88"), Some(at(50))));
    assert_eq!(store.media_known_as(fixture.account, "88").await.unwrap(), [named]);
    let stranger = AccountKey(fixture.account.0 + 1);
    assert_eq!(store.media_known_as(stranger, "88").await.unwrap(), []);
    assert!(store.name_media(row.id, "89", at(60)).await.unwrap(), "it was given once more");
    assert_eq!(store.media_known_as(fixture.account, "88").await.unwrap(), []);
}

async fn media_is_fetched_when_it_is_due_and_put_off_while_it_is_pending(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let fetch = Fetch { attempts: 0, due: at(-2_000_000_000), sha256: Some([3; 32]) };
    let row = MediaRow { fetch: Some(fetch), provider_id: Some("99".to_owned()), ..media(&fixture) };
    store.insert_media(&row).await.unwrap();
    store.insert_media(&media(&fixture)).await.unwrap();
    assert_eq!(store.media_to_fetch(at(-2_000_000_001), 10).await.unwrap(), []);
    let due = store.media_to_fetch(at(-2_000_000_000), 10).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&row), "what has nothing to be fetched is not");
    store.put_off_media(row.id, 1, at(-1_999_999_000)).await.unwrap();
    assert_eq!(store.media_to_fetch(at(-2_000_000_000), 10).await.unwrap(), []);
    assert_eq!(store.media_to_fetch(at(-1_999_999_000), 10).await.unwrap()[0].fetch.unwrap().attempts, 1);
    assert!(store.move_media(row.id, MediaStage::Pending, &MediaState::Failed).await.unwrap());
    assert_eq!(store.media_to_fetch(at(-1_999_999_000), 10).await.unwrap(), []);
    store.put_off_media(row.id, 9, at(0)).await.unwrap();
    assert_eq!(read(&fixture, row.id).await.unwrap().fetch.unwrap().attempts, 1);
}

async fn media_moves_as_its_states_allow_and_only_from_where_it_is(store: Shared) {
    let fixture = Fixture::new(store).await;
    let row = media(&fixture);
    fixture.store.insert_media(&row).await.unwrap();
    let stored = MediaState::Stored(CONTENT);
    for (from, to, moves) in [
        (MediaStage::Stored, MediaState::Gone, false),
        (MediaStage::Pending, MediaState::Failed, true),
        (MediaStage::Pending, stored, false),
        (MediaStage::Failed, stored, false),
        (MediaStage::Failed, MediaState::Pending, true),
        (MediaStage::Pending, stored, true),
        (MediaStage::Stored, MediaState::Pending, false),
    ] {
        let moved = fixture.store.move_media(row.id, from, &to).await.unwrap();
        assert_eq!(moved, moves, "{from:?} to {to:?}");
    }
    assert_eq!(read(&fixture, row.id).await, Some(MediaRow { state: stored, ..row.clone() }));
    assert!(fixture.store.move_media(row.id, MediaStage::Stored, &MediaState::Gone).await.unwrap());
    assert_eq!(read(&fixture, row.id).await.unwrap().state, MediaState::Gone);
    let nobody = MediaId::from_uuid(unique_uuid());
    assert!(!fixture.store.move_media(nobody, MediaStage::Pending, &MediaState::Gone).await.unwrap());
}

async fn expired_media_is_listed_until_it_is_gone(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let rows: Vec<_> = [30, 10, 20, 40]
        .map(|second| MediaRow { expires_at: at(second), ..media(&fixture) })
        .into_iter()
        .collect();
    for row in &rows {
        store.insert_media(row).await.unwrap();
    }
    assert_eq!(store.expired_media(at(9), 10).await.unwrap(), []);
    assert_eq!(store.expired_media(at(30), 10).await.unwrap(), [rows[1].id, rows[2].id, rows[0].id]);
    assert_eq!(store.expired_media(at(30), 1).await.unwrap(), [rows[1].id]);
    assert!(store.move_media(rows[1].id, MediaStage::Pending, &MediaState::Gone).await.unwrap());
    assert_eq!(store.expired_media(at(30), 10).await.unwrap(), [rows[2].id, rows[0].id]);
}

async fn gone_media_is_forgotten_when_it_is_old(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let (gone, stored) = (media(&fixture), media(&fixture));
    for row in [&gone, &stored] {
        store.insert_media(row).await.unwrap();
    }
    assert!(store.move_media(gone.id, MediaStage::Pending, &MediaState::Gone).await.unwrap());
    let young = Kept { events: at(-1_000_000_000), messages: at(-1_000_000_000), bodies: at(-1_000_000_000) };
    assert!(!store.delete_old(&young).await.unwrap());
    assert!(read(&fixture, gone.id).await.is_some());
    assert!(!store.delete_old(&Kept { messages: at(0), ..young }).await.unwrap());
    assert_eq!(read(&fixture, gone.id).await, None);
    assert!(read(&fixture, stored.id).await.is_some());
}

async fn media_of_an_erased_business_leaves_only_the_ids_of_content_to_delete(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let stays = media(&fixture);
    fixture.business = business(&store, fixture.account, "leaving").await;
    let (kept, gone) = (media(&fixture), media(&fixture));
    for row in [&stays, &kept, &gone] {
        store.insert_media(row).await.unwrap();
    }
    assert!(store.move_media(gone.id, MediaStage::Pending, &MediaState::Gone).await.unwrap());
    store.erase_business(fixture.business.key).await.unwrap();

    assert_eq!(read(&fixture, kept.id).await, None);
    assert!(read(&fixture, stays.id).await.is_some());
    let stored = MediaState::Stored(CONTENT);
    assert!(!store.move_media(kept.id, MediaStage::Pending, &stored).await.unwrap());
    let refused = store.insert_media(&media(&fixture)).await;
    assert!(matches!(refused, Err(StoreError::Gone { what: "the business" })), "{refused:?}");

    assert_eq!(store.erased_media(at(-1_000_000_000), 10).await.unwrap(), [], "its put may still be running");
    assert_eq!(store.erased_media(at(0), 10).await.unwrap(), [kept.id]);
    store.forget_erased_media(&[kept.id]).await.unwrap();
    assert_eq!(store.erased_media(at(0), 10).await.unwrap(), []);
}
