//! Message templates of connected accounts: what is known of them, whether a message fits, and what news changes.
//!
//! A message asks here before it is accepted, and again before it is posted if it had to wait. It pays no reading:
//! lists are remembered. They are read from the provider when an account is connected, every six hours, and when
//! something hints that they changed; in between webhooks move single templates. What is not known, or not known
//! lately, is let through: the provider decides.

mod gathered;
mod listing;
mod schedule;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use domain::connection::Connection;
use domain::contracts::provider::{Fault, SendError};
use domain::contracts::store::{Store, StoreError};
use domain::contracts::templates::Waba;
use domain::ids::ConnectionId;
use domain::recipient::Recipient;
use domain::template::{
    Category, Known, TemplateChange, TemplateList, TemplateNews, TemplateProblem, TemplateStatus, decide,
    language,
};
use moka::future::Cache;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) use gathered::Gathered;
pub(crate) use listing::Listing;

/// Another node may have changed the table, or a reading may have begun before a change and ended behind it.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// Templates remembered at most, over all accounts.
const MOST_TEMPLATES: u64 = 200_000;
/// A list that is older than two rounds proves nothing any more.
const STALE_AFTER: Duration = Duration::from_hours(12);
/// Hints that wait. One that is lost comes again with the next message or the next round.
const HINTS: usize = 256;

type Remembered = Option<Arc<TemplateList>>;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Templates {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lists: Cache<Waba, Remembered>,
    hints: mpsc::Sender<Hint>,
}

/// An account whose templates should be listed again, and a connection that can.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    waba: Waba,
    connection: ConnectionId,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

impl Templates {
    /// The other end of the hints belongs to [`Listing`].
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Hint>) {
        let (hints, hinted) = mpsc::channel(HINTS);
        let weight = |_: &Waba, list: &Remembered| {
            let count = list.as_ref().map_or(0, |list| list.templates().len());
            u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1)
        };
        let lists =
            Cache::builder().weigher(weight).max_capacity(MOST_TEMPLATES).time_to_live(KEPT_FOR).build();
        (Self { store, clock, lists, hints }, hinted)
    }

    /// Whether the message may be accepted for the sake of its template, if it has one; and the template's category,
    /// where it is known.
    pub(crate) async fn admit(
        &self,
        connection: &Connection,
        kind: &str,
        json: &str,
        recipient: &Recipient,
    ) -> Result<Option<Category>, TemplateProblem> {
        #[derive(Deserialize)]
        struct Message {
            template: Value,
        }
        if kind != "template" {
            return Ok(None);
        }
        match serde_json::from_str::<Message>(json) {
            Ok(message) => self.check(connection, &message.template, recipient).await,
            Err(_) => Ok(None),
        }
    }

    /// Whether a message with this `template` may go to the recipient, and the template's category where it is known.
    async fn check(
        &self,
        connection: &Connection,
        template: &Value,
        recipient: &Recipient,
    ) -> Result<Option<Category>, TemplateProblem> {
        let Some(waba) = waba_of(connection) else { return Ok(None) };
        let list = match self.list(waba).await {
            Ok(Some(list)) => list,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "templates cannot be looked up: a message goes unchecked");
                return Ok(None);
            }
        };
        if self.clock.now().since(list.synced_at()) > STALE_AFTER {
            return Ok(None);
        }
        let word = |pointer: &str| template.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let found = list.find(word("/name"), word("/language/code"));
        if matches!(found, Known::Missing { .. }) {
            // It may have been made a moment ago.
            self.hint(connection);
        }
        decide(template, found, matches!(recipient, Recipient::User(_)))
    }

    /// The account's templates as they are known; `None` when they were never listed.
    pub(crate) async fn list(&self, waba: Waba) -> Result<Remembered, Arc<StoreError>> {
        let read = async { Ok::<_, StoreError>(self.store.templates(&waba).await?.map(Arc::new)) };
        self.lists.try_get_with(waba.clone(), read).await
    }

    /// News about one template, of an account of this connection.
    pub(crate) async fn hear(&self, connection: &Connection, news: &TemplateNews, at: Timestamp) {
        let Some(waba) = waba_of(connection) else { return };
        let changed = self.store.change_template(&waba, news, at).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a change of a template cannot be kept: the account is listed again");
            false
        });
        self.lists.invalidate(&waba).await;
        if !changed || news.change.asks_for_the_list() {
            self.hint(connection);
        }
    }

    /// What the provider said of a message that was posted, where it says something about its template.
    pub(crate) async fn hear_refusal(&self, connection: &Connection, message: &str, error: &SendError) {
        let SendError::Rejected { fault: Fault::Template, error } = error else { return };
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let word = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let status = error.code.and_then(refused_status);
        match (word("/template/name"), word("/template/language/code"), status) {
            (Some(name), Some(code), Some(status)) => {
                let change = TemplateChange::Status(TemplateStatus::new(status));
                let news = TemplateNews { id: None, name: name.to_owned(), language: language(code), change };
                self.hear(connection, &news, self.clock.now()).await;
                self.hint(connection);
            }
            _ => self.hint(connection),
        }
    }

    /// Asks for the account's templates to be listed soon.
    pub(crate) fn hint(&self, connection: &Connection) {
        if let Some(waba) = waba_of(connection) {
            let _ = self.hints.try_send(Hint { waba, connection: connection.id });
        }
    }

    async fn forget(&self, waba: &Waba) {
        self.lists.invalidate(waba).await;
    }
}

pub(crate) fn waba_of(connection: &Connection) -> Option<Waba> {
    let id = connection.waba_id.clone()?;
    Some(Waba { provider: connection.provider, id })
}

/// The status that a refusal with this code proves. A template that is missing may only be missing in a language.
const fn refused_status(code: i64) -> Option<&'static str> {
    match code {
        132_007 => Some(TemplateStatus::REJECTED),
        132_015 => Some(TemplateStatus::PAUSED),
        132_016 => Some(TemplateStatus::DISABLED),
        _ => None,
    }
}
