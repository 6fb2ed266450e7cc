//! Deletes content whose time is over, and that of businesses which were erased.

use std::time::Duration;

use domain::ids::MediaId;
use domain::media::{MediaStage, MediaState};
use tokio::task::JoinHandle;

use crate::services::Services;

const EVERY: Duration = Duration::from_mins(1);
const AT_ONCE: u32 = 100;
/// No put takes longer, so what was made before is whole or will never be.
const PUT_AT_MOST: Duration = Duration::from_hours(1);

/// Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeping(JoinHandle<()>);

impl Sweeping {
    /// Call inside a runtime.
    pub(crate) fn start(services: Services) -> Self {
        Self(tokio::spawn(async move {
            loop {
                while sweep(&services).await {}
                services.clock.sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether there may be more.
async fn sweep(services: &Services) -> bool {
    let now = services.clock.now();
    let mut done = 0;
    match services.store.expired_media(now, AT_ONCE).await {
        Ok(due) => {
            for id in due {
                done += u32::from(expire(services, id).await);
            }
        }
        Err(error) => tracing::warn!(%error, "what media is over cannot be read"),
    }
    match services.store.erased_media(now.minus(PUT_AT_MOST), AT_ONCE).await {
        Ok(left) => {
            let mut deleted = Vec::new();
            for id in left {
                if delete(services, id).await {
                    deleted.push(id);
                }
            }
            match services.store.forget_erased_media(&deleted).await {
                Ok(()) => done += u32::try_from(deleted.len()).unwrap_or(u32::MAX),
                Err(error) => tracing::warn!(%error, "that erased content is deleted was not kept"),
            }
        }
        Err(error) => tracing::warn!(%error, "what media was erased cannot be read"),
    }
    done >= AT_ONCE
}

async fn delete(services: &Services, id: MediaId) -> bool {
    let deleted = services.media.contents.delete(id).await;
    if let Err(error) = &deleted {
        tracing::warn!(media.id = %id, %error, "content cannot be deleted now");
    }
    deleted.is_ok()
}

/// Content goes before its row says so.
async fn expire(services: &Services, id: MediaId) -> bool {
    if !delete(services, id).await {
        return false;
    }
    for from in [MediaStage::Stored, MediaStage::Pending, MediaStage::Failed] {
        match services.store.move_media(id, from, &MediaState::Gone).await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => tracing::warn!(media.id = %id, %error, "that media is over was not kept"),
        }
    }
    false
}
