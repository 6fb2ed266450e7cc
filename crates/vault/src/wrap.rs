//! Wrapping data keys under master keys.

use std::fmt;

use aes_gcm::Aes256Gcm;
use domain::BusinessKey;
use domain::secret::WrappedDataKey;

use crate::cipher::{self, KEY, KeyBytes};
use crate::error::{OpenError, RewrapError, SealError};
use crate::key_ring::{Entry, KeyRing};
use crate::seal::DataKey;

/// First byte of a wrapped key. The rest: nonce (12 bytes), the key encrypted (32), tag (16).
const VERSION: u8 = 1;

/// Makes, wraps and unwraps data keys. Cheap to share behind an `Arc`; holds every master key expanded.
pub struct Vault {
    active: MasterKey,
    others: Vec<MasterKey>,
}

struct MasterKey {
    id: String,
    cipher: Aes256Gcm,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault(active {}, {} others, redacted)", self.active.id, self.others.len())
    }
}

impl Vault {
    /// The ring is not needed afterwards and wipes itself.
    pub fn new(ring: KeyRing) -> Self {
        let expand = |entry: &Entry| MasterKey { id: entry.id.clone(), cipher: cipher::cipher(&entry.key) };
        let (active, others) = ring.split();
        let vault = Self { active: expand(active), others: others.iter().map(expand).collect() };
        drop(ring);
        vault
    }

    /// Id of the key that wraps what is new: rotation is over when no data key is left under another one.
    pub fn active_master_key(&self) -> &str {
        &self.active.id
    }

    /// A fresh data key for `owner`, and what to store of it. `generation` is one more than the newest stored.
    pub fn new_data_key(
        &self,
        owner: BusinessKey,
        generation: u32,
    ) -> Result<(DataKey, WrappedDataKey), SealError> {
        let key = cipher::random_key().map_err(SealError::NoRandomness)?;
        let wrapped = self.wrap(owner, generation, &key)?;
        Ok((DataKey::new(generation, &key), wrapped))
    }

    /// The data key that was wrapped for this owner.
    pub fn unwrap(&self, owner: BusinessKey, wrapped: &WrappedDataKey) -> Result<DataKey, OpenError> {
        Ok(DataKey::new(wrapped.generation, &self.key_bytes(owner, wrapped)?))
    }

    /// The same data key under the active master key, to be stored instead; `None` when it is under it already.
    /// Everything sealed with the data key stays as it is.
    pub fn rewrap(
        &self,
        owner: BusinessKey,
        wrapped: &WrappedDataKey,
    ) -> Result<Option<WrappedDataKey>, RewrapError> {
        if wrapped.master_key_id == self.active.id {
            return Ok(None);
        }
        let key = self.key_bytes(owner, wrapped)?;
        Ok(Some(self.wrap(owner, wrapped.generation, &key)?))
    }

    fn wrap(&self, owner: BusinessKey, generation: u32, key: &KeyBytes) -> Result<WrappedDataKey, SealError> {
        let associated = associated_data(owner, generation);
        let wrapped = cipher::encrypt(&self.active.cipher, &[VERSION], &associated, key.as_slice())?;
        Ok(WrappedDataKey { generation, master_key_id: self.active.id.clone(), wrapped })
    }

    fn key_bytes(&self, owner: BusinessKey, wrapped: &WrappedDataKey) -> Result<KeyBytes, OpenError> {
        let master = std::iter::once(&self.active)
            .chain(&self.others)
            .find(|key| key.id == wrapped.master_key_id)
            .ok_or_else(|| OpenError::UnknownMasterKey { id: wrapped.master_key_id.clone() })?;
        let [VERSION, rest @ ..] = wrapped.wrapped.as_slice() else { return Err(OpenError::Malformed) };
        let opened = cipher::decrypt(&master.cipher, &associated_data(owner, wrapped.generation), rest)?;
        let bytes: &[u8; KEY] = opened.as_slice().try_into().map_err(|_| OpenError::Malformed)?;
        Ok(KeyBytes::new(*bytes))
    }
}

/// A data key moved to another business or generation does not open. All members have a fixed length.
fn associated_data(owner: BusinessKey, generation: u32) -> Vec<u8> {
    let mut data = b"data key".to_vec();
    data.push(VERSION);
    data.extend_from_slice(&owner.0.to_be_bytes());
    data.extend_from_slice(&generation.to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, open, seal};
    use uuid::Uuid;

    const OWNER: BusinessKey = BusinessKey(7);

    fn place() -> Context {
        Context { owner: OWNER, row: Uuid::from_u128(9), column: "outbox.body" }
    }

    #[test]
    fn a_data_key_unwraps_only_for_its_owner_and_generation() {
        let vault = Vault::new(KeyRing::generate().unwrap());
        let (key, wrapped) = vault.new_data_key(OWNER, 2).unwrap();
        let sealed = seal(&key, &place(), b"Habari").unwrap();
        let again = vault.unwrap(OWNER, &wrapped).unwrap();
        assert_eq!(again.generation(), 2);
        assert_eq!(open(&again, &place(), &sealed).unwrap().as_slice(), b"Habari");
        assert_eq!(vault.unwrap(BusinessKey(8), &wrapped).unwrap_err(), OpenError::Tampered);
        let other_generation = WrappedDataKey { generation: 3, ..wrapped };
        assert_eq!(vault.unwrap(OWNER, &other_generation).unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn after_rewrapping_old_values_open_and_the_old_master_key_may_go() {
        let mut ring = KeyRing::generate().unwrap();
        let old_id = ring.active().to_owned();
        let text = ring.to_text();
        let old = Vault::new(KeyRing::parse(&text).unwrap());
        let (key, wrapped) = old.new_data_key(OWNER, 0).unwrap();
        let sealed = seal(&key, &place(), b"Habari").unwrap();

        ring.rotate().unwrap();
        let both = Vault::new(KeyRing::parse(&ring.to_text()).unwrap());
        assert_eq!(
            open(&both.unwrap(OWNER, &wrapped).unwrap(), &place(), &sealed).unwrap().as_slice(),
            b"Habari"
        );
        let rewrapped = both.rewrap(OWNER, &wrapped).unwrap().expect("it is under the old master key");
        assert_eq!(rewrapped.master_key_id, both.active_master_key());
        assert_eq!(both.rewrap(OWNER, &rewrapped).unwrap(), None);

        ring.remove(&old_id).unwrap();
        let new = Vault::new(ring);
        let opened = open(&new.unwrap(OWNER, &rewrapped).unwrap(), &place(), &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"Habari");
        assert_eq!(new.unwrap(OWNER, &wrapped).unwrap_err(), OpenError::UnknownMasterKey { id: old_id });
    }

    #[test]
    fn a_damaged_wrapping_is_an_error_at_every_byte_and_every_length() {
        let vault = Vault::new(KeyRing::generate().unwrap());
        let (_, wrapped) = vault.new_data_key(OWNER, 0).unwrap();
        assert_eq!(wrapped.wrapped.len(), 1 + 12 + 32 + 16);
        for at in 0..wrapped.wrapped.len() {
            let mut flipped = wrapped.clone();
            flipped.wrapped[at] ^= 1;
            assert!(vault.unwrap(OWNER, &flipped).is_err(), "byte {at}");
            let mut cut = wrapped.clone();
            cut.wrapped.truncate(at);
            assert!(vault.unwrap(OWNER, &cut).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn another_key_under_the_same_id_does_not_unwrap() {
        let key = |byte: char| KeyRing::parse(&format!("a:{}=", byte.to_string().repeat(43))).unwrap();
        let (_, wrapped) = Vault::new(key('E')).new_data_key(OWNER, 0).unwrap();
        assert_eq!(Vault::new(key('I')).unwrap(OWNER, &wrapped).unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn debug_shows_ids_only() {
        let vault = Vault::new(KeyRing::parse(&format!("k1:{}=", "E".repeat(43))).unwrap());
        assert_eq!(format!("{vault:?}"), "Vault(active k1, 0 others, redacted)");
    }
}
