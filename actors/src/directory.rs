//! Which connections there are, remembered for a moment. Every change here forgets what it touched; a change made
//! by another process is seen when the memory expires.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::business::Business;
use domain::connection::Connection;
use domain::contracts::provider::Subject;
use domain::contracts::store::{Page, Store, StoreError};
use domain::ids::{AccountKey, BusinessRef, ConnectionId};
use moka::future::Cache;

const KEPT_FOR: Duration = Duration::from_secs(10);
const MOST_ENTRIES: u64 = 100_000;
/// Numbers of one business.
const MOST_CONNECTIONS: u32 = 200;

/// A business with its connections, oldest first.
#[derive(Debug, Clone)]
pub struct Entry {
    pub business: Business,
    pub connections: Vec<Connection>,
}

type BusinessId = (AccountKey, BusinessRef);

#[derive(Clone)]
pub struct Directory {
    store: Arc<dyn Store>,
    businesses: Cache<BusinessId, Option<Arc<Entry>>>,
    /// The business of a connection, so that it can be forgotten with it.
    connections: Cache<ConnectionId, Option<BusinessId>>,
    subjects: Cache<Subject, Vec<Arc<Connection>>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Directory")
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(MOST_ENTRIES).time_to_live(KEPT_FOR).build()
}

impl Directory {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, businesses: cache(), connections: cache(), subjects: cache() }
    }

    pub async fn business(
        &self,
        account: AccountKey,
        reference: &BusinessRef,
    ) -> Result<Option<Arc<Entry>>, Arc<StoreError>> {
        let id = (account, reference.clone());
        if let Some(known) = self.businesses.get(&id).await {
            return Ok(known);
        }
        self.businesses.try_get_with(id, self.load_business(account, reference)).await
    }

    /// The business of a connection, with all its connections.
    pub async fn connection(
        &self,
        account: AccountKey,
        id: ConnectionId,
    ) -> Result<Option<Arc<Entry>>, Arc<StoreError>> {
        let owner = self
            .connections
            .try_get_with(id, async {
                let found = self.store.connection(id).await?;
                Ok::<_, StoreError>(found.map(|found| (found.account, found.business_reference)))
            })
            .await?;
        match owner {
            Some((owner, reference)) if owner == account => self.business(account, &reference).await,
            _ => Ok(None),
        }
    }

    /// Who a piece of news is for; nobody when the number or account is not ours.
    pub async fn subject(&self, subject: &Subject) -> Result<Vec<Arc<Connection>>, Arc<StoreError>> {
        if let Some(known) = self.subjects.get(subject).await {
            return Ok(known);
        }
        self.subjects
            .try_get_with(subject.clone(), async {
                let found = match subject {
                    Subject::Number(id) => self.store.connection_by_graph_id(id).await?.into_iter().collect(),
                    Subject::Waba(id) => self.store.connections_of_waba(id).await?,
                };
                Ok::<_, StoreError>(found.into_iter().map(Arc::new).collect::<Vec<_>>())
            })
            .await
    }

    pub async fn forget_business(&self, account: AccountKey, reference: &BusinessRef) {
        self.businesses.invalidate(&(account, reference.clone())).await;
        // Connections come and go with their business, and seldom.
        self.connections.invalidate_all();
        self.subjects.invalidate_all();
    }

    async fn load_business(
        &self,
        account: AccountKey,
        reference: &BusinessRef,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        let Some(business) = self.store.business(account, reference).await? else { return Ok(None) };
        let page = Page { after: None, limit: MOST_CONNECTIONS };
        let connections = self.store.connections(account, Some(business.key), page).await?;
        Ok(Some(Arc::new(Entry { business, connections })))
    }
}
