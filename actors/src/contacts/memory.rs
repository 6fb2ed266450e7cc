//! What is known of people, remembered: also of those of whom nothing is known. Look-ups that are not remembered are
//! gathered and read together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::clock::Clock;
use domain::contact::{Contact, ContactChange, ContactKey, ContactNews};
use domain::contracts::store::StoreError;
use domain::ids::BusinessKey;
use futures_util::future::BoxFuture;
use moka::sync::Cache;
use tokio::sync::oneshot;

const MOST_ENTRIES: u64 = 100_000;
/// What another process changed is seen after this long at the latest.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// After a reading the next one waits so long for company.
const GATHER: Duration = Duration::from_millis(2);
const MOST_AT_ONCE: usize = 256;

/// What is known under a name; nothing about a stranger.
pub(super) type Known = Option<Arc<Contact>>;
pub(super) type Place = (BusinessKey, ContactKey);

#[derive(Debug, Clone, thiserror::Error)]
#[error("what is known of the recipient cannot be read")]
pub(crate) struct Unreadable(#[source] pub(crate) Arc<StoreError>);

#[derive(Clone)]
enum Entry {
    Contact(Known),
    /// The name is another one of this contact.
    LeadsTo(ContactKey),
}

/// Reads what is kept under each key, in their order.
pub(super) type Read =
    Box<dyn Fn(Vec<Place>) -> BoxFuture<'static, Result<Vec<Option<Contact>>, StoreError>> + Send + Sync>;

pub(super) struct Memory {
    read_rows: Read,
    clock: Arc<dyn Clock>,
    entries: Cache<Place, Entry>,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    running: bool,
    /// Boot time at which the last one ended.
    ended: Duration,
    waiting: Vec<(Place, oneshot::Sender<Result<Known, Unreadable>>)>,
    /// Learnt while rows were read that may not show it yet.
    meanwhile: Vec<ContactChange>,
}

impl Memory {
    pub(super) fn new(read_rows: Read, clock: Arc<dyn Clock>) -> Self {
        let entries = Cache::builder().max_capacity(MOST_ENTRIES).time_to_live(KEPT_FOR).build();
        Self { read_rows, clock, entries, reading: Mutex::default() }
    }

    fn reading(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn find(
        self: &Arc<Self>,
        business: BusinessKey,
        name: ContactKey,
    ) -> Result<Known, Unreadable> {
        if let Some(known) = self.remembered((business, name)) {
            return Ok(known);
        }
        let (tell, told) = oneshot::channel();
        let begin = {
            let mut reading = self.reading();
            reading.waiting.push(((business, name), tell));
            !std::mem::replace(&mut reading.running, true)
        };
        if begin {
            // Apart from the request: one that is given up does not leave the others waiting.
            tokio::spawn(Arc::clone(self).read());
        }
        told.await.unwrap_or_else(|_| Err(Unreadable(Arc::new(StoreError::Unreadable { what: "contact" }))))
    }

    /// Past what is remembered, for a decision against somebody.
    pub(super) async fn find_anew(
        self: &Arc<Self>,
        business: BusinessKey,
        name: ContactKey,
    ) -> Result<Known, Unreadable> {
        self.forget((business, name));
        self.find(business, name).await
    }

    /// Called when it is durable.
    pub(super) fn learnt(&self, changes: &[ContactChange]) {
        let mut reading = self.reading();
        if reading.running {
            reading.meanwhile.extend(changes.iter().cloned());
        }
        // Under the lock, so that no reading puts something older in between.
        for change in changes {
            self.take_in(change);
        }
    }

    fn remembered(&self, place: Place) -> Option<Known> {
        match self.entries.get(&self.end_of(place)?)? {
            Entry::Contact(known) => Some(known),
            Entry::LeadsTo(_) => None,
        }
    }

    /// Where names lead: to another name's contact at most twice, since that one may have been united with a third.
    fn end_of(&self, (business, mut key): Place) -> Option<Place> {
        for _ in 0..3 {
            match self.entries.get(&(business, key))? {
                Entry::Contact(_) => return Some((business, key)),
                Entry::LeadsTo(contact) => key = contact,
            }
        }
        None
    }

    fn take_in(&self, change: &ContactChange) {
        let place = (change.business, change.alias.key(change.business));
        if let ContactNews::SameAs(other) = &change.news {
            self.forget(place);
            self.forget((change.business, other.key(change.business)));
            return;
        }
        if let ContactNews::Reached { .. } = change.news {
            return;
        }
        let Some(place) = self.end_of(place) else { return };
        let Some(Entry::Contact(known)) = self.entries.get(&place) else { return };
        let contact = known.map_or_else(|| Contact::stranger(place.1), |known| Contact::clone(&known));
        self.entries.insert(place, Entry::Contact(Some(Arc::new(contact.after(&change.news)))));
    }

    fn forget(&self, place: Place) {
        if let Some(end) = self.end_of(place) {
            self.entries.invalidate(&end);
        }
        self.entries.invalidate(&place);
    }

    async fn read(self: Arc<Self>) {
        let ending = Ending(&self);
        loop {
            let since = self.clock.boottime().saturating_sub(self.reading().ended);
            if since < GATHER {
                self.clock.sleep(GATHER.saturating_sub(since)).await;
            }
            let asked = {
                let mut reading = self.reading();
                reading.meanwhile.clear();
                let some = reading.waiting.len().min(MOST_AT_ONCE);
                if some == 0 {
                    reading.running = false;
                    // Who asks from now on begins a reading of their own, whose end is not ours.
                    std::mem::forget(ending);
                    return;
                }
                reading.waiting.drain(..some).collect::<Vec<_>>()
            };
            let mut places: Vec<Place> = asked.iter().map(|(place, _)| *place).collect();
            places.sort_unstable();
            places.dedup();
            let found = (self.read_rows)(places.clone()).await;
            let found = {
                let mut reading = self.reading();
                reading.ended = self.clock.boottime();
                let found = found.map(|found| self.keep(&places, found));
                for change in std::mem::take(&mut reading.meanwhile) {
                    self.take_in(&change);
                }
                found.map_err(|error| Unreadable(Arc::new(error)))
            };
            for (place, tell) in asked {
                let answer = match &found {
                    // What was learnt meanwhile is newer.
                    Ok(found) => Ok(self.remembered(place).unwrap_or_else(|| {
                        places.binary_search(&place).ok().and_then(|at| found[at].clone())
                    })),
                    Err(error) => Err(error.clone()),
                };
                let _ = tell.send(answer);
            }
        }
    }

    fn keep(&self, places: &[Place], found: Vec<Option<Contact>>) -> Vec<Known> {
        let found: Vec<Known> = found.into_iter().map(|contact| contact.map(Arc::new)).collect();
        for (place, known) in places.iter().zip(&found) {
            let contact = known.as_ref().map_or(place.1, |contact| contact.key);
            if contact != place.1 {
                self.entries.insert(*place, Entry::LeadsTo(contact));
            }
            self.entries.insert((place.0, contact), Entry::Contact(known.clone()));
        }
        found
    }
}

/// A reading that was cut off, with its runtime or by a panic, leaves nobody waiting.
struct Ending<'a>(&'a Memory);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut reading = self.0.reading();
        reading.running = false;
        reading.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::{ManualClock, Timestamp};
    use domain::contact::{Alias, Inbound};
    use domain::ids::ConnectionId;
    use std::collections::HashMap;
    use tokio::sync::Semaphore;

    const DUKA: BusinessKey = BusinessKey(1);
    const CONNECTION: ConnectionId = ConnectionId::from_uuid(uuid::Uuid::from_u128(1));

    /// Rows that can be changed, and read only when a test allows it.
    struct Rows {
        kept: Mutex<HashMap<ContactKey, Contact>>,
        asked: Mutex<Vec<Vec<ContactKey>>>,
        allowed: Semaphore,
    }

    impl Rows {
        fn with(allowed: usize, rows: &[(&str, Contact)]) -> Arc<Self> {
            let kept = rows.iter().map(|(name, contact)| (key(name), contact.clone())).collect();
            Arc::new(Self {
                kept: Mutex::new(kept),
                asked: Mutex::default(),
                allowed: Semaphore::new(allowed),
            })
        }

        fn memory(self: &Arc<Self>) -> Arc<Memory> {
            let rows = Arc::clone(self);
            let read: Read = Box::new(move |places| {
                let rows = Arc::clone(&rows);
                Box::pin(async move {
                    let keys: Vec<ContactKey> = places.iter().map(|place| place.1).collect();
                    let found = keys.iter().map(|key| rows.kept.lock().unwrap().get(key).cloned()).collect();
                    rows.asked.lock().unwrap().push(keys);
                    rows.allowed.acquire().await.unwrap().forget();
                    Ok(found)
                })
            });
            Arc::new(Memory::new(read, Arc::new(ManualClock::at_seconds(1_000))))
        }

        fn readings(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    fn alias(name: &str) -> Alias {
        name.parse().unwrap()
    }

    fn key(name: &str) -> ContactKey {
        alias(name).key(DUKA)
    }

    fn wrote(name: &str, seconds: i64) -> ContactChange {
        let inbound = Inbound { at: Timestamp::from_seconds(seconds), free_entry_until: None };
        let news = ContactNews::Wrote { connection: CONNECTION, inbound };
        ContactChange { business: DUKA, alias: alias(name), news }
    }

    fn last_heard(known: &Known) -> Option<i64> {
        known.as_ref()?.inbound_at(CONNECTION).map(|inbound| inbound.at.as_seconds())
    }

    async fn find(memory: &Arc<Memory>, name: &str) -> Known {
        memory.find(DUKA, key(name)).await.unwrap()
    }

    const PHONE: &str = "+255712345678";
    const USER: &str = "TZ.1";

    #[tokio::test]
    async fn what_is_asked_at_one_moment_is_read_together_and_strangers_are_remembered() {
        let rows = Rows::with(2, &[]);
        let memory = rows.memory();
        let names: Vec<String> = (0..100).map(|n| format!("TZ.{n}")).collect();
        let asked = names.iter().map(|name| find(&memory, name));
        assert!(futures_util::future::join_all(asked).await.iter().all(Option::is_none));
        assert!(rows.readings() <= 2, "{}", rows.readings());
        assert!(find(&memory, "TZ.7").await.is_none());
        assert!(rows.readings() <= 2);
    }

    #[tokio::test]
    async fn what_is_learnt_while_rows_are_read_is_not_lost() {
        let rows = Rows::with(0, &[]);
        let memory = rows.memory();
        let asking = tokio::spawn({
            let memory = Arc::clone(&memory);
            async move { find(&memory, PHONE).await }
        });
        while rows.readings() == 0 {
            tokio::task::yield_now().await;
        }
        memory.learnt(&[wrote(PHONE, 50)]);
        rows.allowed.add_permits(1);
        assert_eq!(last_heard(&asking.await.unwrap()), Some(50));
        assert_eq!(last_heard(&find(&memory, PHONE).await), Some(50));
        memory.learnt(&[wrote(PHONE, 40), wrote(PHONE, 60)]);
        assert_eq!(last_heard(&find(&memory, PHONE).await), Some(60));
        assert_eq!(rows.readings(), 1);
    }

    #[tokio::test]
    async fn every_name_of_a_person_leads_to_the_same_memory() {
        let person = Contact { canonical: Some(alias(PHONE)), ..Contact::stranger(key(PHONE)) };
        let rows = Rows::with(10, &[(PHONE, person.clone()), (USER, person)]);
        let memory = rows.memory();
        assert_eq!(find(&memory, USER).await.unwrap().key, key(PHONE));
        memory.learnt(&[wrote(USER, 70)]);
        assert_eq!(last_heard(&find(&memory, PHONE).await), Some(70));
        assert_eq!(rows.readings(), 1);
    }

    #[tokio::test]
    async fn names_that_turn_out_to_be_one_persons_are_read_anew() {
        let rows = Rows::with(10, &[]);
        let memory = rows.memory();
        assert!(find(&memory, USER).await.is_none() && find(&memory, PHONE).await.is_none());
        let person = Contact { canonical: Some(alias(PHONE)), ..Contact::stranger(key(PHONE)) };
        rows.kept.lock().unwrap().extend([(key(PHONE), person.clone()), (key(USER), person)]);
        let news = ContactNews::SameAs(alias(PHONE));
        memory.learnt(&[ContactChange { business: DUKA, alias: alias(USER), news }]);
        assert_eq!(find(&memory, USER).await.unwrap().key, key(PHONE));
        assert!(find(&memory, PHONE).await.is_some());
    }
}
