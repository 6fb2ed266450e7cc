//! What the tests stand on: a gateway with its sandbox as a process, an endpoint that remembers, private databases.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod demo;
pub(crate) mod endpoint;
pub(crate) mod held_date;
mod listened;
pub(crate) mod owner;
mod patience;
pub(crate) mod postgres;
pub(crate) mod receiver;
pub(crate) mod scripted;
pub(crate) mod tree;

pub(crate) use patience::eventually;
