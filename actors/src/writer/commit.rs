//! Committing a batch until it is committed, or certainly cannot be.

use std::time::Duration;

use domain::clock::Clock;
use domain::contracts::store::{Batch, Committed, Store, StoreError};
use domain::partition::{Epoch, Partition};

use super::WriteError;
use super::share::{Share, answer, split_off_half};

/// How long a batch is repeated while the database does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers every submitter. A batch that the database refuses is halved until the submitter is found whose rows it
/// does not take: nobody else's fail with them.
pub(super) async fn commit(
    store: &dyn Store,
    clock: &dyn Clock,
    epochs: &[(Partition, Epoch)],
    batch: Batch,
    shares: Vec<Share>,
) {
    let mut left = vec![(batch, shares)];
    while let Some((mut batch, mut shares)) = left.pop() {
        match commit_with_patience(store, clock, epochs, &batch).await {
            Ok(committed) => answer(shares, Ok(committed)),
            Err(StoreError::Unavailable(_)) => answer(shares, Err(WriteError::Unavailable)),
            Err(_) if shares.len() > 1 => {
                let (rest, half) = split_off_half(&mut batch, &mut shares);
                // The earlier ones first.
                left.push((rest, half));
                left.push((batch, shares));
            }
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the database refuses what it was given");
                answer(shares, Err(WriteError::Unavailable));
            }
        }
    }
}

/// Repeats a batch as it is while its outcome is not known: every row of it is an insert that ignores what exists, or a
/// compare-and-set.
async fn commit_with_patience(
    store: &dyn Store,
    clock: &dyn Clock,
    epochs: &[(Partition, Epoch)],
    batch: &Batch,
) -> Result<Committed, StoreError> {
    let begun = clock.boottime();
    let mut wait = Duration::from_millis(20);
    loop {
        match store.commit(epochs, batch).await {
            Err(StoreError::Unavailable(error)) if clock.boottime().saturating_sub(begun) < PATIENCE => {
                tracing::warn!(%error, "a commit did not succeed; it is repeated as it is");
                clock.sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "a commit was given up");
                return Err(error);
            }
            result => return result,
        }
    }
}
