//! Calls of a provider's own API that are passed on for a caller: with the connection's token, and kept nowhere.

use domain::connection::Connection;
use domain::contracts::pass_through::{PassThroughError, PassedAnswer, PassedCall};

use crate::connection::credentials;
use crate::handle::Gateway;
use crate::services::Services;

/// Why a call was not passed on, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum NotPassed {
    #[error("the provider has no such API")]
    NotThere,
    #[error("the connection has no token that could be used")]
    NoToken,
    #[error("there is no such connection")]
    Missing,
    #[error("the connection cannot be read now")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Failed(#[from] PassThroughError),
}

impl From<credentials::LoadError> for NotPassed {
    fn from(error: credentials::LoadError) -> Self {
        match error {
            credentials::LoadError::Missing => Self::Missing,
            error => Self::Unreadable(Box::new(error)),
        }
    }
}

impl Gateway {
    /// Calls the provider's own API with the connection's token.
    pub async fn pass_through(
        &self,
        connection: &Connection,
        call: PassedCall,
    ) -> Result<PassedAnswer, NotPassed> {
        let Services { store, keychain, providers, .. } = &self.services;
        let provider = providers.get(&connection.provider);
        let pass = provider.and_then(|provider| provider.pass_through.clone()).ok_or(NotPassed::NotThere)?;
        let opened = credentials::load(&**store, keychain, connection.id).await?;
        let token = opened.token.ok_or(NotPassed::NoToken)?;
        Ok(pass.call(&token, call).await?)
    }
}
