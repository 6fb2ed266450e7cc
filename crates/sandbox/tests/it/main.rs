//! The sandbox over HTTP, as a gateway and a browser meet it.

mod control;
mod dialog;
mod faults;
mod journal;
mod media;
mod numbers;
mod sending;
mod support;
mod templates;
mod tokens;
mod webhooks;
