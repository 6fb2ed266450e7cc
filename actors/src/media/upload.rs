//! Before a message that shows media of ours is posted, the provider is given the content, once, and its id takes the
//! place of ours.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use domain::contracts::provider::{ProviderError, SendError};
use domain::contracts::provider_media::Upload;
use domain::ids::MediaId;
use domain::media::{MediaRow, MediaState};
use futures_util::FutureExt as _;

use super::named::{each, is_readable, read};
use super::streams::opened;
use super::{PROVIDER_KEEPS, Uploading};
use crate::connection::credentials::Opened;
use crate::services::Services;

/// An id that the provider forgets sooner is not used any more: the message may lie a while at the provider.
const BEFORE_ITS_END: Duration = Duration::from_hours(24);
/// A message waits so long for an upload with its claim in hand. The times by which an unknown outcome is settled
/// count from the claim, so a post may not come much later than it: what takes longer goes with a new claim.
const WITHIN_A_CLAIM: Duration = Duration::from_millis(300);

/// Why a message is not posted now.
#[derive(Debug)]
pub(crate) enum NotGiven {
    /// The upload is under way, or could not be made; the next claim looks again.
    Later,
    /// There is no such content any more.
    Gone,
    /// The provider's answer to the upload.
    Refused(SendError),
}

/// The message as it is posted.
pub(crate) async fn given<'a>(
    services: &Services,
    with: &Arc<Opened>,
    json: Cow<'a, str>,
) -> Result<Cow<'a, str>, NotGiven> {
    let Some(mut message) = read(&json) else { return Ok(json) };
    let mut named = Vec::new();
    each(&mut message, &mut |_, id, _| named.push(id));
    if named.is_empty() {
        return Ok(json);
    }
    let mut known = HashMap::new();
    for id in named {
        if let std::collections::hash_map::Entry::Vacant(place) = known.entry(id) {
            place.insert(theirs(services, with, id).await?);
        }
    }
    each(&mut message, &mut |_, id, place| {
        if let Some(theirs) = known.get(&id) {
            *place = theirs.as_str().into();
        }
    });
    Ok(Cow::Owned(message.to_string()))
}

/// What the provider calls it.
async fn theirs(services: &Services, with: &Arc<Opened>, id: MediaId) -> Result<String, NotGiven> {
    let connection = &with.connection;
    let row = services.store.media(connection.account, id).await.map_err(|_| NotGiven::Later)?;
    let row = row.filter(|row| is_readable(row, connection)).ok_or(NotGiven::Gone)?;
    let fresh = row.provider_until.is_some_and(|until| until.minus(BEFORE_ITS_END) > services.clock.now());
    if fresh && let Some(known) = row.provider_id {
        return Ok(known);
    }
    let uploading = start(services, with, row);
    tokio::select! {
        done = uploading => done.map_err(|error| match error {
            SendError::OutcomeUnknown { .. } => NotGiven::Later,
            error => NotGiven::Refused(error),
        }),
        () = services.clock.sleep(WITHIN_A_CLAIM) => Err(NotGiven::Later),
    }
}

/// The upload of this media: the one that is under way, or a new one. It goes on when nobody waits.
fn start(services: &Services, with: &Arc<Opened>, row: MediaRow) -> Uploading {
    let mut uploading = services.media.uploading.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = uploading.get(&row.id) {
        return known.clone();
    }
    let id = row.id;
    let task = {
        let (services, with) = (services.clone(), Arc::clone(with));
        tokio::spawn(async move {
            let done = upload(&services, &with, &row).await;
            services.media.uploading.lock().unwrap_or_else(PoisonError::into_inner).remove(&row.id);
            done
        })
    };
    let task = async move {
        match task.await {
            Ok(done) => done,
            Err(_) => Err(unknown("the upload ended in the middle")),
        }
    };
    let task = task.boxed().shared();
    uploading.insert(id, task.clone());
    task
}

async fn upload(services: &Services, with: &Opened, row: &MediaRow) -> Result<String, SendError> {
    let connection = &with.connection;
    let provider = services.providers.get(&connection.provider).and_then(|provider| provider.media.as_ref());
    let (Some(provider), Some(token), Some(graph_id), MediaState::Stored(content)) =
        (provider, &with.token, &connection.graph_id, &row.state)
    else {
        return Err(unknown("the provider takes no media"));
    };
    let plain = opened(&*services.media.contents, &services.keychain, row.business, row.id).await;
    let plain = plain.map_err(|error| {
        tracing::warn!(media.id = %row.id, %error, "content cannot be read");
        unknown("the content cannot be read")
    })?;
    let upload = Upload {
        graph_id,
        token,
        id: row.id,
        mime_type: &row.mime_type,
        length: content.size,
        content: plain,
    };
    let name = provider.upload(upload).await?;
    let until = services.clock.now().plus(PROVIDER_KEEPS);
    if let Err(error) = services.store.name_media(row.id, &name, until).await {
        // It is good for the messages that wait for it; a later one makes another upload.
        tracing::warn!(media.id = %row.id, %error, "the provider's id of media was not kept");
    }
    Ok(name)
}

fn unknown(message: &str) -> SendError {
    SendError::OutcomeUnknown {
        error: ProviderError { message: message.to_owned(), ..ProviderError::default() },
    }
}
