//! Content on its way to where it is kept and back: measured, hashed, sealed and opened a piece at a time.

use bytes::Bytes;
use domain::contracts::media::{Cause, Incoming, Media};
use domain::ids::{BusinessKey, MediaId};
use domain::media::MediaContent;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use vault::{StreamHeader, StreamOpener, StreamSealer};

use super::door::ReadError;
use crate::keychain::{Keychain, column};

/// There is more than may be kept.
#[derive(Debug, thiserror::Error)]
#[error("the content is longer than {at_most} bytes")]
pub(super) struct TooLong {
    pub(super) at_most: u64,
}

struct Sealing {
    plain: Incoming,
    /// Gone with the end.
    sealer: Option<StreamSealer>,
    hash: Sha256,
    size: u64,
    at_most: u64,
    told: Option<oneshot::Sender<MediaContent>>,
}

/// What is to be kept; what it was is told when all of it went through.
pub(super) fn sealed(
    plain: Incoming,
    sealer: StreamSealer,
    at_most: u64,
) -> (Incoming, oneshot::Receiver<MediaContent>) {
    let (told, content) = oneshot::channel();
    let start =
        Sealing { plain, sealer: Some(sealer), hash: Sha256::new(), size: 0, at_most, told: Some(told) };
    let pieces = stream::try_unfold(start, |mut state| async move {
        let Some(sealer) = state.sealer.as_mut() else { return Ok(None) };
        while let Some(piece) = state.plain.try_next().await? {
            state.size += piece.len() as u64;
            if state.size > state.at_most {
                return Err(TooLong { at_most: state.at_most }.into());
            }
            state.hash.update(&piece);
            let ready = sealer.update(&piece)?;
            if !ready.is_empty() {
                return Ok(Some((Bytes::from(ready), state)));
            }
        }
        let last = state.sealer.take().map(StreamSealer::finish).transpose()?.unwrap_or_default();
        let sha256 = std::mem::take(&mut state.hash).finalize().into();
        if let Some(told) = state.told.take() {
            let _ = told.send(MediaContent { size: state.size, sha256 });
        }
        Ok::<_, Cause>(Some((Bytes::from(last), state)))
    });
    (pieces.boxed(), content)
}

/// What was kept, in clear. It ends with an error where it is not whole.
pub(super) async fn opened(
    contents: &dyn Media,
    keychain: &Keychain,
    owner: BusinessKey,
    id: MediaId,
) -> Result<Incoming, ReadError> {
    let mut sealed = contents.read(id).await?.content;
    let mut beginning = Vec::new();
    while beginning.len() < StreamHeader::LENGTH {
        let piece = sealed.try_next().await?.ok_or(ReadError::Damaged)?;
        beginning.extend_from_slice(&piece);
    }
    let (header, rest) = beginning.split_first_chunk().ok_or(ReadError::Damaged)?;
    let header = StreamHeader::read(header).map_err(|_| ReadError::Damaged)?;
    let opener = keychain.open_stream(owner, id.uuid(), column::MEDIA_CONTENT, &header).await?;
    let rest = Bytes::copy_from_slice(rest);
    let sealed = stream::once(async move { Ok(rest) }).chain(sealed).boxed();
    let pieces = stream::try_unfold((sealed, Some(opener)), |(mut sealed, opener)| async move {
        let Some(mut opener): Option<StreamOpener> = opener else { return Ok(None) };
        while let Some(piece) = sealed.try_next().await? {
            let ready = opener.update(&piece)?;
            if !ready.is_empty() {
                return Ok(Some((Bytes::copy_from_slice(&ready), (sealed, Some(opener)))));
            }
        }
        let last = opener.finish()?;
        Ok::<_, Cause>(Some((Bytes::copy_from_slice(&last), (sealed, None))))
    });
    Ok(pieces.boxed())
}
