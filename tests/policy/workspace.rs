//! Reads the workspace: its metadata, its lock file, its files.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{Metadata, MetadataCommand};

pub(crate) fn root() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for tests").into()
}

/// Everything that any platform or feature could bring in.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .current_dir(root())
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata --locked answers; if not, Cargo.lock is out of date")
});

/// One entry of Cargo.lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) source: Option<String>,
    pub(crate) checksum: Option<String>,
}

pub(crate) fn lock() -> Vec<Locked> {
    parse_lock(&fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed"))
}

/// Cargo writes the file itself, one `key = "value"` a line, so that a TOML parser is not needed.
pub(crate) fn parse_lock(text: &str) -> Vec<Locked> {
    let packages = text.split("[[package]]\n").skip(1);
    packages
        .map(|block| {
            let value = |key: &str| {
                let quoted = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
                Some(quoted.trim_matches('"').to_owned())
            };
            Locked {
                name: value("name").expect("a locked package has a name"),
                version: value("version").expect("a locked package has a version"),
                source: value("source"),
                checksum: value("checksum"),
            }
        })
        .collect()
}

/// A text file that is, or would be, committed.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) static FILES: LazyLock<Vec<TextFile>> = LazyLock::new(|| {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let paths = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files: Vec<TextFile> = paths.split_terminator('\0').filter_map(read_text).collect();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the list of files is not that of the root");
    files
});

/// `None` for pictures and for files deleted but not yet removed from the index.
fn read_text(path: &str) -> Option<TextFile> {
    let text = String::from_utf8(fs::read(root().join(path)).ok()?).ok()?;
    Some(TextFile { path: path.to_owned(), text })
}

#[test]
fn the_lock_file_is_read_whole() {
    let mut locked: Vec<_> = lock().into_iter().map(|package| (package.name, package.version)).collect();
    let mut resolved: Vec<_> = METADATA
        .packages
        .iter()
        .map(|package| (package.name.to_string(), package.version.to_string()))
        .collect();
    locked.sort();
    resolved.sort();
    assert_eq!(locked, resolved);
}
