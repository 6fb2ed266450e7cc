//! What is kept about portfolios: how many people each may write to, and to whom it wrote. The latter is written by
//! [`super::store::Outbox::commit`].

use async_trait::async_trait;

use super::store::Result;
use crate::clock::Timestamp;
use crate::contact::{Counted, Hour, Person};
use crate::news::MessagingLimit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portfolio {
    pub limit: MessagingLimit,
    /// Who counts in an hour from the one that was asked about.
    pub reached: Vec<(Person, Counted)>,
}

#[async_trait]
pub trait Portfolios {
    /// `None` when nobody has said yet how many people it may write to.
    async fn portfolio(&self, id: &str, from: Hour) -> Result<Option<Portfolio>>;
    /// Keeps what was said last; false when that is what was known.
    async fn set_messaging_limit(&self, id: &str, limit: MessagingLimit, at: Timestamp) -> Result<bool>;
    /// Deletes what counts in no hour from `before` on, at most `limit` rows; answers how many.
    async fn forget_reached(&self, before: Hour, limit: u32) -> Result<u64>;
}
