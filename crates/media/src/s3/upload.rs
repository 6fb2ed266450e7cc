//! One upload: what is short goes in one request, what is longer in parts, of which one is in memory at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::contracts::media::{Incoming, MediaError, Result};
use futures_util::StreamExt as _;
use rusty_s3::actions::CompleteMultipartUpload;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Store;
use super::requests::{Failure, code, failure, member, text};

/// The shortest that every store takes for a part that is not the last. 10,000 of them are 48 GiB.
const PART: usize = 5 * 1024 * 1024;
const MOST_PARTS: usize = 10_000;

/// What is left of it is removed unless somebody keeps it, also where its call is dropped.
pub(super) struct Upload {
    store: Arc<Store>,
    key: String,
    waiting: BytesMut,
    progress: Progress,
}

/// What there is to undo.
#[derive(Default)]
struct Progress {
    /// Of an upload in parts.
    id: Option<String>,
    tags: Vec<String>,
    /// A request was made after which the object may be there, answered or not.
    may_be_there: bool,
}

impl Upload {
    pub(super) fn new(store: Arc<Store>, key: String) -> Self {
        Self { store, key, waiting: BytesMut::new(), progress: Progress::default() }
    }

    pub(super) async fn run(&mut self, mut content: Incoming, at_most: u64) -> Result<u64> {
        let mut length = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(MediaError::Broken)?;
            length += piece.len() as u64;
            if length > at_most {
                return Err(MediaError::TooLarge { at_most });
            }
            self.take(piece).await?;
        }
        let last = self.waiting.split().freeze();
        if self.progress.id.is_none() {
            self.put_whole(last).await?;
        } else {
            self.put_part(last).await?;
            self.complete().await?;
        }
        Ok(length)
    }

    /// Something always waits, so that no last part is empty.
    async fn take(&mut self, mut piece: Bytes) -> Result<()> {
        while self.waiting.len() + piece.len() > PART {
            self.waiting.extend_from_slice(&piece.split_to(PART - self.waiting.len()));
            let part = self.waiting.split().freeze();
            self.put_part(part).await?;
        }
        self.waiting.extend_from_slice(&piece);
        Ok(())
    }

    async fn put_whole(&mut self, content: Bytes) -> Result<()> {
        self.progress.may_be_there = true;
        let store = &self.store;
        let action = store.bucket.put_object(Some(&store.credentials), &self.key);
        store.requests.steadily(&action, Some(content)).await.map(|_| ())
    }

    async fn put_part(&mut self, part: Bytes) -> Result<()> {
        let number = self.progress.tags.len() + 1;
        if number > MOST_PARTS {
            return Err(MediaError::TooLarge { at_most: (MOST_PARTS * PART) as u64 });
        }
        let id = match &self.progress.id {
            Some(id) => id,
            None => &*self.progress.id.insert(begin(&self.store, &self.key).await?),
        };
        let store = &self.store;
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let action = store.bucket.upload_part(Some(&store.credentials), &self.key, number, id);
        let answer = store.requests.steadily(&action, Some(part)).await?;
        let tag = answer.headers().get(reqwest::header::ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.ok_or_else(|| Failure::new("it answered a part without an ETag").refused())?;
        self.progress.tags.push(tag.to_owned());
        Ok(())
    }

    /// Once only: a second completion of what the first has completed is an error.
    async fn complete(&mut self) -> Result<()> {
        self.progress.may_be_there = true;
        let store = &self.store;
        let id = self.progress.id.as_deref().unwrap_or_default();
        let tags = self.progress.tags.iter().map(String::as_str);
        let action =
            CompleteMultipartUpload::new(&store.bucket, Some(&store.credentials), &self.key, id, tags);
        let body = action.clone().body();
        let answer = store.requests.once(&action, Some(body.into())).await?;
        let status = answer.status();
        let text = text(answer).await?;
        match code(&text) {
            // By its tag, since stores disagree about the name of this answer.
            None if text.contains("<ETag>") => Ok(()),
            code => Err(failure(status, code.unwrap_or("unreadable"))),
        }
    }

    pub(super) fn keep(mut self) {
        self.progress = Progress::default();
    }

    /// Goes on to its end also where nobody waits for it any more.
    pub(super) async fn undo(mut self) {
        if let Some(undoing) = self.begin_to_undo() {
            let _ = undoing.await;
        }
    }

    /// `None` where there is nothing to undo, or the runtime has ended with everything in it.
    fn begin_to_undo(&mut self) -> Option<JoinHandle<()>> {
        let progress = std::mem::take(&mut self.progress);
        if progress.id.is_none() && !progress.may_be_there {
            return None;
        }
        let (store, key) = (Arc::clone(&self.store), std::mem::take(&mut self.key));
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(async move { progress.undo(&store, &key).await }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.begin_to_undo();
    }
}

impl Progress {
    /// As far as the store answers. What is left is never looked for: no row says that it is there.
    async fn undo(self, store: &Store, key: &str) {
        if let Some(id) = &self.id {
            let abort = store.bucket.abort_multipart_upload(Some(&store.credentials), key, id);
            match store.requests.steadily(&abort, None).await {
                Ok(_) | Err(MediaError::NotThere) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an unfinished upload of media stays"
                ),
            }
        }
        if self.may_be_there
            && let Err(error) = store.delete(key).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "media that was given up may stay");
        }
    }
}

async fn begin(store: &Store, key: &str) -> Result<String> {
    let action = store.bucket.create_multipart_upload(Some(&store.credentials), key);
    let answer = store.requests.once(&action, None).await?;
    let text = text(answer).await?;
    let id = member(&text, "UploadId");
    id.map(str::to_owned).ok_or_else(|| Failure::new("it did not say the id of an upload").refused())
}
