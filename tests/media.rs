//! Media from end to end, short of HTTP: sealed as it comes, kept in a folder, opened as it goes, and unreadable for good
//! when its business is erased.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use domain::BusinessKey;
use domain::business::{Business, NewBusiness};
use domain::clock::Clock;
use domain::contracts::media::{Cause, Incoming, Media};
use domain::contracts::store::Store;
use domain::ids::{Ids, MediaId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gateway_actors::{Keychain, SealError, SystemClock, column};
use tempfile::TempDir;
use vault::{KeyRing, StreamHeader, StreamSealer, Vault};

struct Place {
    folder: TempDir,
    store: Arc<dyn Store>,
    media: Arc<dyn Media>,
    vault: Arc<Vault>,
    keychain: Keychain,
    business: Business,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("gateway.db").display());
        let store = store::open(&store::Config::with_url(url)).await.unwrap();
        store.migrate().await.unwrap();
        let clock = Arc::new(SystemClock);
        let account = store.ensure_account("acme", clock.now()).await.unwrap();
        let new = NewBusiness::unnamed("duka".parse().unwrap(), "sw");
        let (business, _) = store.ensure_business(account, &new, clock.now()).await.unwrap();
        let config = media::Config { folder: folder.path().join("media"), ..media::Config::default() };
        let media = media::open(&config, clock).unwrap();
        let vault = Arc::new(Vault::new(KeyRing::generate().unwrap()));
        let keychain = Keychain::new(Arc::clone(&vault), Arc::clone(&store));
        Self { folder, store, media, vault, keychain, business }
    }

    async fn keep(&self, id: MediaId, plaintext: &Bytes) -> u64 {
        let owner = self.business.key;
        let sealer = self.keychain.seal_stream(owner, id.uuid(), column::MEDIA_CONTENT).await.unwrap();
        self.media.put(id, sealed(sealer, plaintext), u64::MAX).await.unwrap()
    }

    async fn open(&self, keychain: &Keychain, owner: BusinessKey, id: MediaId) -> Result<Vec<u8>, SealError> {
        let mut content = self.media.read(id).await.unwrap().content;
        let mut beginning = Vec::new();
        while beginning.len() < StreamHeader::LENGTH {
            beginning.extend_from_slice(&content.try_next().await.unwrap().unwrap());
        }
        let (header, rest) = beginning.split_first_chunk().unwrap();
        let header = StreamHeader::read(header).unwrap();
        let mut opener = keychain.open_stream(owner, id.uuid(), column::MEDIA_CONTENT, &header).await?;
        let mut plaintext = opener.update(rest).unwrap().to_vec();
        while let Some(piece) = content.try_next().await.unwrap() {
            plaintext.extend_from_slice(&opener.update(&piece).unwrap());
        }
        plaintext.extend_from_slice(&opener.finish().unwrap());
        Ok(plaintext)
    }
}

fn sealed(mut sealer: StreamSealer, plaintext: &[u8]) -> Incoming {
    let mut pieces: Vec<Result<Bytes, Cause>> =
        plaintext.chunks(50_000).map(|piece| Ok(sealer.update(piece)?.into())).collect();
    pieces.push(sealer.finish().map(Bytes::from).map_err(Cause::from));
    stream::iter(pieces).boxed()
}

fn new_id() -> MediaId {
    MediaId::from_uuid(Ids::new(Arc::new(SystemClock)).next())
}

fn file_of(folder: &Path, id: MediaId) -> Vec<u8> {
    let name = id.uuid().simple().to_string();
    std::fs::read(folder.join("media").join(&name[30..]).join(name)).unwrap()
}

#[actix_rt::test]
async fn media_reads_back_and_nothing_of_it_lies_in_clear() {
    let place = Place::new().await;
    let (id, plaintext) = (new_id(), Bytes::from("a voice note of a customer ".repeat(10_000)));
    let length = place.keep(id, &plaintext).await;
    assert_eq!(vault::sealed_length(plaintext.len() as u64), Some(length));
    let file = file_of(place.folder.path(), id);
    assert!(!file.windows(10).any(|window| window == b"voice note"));
    let opened = place.open(&place.keychain, place.business.key, id).await.unwrap();
    assert!(opened == plaintext);
    let elsewhere = place.open(&place.keychain, BusinessKey::INSTALLATION, id).await;
    assert!(matches!(elsewhere, Err(SealError::Undecryptable(_))), "{:?}", elsewhere.map(|_| ()));
}

#[actix_rt::test]
async fn media_of_an_erased_business_cannot_be_opened_though_its_content_is_still_there() {
    let place = Place::new().await;
    let id = new_id();
    place.keep(id, &Bytes::from_static(b"a receipt")).await;
    place.store.erase_business(place.business.key).await.unwrap();
    let next_process = Keychain::new(Arc::clone(&place.vault), Arc::clone(&place.store));
    let opened = place.open(&next_process, place.business.key, id).await;
    assert!(matches!(opened, Err(SealError::Erased)), "{:?}", opened.map(|_| ()));
}
