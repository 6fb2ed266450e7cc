//! An S3-compatible store. Requests are signed in their address, with a signature that is good for minutes.
//!
//! An object appears when its only PUT, or the completion of its parts, is answered, and never in part. A process that
//! dies between leaves parts behind that nobody can read and that are paid for: a rule of the bucket that ends
//! incomplete uploads after a day removes them.

mod requests;
mod upload;

use std::sync::Arc;

use async_trait::async_trait;
use domain::clock::Clock;
use domain::contracts::media::{Incoming, Media, MediaError, Outgoing, Result};
use domain::ids::MediaId;
use domain::secret::ExposeSecret as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use rusty_s3::{Bucket, Credentials};

use crate::OpenError;
use crate::config::S3Place;
use requests::{Failure, Requests};
use upload::Upload;

pub(crate) struct S3 {
    store: Arc<Store>,
    prefix: String,
}

/// Shared with uploads, which outlive their call where they have something to undo.
struct Store {
    requests: Requests,
    bucket: Bucket,
    credentials: Credentials,
}

impl S3 {
    pub(crate) fn open(place: S3Place<'_>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let tls = place.bucket.base_url().scheme() == "https";
        let credentials =
            Credentials::new(place.access_key_id.expose_secret(), place.secret_access_key.expose_secret());
        let requests = Requests::new(tls, clock).map_err(OpenError::Client)?;
        let store = Arc::new(Store { requests, bucket: place.bucket, credentials });
        Ok(Self { store, prefix: place.prefix.to_owned() })
    }

    fn key(&self, id: MediaId) -> String {
        format!("{}{}", self.prefix, id.uuid().simple())
    }
}

#[async_trait]
impl Media for S3 {
    async fn put(&self, id: MediaId, content: Incoming, at_most: u64) -> Result<u64> {
        let mut upload = Upload::new(Arc::clone(&self.store), self.key(id));
        match upload.run(content, at_most).await {
            Ok(length) => {
                upload.keep();
                Ok(length)
            }
            Err(error) => {
                upload.undo().await;
                Err(of_a_write(error))
            }
        }
    }

    async fn read(&self, id: MediaId) -> Result<Outgoing> {
        let store = &self.store;
        let key = self.key(id);
        let action = store.bucket.get_object(Some(&store.credentials), &key);
        let answer = store.requests.steadily(&action, None).await?;
        let length =
            answer.content_length().ok_or_else(|| Failure::new("it answered without a length").refused())?;
        let content = answer.bytes_stream().map_err(|error| Failure::of(error).unavailable());
        Ok(Outgoing { length, content: content.boxed() })
    }

    async fn delete(&self, id: MediaId) -> Result<()> {
        self.store.delete(&self.key(id)).await
    }
}

impl Store {
    async fn delete(&self, key: &str) -> Result<()> {
        let action = self.bucket.delete_object(Some(&self.credentials), key);
        match self.requests.steadily(&action, None).await {
            Ok(_) | Err(MediaError::NotThere) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where something is written, what is missing is not the media but what it was to be written to.
fn of_a_write(error: MediaError) -> MediaError {
    match error {
        MediaError::NotThere => Failure::new("it answered that there is no such thing").refused(),
        error => error,
    }
}
