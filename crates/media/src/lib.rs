//! Where the content of media is kept: files in a folder, or an S3-compatible store. The implementation of
//! [`domain::contracts::media`].
//!
//! What comes here is sealed already: neither the folder nor the store is trusted with anything that can be read. Both
//! implementations are held to the same claims by the conformance suite.

mod config;
mod files;
mod s3;

use std::sync::Arc;

use domain::clock::Clock;
use domain::contracts::media::Media;

pub use config::{Config, ConfigError, Kind};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the folder of media.folder cannot be used")]
    Folder(#[source] std::io::Error),
    #[error("cannot set up the HTTP client for media.endpoint: {0}")]
    Client(String),
}

/// Opens what the settings name. A store is not asked anything yet: it may be away for a while like any other time.
pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Media>, OpenError> {
    match config.checked()? {
        config::Place::Files { folder } => {
            let files = files::Files::open(folder, &*clock).map_err(OpenError::Folder)?;
            Ok(Arc::new(files))
        }
        config::Place::S3(place) => Ok(Arc::new(s3::S3::open(place, clock)?)),
    }
}
