//! Images, voice notes and documents that the platform holds: uploaded by businesses, or sent by customers.
//!
//! Content lies in files beside the journal, where there is one, so that it survives what the journal survives.

use crate::chance::{object_id, random_hex};
use crate::journal::{Record, Synced};
use crate::world::{World, locked};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

const DAY_MS: i64 = 24 * 3_600_000;
/// Of what a business uploaded, and of what a customer sent.
pub(crate) const UPLOADED_MS: i64 = 30 * DAY_MS;
pub(crate) const RECEIVED_MS: i64 = 7 * DAY_MS;
/// An address of content.
const LINK_MS: i64 = 5 * 60_000;

/// What is known of one, and kept in the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Medium {
    pub(crate) id: String,
    pub(crate) phone_number_id: String,
    pub(crate) mime_type: String,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
    pub(crate) size: usize,
    pub(crate) until_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) media: BTreeMap<String, Medium>,
    /// Without a folder.
    contents: BTreeMap<String, Bytes>,
    /// Secret of an address, and what it leads to until when.
    links: BTreeMap<String, (String, i64)>,
}

impl Medium {
    /// As webhooks write the hash.
    pub(crate) fn sha256_base64(&self) -> String {
        STANDARD.encode(hex::decode(&self.sha256).unwrap_or_default())
    }
}

impl World {
    fn content_path(&self, id: &str) -> Option<PathBuf> {
        self.config.data_dir.as_ref().map(|folder| folder.join("media").join(id))
    }

    pub(crate) fn keep_media(
        &self,
        phone_number_id: &str,
        mime_type: &str,
        content: &Bytes,
        lives_ms: i64,
    ) -> io::Result<(Medium, Synced)> {
        let medium = Medium {
            id: object_id(),
            phone_number_id: phone_number_id.to_owned(),
            mime_type: mime_type.to_owned(),
            sha256: hex::encode(Sha256::digest(content)),
            size: content.len(),
            until_ms: self.clock.now_ms() + lives_ms,
        };
        if let Some(path) = self.content_path(&medium.id) {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, content)?;
        }
        let mut held = locked(&self.media);
        if self.config.data_dir.is_none() {
            held.contents.insert(medium.id.clone(), content.clone());
        }
        held.media.insert(medium.id.clone(), medium.clone());
        Ok((medium.clone(), self.journal.append(&Record::Media(Cow::Owned(medium)))))
    }

    /// As long as its id lives.
    pub(crate) fn medium(&self, id: &str) -> Option<Medium> {
        let now = self.clock.now_ms();
        locked(&self.media).media.get(id).filter(|medium| medium.until_ms > now).cloned()
    }

    pub(crate) fn delete_media(&self, id: &str) -> Synced {
        if let Some(path) = self.content_path(id) {
            let _ = fs::remove_file(path);
        }
        let mut held = locked(&self.media);
        held.contents.remove(id);
        held.media.remove(id);
        self.journal.append(&Record::MediaGone(Cow::Borrowed(id)))
    }

    /// The path of an address that lives five minutes.
    pub(crate) fn media_link(&self, id: &str) -> String {
        let (secret, now) = (random_hex(16), self.clock.now_ms());
        let mut held = locked(&self.media);
        held.links.retain(|_, (_, until)| *until > now);
        held.links.insert(secret.clone(), (id.to_owned(), now + LINK_MS));
        format!("/media/{secret}")
    }

    /// What an address leads to, while it lives.
    pub(crate) fn linked_media(&self, secret: &str) -> Option<Medium> {
        let id = {
            let held = locked(&self.media);
            let (id, until) = held.links.get(secret)?;
            (*until > self.clock.now_ms()).then(|| id.clone())?
        };
        self.medium(&id)
    }

    pub(crate) fn media_content(&self, id: &str) -> Option<Bytes> {
        match self.content_path(id) {
            Some(path) => fs::read(path).ok().map(Bytes::from),
            None => locked(&self.media).contents.get(id).cloned(),
        }
    }
}
