//! What can go wrong. No variant holds key material, plaintext, or text that could be a key by mistake.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the operating system gave no random numbers")]
    NoRandomness(#[source] getrandom::Error),
    /// AES-GCM ends at 64 GiB.
    #[error("the value is too long to be sealed")]
    TooLong,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the data key is wrapped under master key `{id}`, which is not in the key ring: put it back")]
    UnknownMasterKey { id: String },
    #[error("the value was sealed under generation {generation} of the data key, which is not the one given")]
    UnknownGeneration { generation: u32 },
    /// Changed, or sealed with another key, or for another place. Which of these cannot be told.
    #[error("the value cannot be opened with this key and context")]
    Tampered,
    #[error("the value is not in a form that this version seals")]
    Malformed,
}

#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Entries are named by their position, from 1, and never by their text: whoever swaps id and key must not find
/// the key in a log.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    #[error("there is no master key: give at least one entry of the form id:base64 of 32 bytes")]
    Empty,
    #[error("entry {entry} of the master keys {problem}")]
    BadEntry { entry: usize, problem: &'static str },
    #[error("no master key has the id that is to be active; there are: {known}")]
    UnknownActive { known: String },
    #[error("no master key has this id; there are: {known}")]
    UnknownId { known: String },
    #[error("the active master key cannot be removed: make another one active first")]
    RemovingActive,
    #[error("{} can be used by others than its owner (mode {mode:04o}): run chmod 600 on it", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("{} is not a file with master keys: it is no regular file, too long, or not text", path.display())]
    NotAKeyFile { path: PathBuf },
    #[error("cannot read the master keys from {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot write the master keys to {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("the operating system gave no random numbers")]
    NoRandomness(#[source] getrandom::Error),
}
