//! A transaction that cannot be inherited.
//!
//! The driver's own guard can leave a transaction open on a connection of the pool when the task that began
//! it is cancelled, and the next borrower then runs inside it. Here a connection with an unfinished
//! transaction never goes back to the pool: it is closed, and the database rolls back.

use domain::contracts::store::Result;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

use super::{BEGIN, Conn, Db};
use crate::error::failed;

pub(crate) struct Tx {
    /// Taken when the transaction is over.
    connection: Option<PoolConnection<Db>>,
}

impl Tx {
    pub(crate) async fn begin(pool: &Pool<Db>) -> Result<Self> {
        let mut tx = Self::of_its_own(pool).await?;
        sqlx::query(BEGIN).execute(tx.connection()).await.map_err(failed)?;
        Ok(tx)
    }

    /// For what begins and ends by itself, and may leave a transaction open only when it fails.
    pub(crate) async fn of_its_own(pool: &Pool<Db>) -> Result<Self> {
        let connection = pool.acquire().await.map_err(failed)?;
        Ok(Self { connection: Some(connection) })
    }

    pub(crate) fn connection(&mut self) -> &mut Conn {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("only `commit` takes the connection, and it takes the transaction with it"),
        }
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        sqlx::query("COMMIT").execute(self.connection()).await.map_err(failed)?;
        self.finished();
        Ok(())
    }

    /// Nothing is open any more.
    pub(crate) fn finished(mut self) {
        self.connection = None;
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}
