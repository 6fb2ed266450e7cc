//! Media over HTTP: uploads that are kept as they come, and links that lead to content for a few minutes.

mod kinds;
mod link;
mod receive;

pub(super) use link::{configure, link_to};
pub(super) use receive::{not_kept, receive, unreadable};
