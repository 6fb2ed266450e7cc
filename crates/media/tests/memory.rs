//! Content passes through, and is never held whole. A program of its own, because it measures the memory of all of it.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use bytes::Bytes;
use domain::clock::ManualClock;
use domain::contracts::media::{Incoming, Media};
use domain::ids::MediaId;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use media::{Config, Kind};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

const LENGTH: u64 = 100 * 1024 * 1024;
const PIECE: usize = 64 * 1024;
/// Two parts of an upload, the buffers of files and connections, and the program itself.
const AT_MOST_KIB: u64 = 32 * 1024;

/// The most memory that the process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Made while it is asked for.
fn content() -> Incoming {
    let pieces = LENGTH / PIECE as u64;
    stream::iter(0..pieces).map(|_| Ok(Bytes::from(vec![7; PIECE]))).boxed()
}

async fn passes_through(media: Arc<dyn Media>) {
    let id = MediaId::from_uuid(Uuid::new_v4());
    assert_eq!(media.put(id, content(), LENGTH).await.unwrap(), LENGTH);
    let kept = media.read(id).await.unwrap();
    assert_eq!(kept.length, LENGTH);
    let read = kept.content.try_fold(0, |sum, piece| async move { Ok(sum + piece.len() as u64) });
    assert_eq!(read.await.unwrap(), LENGTH);
    assert!(peak_kib() < AT_MOST_KIB, "{} KiB", peak_kib());
}

/// Takes everything and keeps nothing; what is read from it is as long as what was put.
async fn sink() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            if let Some(value) = head[start..].strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
        if head.starts_with("GET") {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..LENGTH / PIECE as u64 {
                stream.write_all(&[7; PIECE / 8].repeat(8)).await?;
            }
        } else {
            let body = "<a><UploadId>u</UploadId><ETag>e</ETag></a>";
            let head = format!("HTTP/1.1 200 OK\r\netag: e\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(head.as_bytes()).await?;
        }
    }
}

#[tokio::test]
async fn a_hundred_megabytes_pass_through_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let files = Config { folder: folder.path().join("media"), ..Config::default() };
    let s3 = Config {
        kind: Kind::S3,
        bucket: Some("media".to_owned()),
        endpoint: Some(sink().await.parse().unwrap()),
        access_key_id: Some("key".into()),
        secret_access_key: Some("secret".into()),
        ..Config::default()
    };
    for config in [files, s3] {
        let clock = Arc::new(ManualClock::at_seconds(1_790_000_000));
        passes_through(media::open(&config, clock).unwrap()).await;
    }
}
