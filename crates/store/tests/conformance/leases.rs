use domain::contracts::store::Accepted;
use domain::partition::{Incarnation, PARTITIONS};

use crate::support::{Fixture, Shared, at, claims, messages, node, unique};

claims! {
    taking_all_raises_every_epoch_and_ends_the_incarnation_before
    what_is_held_already_keeps_its_epoch
    an_incarnation_that_never_joined_is_not_renewed
    who_leaves_holds_nothing_and_may_be_followed
}

fn incarnation() -> Incarnation {
    Incarnation(unique().try_into().unwrap())
}

async fn taking_all_raises_every_epoch_and_ends_the_incarnation_before(store: Shared) {
    let (first, second) = (incarnation(), incarnation());
    store.join(&node(first.0), at(0)).await.unwrap();
    let before = store.take_all(first).await.unwrap();
    assert_eq!(before.len(), usize::from(PARTITIONS));
    assert!(store.renew(first, at(1)).await.unwrap());

    store.join(&node(second.0), at(2)).await.unwrap();
    assert!(store.renew(first, at(2)).await.unwrap(), "joining takes nothing");
    let after = store.take_all(second).await.unwrap();
    assert_eq!(after.len(), usize::from(PARTITIONS));
    for ((partition, older), (same, newer)) in before.into_iter().zip(after) {
        assert_eq!(partition, same);
        assert!(newer > older);
    }
    assert!(!store.renew(first, at(3)).await.unwrap());
    assert!(store.renew(second, at(3)).await.unwrap());
    store.join(&node(first.0), at(4)).await.unwrap();
    assert!(!store.renew(first, at(4)).await.unwrap(), "who is dead comes back as another");
    assert_eq!(store.take_all(first).await.unwrap(), []);
}

async fn what_is_held_already_keeps_its_epoch(store: Shared) {
    let me = incarnation();
    store.join(&node(me.0), at(0)).await.unwrap();
    let first = store.take_all(me).await.unwrap();
    assert_eq!(store.take_all(me).await.unwrap(), first);
}

async fn an_incarnation_that_never_joined_is_not_renewed(store: Shared) {
    assert!(!store.renew(incarnation(), at(0)).await.unwrap());
}

async fn who_leaves_holds_nothing_and_may_be_followed(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let me = incarnation();
    store.join(&node(me.0), at(0)).await.unwrap();
    let held = store.take_all(me).await.unwrap();
    store.leave(me).await.unwrap();
    assert!(!store.renew(me, at(1)).await.unwrap());

    let next = incarnation();
    store.join(&node(next.0), at(2)).await.unwrap();
    let after = store.take_all(next).await.unwrap();
    assert!(held.iter().zip(&after).all(|((_, older), (_, newer))| newer > older));
    let late = store.commit(&held, &messages(&[fixture.message()])).await.unwrap();
    assert_eq!(late.messages, [Accepted::Fenced]);
}
