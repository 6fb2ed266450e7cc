//! What callers said about their newest messages, so that a status can carry it back without a look at the database.
//!
//! Bounded: two generations, of which the older is dropped when the younger is full. That nothing was said is
//! remembered too, since most messages are of that kind. What is not remembered is read.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::contracts::store::{Store, StoreError};
use domain::ids::{BusinessKey, MessageId};

/// Messages in one generation, and bytes of what was said.
const MOST_MESSAGES: usize = 32_768;
const MOST_BYTES: usize = 2 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Whose message it is: no other business hears of it.
    pub(crate) business: BusinessKey,
    pub(crate) client_ref: Option<String>,
    /// The caller's own `biz_opaque_callback_data`.
    pub(crate) opaque: Option<String>,
}

impl Said {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + [&self.client_ref, &self.opaque].into_iter().flatten().map(String::len).sum::<usize>()
    }
}

type Entry = Option<Arc<Said>>;

#[derive(Default)]
struct Generations {
    young: HashMap<MessageId, Entry>,
    old: HashMap<MessageId, Entry>,
    /// Of the young.
    bytes: usize,
}

impl Generations {
    fn insert(&mut self, message: MessageId, said: Entry) {
        if self.young.len() >= MOST_MESSAGES || self.bytes >= MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += said.as_ref().map_or(0, |said| said.bytes());
        self.young.insert(message, said);
    }

    fn get(&self, message: MessageId) -> Option<&Entry> {
        self.young.get(&message).or_else(|| self.old.get(&message))
    }
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct References(Arc<Mutex<Generations>>);

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("References")
    }
}

impl References {
    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before anything can be reported of the message.
    pub(crate) fn remember(
        &self,
        message: MessageId,
        business: BusinessKey,
        client_ref: Option<&str>,
        opaque: Option<&str>,
    ) {
        let said = (client_ref.is_some() || opaque.is_some()).then(|| {
            let (client_ref, opaque) = (client_ref.map(str::to_owned), opaque.map(str::to_owned));
            Arc::new(Said { business, client_ref, opaque })
        });
        self.generations().insert(message, said);
    }

    /// What this business said about a message; `None` when that is not remembered.
    pub(crate) fn get(&self, business: BusinessKey, message: MessageId) -> Option<Entry> {
        let said = self.generations().get(message)?.clone();
        Some(said.filter(|said| said.business == business))
    }

    /// Reads what is not remembered about these messages, all at once, so that [`Self::get`] answers afterwards.
    pub(crate) async fn read(&self, store: &dyn Store, messages: &[MessageId]) -> Result<(), StoreError> {
        let mut found: HashMap<MessageId, Entry> = messages.iter().map(|message| (*message, None)).collect();
        for read in store.references(messages).await? {
            let said = Said { business: read.business, client_ref: read.client_ref, opaque: read.opaque };
            found.insert(read.message, Some(Arc::new(said)));
        }
        let mut generations = self.generations();
        for (message, said) in found {
            generations.insert(message, said);
        }
        Ok(())
    }

    /// An erased business leaves memory too.
    pub(crate) fn forget(&self, business: BusinessKey) {
        let mut generations = self.generations();
        let stays =
            |_: &MessageId, said: &mut Entry| said.as_ref().is_none_or(|said| said.business != business);
        generations.young.retain(stays);
        generations.old.retain(stays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OURS: BusinessKey = BusinessKey(1);

    fn message(number: usize) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(number as u128))
    }

    #[test]
    fn what_was_said_is_for_its_own_business_alone() {
        let references = References::default();
        references.remember(message(1), OURS, Some("order-7"), None);
        references.remember(message(2), OURS, None, None);
        let said = references.get(OURS, message(1)).unwrap().unwrap();
        assert_eq!(said.client_ref.as_deref(), Some("order-7"));
        assert_eq!(references.get(BusinessKey(2), message(1)), Some(None));
        assert_eq!(references.get(OURS, message(2)), Some(None), "nothing was said, and that is known");
        assert_eq!(references.get(OURS, message(3)), None);
        references.forget(OURS);
        assert_eq!(references.get(OURS, message(1)), None);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let references = References::default();
        let many = MOST_MESSAGES * 3;
        for number in 0..many {
            references.remember(message(number), OURS, None, None);
        }
        let held = (0..many).filter(|number| references.get(OURS, message(*number)).is_some()).count();
        assert!((MOST_MESSAGES..=MOST_MESSAGES * 2).contains(&held), "{held}");
        assert!(references.get(OURS, message(many - MOST_MESSAGES)).is_some());

        let long = "x".repeat(MOST_BYTES / 4);
        for number in 0..100 {
            references.remember(message(number), OURS, Some(&long), None);
        }
        let held =
            (0..100).filter(|number| references.get(OURS, message(*number)).is_some_and(|s| s.is_some()));
        assert!(held.count() <= 10);
    }
}
