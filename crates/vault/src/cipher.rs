//! AES-256-GCM over one buffer: a header in clear, a random nonce, the ciphertext, the tag.
//!
//! The header is part of the associated data of both users of this module, so that it cannot be changed either.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{OpenError, SealError};

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 12;
pub(crate) const TAG: usize = 16;

/// Secret bytes, wiped when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY]>;

pub(crate) fn random_key() -> Result<KeyBytes, getrandom::Error> {
    let mut key = KeyBytes::default();
    getrandom::fill(key.as_mut_slice())?;
    Ok(key)
}

/// The expanded key; wipes itself when dropped.
pub(crate) fn cipher(key: &KeyBytes) -> Aes256Gcm {
    Aes256Gcm::new((&**key).into())
}

/// `header`, a fresh random nonce, the ciphertext of `plaintext` and its tag, in this order.
pub(crate) fn encrypt(
    cipher: &Aes256Gcm,
    header: &[u8],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(SealError::NoRandomness)?;
    encrypt_with_nonce(cipher, nonce, header, associated, plaintext)
}

/// For [`encrypt`] and for tests: using one nonce twice with one key gives the key away.
pub(crate) fn encrypt_with_nonce(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE],
    header: &[u8],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    // Made as large as it gets, so that no copy of the plaintext stays behind in memory given back.
    let mut out = Vec::with_capacity(header.len() + NONCE + plaintext.len() + TAG);
    out.extend_from_slice(header);
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let (_, body) = out.split_at_mut(start);
    if let Ok(tag) = cipher.encrypt_inout_detached(&Nonce::from(nonce), associated, body.into()) {
        out.extend_from_slice(&tag);
        return Ok(out);
    }
    out.zeroize();
    Err(SealError::TooLong)
}

/// The plaintext of what [`encrypt`] put behind the header.
pub(crate) fn decrypt(
    cipher: &Aes256Gcm,
    associated: &[u8],
    behind_header: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, rest) = behind_header.split_first_chunk::<NONCE>().ok_or(OpenError::Malformed)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    cipher
        .decrypt_inout_detached(
            &Nonce::from(*nonce),
            associated,
            plaintext.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| OpenError::Tampered)?;
    Ok(plaintext)
}

/// Appends the ciphertext of one chunk of a stream and its tag. Once for each nonce and key, as everywhere.
pub(crate) fn encrypt_chunk(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    // Room for all of it first, so that no copy of the plaintext stays behind in memory given back.
    out.reserve(plaintext.len() + TAG);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let (_, body) = out.split_at_mut(start);
    if let Ok(tag) = cipher.encrypt_inout_detached(&Nonce::from(nonce), &[], body.into()) {
        out.extend_from_slice(&tag);
        return Ok(());
    }
    out[start..].zeroize();
    out.truncate(start);
    Err(SealError::TooLong)
}

/// Appends the plaintext of what [`encrypt_chunk`] made; nothing where it does not open.
pub(crate) fn decrypt_chunk(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE],
    sealed: &[u8],
    out: &mut Zeroizing<Vec<u8>>,
) -> Result<(), OpenError> {
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
    let start = out.len();
    out.extend_from_slice(ciphertext);
    let (_, body) = out.split_at_mut(start);
    let opened = cipher.decrypt_inout_detached(&Nonce::from(nonce), &[], body.into(), &Tag::from(*tag));
    if opened.is_err() {
        out.truncate(start);
        return Err(OpenError::Tampered);
    }
    Ok(())
}
