//! Who is in the cluster. A hint, never a permission: the right to act is a lease in the store.

use async_trait::async_trait;

use crate::partition::{Epoch, Incarnation, Partition};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub incarnation: Incarnation,
    /// Stable across restarts, so that a node gets its own partitions back.
    pub name: String,
    /// Where other nodes reach it.
    pub address: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the coordinator cannot be reached")]
pub struct CoordinationError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

#[async_trait]
pub trait Membership: Send + Sync {
    /// Says that this node lives, and answers who else does, this node included, ordered by name.
    async fn beat(&self, me: &Member) -> Result<Vec<Member>, CoordinationError>;

    /// Tells where partitions are now. An older epoch than the one known is ignored.
    async fn publish(&self, owner: Incarnation, held: &[(Partition, Epoch)])
    -> Result<(), CoordinationError>;

    /// Who was last known to hold a partition.
    async fn holder(&self, partition: Partition) -> Result<Option<(Incarnation, Epoch)>, CoordinationError>;

    async fn leave(&self, me: Incarnation) -> Result<(), CoordinationError>;
}
