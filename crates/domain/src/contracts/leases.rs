//! Which node holds which partition, and under which epoch: the one permission to act.

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;
use crate::partition::{Epoch, Incarnation, Partition};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub incarnation: Incarnation,
    pub name: String,
    pub address: String,
}

#[async_trait]
pub trait Leases {
    /// Enters this incarnation as living.
    async fn join(&self, node: &Node, now: Timestamp) -> Result<()>;
    /// Takes every partition that another incarnation holds, or nobody, each under a new epoch. Answers all that are held.
    async fn take_all(&self, me: Incarnation) -> Result<Vec<(Partition, Epoch)>>;
    /// Says that this incarnation lives; false when it was declared dead or its partitions were taken.
    async fn renew(&self, me: Incarnation, now: Timestamp) -> Result<bool>;
    async fn leave(&self, me: Incarnation) -> Result<()>;
}
