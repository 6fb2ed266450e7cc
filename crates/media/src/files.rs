//! Files in a folder. A file is written under a name that nobody reads, made safe on disk, and only then renamed: what
//! has the name of media is whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::BytesMut;
use domain::clock::{Clock, Timestamp};
use domain::contracts::media::{Incoming, Media, MediaError, Outgoing, Result};
use domain::ids::MediaId;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

/// Where unfinished files are, in the folder.
const INCOMING: &str = "incoming";
/// An unfinished file that was not touched for so long belongs to a process that is gone.
const ABANDONED: Duration = Duration::from_hours(24);
const PIECE: usize = 64 * 1024;

pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn open(folder: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let incoming = folder.join(INCOMING);
        make_folder(&incoming)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        remove_abandoned(&incoming, clock.now())?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// By the end of an id, which is random: its beginning is the time.
    fn path(&self, id: MediaId) -> PathBuf {
        let name = id.uuid().simple().to_string();
        self.folder.join(&name[name.len() - 2..]).join(name)
    }
}

#[async_trait]
impl Media for Files {
    async fn put(&self, id: MediaId, content: Incoming, at_most: u64) -> Result<u64> {
        let (incoming, path) = (self.folder.join(INCOMING), self.path(id));
        let (unfinished, file) = blocking(move || Unfinished::create(&incoming, id)).await?;
        let (length, file) = fill(file, content, at_most).await?;
        let placed = blocking(move || unfinished.place(&file, path)).await?;
        placed.keep();
        Ok(length)
    }

    async fn read(&self, id: MediaId) -> Result<Outgoing> {
        let path = self.path(id);
        let found = blocking(move || match File::open(path) {
            Ok(file) => file.metadata().map(|metadata| Some((file, metadata.len()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        let (file, length) = found.await?.ok_or(MediaError::NotThere)?;
        let pieces =
            stream::try_unfold((tokio::fs::File::from_std(file), length), |(mut file, left)| async move {
                if left == 0 {
                    return Ok(None);
                }
                let mut piece = BytesMut::with_capacity(PIECE);
                let read = (&mut file).take(left).read_buf(&mut piece).await.map_err(failed)?;
                if read == 0 {
                    return Err(failed(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(Some((piece.freeze(), (file, left - read as u64))))
            });
        Ok(Outgoing { length, content: pieces.boxed() })
    }

    async fn delete(&self, id: MediaId) -> Result<()> {
        let path = self.path(id);
        blocking(move || match fs::remove_file(&path) {
            Ok(()) => sync_folder(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }
}

async fn fill(file: File, mut content: Incoming, at_most: u64) -> Result<(u64, File)> {
    let mut file = tokio::fs::File::from_std(file);
    let mut length = 0;
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(MediaError::Broken)?;
        length += piece.len() as u64;
        if length > at_most {
            return Err(MediaError::TooLarge { at_most });
        }
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok((length, file.into_std().await))
}

/// A file that is removed again unless somebody keeps it. It travels through tasks as their result, so that it is
/// dropped, and the file with it, also where nobody waits for the task any more.
struct Unfinished {
    path: PathBuf,
    kept: bool,
}

impl Unfinished {
    fn create(incoming: &Path, id: MediaId) -> io::Result<(Self, File)> {
        let path = incoming.join(format!("{}.{}", id.uuid().simple(), Uuid::new_v4().simple()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path, kept: false }, file))
    }

    /// Safe on disk under its name before this returns.
    fn place(mut self, file: &File, path: PathBuf) -> io::Result<Self> {
        file.sync_all()?;
        if let Some(folder) = path.parent()
            && !folder.exists()
        {
            make_folder(folder)?;
            sync_folder(folder)?;
        }
        fs::rename(&self.path, &path)?;
        self.path = path;
        sync_folder(&self.path)?;
        Ok(self)
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "an unfinished file of media could not be removed");
        }
    }
}

/// For its owner only, with whatever is missing above it.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the name that a file or folder has in the folder it is in safe on disk.
fn sync_folder(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Several nodes may look at once, so a file may go while this looks at it.
fn remove_abandoned(incoming: &Path, now: Timestamp) -> io::Result<()> {
    let now = now.since(Timestamp::from_micros(0));
    for file in fs::read_dir(incoming)? {
        let removed = remove_if_abandoned(&file?.path(), now);
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Ok(())
}

/// `now`: since 1970.
fn remove_if_abandoned(file: &Path, now: Duration) -> io::Result<()> {
    let touched = fs::metadata(file)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    if now.saturating_sub(touched) > ABANDONED { fs::remove_file(file) } else { Ok(()) }
}

/// Away from the threads that everybody shares. What is begun is finished, whether somebody waits or not.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(failed),
        Err(ended) => Err(MediaError::Unavailable(Box::new(ended))),
    }
}

fn failed(error: io::Error) -> MediaError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            MediaError::Refused(Box::new(error))
        }
        _ => MediaError::Unavailable(Box::new(error)),
    }
}
