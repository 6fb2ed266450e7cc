//! Master keys: where they come from, which one is active, and how they are kept in a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::cipher::{self, KEY, KeyBytes};
use crate::error::KeyRingError;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Far more keys than anyone rotates through; a longer file is a mistake.
const LONGEST_FILE: u64 = 64 * 1024;

/// Master keys by id, one of them active: it wraps what is new, the others still unwrap what is old.
///
/// As text: entries `id:base64 of 32 bytes`, one to a line or separated by commas, the active one first; lines
/// that begin with `#` are skipped. An id has 1 to 64 letters, digits, dots, dashes or underscores.
pub struct KeyRing {
    active: Entry,
    others: Vec<Entry>,
}

pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) key: KeyBytes,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({}, redacted)", self.known())
    }
}

impl KeyRing {
    /// A ring with one new key.
    pub fn generate() -> Result<Self, KeyRingError> {
        Ok(Self { active: Entry::generate(&[])?, others: Vec::new() })
    }

    /// From the text of a file or of an environment variable. The first entry is active.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let entries = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
        let mut read: Vec<Entry> = Vec::new();
        for (index, text) in entries.enumerate() {
            let bad = |problem| KeyRingError::BadEntry { entry: index + 1, problem };
            let entry = Entry::parse(text).map_err(bad)?;
            if read.iter().any(|other| other.id == entry.id) {
                return Err(bad("has the id of an earlier one: give each its own"));
            }
            read.push(entry);
        }
        let mut read = read.into_iter();
        let active = read.next().ok_or(KeyRingError::Empty)?;
        Ok(Self { active, others: read.collect() })
    }

    /// Reads a file that only its owner can use; refuses one with a looser mode, whoever asks.
    pub fn from_file(path: &Path) -> Result<Self, KeyRingError> {
        let unreadable = |source| KeyRingError::Unreadable { path: path.to_owned(), source };
        let not_a_key_file = || KeyRingError::NotAKeyFile { path: path.to_owned() };
        // The open file is asked, not the path, so that the file judged is the file read.
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > LONGEST_FILE {
            return Err(not_a_key_file());
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::TooOpen { path: path.to_owned(), mode });
        }
        // Of fixed capacity: growing would leave copies of the keys behind.
        let longest = usize::try_from(metadata.len()).map_err(|_| not_a_key_file())?;
        let mut bytes = Zeroizing::new(vec![0; longest]);
        let length = read_up_to(file, &mut bytes).map_err(unreadable)?;
        let text = bytes.get(..length).and_then(|read| std::str::from_utf8(read).ok());
        Self::parse(text.ok_or_else(not_a_key_file)?)
    }

    /// The same ring with another key active.
    pub fn with_active(mut self, id: &str) -> Result<Self, KeyRingError> {
        if self.active.id == id {
            return Ok(self);
        }
        let Some(at) = self.others.iter().position(|entry| entry.id == id) else {
            return Err(KeyRingError::UnknownActive { known: self.known() });
        };
        let active = self.others.remove(at);
        self.others.insert(0, std::mem::replace(&mut self.active, active));
        Ok(self)
    }

    /// Adds a new key and makes it active; answers its id. Data keys then want rewrapping.
    pub fn rotate(&mut self) -> Result<&str, KeyRingError> {
        let taken: Vec<&str> = self.ids().collect();
        let entry = Entry::generate(&taken)?;
        self.others.insert(0, std::mem::replace(&mut self.active, entry));
        Ok(&self.active.id)
    }

    /// Takes a key out, once no data key is wrapped under it any more.
    pub fn remove(&mut self, id: &str) -> Result<(), KeyRingError> {
        if self.active.id == id {
            return Err(KeyRingError::RemovingActive);
        }
        let Some(at) = self.others.iter().position(|entry| entry.id == id) else {
            return Err(KeyRingError::UnknownId { known: self.known() });
        };
        self.others.remove(at);
        Ok(())
    }

    /// Id of the active key.
    pub fn active(&self) -> &str {
        &self.active.id
    }

    /// Ids of all keys, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.active).chain(&self.others).map(|entry| entry.id.as_str())
    }

    /// What [`Self::parse`] reads; wiped when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        let entries = || std::iter::once(&self.active).chain(&self.others);
        let mut text = Zeroizing::new(String::with_capacity(entries().map(|e| e.id.len() + 50).sum()));
        for entry in entries() {
            text.push_str(&entry.id);
            text.push(':');
            BASE64.encode_string(entry.key.as_slice(), &mut text);
            text.push('\n');
        }
        text
    }

    /// Writes a new file that only its owner can read, and returns when it is on the disk. Fails where there is
    /// a file already.
    pub fn write_new_file(&self, path: &Path) -> Result<(), KeyRingError> {
        let unwritable = |source| KeyRingError::Unwritable { path: path.to_owned(), source };
        self.write_to(path).and_then(|()| sync_folder(path)).map_err(unwritable)
    }

    /// Puts this ring in the place of the file at `path`; whatever happens, the whole old or the whole new one
    /// is there.
    pub fn replace_file(&self, path: &Path) -> Result<(), KeyRingError> {
        let unwritable = |source| KeyRingError::Unwritable { path: path.to_owned(), source };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
            _ => {}
        }
        self.write_to(&beside)
            .and_then(|()| std::fs::rename(&beside, path))
            .and_then(|()| sync_folder(path))
            .map_err(unwritable)
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let written = file.write_all(self.to_text().as_bytes()).and_then(|()| file.sync_all());
        if written.is_err() {
            // It is ours and half of a key ring is worth nothing; the first error is the one to tell.
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// The active key and the others.
    pub(crate) fn split(&self) -> (&Entry, &[Entry]) {
        (&self.active, &self.others)
    }

    fn known(&self) -> String {
        self.ids().collect::<Vec<_>>().join(", ")
    }
}

impl Entry {
    fn generate(taken: &[&str]) -> Result<Self, KeyRingError> {
        loop {
            let number = getrandom::u32().map_err(KeyRingError::NoRandomness)?;
            let id = format!("mk-{number:08x}");
            if !taken.contains(&id.as_str()) {
                return Ok(Self { id, key: cipher::random_key().map_err(KeyRingError::NoRandomness)? });
            }
        }
    }

    /// Fails with what is wrong, to stand behind "entry 1 of the master keys".
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (id, encoded) = text.split_once(':').ok_or("is not of the form id:base64")?;
        let (id, encoded) = (id.trim(), encoded.trim());
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !(1..=64).contains(&id.len()) || !id.bytes().all(plain) {
            return Err("has an id that is not 1 to 64 letters, digits, dots, dashes or underscores");
        }
        let mut buffer = Zeroizing::new([0; 48]);
        let length = BASE64
            .decode_slice(encoded, buffer.as_mut_slice())
            .map_err(|_| "has a key that is not the base64 of 32 bytes")?;
        let decoded: &[u8; KEY] = buffer
            .get(..length)
            .and_then(|key| key.try_into().ok())
            .ok_or("has a key that is not the base64 of 32 bytes")?;
        if decoded.iter().all(|byte| *byte == 0) {
            return Err("has a key of zeros: make a random one");
        }
        Ok(Self { id: id.to_owned(), key: KeyBytes::new(*decoded) })
    }
}

fn read_up_to(mut file: File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Without this the name of a new file may be lost in a power cut although its content is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// 32 bytes of 0x10 and 32 bytes of 0x20, in base64.
    fn key(letter: char) -> String {
        let byte = if letter == 'a' { 0x10 } else { 0x20 };
        BASE64.encode([byte; 32])
    }

    #[test]
    fn the_first_entry_is_active_in_a_file_as_in_the_environment() {
        for text in [
            format!("# made in May\nnew:{}\n\n  old : {} \n", key('a'), key('b')),
            format!("new:{},old:{}", key('a'), key('b').trim_end_matches('=')),
        ] {
            let ring = KeyRing::parse(&text).unwrap();
            assert_eq!(ring.ids().collect::<Vec<_>>(), ["new", "old"]);
            let other = ring.with_active("old").unwrap();
            assert_eq!(other.ids().collect::<Vec<_>>(), ["old", "new"]);
        }
    }

    #[test]
    fn a_bad_entry_is_named_by_its_position_and_never_shown() {
        let planted = key('a');
        let short = BASE64.encode([1; 31]);
        let long = BASE64.encode([1; 33]);
        let cases = [
            (String::new(), "there is no master key"),
            (planted.clone(), "entry 1 of the master keys is not of the form"),
            (format!("{planted}:k1"), "entry 1 of the master keys has an id"),
            (format!("a:{planted},b:{short}"), "entry 2 of the master keys has a key that is not"),
            (format!("a:{long}"), "entry 1 of the master keys has a key that is not"),
            (format!("a:{planted}{planted}{planted}"), "entry 1 of the master keys has a key that is not"),
            (format!("a:{planted}\na:{planted}"), "entry 2 of the master keys has the id of an earlier one"),
            (format!("a:{}", BASE64.encode([0; 32])), "entry 1 of the master keys has a key of zeros"),
        ];
        for (text, expected) in cases {
            let error = KeyRing::parse(&text).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains(&planted[..20]), "{error:?}");
        }
        let ring = KeyRing::parse(&format!("a:{planted}")).unwrap();
        let error = ring.with_active(&planted).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&planted), "{error:?}");
    }

    #[test]
    fn debug_shows_ids_only() {
        let ring = KeyRing::parse(&format!("new:{},old:{}", key('a'), key('b'))).unwrap();
        assert_eq!(format!("{ring:?}"), "KeyRing(new, old, redacted)");
    }

    #[test]
    fn a_ring_written_to_a_file_reads_back_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.keys");
        let mut ring = KeyRing::generate().unwrap();
        ring.write_new_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*KeyRing::from_file(&path).unwrap().to_text(), *ring.to_text());

        let second = KeyRing::generate().unwrap().write_new_file(&path);
        assert!(
            matches!(second, Err(KeyRingError::Unwritable { .. })),
            "an existing file is never overwritten"
        );

        let first = ring.active().to_owned();
        ring.rotate().unwrap();
        ring.replace_file(&path).unwrap();
        let read = KeyRing::from_file(&path).unwrap();
        assert_eq!(read.ids().collect::<Vec<_>>(), [ring.active(), &first]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_others_can_use_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.keys");
        KeyRing::generate().unwrap().write_new_file(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644, 0o777] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyRing::from_file(&path).unwrap_err();
            assert!(matches!(error, KeyRingError::TooOpen { .. }), "{error:?}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(KeyRing::from_file(&path).is_ok());
    }

    #[test]
    fn what_is_not_a_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = KeyRing::from_file(&folder.path().join("none"));
        assert!(matches!(missing, Err(KeyRingError::Unreadable { .. })));
        assert!(matches!(KeyRing::from_file(folder.path()), Err(KeyRingError::NotAKeyFile { .. })));
        let path = folder.path().join("binary");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        file.write_all(&[0xff, 0xfe, 0x00]).unwrap();
        assert!(matches!(KeyRing::from_file(&path), Err(KeyRingError::NotAKeyFile { .. })));
    }

    #[test]
    fn the_active_key_cannot_be_removed() {
        let mut ring = KeyRing::parse(&format!("new:{},old:{}", key('a'), key('b'))).unwrap();
        assert!(matches!(ring.remove("new"), Err(KeyRingError::RemovingActive)));
        assert!(matches!(ring.remove("none"), Err(KeyRingError::UnknownId { .. })));
        ring.remove("old").unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["new"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text: String) {
            let _ = KeyRing::parse(&text);
        }
    }
}
