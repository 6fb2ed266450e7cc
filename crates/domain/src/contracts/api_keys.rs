//! Who may call the API.

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;
use crate::ids::{AccountKey, ApiKeyId, BusinessRef};
use crate::onboarding::Digest32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub account: AccountKey,
    pub label: String,
    /// Words such as `messages:write`; `*` for all.
    pub scopes: Vec<String>,
    /// May act only for these; for all of the account when empty.
    pub businesses: Vec<BusinessRef>,
    /// Sends at the Graph door are answered when the provider has answered, unless a call says otherwise.
    pub waits: bool,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[async_trait]
pub trait ApiKeys {
    /// The key of the account of this name, made when it does not exist.
    async fn ensure_account(&self, name: &str, now: Timestamp) -> Result<AccountKey>;
    async fn insert_api_key(&self, key: &ApiKey, hash: &Digest32) -> Result<()>;
    /// Revoked ones included: the caller decides what to say.
    async fn api_key_by_hash(&self, hash: &Digest32) -> Result<Option<ApiKey>>;
    async fn api_keys(&self) -> Result<Vec<ApiKey>>;
    /// False when there is no such key.
    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool>;
}
