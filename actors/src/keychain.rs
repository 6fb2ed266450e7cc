//! Opened data keys, a bounded number of them, and sealing with them.
//!
//! The vault computes, the store keeps wrapped keys, and this remembers opened ones for a while, so that sealing
//! a message costs no database call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::contracts::store::{Store, StoreError};
use domain::ids::BusinessKey;
use domain::secret::Sealed;
use moka::future::Cache;
use uuid::Uuid;
use vault::{Context, DataKey, StreamHeader, StreamOpener, StreamSealer, Vault};
use zeroize::Zeroizing;

/// Opened keys kept at most.
const MOST_KEYS: u64 = 50_000;
const KEPT_FOR: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, thiserror::Error)]
pub enum SealError {
    #[error("the data keys cannot be read")]
    Store(#[source] Arc<StoreError>),
    /// A state of its own: the row is there, and no key we hold opens it.
    #[error("cannot decrypt: {0}")]
    Undecryptable(Arc<vault::OpenError>),
    /// The business was erased, and its keys with it.
    #[error("the business was erased")]
    Erased,
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// Seals and opens for any business; cheap to clone.
#[derive(Clone)]
pub struct Keychain {
    vault: Arc<Vault>,
    store: Arc<dyn Store>,
    /// The newest key of an owner, made when there is none.
    newest: Cache<BusinessKey, Arc<DataKey>>,
    older: Cache<(BusinessKey, u32), Arc<DataKey>>,
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keychain")
    }
}

impl Keychain {
    pub fn new(vault: Arc<Vault>, store: Arc<dyn Store>) -> Self {
        let cache = || Cache::builder().max_capacity(MOST_KEYS).time_to_live(KEPT_FOR);
        Self { vault, store, newest: cache().build(), older: Cache::builder().max_capacity(1_000).build() }
    }

    /// The key that new rows of `owner` are sealed under.
    pub async fn key(&self, owner: BusinessKey) -> Result<Arc<DataKey>, SealError> {
        self.newest
            .try_get_with(owner, self.load_newest(owner))
            .await
            .map_err(|error| SealError::clone(&error))
    }

    pub async fn seal(
        &self,
        owner: BusinessKey,
        row: Uuid,
        column: &'static str,
        plaintext: &[u8],
    ) -> Result<Sealed, SealError> {
        let key = self.key(owner).await?;
        vault::seal(&key, &Context { owner, row, column }, plaintext).map_err(|_| SealError::NoRandomness)
    }

    pub async fn open(
        &self,
        owner: BusinessKey,
        row: Uuid,
        column: &'static str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let generation = vault::generation_of(sealed).map_err(undecryptable)?;
        let key = self.key_of(owner, generation).await?;
        vault::open(&key, &Context { owner, row, column }, sealed).map_err(undecryptable)
    }

    /// For content that is too large to be held whole.
    pub async fn seal_stream(
        &self,
        owner: BusinessKey,
        row: Uuid,
        column: &'static str,
    ) -> Result<StreamSealer, SealError> {
        let key = self.key(owner).await?;
        StreamSealer::new(&key, &Context { owner, row, column }).map_err(|_| SealError::NoRandomness)
    }

    /// Opens what lies behind this header.
    pub async fn open_stream(
        &self,
        owner: BusinessKey,
        row: Uuid,
        column: &'static str,
        header: &StreamHeader,
    ) -> Result<StreamOpener, SealError> {
        let key = self.key_of(owner, header.generation()).await?;
        StreamOpener::new(&key, &Context { owner, row, column }, header).map_err(undecryptable)
    }

    /// Forgets what is remembered of an erased business.
    pub async fn forget(&self, owner: BusinessKey) {
        self.newest.invalidate(&owner).await;
        // Old generations are few and rarely asked for.
        self.older.invalidate_all();
    }

    async fn load_newest(&self, owner: BusinessKey) -> Result<Arc<DataKey>, SealError> {
        let keys = self.store.data_keys(owner).await.map_err(unreadable)?;
        if let Some(wrapped) = keys.last() {
            return self.vault.unwrap(owner, wrapped).map(Arc::new).map_err(undecryptable);
        }
        let (_, wrapped) = self.vault.new_data_key(owner, 1).map_err(|_| SealError::NoRandomness)?;
        let in_force = self.store.insert_data_key(owner, &wrapped).await.map_err(unreadable)?;
        let in_force = in_force.ok_or(SealError::Erased)?;
        self.vault.unwrap(owner, &in_force).map(Arc::new).map_err(undecryptable)
    }

    async fn key_of(&self, owner: BusinessKey, generation: u32) -> Result<Arc<DataKey>, SealError> {
        let newest = self.key(owner).await?;
        if newest.generation() == generation { Ok(newest) } else { self.generation(owner, generation).await }
    }

    async fn generation(&self, owner: BusinessKey, generation: u32) -> Result<Arc<DataKey>, SealError> {
        if let Some(key) = self.older.get(&(owner, generation)).await {
            return Ok(key);
        }
        let keys = self.store.data_keys(owner).await.map_err(unreadable)?;
        let wrapped = keys.iter().find(|key| key.generation == generation);
        let wrapped =
            wrapped.ok_or_else(|| undecryptable(vault::OpenError::UnknownGeneration { generation }))?;
        let key = Arc::new(self.vault.unwrap(owner, wrapped).map_err(undecryptable)?);
        self.older.insert((owner, generation), Arc::clone(&key)).await;
        Ok(key)
    }
}

fn unreadable(error: StoreError) -> SealError {
    SealError::Store(Arc::new(error))
}

fn undecryptable(error: vault::OpenError) -> SealError {
    SealError::Undecryptable(Arc::new(error))
}

/// Names of sealed columns, bound into the ciphertext. They never change.
pub mod column {
    pub const MESSAGE_BODY: &str = "outbox_body.body";
    pub const EVENT_BODY: &str = "events.body";
    pub const QUARANTINE_BODY: &str = "quarantine.body";
    pub const ENDPOINT_SECRET: &str = "endpoints.secret";
    pub const DELIVERY_ANSWER: &str = "delivery_attempts.answer";
    pub const ACCESS_TOKEN: &str = "official_whatsapp_credentials.access_token";
    pub const MEDIA_LINK: &str = "media.link";
    pub const MEDIA_CONTENT: &str = "media.content";
    pub const MEDIA_FILE_NAME: &str = "media.file_name";
    pub const PIN: &str = "official_whatsapp_credentials.pin";
}
