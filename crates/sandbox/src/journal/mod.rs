//! An append-only file of JSON lines that lets the sandbox survive `kill -9`.
//!
//! One thread owns the file. It takes whatever records are waiting, writes them with one call, syncs once, and only
//! then tells those who wait. At start the file is read and replaced by a compact one, so it is never appended to
//! behind a torn line.

mod record;

pub(crate) use record::Record;

use crate::world::locked;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// At most so many records share one sync.
const GROUP: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Option<Sender<Line>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Line {
    Append { bytes: Vec<u8>, done: Option<oneshot::Sender<()>> },
    Replace { bytes: Vec<u8>, done: oneshot::Sender<()> },
    Close,
}

/// Resolves once the record is on disk. Dropping it does not undo the record.
#[derive(Debug)]
#[must_use = "an answer must not be given before its record is on disk"]
pub(crate) struct Synced(Option<oneshot::Receiver<()>>);

impl Synced {
    pub(crate) fn already() -> Self {
        Self(None)
    }

    pub(crate) async fn wait(self) -> io::Result<()> {
        match self.0 {
            None => Ok(()),
            Some(done) => done.await.map_err(|_| io::Error::other("the journal cannot be written")),
        }
    }
}

impl Journal {
    /// Locks the folder and returns what is in its journal. [`Journal::start`] goes on from there.
    pub(crate) fn read(data_dir: &Path) -> io::Result<(Folder, Vec<Record<'static>>)> {
        std::fs::create_dir_all(data_dir)?;
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(data_dir.join("sandbox.lock"))?;
        lock.try_lock().map_err(|error| {
            io::Error::other(format!("{} is in use by another sandbox ({error})", data_dir.display()))
        })?;
        let folder = Folder { path: data_dir.join("sandbox.journal"), lock };
        let records = match File::open(&folder.path) {
            Ok(file) => parse(BufReader::new(file))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok((folder, records))
    }

    /// `snapshot` is the replayed state as records; it takes the old file's place before anything is appended.
    pub(crate) fn start(folder: Folder, snapshot: &[u8], sync: bool) -> io::Result<Self> {
        let file = replace(&folder.path, snapshot)?;
        let (lines, incoming) = channel();
        let writer = std::thread::Builder::new().name("sandbox-journal".to_owned()).spawn(move || {
            if let Err(error) = write_all(&folder, file, &incoming, sync) {
                tracing::error!(%error, "the sandbox journal cannot be written; further messages are refused");
            }
        })?;
        Ok(Self { lines: Some(lines), writer: Mutex::new(Some(writer)) })
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn append(&self, record: &Record<'_>) -> Synced {
        let Some(lines) = &self.lines else { return Synced::already() };
        let (done, synced) = oneshot::channel();
        let _ = lines.send(Line::Append { bytes: record.line(), done: Some(done) });
        Synced(Some(synced))
    }

    /// For records whose loss costs only a repeated webhook.
    pub(crate) fn append_lazily(&self, record: &Record<'_>) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(Line::Append { bytes: record.line(), done: None });
        }
    }

    pub(crate) fn replace(&self, snapshot: impl FnOnce() -> Vec<u8>) -> Synced {
        let Some(lines) = &self.lines else { return Synced::already() };
        let (done, synced) = oneshot::channel();
        let _ = lines.send(Line::Replace { bytes: snapshot(), done });
        Synced(Some(synced))
    }

    /// Everything appended so far is on disk and the folder is free when this returns.
    pub(crate) fn close(&self) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(Line::Close);
        }
        if let Some(writer) = locked(&self.writer).take() {
            let _ = writer.join();
        }
    }
}

/// The journal's place, locked against a second sandbox for as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    #[expect(dead_code, reason = "held, never read")]
    lock: File,
}

fn write_all(folder: &Folder, mut file: File, incoming: &Receiver<Line>, sync: bool) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(first) = incoming.recv() {
        let mut closing = false;
        for line in std::iter::once(first).chain(incoming.try_iter().take(GROUP)) {
            match line {
                Line::Append { bytes, done } => {
                    buffer.extend_from_slice(&bytes);
                    waiting.extend(done);
                }
                Line::Replace { bytes, done } => {
                    // The snapshot was taken after everything in the buffer, so the buffer is in it.
                    buffer.clear();
                    file = replace(&folder.path, &bytes)?;
                    waiting.push(done);
                }
                Line::Close => closing = true,
            }
        }
        file.write_all(&buffer)?;
        buffer.clear();
        if sync && !waiting.is_empty() {
            file.sync_data()?;
        }
        for done in waiting.drain(..) {
            let _ = done.send(());
        }
        if closing {
            return file.sync_data();
        }
    }
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = path.with_extension("journal.new");
    let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// The journal holds pretend tokens, but a demo's folder should look as a real one must.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// A last line without its end was being written when the process died, and nobody was told it was kept.
fn parse(mut file: impl BufRead) -> io::Result<Vec<Record<'static>>> {
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            if !line.is_empty() {
                tracing::warn!(line = number, "the sandbox journal ends in a torn line, which is ignored");
            }
            break;
        }
        records.push(serde_json::from_slice(&line).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("sandbox journal, line {number}: {error}"))
        })?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_ignored_and_a_damaged_middle_is_not() {
        let whole = b"{\"clock\":5}\n{\"clock\":6}\n";
        assert_eq!(parse(&whole[..]).unwrap().len(), 2);
        assert_eq!(parse(&whole[..whole.len() - 3]).unwrap().len(), 1);
        let error = parse(&b"{\"clo\n{\"clock\":6}\n"[..]).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn a_folder_serves_one_sandbox_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (held, _) = Journal::read(dir.path()).unwrap();
        assert!(Journal::read(dir.path()).is_err());
        drop(held);
        assert!(Journal::read(dir.path()).is_ok());
    }
}
