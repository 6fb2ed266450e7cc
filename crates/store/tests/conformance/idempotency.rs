use domain::contracts::store::{Accepted, IdempotencyRecord, MessageFilter, NewMessage, Page};

use crate::support::{Fixture, Shared, at, commit_claims, messages, record};

commit_claims! {
    a_key_that_was_used_is_answered_as_before_and_writes_nothing
    of_one_key_twice_in_a_batch_the_first_message_is_kept
    parallel_duplicates_of_a_key_give_one_message
    a_key_belongs_to_its_account
    a_batch_that_was_committed_already_is_answered_as_committed
    an_answer_can_be_remembered_without_a_message
    old_keys_are_forgotten_a_few_at_a_time
}

fn keyed(fixture: &Fixture, key: u8, answer: &str) -> NewMessage {
    NewMessage { idempotency: Some(record(fixture.account, key, answer)), ..fixture.message() }
}

async fn count(fixture: &Fixture) -> usize {
    let page = Page { after: None, limit: 1_000 };
    fixture.store.messages(fixture.account, &MessageFilter::default(), page).await.unwrap().len()
}

async fn a_key_that_was_used_is_answered_as_before_and_writes_nothing(store: Shared) {
    let fixture = Fixture::new(store).await;
    let first = keyed(&fixture, 1, "first");
    assert!(matches!(fixture.accept(&first).await, Accepted::Committed { .. }));
    let again = keyed(&fixture, 1, "again");
    let kept = first.idempotency.unwrap();
    assert_eq!(fixture.accept(&again).await, Accepted::Replayed(kept.clone()));
    assert_eq!(fixture.store.message(fixture.account, again.id).await.unwrap(), None);
    assert_eq!(fixture.store.remembered(fixture.account, &kept.key_hash).await.unwrap(), Some(kept));
}

async fn of_one_key_twice_in_a_batch_the_first_message_is_kept(store: Shared) {
    let fixture = Fixture::new(store).await;
    let batch = messages(&[
        keyed(&fixture, 1, "first"),
        keyed(&fixture, 2, "other"),
        keyed(&fixture, 1, "second"),
        fixture.message(),
    ]);
    let first = batch.messages[0].idempotency.clone().unwrap();
    let committed = fixture.commit(&batch).await;
    for index in [0, 1, 3] {
        assert!(matches!(committed.messages[index], Accepted::Committed { .. }), "{committed:?}");
    }
    assert_eq!(committed.messages[2], Accepted::Replayed(first));
    assert_eq!(count(&fixture).await, 3);
    assert_eq!(fixture.commit(&batch).await, committed, "a repeated batch has the same answer");
}

async fn parallel_duplicates_of_a_key_give_one_message(store: Shared) {
    let fixture = std::sync::Arc::new(Fixture::new(store).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let fixture = fixture.clone();
        // Two keys, in either order: commits that wait for each other must not do so in a ring.
        tasks.spawn(async move {
            let (low, high) = (keyed(&fixture, 1, "low"), keyed(&fixture, 2, "high"));
            let pair = if number % 2 == 0 { [low, high] } else { [high, low] };
            fixture.commit(&messages(&pair)).await.messages
        });
    }
    let answers: Vec<Accepted> = tasks.join_all().await.concat();
    let committed = answers.iter().filter(|answer| matches!(answer, Accepted::Committed { .. })).count();
    let replayed = answers.iter().filter(|answer| matches!(answer, Accepted::Replayed(_))).count();
    assert_eq!((committed, replayed), (2, 30));
    assert_eq!(count(&fixture).await, 2);
}

async fn a_key_belongs_to_its_account(store: Shared) {
    let fixture = Fixture::new(store).await;
    let other = fixture.store.ensure_account("other", at(0)).await.unwrap();
    fixture.accept(&keyed(&fixture, 1, "first")).await;
    assert_eq!(fixture.store.remembered(other, &[1; 32]).await.unwrap(), None);
    let theirs = NewMessage { idempotency: Some(record(other, 1, "theirs")), ..fixture.message() };
    assert!(matches!(fixture.accept(&theirs).await, Accepted::Committed { .. }));
}

async fn a_batch_that_was_committed_already_is_answered_as_committed(store: Shared) {
    let fixture = Fixture::new(store).await;
    let batch = messages(&[keyed(&fixture, 1, "one"), fixture.message(), keyed(&fixture, 2, "two")]);
    let committed = fixture.commit(&batch).await;
    assert!(committed.messages.iter().all(|accepted| matches!(accepted, Accepted::Committed { .. })));
    assert_eq!(fixture.commit(&batch).await, committed);
    assert_eq!(count(&fixture).await, 3);
}

async fn an_answer_can_be_remembered_without_a_message(store: Shared) {
    let fixture = Fixture::new(store).await;
    let first = record(fixture.account, 1, "first");
    assert_eq!(fixture.store.remember(&first).await.unwrap(), first);
    assert_eq!(fixture.store.remember(&record(fixture.account, 1, "second")).await.unwrap(), first);
    let message = keyed(&fixture, 1, "message");
    assert_eq!(fixture.accept(&message).await, Accepted::Replayed(first));
}

async fn old_keys_are_forgotten_a_few_at_a_time(store: Shared) {
    let fixture = Fixture::new(store).await;
    for key in 0..5_u8 {
        let made = at(i64::from(key));
        let record = IdempotencyRecord { created_at: made, ..record(fixture.account, key, "x") };
        fixture.store.remember(&record).await.unwrap();
    }
    assert_eq!(fixture.store.forget_before(at(4), 3).await.unwrap(), 3);
    assert_eq!(fixture.store.forget_before(at(4), 3).await.unwrap(), 1);
    assert_eq!(fixture.store.forget_before(at(4), 3).await.unwrap(), 0);
    assert!(fixture.store.remembered(fixture.account, &[4; 32]).await.unwrap().is_some());
}
