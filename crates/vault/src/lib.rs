//! Keeps tokens, secrets and message bodies unreadable to whoever gets hold of the database.
//!
//! Envelope encryption in two steps, both AES-256-GCM. A *master key* from the [`KeyRing`], which never enters
//! the database, wraps one *data key* per business and generation. The data key seals values, each bound to the
//! [`Context`] it belongs to, so that a sealed value copied to another business, row or column does not open.
//!
//! * Rotating a master key rewraps data keys ([`Vault::rewrap`]); no sealed value changes.
//! * Dropping the wrapped data keys of a business makes everything sealed for it unreadable, in backups too.
//! * Nonces are random: one data key is good for about 2³² seals, then the business needs its next generation.
//! * What is too large to be held whole is sealed a chunk at a time ([`StreamSealer`]), under a key of its own that is
//!   sealed in front of it.
//!
//! Nonces and keys come from the operating system (`getrandom`); when it has none to give, sealing fails with
//! [`SealError::NoRandomness`]. There is no way to store a value without encryption, deliberately.

mod cipher;
mod error;
mod key_ring;
mod seal;
mod stream;
mod wrap;

pub use error::{KeyRingError, OpenError, RewrapError, SealError};
pub use key_ring::KeyRing;
pub use seal::{Context, DataKey, generation_of, open, seal};
pub use stream::{StreamHeader, StreamOpener, StreamSealer, sealed_length};
pub use wrap::Vault;
pub use zeroize::Zeroizing;
