//! Sealing what is too large to be held whole: media, a chunk at a time.
//!
//! Each stream has a key of its own, drawn at random and sealed in front of it under the business's data key and
//! the stream's [`Context`]. So a stream opens only in its place, dropping the data keys of a business makes it
//! unreadable, and a rotation of master keys leaves it as it is. Since no two streams share a key, the nonce of a
//! chunk needs nothing random: it is the chunk's number, and whether it is the last. A chunk that was changed, moved,
//! left out, added or taken from another stream does not open.

use std::fmt;

use aes_gcm::Aes256Gcm;
use domain::Sealed;
use zeroize::Zeroizing;

use crate::cipher::{self, KEY, KeyBytes, NONCE, TAG};
use crate::error::{OpenError, SealError};
use crate::seal::{self, Context, DataKey};

/// First byte of a sealed stream. The rest: the sealed key ([`seal::OVERHEAD`] and 32 bytes), then the chunks.
const VERSION: u8 = 1;
/// Plaintext of every chunk but the last, which has between one byte and this many; that of nothing has none.
const CHUNK: usize = 64 * 1024;
const SEALED_CHUNK: usize = CHUNK + TAG;

/// How long what [`StreamSealer`] makes of so many bytes is. `None` beyond what 64 bits count.
pub fn sealed_length(plain: u64) -> Option<u64> {
    let chunks = plain.div_ceil(CHUNK as u64).max(1);
    plain.checked_add(StreamHeader::LENGTH as u64)?.checked_add(chunks.checked_mul(TAG as u64)?)
}

/// What a sealed stream begins with: read it first, to learn which data key opens the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHeader {
    generation: u32,
    key: Sealed,
}

impl StreamHeader {
    pub const LENGTH: usize = 1 + seal::OVERHEAD + KEY;

    pub fn read(bytes: &[u8; Self::LENGTH]) -> Result<Self, OpenError> {
        let [VERSION, key @ ..] = bytes else { return Err(OpenError::Malformed) };
        let key = Sealed::from_bytes(key.to_vec());
        Ok(Self { generation: seal::generation_of(&key)?, key })
    }

    /// Which generation of its business's data key opens the stream. Says nothing about whether it will.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

/// Takes a plaintext in pieces of any size and gives what is to be stored, in order.
pub struct StreamSealer {
    cipher: Aes256Gcm,
    /// Gone once it was given out.
    header: Option<Vec<u8>>,
    number: u64,
    /// Made as large as it gets, so that no copy stays behind in memory given back.
    waiting: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for StreamSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamSealer(chunk {}, redacted)", self.number)
    }
}

impl StreamSealer {
    pub fn new(key: &DataKey, context: &Context) -> Result<Self, SealError> {
        let own = cipher::random_key().map_err(SealError::NoRandomness)?;
        let sealed = seal::seal(key, context, own.as_slice())?;
        let mut header = Vec::with_capacity(StreamHeader::LENGTH);
        header.push(VERSION);
        header.extend_from_slice(sealed.as_bytes());
        Ok(Self {
            cipher: cipher::cipher(&own),
            header: Some(header),
            number: 0,
            waiting: Zeroizing::new(Vec::with_capacity(CHUNK)),
        })
    }

    /// What is ready to be stored: nothing, or several chunks. A full chunk waits until it is known whether it is the
    /// last.
    pub fn update(&mut self, mut plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let chunks = (self.waiting.len() + plaintext.len()) / CHUNK;
        let mut out = self.header.take().unwrap_or_default();
        out.reserve_exact(chunks * SEALED_CHUNK);
        while !plaintext.is_empty() {
            if self.waiting.len() == CHUNK {
                self.seal_waiting(false, &mut out)?;
            }
            let (now, rest) = plaintext.split_at(plaintext.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            plaintext = rest;
        }
        Ok(out)
    }

    /// The end, without which nobody takes the stream for whole.
    pub fn finish(mut self) -> Result<Vec<u8>, SealError> {
        let mut out = self.header.take().unwrap_or_default();
        self.seal_waiting(true, &mut out)?;
        Ok(out)
    }

    fn seal_waiting(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), SealError> {
        cipher::encrypt_chunk(&self.cipher, nonce(self.number, last), &self.waiting, out)?;
        self.waiting.clear();
        self.number += 1;
        Ok(())
    }
}

/// Takes what was stored behind the header, in pieces of any size, and gives the plaintext.
///
/// Every byte it gives is genuine and in its place, but only [`Self::finish`] says that it was all: whoever passes the
/// pieces on as they come has to break off where that fails.
pub struct StreamOpener {
    cipher: Aes256Gcm,
    number: u64,
    waiting: Vec<u8>,
}

impl fmt::Debug for StreamOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamOpener(chunk {}, redacted)", self.number)
    }
}

impl StreamOpener {
    pub fn new(key: &DataKey, context: &Context, header: &StreamHeader) -> Result<Self, OpenError> {
        let own = seal::open(key, context, &header.key)?;
        let own: &[u8; KEY] = own.as_slice().try_into().map_err(|_| OpenError::Malformed)?;
        Ok(Self { cipher: cipher::cipher(&KeyBytes::new(*own)), number: 0, waiting: Vec::new() })
    }

    /// What could be opened so far. After an error every further call fails too.
    pub fn update(&mut self, mut sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let chunks = (self.waiting.len() + sealed.len()) / SEALED_CHUNK;
        let mut out = Zeroizing::new(Vec::with_capacity(chunks * CHUNK));
        while !sealed.is_empty() {
            if self.waiting.len() == SEALED_CHUNK {
                self.open_waiting(false, &mut out)?;
            }
            let (now, rest) = sealed.split_at(sealed.len().min(SEALED_CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            sealed = rest;
        }
        Ok(out)
    }

    /// The rest of the plaintext. An error when the stream does not end where it was sealed to end.
    pub fn finish(mut self) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut out = Zeroizing::new(Vec::with_capacity(CHUNK));
        self.open_waiting(true, &mut out)?;
        Ok(out)
    }

    /// A chunk that does not open stays where it is, so that nothing behind it is ever tried in its place.
    fn open_waiting(&mut self, last: bool, out: &mut Zeroizing<Vec<u8>>) -> Result<(), OpenError> {
        cipher::decrypt_chunk(&self.cipher, nonce(self.number, last), &self.waiting, out)?;
        self.waiting.clear();
        self.number += 1;
        Ok(())
    }
}

fn nonce(number: u64, last: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[NONCE - 1] = u8::from(last);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BusinessKey;
    use proptest::prelude::*;
    use uuid::Uuid;

    const PLACE: Context =
        Context { owner: BusinessKey(7), row: Uuid::from_u128(9), column: "media.content" };

    const HEADER_OF_ANOTHER: &str = "0101000000032424242424242424242424240480d550f8d7d72f37f933bbac2382\
                                     b77dea2261a7ba417ca1b5dd4b47d4f602fbbaa79e0d475b8b5c331f5c4f4f06d0";
    /// The tag of the first chunk, and the whole second one.
    const ENDS_OF_ANOTHER: &str = "2a03a21275fd5b47cc086f333ce20ae95f9cac531203f8bb95c244697ac43fdc0a";

    fn key(generation: u32) -> DataKey {
        DataKey::new(generation, &KeyBytes::new([0x42; 32]))
    }

    /// Seals in pieces that end at these places, as far as they lie within.
    fn sealed(plaintext: &[u8], ends: &[usize]) -> Vec<u8> {
        let mut sealer = StreamSealer::new(&key(3), &PLACE).unwrap();
        let mut out = Vec::new();
        for piece in pieces(plaintext, ends) {
            out.extend(sealer.update(piece).unwrap());
        }
        out.extend(sealer.finish().unwrap());
        out
    }

    fn opened_with(
        key: &DataKey,
        place: &Context,
        sealed: &[u8],
        ends: &[usize],
    ) -> Result<Vec<u8>, OpenError> {
        let (header, chunks) =
            sealed.split_first_chunk::<{ StreamHeader::LENGTH }>().ok_or(OpenError::Malformed)?;
        let mut opener = StreamOpener::new(key, place, &StreamHeader::read(header)?)?;
        let mut out = Vec::new();
        for piece in pieces(chunks, ends) {
            out.extend_from_slice(&opener.update(piece)?);
        }
        out.extend_from_slice(&opener.finish()?);
        Ok(out)
    }

    fn opened(sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        opened_with(&key(3), &PLACE, sealed, &[])
    }

    fn pieces<'a>(bytes: &'a [u8], ends: &[usize]) -> Vec<&'a [u8]> {
        let mut ends: Vec<usize> = ends.iter().map(|end| *end.min(&bytes.len())).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let starts = std::iter::once(0).chain(ends.clone());
        starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
    }

    /// No two places of eight bytes look alike, so no two chunks do.
    fn content(length: usize) -> Vec<u8> {
        let mut content = Vec::with_capacity(length + 8);
        for place in 0..length.div_ceil(8) {
            content.extend_from_slice(&place.to_le_bytes());
        }
        content.truncate(length);
        content
    }

    /// The chunks of a sealed stream, without its header.
    fn chunks(sealed: &[u8]) -> Vec<Vec<u8>> {
        sealed[StreamHeader::LENGTH..].chunks(SEALED_CHUNK).map(<[u8]>::to_vec).collect()
    }

    fn with_chunks(sealed: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
        [&sealed[..StreamHeader::LENGTH], &chunks.concat()].concat()
    }

    #[test]
    fn a_stream_of_any_length_reads_back_and_is_as_long_as_foretold() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1] {
            let plaintext = content(length);
            let sealed = sealed(&plaintext, &[]);
            assert_eq!(sealed_length(length as u64), Some(sealed.len() as u64), "{length}");
            assert_eq!(opened(&sealed).as_ref(), Ok(&plaintext), "{length}");
        }
        assert_eq!(sealed_length(u64::MAX), None);
    }

    #[test]
    fn a_stream_opens_only_in_its_own_place_and_with_its_own_key() {
        let sealed = sealed(b"a voice note", &[]);
        for elsewhere in [
            Context { owner: BusinessKey(8), ..PLACE },
            Context { row: Uuid::from_u128(10), ..PLACE },
            Context { column: "media.thumbnail", ..PLACE },
        ] {
            let outcome = opened_with(&key(3), &elsewhere, &sealed, &[]);
            assert_eq!(outcome, Err(OpenError::Tampered), "{elsewhere:?}");
        }
        let stranger = DataKey::new(3, &KeyBytes::new([0x43; 32]));
        assert_eq!(opened_with(&stranger, &PLACE, &sealed, &[]), Err(OpenError::Tampered));
    }

    #[test]
    fn the_header_says_which_generation_opens_the_stream() {
        let sealed = sealed(b"x", &[]);
        let header = StreamHeader::read(sealed.first_chunk().unwrap()).unwrap();
        assert_eq!(header.generation(), 3);
        let outcome = opened_with(&key(4), &PLACE, &sealed, &[]);
        assert_eq!(outcome, Err(OpenError::UnknownGeneration { generation: 3 }));
    }

    #[test]
    fn chunks_that_are_missing_moved_repeated_or_added_are_refused() {
        let sealed = sealed(&content(3 * CHUNK), &[]);
        let [first, second, third] = chunks(&sealed).try_into().unwrap();
        let of = |chunks: &[&Vec<u8>]| {
            with_chunks(&sealed, &chunks.iter().map(|&chunk| chunk.clone()).collect::<Vec<_>>())
        };
        assert!(opened(&of(&[&first, &second, &third])).is_ok());
        for (what, wrong) in [
            ("nothing", of(&[])),
            ("without its last", of(&[&first, &second])),
            ("without its first", of(&[&second, &third])),
            ("without its middle", of(&[&first, &third])),
            ("two moved", of(&[&second, &first, &third])),
            ("one repeated", of(&[&first, &second, &second, &third])),
            ("the last repeated", of(&[&first, &second, &third, &third])),
            ("a chunk added", of(&[&first, &second, &third, &first])),
            ("an empty end added", of(&[&first, &second, &third, &vec![0; TAG]])),
        ] {
            assert!(opened(&wrong).is_err(), "{what}");
        }
    }

    #[test]
    fn a_chunk_or_a_header_of_another_stream_is_refused() {
        let (one, other) = (sealed(&content(2 * CHUNK), &[]), sealed(&content(2 * CHUNK), &[]));
        let (mine, theirs) = (chunks(&one), chunks(&other));
        let swapped = with_chunks(&one, &[mine[0].clone(), theirs[1].clone()]);
        assert_eq!(opened(&swapped), Err(OpenError::Tampered));
        assert_eq!(opened(&with_chunks(&other, &mine)), Err(OpenError::Tampered));
    }

    #[test]
    fn nothing_is_given_out_behind_a_chunk_that_does_not_open() {
        let mut sealed = sealed(&content(3 * CHUNK), &[]);
        sealed[StreamHeader::LENGTH + 5] ^= 1;
        let (header, rest) = sealed.split_first_chunk().unwrap();
        let mut opener = StreamOpener::new(&key(3), &PLACE, &StreamHeader::read(header).unwrap()).unwrap();
        assert_eq!(opener.update(rest).unwrap_err(), OpenError::Tampered);
        assert_eq!(opener.update(&rest[SEALED_CHUNK..]).unwrap_err(), OpenError::Tampered);
        assert_eq!(opener.finish().unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn the_sealer_holds_no_more_than_one_chunk_back() {
        let mut sealer = StreamSealer::new(&key(3), &PLACE).unwrap();
        let given = sealer.update(&content(5 * CHUNK)).unwrap();
        assert_eq!(given.len(), StreamHeader::LENGTH + 4 * SEALED_CHUNK);
        assert_eq!(sealer.finish().unwrap().len(), SEALED_CHUNK);
    }

    #[test]
    fn debug_shows_no_key() {
        let sealer = StreamSealer::new(&key(3), &PLACE).unwrap();
        assert_eq!(format!("{sealer:?}"), "StreamSealer(chunk 0, redacted)");
    }

    /// Made with another implementation of AES-GCM: the data key 32 × 0x42, its nonce 12 × 0x24, the stream's own key
    /// 32 × 0x11, the plaintext 65,536 × `a` and one `b`, of which the ends are kept.
    #[test]
    fn what_is_stored_stays_readable() {
        let header = hex::decode(HEADER_OF_ANOTHER).unwrap();
        let header = StreamHeader::read(header.as_slice().try_into().unwrap()).unwrap();
        let mut opener = StreamOpener::new(&key(3), &PLACE, &header).unwrap();
        let own = cipher::cipher(&KeyBytes::new([0x11; 32]));
        let mut chunks = Vec::new();
        cipher::encrypt_chunk(&own, nonce(0, false), &vec![b'a'; CHUNK], &mut chunks).unwrap();
        cipher::encrypt_chunk(&own, nonce(1, true), b"b", &mut chunks).unwrap();
        assert_eq!(hex::encode(&chunks[CHUNK..]), ENDS_OF_ANOTHER);
        let mut plaintext = opener.update(&chunks).unwrap().to_vec();
        plaintext.extend_from_slice(&opener.finish().unwrap());
        assert_eq!((plaintext.len(), plaintext.last()), (CHUNK + 1, Some(&b'b')));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_split_gives_the_same_plaintext(
            length in 0..3 * CHUNK,
            sealing in prop::collection::vec(0..3 * CHUNK, 0..6),
            opening in prop::collection::vec(0..3 * CHUNK, 0..6),
        ) {
            let plaintext = content(length);
            let sealed = sealed(&plaintext, &sealing);
            prop_assert_eq!(sealed_length(length as u64), Some(sealed.len() as u64));
            prop_assert!(opened_with(&key(3), &PLACE, &sealed, &opening) == Ok(plaintext));
        }

        #[test]
        fn any_flipped_bit_is_refused(length in 0..2 * CHUNK, place: prop::sample::Index, bit in 0..8) {
            let mut sealed = sealed(&content(length), &[]);
            let at = place.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(opened(&sealed).is_err(), "byte {}", at);
        }

        #[test]
        fn any_cut_is_refused(length in 0..2 * CHUNK, place: prop::sample::Index) {
            let sealed = sealed(&content(length), &[]);
            prop_assert!(opened(&sealed[..place.index(sealed.len())]).is_err());
        }

        #[test]
        fn every_flipped_bit_of_a_short_stream_is_refused(plaintext in prop::collection::vec(any::<u8>(), 0..20)) {
            let sealed = sealed(&plaintext, &[]);
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(opened(&flipped).is_err(), "bit {}", bit);
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(opened(&bytes).is_err());
        }
    }
}
