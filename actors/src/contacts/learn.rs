//! From news to rows: what is written about people with it, and the events that tell of changed wishes.

use domain::connection::Connection;
use domain::contact::{Alias, Contact, ContactChange, ContactNews, Preference, Source};
use domain::contracts::provider::{Content, SendError, SendReceipt, Update};
use domain::contracts::store::Batch;
use domain::event::{EventType, NewEvent, update_id};
use domain::ids::{AccountKey, BusinessKey, ConnectionId};
use domain::recipient::Recipient;
use serde_json::json;

use super::memory::Unreadable;
use super::news::{Heard, heard, of_refusal};
use crate::keychain::{SealError, column};
use crate::services::Services;
use crate::writer::WriteError;

/// What is to be written about people.
#[derive(Debug, Default)]
pub(crate) struct Lessons {
    pub(crate) changes: Vec<ContactChange>,
    pub(crate) events: Vec<NewEvent>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LearnError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Whose contact it is, and through which number we heard.
#[derive(Debug, Clone, Copy)]
struct Listener {
    account: AccountKey,
    business: BusinessKey,
    connection: Option<ConnectionId>,
}

impl Listener {
    const fn of(connection: &Connection) -> Self {
        Self { account: connection.account, business: connection.business, connection: Some(connection.id) }
    }
}

impl Lessons {
    /// Adds what an update tells the owner of the number it came to.
    pub(crate) async fn hear(
        &mut self,
        services: &Services,
        owner: &Connection,
        update: &Update,
    ) -> Result<(), LearnError> {
        if let Content::Other { means: Some(news), .. } = &update.content
            && let Some(limit) = news.messaging_limit
        {
            services.contacts.limited(owner, limit, update.at).await?;
        }
        for heard in heard(update, owner.id, services.clock.now()) {
            self.take(services, owner, heard).await?;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        services: &Services,
        owner: &Connection,
        heard: Heard,
    ) -> Result<(), LearnError> {
        let Heard { names, news, keyword } = heard;
        let Some((first, others)) = names.split_first() else { return Ok(()) };
        let business = owner.business;
        for other in others {
            if !is_known(services, business, first, other).await? {
                self.change(business, first, ContactNews::SameAs(other.clone()));
            }
        }
        let said = match keyword {
            Some(said) if acts_on_keywords(services, owner).await? => Some(said),
            _ => None,
        };
        let written_at = news.iter().find_map(|news| match news {
            ContactNews::Wrote { inbound, .. } => Some(inbound.at),
            _ => None,
        });
        for one in news {
            if let ContactNews::Preference(preference) = one {
                self.wish(services, Listener::of(owner), first, preference).await?;
            } else {
                self.change(business, first, one);
            }
        }
        if let (Some(said), Some(at)) = (said, written_at) {
            let preference = Preference { said, source: Source::Keyword, at };
            self.wish(services, Listener::of(owner), first, preference).await?;
        }
        Ok(())
    }

    fn change(&mut self, business: BusinessKey, alias: &Alias, news: ContactNews) {
        self.changes.push(ContactChange { business, alias: alias.clone(), news });
    }

    /// An event tells of it if it changes what holds.
    async fn wish(
        &mut self,
        services: &Services,
        listener: Listener,
        alias: &Alias,
        preference: Preference,
    ) -> Result<(), LearnError> {
        let known = services.contacts.find(listener.business, alias).await?;
        let before = known.as_deref().cloned().unwrap_or(Contact::stranger(alias.key(listener.business)));
        let news = ContactNews::Preference(preference);
        let after = before.clone().after(&news);
        self.change(listener.business, alias, news);
        if before.opt_out.map(|opt_out| opt_out.scope) != after.opt_out.map(|opt_out| opt_out.scope) {
            self.events.push(tell(services, listener, alias, preference, &after).await?);
        }
        Ok(())
    }

    /// Writes what is told by no webhook.
    async fn write(self, services: &Services) -> Result<(), LearnError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let told = !self.events.is_empty();
        let batch = Batch { events: self.events, contacts: self.changes.clone(), ..Batch::default() };
        services.writer.write(batch).await?;
        services.contacts.learnt(&self.changes);
        if told {
            services.news.send_replace(());
        }
        Ok(())
    }
}

/// The business says what a person wants.
pub(crate) async fn set_preference(
    services: &Services,
    account: AccountKey,
    business: BusinessKey,
    alias: &Alias,
    preference: Preference,
) -> Result<(), LearnError> {
    let mut lessons = Lessons::default();
    let listener = Listener { account, business, connection: None };
    lessons.wish(services, listener, alias, preference).await?;
    lessons.write(services).await
}

/// What the provider's answer to a post tells about the recipient: in most answers nothing.
pub(crate) async fn hear_answer(
    services: &Services,
    connection: &Connection,
    recipient: &Recipient,
    answer: Result<&SendReceipt, &SendError>,
) -> Result<(), LearnError> {
    let Some(alias) = Alias::of(recipient) else { return Ok(()) };
    let mut lessons = Lessons::default();
    match answer {
        Ok(receipt) => {
            let named = [receipt.wa_id.as_deref(), receipt.user_id.as_deref()];
            for other in named.into_iter().flatten().filter_map(Alias::from_provider) {
                if other != alias && !is_known(services, connection.business, &alias, &other).await? {
                    lessons.change(connection.business, &alias, ContactNews::SameAs(other));
                }
            }
        }
        Err(error) => match of_refusal(error, services.clock.now()) {
            Some(ContactNews::Preference(preference)) => {
                lessons.wish(services, Listener::of(connection), &alias, preference).await?;
            }
            Some(news) => lessons.change(connection.business, &alias, news),
            None => {}
        },
    }
    lessons.write(services).await
}

/// Whether both names lead to one contact already.
async fn is_known(
    services: &Services,
    business: BusinessKey,
    one: &Alias,
    other: &Alias,
) -> Result<bool, Unreadable> {
    let contact = async |alias: &Alias| {
        let known = services.contacts.find(business, alias).await?;
        Ok::<_, Unreadable>(known.map_or_else(|| alias.key(business), |contact| contact.key))
    };
    Ok(contact(one).await? == contact(other).await?)
}

async fn acts_on_keywords(services: &Services, owner: &Connection) -> Result<bool, Unreadable> {
    let entry = services.directory.business(owner.account, &owner.business_reference).await;
    Ok(entry.map_err(Unreadable)?.is_some_and(|entry| entry.business.opt_out_keywords))
}

async fn tell(
    services: &Services,
    listener: Listener,
    alias: &Alias,
    preference: Preference,
    contact: &Contact,
) -> Result<NewEvent, SealError> {
    let canonical = contact.canonical.as_ref().unwrap_or(alias);
    let named =
        |kind: u8| [canonical, alias].into_iter().find(|name| name.rank() == kind).map(ToString::to_string);
    let data = json!({
        "contact": { "phone": named(0), "user_id": named(1) },
        "opt_out": contact.opt_out.map(|opt_out| json!({ "scope": opt_out.scope, "at": opt_out.at })),
        "source": preference.source,
    });
    let said = format!("{:?}", preference.said);
    let id = update_id(preference.at, &listener.business.0.to_string(), &format!("contact:{alias}:{said}"));
    let text = data.to_string();
    let body =
        services.keychain.seal(listener.business, id.uuid(), column::EVENT_BODY, text.as_bytes()).await?;
    Ok(NewEvent {
        id,
        event_type: EventType::ContactUpdated,
        account: listener.account,
        business: listener.business,
        connection: listener.connection,
        message: None,
        status: None,
        with_transition: false,
        occurred_at: preference.at,
        body,
    })
}
