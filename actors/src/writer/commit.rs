//! Committing a batch until it is committed, or certainly cannot be.

use std::time::Duration;

use domain::clock::Clock;
use domain::contracts::store::{Batch, Committed, StoreError};

use super::WriteError;
use super::share::{Share, answer, split_off_half};

/// How long a batch is repeated while the database does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers every submitter. A batch that the database refuses is halved until the submitter is found whose rows it
/// does not take: nobody else's fail with them.
pub(super) async fn commit<T>(attempt: T, clock: &dyn Clock, batch: Batch, shares: Vec<Share>)
where
    T: AsyncFn(&Batch) -> Result<Committed, StoreError>,
{
    let mut left = vec![(batch, shares)];
    while let Some((mut batch, mut shares)) = left.pop() {
        match commit_with_patience(&attempt, clock, &batch).await {
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
async fn commit_with_patience<T>(
    attempt: &T,
    clock: &dyn Clock,
    batch: &Batch,
) -> Result<Committed, StoreError>
where
    T: AsyncFn(&Batch) -> Result<Committed, StoreError>,
{
    let begun = clock.boottime();
    let mut wait = Duration::from_millis(20);
    loop {
        match attempt(batch).await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::share::{Part, merge};
    use domain::clock::ManualClock;
    use domain::contracts::store::DeliveryProgress;
    use domain::ids::EndpointId;
    use std::cell::Cell;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    type Answer = oneshot::Receiver<Result<Committed, WriteError>>;

    fn submitted(cursors: &[i64]) -> (Batch, Vec<Share>, Vec<Answer>) {
        let part = |&cursor: &i64| {
            let (reply, answer) = oneshot::channel();
            let progress = DeliveryProgress { endpoint: EndpointId::from_uuid(Uuid::nil()), cursor };
            let batch = Batch { progress: vec![progress], ..Batch::default() };
            (Part { batch, rows: 0, since: Duration::ZERO, reply }, answer)
        };
        let (parts, answers): (Vec<Part>, Vec<Answer>) = cursors.iter().map(part).unzip();
        let (batch, shares) = merge(parts);
        (batch, shares, answers)
    }

    fn fault() -> Box<dyn std::error::Error + Send + Sync> {
        "a fault".into()
    }

    async fn outcomes(answers: Vec<Answer>) -> Vec<bool> {
        let mut outcomes = Vec::new();
        for answer in answers {
            outcomes.push(answer.await.unwrap().is_ok());
        }
        outcomes
    }

    #[tokio::test]
    async fn whose_rows_the_database_refuses_fails_alone() {
        let clock = ManualClock::at_seconds(1);
        let (batch, shares, answers) = submitted(&[1, 2, -3, 4, 5, -6, 7]);
        let attempt = async |batch: &Batch| {
            let refused = batch.progress.iter().any(|progress| progress.cursor < 0);
            if refused { Err(StoreError::Refused(fault())) } else { Ok(Committed::default()) }
        };
        commit(attempt, &clock, batch, shares).await;
        assert_eq!(outcomes(answers).await, [true, true, false, true, true, false, true]);
    }

    #[tokio::test]
    async fn while_the_database_is_away_a_batch_is_repeated_and_given_up_as_a_whole() {
        let clock = ManualClock::at_seconds(1);
        let tries = Cell::new(0);
        let (batch, shares, answers) = submitted(&[1, 2]);
        let comes_back = async |batch: &Batch| {
            assert_eq!(batch.progress.len(), 2);
            tries.set(tries.get() + 1);
            if tries.get() < 4 { Err(StoreError::Unavailable(fault())) } else { Ok(Committed::default()) }
        };
        commit(comes_back, &clock, batch, shares).await;
        assert_eq!((tries.get(), outcomes(answers).await), (4, vec![true, true]));

        let (batch, shares, answers) = submitted(&[1, 2]);
        let stays_away = async |_: &Batch| {
            clock.advance(Duration::from_secs(3));
            Err(StoreError::Unavailable(fault()))
        };
        commit(stays_away, &clock, batch, shares).await;
        assert_eq!(outcomes(answers).await, [false, false]);
    }
}
