//! Finds the business and picks the connection of a message.

pub mod policy;

use std::sync::Arc;

use actix::prelude::*;
use domain::business::Business;
use domain::connection::Connection;
use domain::contracts::store::StoreError;
use domain::ids::{AccountKey, BusinessRef, ConnectionId};

use crate::directory::Directory;
use policy::{Choice, Refusal, Wish, choose};

pub(crate) struct Router {
    directory: Directory,
}

impl Router {
    pub(crate) const fn new(directory: Directory) -> Self {
        Self { directory }
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Callers wait for the answer; what they may submit is bounded by the slots of the connections.
        ctx.set_mailbox_capacity(0);
    }
}

/// What a message names as its sender.
#[derive(Debug, Clone)]
pub enum Target {
    Business(BusinessRef),
    Connection(ConnectionId),
}

#[derive(Debug, Message)]
#[rtype(result = "Result<Route, RouteError>")]
pub(crate) struct Locate {
    pub(crate) account: AccountKey,
    pub(crate) target: Target,
    pub(crate) immediate: bool,
}

/// Where a message goes.
#[derive(Debug, Clone)]
pub struct Route {
    pub business: Business,
    pub connection: Connection,
    pub choice: Choice,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum RouteError {
    /// No such business or connection, or another account's.
    #[error("there is no such business or connection")]
    Unknown,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the database did not answer")]
    Unavailable(#[source] Arc<StoreError>),
}

impl Handler<Locate> for Router {
    type Result = ResponseFuture<Result<Route, RouteError>>;

    fn handle(&mut self, locate: Locate, _: &mut Self::Context) -> Self::Result {
        let directory = self.directory.clone();
        Box::pin(async move {
            let Locate { account, target, immediate } = locate;
            let (found, wish) = match target {
                Target::Business(reference) => {
                    (directory.business(account, &reference).await, Wish { connection: None, immediate })
                }
                Target::Connection(id) => {
                    (directory.connection(account, id).await, Wish { connection: Some(id), immediate })
                }
            };
            let entry = found.map_err(RouteError::Unavailable)?.ok_or(RouteError::Unknown)?;
            let choice = choose(entry.business.routing, wish, &entry.connections)?;
            let connection = entry.connections.iter().find(|connection| connection.id == choice.connection());
            let connection = connection.ok_or(RouteError::Unknown)?.clone();
            Ok(Route { business: entry.business.clone(), connection, choice })
        })
    }
}
