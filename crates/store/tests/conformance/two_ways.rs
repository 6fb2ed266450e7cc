//! A batch is committed in one go where that can be, and in steps otherwise. Nobody can tell which it was.

use std::collections::BTreeSet;

use domain::contracts::store::{Accepted, Batch, Committed};
use domain::partition::Partition;
use proptest::prelude::*;

use crate::replay::{Choice, POOL, Pools, Seen, fixture_of, for_any_history, see};
use crate::support::{Fixture, PostgresDatabase, Shared, business, opened, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ways_of_committing_write_and_answer_the_same_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name| format!("sqlite://{}", folder.path().join(name).display());
    let stores = [opened(&url("one"), false).await, opened(&url("two"), true).await];
    for_any_history(async |choices| compare(&stores, &choices).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ways_of_committing_write_and_answer_the_same_on_postgres() {
    let (Some(one), Some(two)) = (PostgresDatabase::make().await, PostgresDatabase::make().await) else {
        return;
    };
    let stores = [opened(&one.url, false).await, opened(&two.url, true).await];
    for_any_history(async |choices| compare(&stores, &choices).await);
    drop(stores);
    one.drop().await;
    two.drop().await;
}

async fn compare(stores: &[Shared; 2], choices: &[Choice]) -> Result<(), TestCaseError> {
    let name = format!("duka-{}", unique());
    let one = fixture_of(stores[0].clone(), &name).await;
    let mut two = fixture_of(stores[1].clone(), &name).await;
    prop_assert_eq!((one.account, &one.business), (two.account, &two.business));
    two.connection = one.connection;
    let mut pools = Pools::new(&one).await;
    two.store.insert_endpoint(&pools.endpoint).await.unwrap();

    // A partition that is not ours, and a business that is gone.
    let gone = format!("gone-{name}");
    for fixture in [&one, &two] {
        let gone = business(&fixture.store, fixture.account, &gone).await;
        fixture.store.erase_business(gone.key).await.unwrap();
        pools.events[POOL - 1].business = gone.key;
        pools.messages[POOL - 1].business = gone.key;
    }
    pools.messages[POOL - 2].partition = Partition((one.business.partition.0 + 1) % 1024);
    for choice in choices {
        let batch = pools.batch(&one, choice);
        let answers = [commit(&one, &batch).await, commit(&two, &batch).await];
        let (seen, other) = (see(&one, &pools).await, see(&two, &pools).await);
        let [answer, other_answer] = answers;
        prop_assert_eq!(placed(answer, &seen), placed(other_answer, &other));
        prop_assert_eq!(in_places(seen), in_places(other));
    }
    Ok(())
}

async fn commit(fixture: &Fixture, batch: &Batch) -> Committed {
    let ours =
        fixture.epochs.iter().copied().filter(|(partition, _)| *partition == fixture.business.partition);
    fixture.store.commit(&ours.collect::<Vec<_>>(), batch).await.unwrap()
}

/// Sequences leave gaps, and not the same ones: what counts is which row is before which.
fn placed(mut answer: Committed, seen: &Seen) -> Committed {
    let messages: BTreeSet<i64> = seen.messages.iter().map(|message| message.seq).collect();
    let events: BTreeSet<i64> = seen.events.iter().map(|event| event.seq).collect();
    for accepted in &mut answer.messages {
        if let Accepted::Committed { seq } = accepted {
            *seq = place(&messages, *seq);
        }
    }
    for seq in answer.events.iter_mut().flatten() {
        *seq = place(&events, *seq);
    }
    answer
}

fn in_places(mut seen: Seen) -> Seen {
    let messages: BTreeSet<i64> = seen.messages.iter().map(|message| message.seq).collect();
    let events: BTreeSet<i64> = seen.events.iter().map(|event| event.seq).collect();
    seen.messages.iter_mut().for_each(|message| message.seq = place(&messages, message.seq));
    seen.events.iter_mut().for_each(|event| event.seq = place(&events, event.seq));
    seen
}

fn place(all: &BTreeSet<i64>, seq: i64) -> i64 {
    all.range(..seq).count().try_into().unwrap()
}
