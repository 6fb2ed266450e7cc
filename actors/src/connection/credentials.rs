//! The opened token of one number. It stands in memory only while its actor runs.

use std::sync::Arc;

use domain::connection::Connection;
use domain::contracts::store::{Store, StoreError};
use domain::ids::ConnectionId;
use domain::secret::AccessToken;

use crate::breaker::App;
use crate::keychain::{Keychain, SealError, column};

/// A connection with what it needs to send.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) connection: Arc<Connection>,
    /// The app that its token was given to.
    pub(crate) app: App,
    /// Absent when nothing was stored yet, or when it cannot be opened.
    pub(crate) token: Option<AccessToken>,
    /// Stable word for why there is no token although one is stored.
    pub(crate) trouble: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("there is no such connection")]
    Missing,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] SealError),
    #[error("the writer does not answer")]
    Writer,
}

pub(crate) async fn load(
    store: &dyn Store,
    keychain: &Keychain,
    id: ConnectionId,
) -> Result<Opened, LoadError> {
    let connection = Arc::new(store.connection(id).await?.ok_or(LoadError::Missing)?);
    let provider = connection.provider;
    let Some(credential) = store.credential(id).await? else {
        let app = App { provider, id: String::new() };
        return Ok(Opened { connection, app, token: None, trouble: None });
    };
    let app = App { provider, id: credential.app_id };
    let opened =
        keychain.open(connection.business, id.uuid(), column::ACCESS_TOKEN, &credential.access_token).await;
    let token = match opened {
        Ok(bytes) => std::str::from_utf8(&bytes).ok().map(AccessToken::new),
        Err(error @ (SealError::Store(_) | SealError::NoRandomness)) => return Err(error.into()),
        Err(error) => {
            tracing::error!(connection.id = %id, %error, "the token cannot be decrypted: nothing is sent for this number");
            None
        }
    };
    let trouble = token.is_none().then_some("token_undecryptable");
    Ok(Opened { connection, app, token, trouble })
}
