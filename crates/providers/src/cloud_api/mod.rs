//! The wire format of the Cloud API, which Meta and 360dialog share: messages out, webhooks in, errors.

mod class;
mod codes;
mod errors;
mod lenient;
pub mod message;
mod rules;
pub mod send;
pub(crate) mod shown_number;
pub mod signature;
pub(crate) mod template;
pub mod webhook;

pub use class::{Class, class_of};
pub(crate) use errors::{error_of, error_of_failure, send_failure, send_refusal};
pub use errors::{graph_error, send_error};
pub use message::{Options, Prepared, prepare};
