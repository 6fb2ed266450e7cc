//! Places to keep media in, and content for them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::clock::ManualClock;
use domain::contracts::media::{Incoming, Media, MediaError};
use domain::ids::MediaId;
use domain::secret::SecretString;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use media::{Config, Kind};
use uuid::Uuid;

use crate::pretend::{self, Pretend};

/// Makes three tests of each claim: `on_files::…`, `on_pretend_s3::…` and `on_an_s3_server::…`.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod on_files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let folder = tempfile::tempdir().unwrap();
                super::$claim(crate::support::on_files(folder.path())).await;
            })*
        }
        mod on_pretend_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let pretend = crate::pretend::Pretend::start().await;
                super::$claim(crate::support::on_pretend(&pretend)).await;
            })*
        }
        mod on_an_s3_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                if let Some(place) = crate::support::on_an_s3_server().await {
                    super::$claim(place).await;
                }
            })*
        }
    };
}
pub(crate) use claims;

pub(crate) struct Place {
    pub(crate) media: Arc<dyn Media>,
    left: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Place {
    /// Nothing is there: no content, and nothing unfinished. What is undone behind a dropped call takes a moment.
    pub(crate) async fn expect_empty(&self, id: MediaId) {
        for _ in 0..100 {
            if (self.left)().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!((self.left)(), Vec::<String>::new());
        let read = self.media.read(id).await;
        assert!(matches!(read, Err(MediaError::NotThere)), "{read:?}");
    }
}

pub(crate) fn on_files(folder: &std::path::Path) -> Place {
    let folder = folder.join("data/media");
    let config = Config { folder: folder.clone(), ..Config::default() };
    let left = move || files_in(&folder);
    Place { media: open(&config), left: Box::new(left) }
}

pub(crate) fn on_pretend(pretend: &Pretend) -> Place {
    let state = pretend.state();
    let left = move || state.lock().unwrap().left();
    Place { media: open(&pretend.config()), left: Box::new(left) }
}

/// In a bucket of its own. `None` where no server is named.
#[expect(clippy::print_stderr, reason = "a claim that was not tested says so")]
pub(crate) async fn on_an_s3_server() -> Option<Place> {
    let Ok(url) = std::env::var("GATEWAY_TEST_S3_URL") else {
        eprintln!("not tested on an S3 server: GATEWAY_TEST_S3_URL is not set");
        return None;
    };
    let config = Config { bucket: Some(format!("media-{}", Uuid::new_v4().simple())), ..s3_config(&url) };
    pretend::make_bucket(&config).await;
    // What is unfinished there costs room and cannot be read; that it is removed is shown on the other one.
    Some(Place { media: open(&config), left: Box::new(Vec::new) })
}

pub(crate) fn s3_config(url: &str) -> Config {
    let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    Config {
        kind: Kind::S3,
        bucket: Some("media".to_owned()),
        endpoint: Some(url.parse().unwrap()),
        access_key_id: Some(SecretString::from(variable("GATEWAY_TEST_S3_ACCESS_KEY_ID", "AKplanted"))),
        secret_access_key: Some(SecretString::from(variable(
            "GATEWAY_TEST_S3_SECRET_ACCESS_KEY",
            "SKplanted",
        ))),
        prefix: "gateway/".to_owned(),
        ..Config::default()
    }
}

/// Now, as servers compare it with the time of a signature; waiting is over at once.
pub(crate) fn clock() -> Arc<ManualClock> {
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap();
    Arc::new(ManualClock::at_seconds(since_1970.as_secs().try_into().unwrap()))
}

pub(crate) fn open(config: &Config) -> Arc<dyn Media> {
    media::open(config, clock()).unwrap()
}

pub(crate) fn files_in(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_in(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

pub(crate) fn new_id() -> MediaId {
    MediaId::from_uuid(Uuid::new_v4())
}

/// No two places of eight bytes look alike.
pub(crate) fn bytes(length: usize) -> Bytes {
    let mut content = Vec::with_capacity(length + 8);
    for place in 0..length.div_ceil(8) {
        content.extend_from_slice(&place.to_le_bytes());
    }
    content.truncate(length);
    content.into()
}

pub(crate) fn in_pieces(content: &Bytes, length: usize) -> Incoming {
    let pieces: Vec<_> = content.chunks(length).map(|piece| Ok(content.slice_ref(piece))).collect();
    stream::iter(pieces).boxed()
}

/// The content, and then no more and no end.
pub(crate) fn that_never_ends(content: &Bytes) -> Incoming {
    in_pieces(content, 64 * 1024).chain(stream::pending()).boxed()
}

pub(crate) fn that_breaks_off(content: &Bytes) -> Incoming {
    let cause = stream::iter([Err("the caller went away".into())]);
    in_pieces(content, 64 * 1024).chain(cause).boxed()
}

pub(crate) async fn put(media: &Arc<dyn Media>, id: MediaId, content: &Bytes) -> u64 {
    media.put(id, in_pieces(content, 70_001), u64::MAX).await.unwrap()
}

/// All of it, and whether it is as long as it was said to be.
pub(crate) async fn read(media: &Arc<dyn Media>, id: MediaId) -> Result<Vec<u8>, MediaError> {
    let kept = media.read(id).await?;
    let content = kept.content.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    let content = content.await?;
    assert_eq!(content.len() as u64, kept.length);
    Ok(content)
}

/// Drops the call while it waits for what never comes.
pub(crate) async fn drop_while_it_waits<F: Future>(call: F) {
    let outcome = tokio::time::timeout(Duration::from_millis(300), call).await;
    assert!(outcome.is_err(), "it ended before its content did");
}
