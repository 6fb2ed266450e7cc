use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use domain::contracts::media::MediaError;
use media::Config;

use crate::support::{bytes, clock, files_in, new_id, on_files, open, put, read, that_never_ends};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn folders_and_files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = on_files(folder.path());
    let media = folder.path().join("data/media");
    let id = new_id();
    put(&place.media, id, &bytes(10)).await;
    let name = id.uuid().simple().to_string();
    let fan_out = media.join(&name[30..]);
    for made in [&media, &media.join("incoming"), &fan_out] {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
    assert_eq!(mode(&fan_out.join(name)), 0o600);
}

#[tokio::test]
async fn a_folder_that_others_may_enter_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    open(&Config { folder: folder.path().to_owned(), ..Config::default() });
    assert_eq!(mode(folder.path()), 0o700);
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_process_and_what_a_dead_one_left_goes_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let id = new_id();
    put(&on_files(folder.path()).media, id, &bytes(1_000)).await;
    let incoming = folder.path().join("data/media/incoming");
    let now = UNIX_EPOCH.elapsed().unwrap();
    for (name, hours) in [("abandoned", 25), ("another node's", 1)] {
        let file = File::create(incoming.join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + now.saturating_sub(Duration::from_hours(hours))).unwrap();
    }
    let place = on_files(folder.path());
    assert_eq!(files_in(&incoming), ["another node's"]);
    assert!(read(&place.media, id).await.unwrap() == bytes(1_000));
}

#[tokio::test]
async fn a_folder_that_vanished_is_no_missing_media() {
    let folder = tempfile::tempdir().unwrap();
    let place = on_files(folder.path());
    fs::remove_dir_all(folder.path().join("data")).unwrap();
    let error = place.media.put(new_id(), that_never_ends(&bytes(1)), 9).await.unwrap_err();
    assert!(matches!(error, MediaError::Unavailable(_)), "{error:?}");
}

#[test]
fn a_folder_that_cannot_be_made_names_the_key() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = Config { folder: file.path().join("media"), ..Config::default() };
    let error = media::open(&config, clock()).err().expect("a file is no folder");
    assert!(error.to_string().contains("media.folder"), "{error}");
}
