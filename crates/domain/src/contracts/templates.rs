//! The templates of each account, as they were listed and changed by news since.

use async_trait::async_trait;

use super::store::{Page, Result};
use crate::clock::Timestamp;
use crate::connection::ProviderName;
use crate::ids::ConnectionId;
use crate::template::{Template, TemplateList, TemplateNews};

/// One account at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Waba {
    pub provider: ProviderName,
    pub id: String,
}

#[async_trait]
pub trait TemplateRegistry {
    /// `None` when they were never listed.
    async fn templates(&self, waba: &Waba) -> Result<Option<TemplateList>>;

    /// The accounts that have the template of this id of the platform's.
    async fn accounts_with_template(&self, id: &str) -> Result<Vec<Waba>>;

    /// Puts a whole list in the place of what was known, except for what news told after `asked_at`, when the listing
    /// began.
    async fn save_templates(&self, waba: &Waba, templates: &[Template], asked_at: Timestamp) -> Result<()>;

    /// Changes one template by news of `at`; one whose status is told is known from then on, whatever fills it. False
    /// when nothing changed: it is not known, or newer news told of it before.
    async fn change_template(&self, waba: &Waba, news: &TemplateNews, at: Timestamp) -> Result<bool>;

    /// A sending connection of each account that was not listed since `before`, in the order of their ids.
    async fn accounts_to_list(
        &self,
        before: Timestamp,
        page: Page<ConnectionId>,
    ) -> Result<Vec<ConnectionId>>;
}
