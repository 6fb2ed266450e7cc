//! Reads the templates of connected accounts from their providers: those that were never read, those that were read
//! long ago, and those that something hinted at.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::contracts::provider::TemplatesError;
use domain::contracts::store::Page;
use domain::contracts::templates::Waba;
use domain::ids::ConnectionId;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::schedule::{Outcome, Schedule};
use super::{Hint, waba_of};
use crate::connection::credentials;
use crate::services::Services;

const EVERY: Duration = Duration::from_hours(6);
/// How often what is wanted is looked through, and how often the table for what is due.
const TICK: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_mins(1);
/// Accounts looked up at a time, and listed at the same time.
const MOST: u32 = 100;
const AT_ONCE: usize = 4;
/// Webhooks tell whole seconds by another clock than ours: what they told so shortly before a list is not older.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Listing(JoinHandle<()>);

impl Listing {
    /// Call inside a runtime.
    pub(crate) fn start(services: Services, mut hints: mpsc::Receiver<Hint>) -> Self {
        Self(tokio::spawn(async move {
            let mut schedule = Schedule::default();
            let mut round = Round::default();
            loop {
                round.look(&services, &mut schedule).await;
                let due = schedule.take_due(services.clock.now());
                let listed = stream::iter(due)
                    .map(|(waba, connection)| list(&services, waba, connection))
                    .buffer_unordered(AT_ONCE)
                    .collect::<Vec<_>>();
                for (waba, outcome) in listed.await {
                    schedule.done(waba, outcome, services.clock.now());
                }
                tokio::select! {
                    Some(hint) = hints.recv() => {
                        schedule.want(hint.waba, hint.connection);
                        while let Ok(hint) = hints.try_recv() {
                            schedule.want(hint.waba, hint.connection);
                        }
                    }
                    () = services.clock.sleep(TICK) => {}
                }
            }
        }))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Goes through the accounts that are due, a page at a time, so that those which cannot be listed keep nobody waiting.
#[derive(Debug, Default)]
struct Round {
    after: Option<ConnectionId>,
    not_before: Option<Timestamp>,
}

impl Round {
    async fn look(&mut self, services: &Services, schedule: &mut Schedule) {
        let now = services.clock.now();
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return;
        }
        let page = Page { after: self.after, limit: MOST };
        let due = match services.store.accounts_to_list(now.minus(EVERY), page).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "whose templates are to be listed cannot be read");
                return;
            }
        };
        self.after = due.last().copied().filter(|_| due.len() == MOST as usize);
        if self.after.is_none() {
            self.not_before = Some(now.plus(LOOK));
        }
        for id in due {
            match services.store.connection(id).await {
                Ok(Some(connection)) => {
                    if let Some(waba) = waba_of(&connection) {
                        schedule.want(waba, id);
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(connection.id = %id, %error, "a connection cannot be read"),
            }
        }
    }
}

async fn list(services: &Services, waba: Waba, id: ConnectionId) -> (Waba, Outcome) {
    let outcome = read(services, &waba, id).await;
    if matches!(outcome, Outcome::Listed(_)) {
        services.templates.forget(&waba).await;
    }
    (waba, outcome)
}

async fn read(services: &Services, waba: &Waba, id: ConnectionId) -> Outcome {
    let opened = match credentials::load(&*services.store, &services.keychain, id).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(connection.id = %id, %error, "templates are not listed: the connection cannot be opened");
            return Outcome::Unavailable;
        }
    };
    if !services.holdings.may_act(opened.connection.partition, &*services.clock) {
        return Outcome::Unavailable;
    }
    let provider = services.providers.get(&waba.provider);
    let templates = provider.and_then(|provider| provider.templates.clone());
    let (Some(templates), Some(token)) = (templates, opened.token) else { return Outcome::Refused };
    let asked_at = services.clock.now().minus(CLOCKS_DIFFER);
    match templates.list(&token, &waba.id).await {
        Ok(list) => match services.store.save_templates(waba, &list, asked_at).await {
            Ok(()) => Outcome::Listed(list.len()),
            Err(error) => {
                tracing::warn!(connection.id = %id, %error, "a list of templates cannot be kept");
                Outcome::Unavailable
            }
        },
        Err(TemplatesError::Throttled { error, retry_after }) => {
            tracing::info!(connection.id = %id, %error, "templates are listed later");
            Outcome::Throttled(retry_after)
        }
        Err(TemplatesError::Unavailable { error }) => {
            tracing::info!(connection.id = %id, %error, "templates cannot be listed now");
            Outcome::Unavailable
        }
        Err(TemplatesError::Refused { error }) => {
            tracing::warn!(connection.id = %id, %error, "templates may not be listed: messages go unchecked when the list is old");
            Outcome::Refused
        }
    }
}
