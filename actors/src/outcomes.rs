//! Who waits for what becomes of a message: the few callers that want the provider's answer in their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::clock::Clock;
use domain::contracts::store::{Store, StoreError, StoredMessage};
use domain::ids::{AccountKey, MessageId};
use tokio::sync::Notify;

/// How often a message is looked at whose move was not told here, since another node made it.
const LOOK: Duration = Duration::from_secs(1);

type Waiting = HashMap<MessageId, Arc<Notify>>;

/// Cheap to clone; holds messages that somebody waits for and no others.
#[derive(Clone, Default)]
pub(crate) struct Outcomes(Arc<Mutex<Waiting>>);

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outcomes")
    }
}

impl Outcomes {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has a new state of the message.
    pub(crate) fn moved(&self, message: MessageId) {
        let waiting = self.waiting();
        if let Some(notify) = waiting.get(&message) {
            // Kept for one that reads the store at this moment.
            notify.notify_one();
        }
    }

    /// The message when it is over or the provider has it, or as it stands after `patience`.
    pub(crate) async fn of(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        account: AccountKey,
        id: MessageId,
        patience: Duration,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let place = Place::take(self, id);
        let until = clock.boottime() + patience;
        loop {
            let stored = store.message(account, id).await?;
            let left = until.saturating_sub(clock.boottime());
            // What is tried again by itself, or may still be settled, is waited for.
            let over = stored.as_ref().is_none_or(|stored| stored.state.code().is_final());
            if over || left.is_zero() {
                return Ok(stored);
            }
            tokio::select! {
                () = place.notify.notified() => {}
                () = clock.sleep(LOOK.min(left)) => {}
            }
        }
    }
}

/// Of one that waits. Messages of which nobody waits any more are forgotten.
struct Place {
    outcomes: Outcomes,
    message: MessageId,
    notify: Arc<Notify>,
}

impl Place {
    fn take(outcomes: &Outcomes, message: MessageId) -> Self {
        let notify = Arc::clone(outcomes.waiting().entry(message).or_default());
        Self { outcomes: outcomes.clone(), message, notify }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.outcomes.waiting();
        // The map's own and this one.
        if waiting.get(&self.message).is_some_and(|notify| Arc::strong_count(notify) <= 2) {
            waiting.remove(&self.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn nobody_who_left_is_remembered() {
        let outcomes = Outcomes::default();
        let message = MessageId::from_uuid(Uuid::from_u128(1));
        let (first, second) = (Place::take(&outcomes, message), Place::take(&outcomes, message));
        drop(first);
        assert_eq!(outcomes.waiting().len(), 1, "another one waits");
        drop(second);
        assert_eq!(outcomes.waiting().len(), 0);
    }

    #[tokio::test]
    async fn a_move_that_is_told_before_it_is_waited_for_is_not_missed() {
        let outcomes = Outcomes::default();
        let message = MessageId::from_uuid(Uuid::from_u128(1));
        let place = Place::take(&outcomes, message);
        outcomes.moved(message);
        place.notify.notified().await;
    }
}
