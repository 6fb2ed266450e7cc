//! Sealing and opening values under the data key of a business.

use std::fmt;

use aes_gcm::Aes256Gcm;
use domain::{BusinessKey, Sealed};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{self, KeyBytes};
use crate::error::{OpenError, SealError};

/// First byte of what this version seals. The rest: generation (4 bytes, big-endian), nonce (12), ciphertext,
/// tag (16).
const VERSION: u8 = 1;
const HEADER: usize = 5;
/// By how much a value grows when it is sealed.
pub(crate) const OVERHEAD: usize = HEADER + cipher::NONCE + cipher::TAG;

/// What seals the values of one business. Holds the expanded key, so that sealing a message does not expand it
/// again; it is wiped when dropped, and printed never.
pub struct DataKey {
    generation: u32,
    cipher: Aes256Gcm,
}

impl DataKey {
    pub(crate) fn new(generation: u32, key: &KeyBytes) -> Self {
        Self { generation, cipher: cipher::cipher(key) }
    }

    /// Counts from what the caller gave at [`crate::Vault::new_data_key`]; stands in each value sealed.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey(generation {}, redacted)", self.generation)
    }
}

/// The one place where a sealed value opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Whose data key it is.
    pub owner: BusinessKey,
    /// Id of the row that holds it: a connection, a message, an event, an endpoint.
    pub row: Uuid,
    /// Which of the row's values it is, such as `connections.access_token`.
    pub column: &'static str,
}

impl Context {
    /// Every member has a fixed length or stands behind its length, so that no two contexts look alike.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let column = self.column.as_bytes();
        let mut data = Vec::with_capacity(header.len() + 8 + 16 + 8 + column.len());
        data.extend_from_slice(header);
        data.extend_from_slice(&self.owner.0.to_be_bytes());
        data.extend_from_slice(self.row.as_bytes());
        data.extend_from_slice(&(column.len() as u64).to_be_bytes());
        data.extend_from_slice(column);
        data
    }
}

fn header(generation: u32) -> [u8; HEADER] {
    let [a, b, c, d] = generation.to_be_bytes();
    [VERSION, a, b, c, d]
}

/// Seals a value so that it opens only with this key and in this context. Sealing it again gives other bytes.
pub fn seal(key: &DataKey, context: &Context, plaintext: &[u8]) -> Result<Sealed, SealError> {
    let header = header(key.generation);
    cipher::encrypt(&key.cipher, &header, &context.associated_data(&header), plaintext)
        .map(Sealed::from_bytes)
}

/// The value that [`seal`] was given, wiped when dropped.
pub fn open(key: &DataKey, context: &Context, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let generation = generation_of(sealed)?;
    if generation != key.generation {
        return Err(OpenError::UnknownGeneration { generation });
    }
    let (header, rest) = sealed.as_bytes().split_first_chunk::<HEADER>().ok_or(OpenError::Malformed)?;
    cipher::decrypt(&key.cipher, &context.associated_data(header), rest)
}

/// Which generation of its business's data key opens a value. Says nothing about whether it will.
pub fn generation_of(sealed: &Sealed) -> Result<u32, OpenError> {
    match sealed.as_bytes().first_chunk::<HEADER>() {
        Some([VERSION, a, b, c, d]) => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(OpenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Context =
        Context { owner: BusinessKey(7), row: Uuid::from_u128(9), column: "connections.access_token" };

    fn key(generation: u32) -> DataKey {
        DataKey::new(generation, &KeyBytes::new([0x42; 32]))
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_place() {
        let sealed = seal(&key(3), &PLACE, b"EAAplanted").unwrap();
        assert_eq!(open(&key(3), &PLACE, &sealed).unwrap().as_slice(), b"EAAplanted");
        for elsewhere in [
            Context { owner: BusinessKey(8), ..PLACE },
            Context { row: Uuid::from_u128(10), ..PLACE },
            Context { column: "connections.pin", ..PLACE },
            Context { column: "", ..PLACE },
        ] {
            assert_eq!(open(&key(3), &elsewhere, &sealed), Err(OpenError::Tampered), "{elsewhere:?}");
        }
        let stranger = DataKey::new(3, &KeyBytes::new([0x43; 32]));
        assert_eq!(open(&stranger, &PLACE, &sealed), Err(OpenError::Tampered));
    }

    #[test]
    fn a_value_of_another_generation_is_refused_even_with_its_number_rewritten() {
        let sealed = seal(&key(3), &PLACE, b"x").unwrap();
        assert_eq!(generation_of(&sealed), Ok(3));
        assert_eq!(open(&key(4), &PLACE, &sealed), Err(OpenError::UnknownGeneration { generation: 3 }));
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[4] = 4;
        assert_eq!(open(&key(4), &PLACE, &Sealed::from_bytes(bytes)), Err(OpenError::Tampered));
    }

    #[test]
    fn the_same_value_sealed_twice_looks_different() {
        let (first, second) = (seal(&key(0), &PLACE, b"x").unwrap(), seal(&key(0), &PLACE, b"x").unwrap());
        assert_ne!(first, second);
        assert_ne!(first.as_bytes()[HEADER..HEADER + 12], second.as_bytes()[HEADER..HEADER + 12]);
    }

    #[test]
    fn truncated_input_is_an_error_at_every_length() {
        let sealed = seal(&key(0), &PLACE, b"some longer text").unwrap();
        for length in 0..sealed.as_bytes().len() {
            let cut = Sealed::from_bytes(sealed.as_bytes()[..length].to_vec());
            let expected = if length < HEADER + 12 + 16 { OpenError::Malformed } else { OpenError::Tampered };
            assert_eq!(open(&key(0), &PLACE, &cut), Err(expected), "{length} bytes");
        }
    }

    /// Made with another implementation of AES-GCM: key 32 × 0x42, nonce 12 × 0x24, context [`PLACE`].
    #[test]
    fn what_is_stored_stays_readable() {
        let stored = hex::decode(
            "010000000324242424242424242424242450d0853185a7a84a438c3054cb832cf73d6657daa7248a6cc8f6",
        )
        .unwrap();
        let opened = open(&key(3), &PLACE, &Sealed::from_bytes(stored.clone())).unwrap();
        assert_eq!(opened.as_slice(), b"EAAplanted");
        let header = header(3);
        let associated = PLACE.associated_data(&header);
        let made =
            cipher::encrypt_with_nonce(&key(3).cipher, [0x24; 12], &header, &associated, b"EAAplanted")
                .unwrap();
        assert_eq!(made, stored);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", key(5)), "DataKey(generation 5, redacted)");
    }

    #[test]
    fn the_expanded_key_is_wiped_on_drop() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Aes256Gcm>();
    }

    proptest! {
        #[test]
        fn any_value_reads_back(plaintext in prop::collection::vec(any::<u8>(), 0..300), generation: u32) {
            let sealed = seal(&key(generation), &PLACE, &plaintext).unwrap();
            let opened = open(&key(generation), &PLACE, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        }

        #[test]
        fn every_flipped_bit_is_refused(plaintext in prop::collection::vec(any::<u8>(), 0..40)) {
            let sealed = seal(&key(1), &PLACE, &plaintext).unwrap();
            for bit in 0..sealed.as_bytes().len() * 8 {
                let mut bytes = sealed.as_bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(open(&key(1), &PLACE, &Sealed::from_bytes(bytes)).is_err(), "bit {}", bit);
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let sealed = Sealed::from_bytes(bytes);
            let _ = generation_of(&sealed);
            prop_assert!(open(&key(0), &PLACE, &sealed).is_err());
        }
    }
}
