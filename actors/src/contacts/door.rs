//! What the gateway can be asked and told about people.

use domain::business::Business;
use domain::connection::Connection;
use domain::contact::{Alias, Contact, Preference, Said, Source, Window};

use super::learn::{LearnError, set_preference};
use super::memory::Unreadable;
use crate::acceptance::AcceptError;
use crate::handle::Gateway;

impl Gateway {
    /// What is known of a person; nothing of a stranger.
    pub async fn contact(&self, business: &Business, alias: &Alias) -> Result<Option<Contact>, AcceptError> {
        let known = self.services.contacts.find(business.key, alias).await?;
        Ok(known.map(|contact| Contact::clone(&contact)))
    }

    /// Whether a person may be written to freely through this number.
    pub async fn window(&self, connection: &Connection, alias: &Alias) -> Result<Window, AcceptError> {
        Ok(self.services.contacts.window(connection, alias).await?)
    }

    /// The business says what a person wants. Durable when it answers, and told to endpoints if it is a change.
    pub async fn set_preference(
        &self,
        business: &Business,
        alias: &Alias,
        said: Said,
    ) -> Result<(), AcceptError> {
        let preference = Preference { said, source: Source::Api, at: self.services.clock.now() };
        let (services, business, alias) = (self.services.clone(), business.clone(), alias.clone());
        // Away from the request: a caller that hangs up does not leave half of it undone.
        let setting = tokio::spawn(async move {
            set_preference(&services, business.account, business.key, &alias, preference).await
        });
        setting.await.map_err(|_| AcceptError::UNAVAILABLE)?.map_err(AcceptError::from)
    }
}

impl From<Unreadable> for AcceptError {
    fn from(_: Unreadable) -> Self {
        Self::UNAVAILABLE
    }
}

impl From<LearnError> for AcceptError {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::Seal(error) => Self::Seal(error),
            LearnError::Unreadable(_) | LearnError::Write(_) => Self::UNAVAILABLE,
        }
    }
}
