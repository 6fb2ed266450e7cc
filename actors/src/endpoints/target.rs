//! Where an endpoint is and what its deliveries are signed with.

use std::sync::Arc;

use domain::clock::Timestamp;
use domain::endpoint::{Endpoint, EndpointFormat};
use domain::secret::{Sealed, SigningSecret};
use url::Url;

use crate::keychain::{Keychain, SealError, column};

#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) format: EndpointFormat,
    present: Arc<[SigningSecret]>,
    /// With the one before, until then.
    overlap: Option<(Arc<[SigningSecret]>, Timestamp)>,
}

impl Target {
    pub(super) async fn open(keychain: &Keychain, endpoint: &Endpoint) -> Result<Self, SealError> {
        let open = async |sealed: &Sealed| {
            let (owner, id) = (endpoint.key_owner(), endpoint.id.uuid());
            let opened = keychain.open(owner, id, column::ENDPOINT_SECRET, sealed).await?;
            Ok::<_, SealError>(SigningSecret::new(String::from_utf8_lossy(&opened).into_owned()))
        };
        let present = open(&endpoint.secret).await?;
        let overlap = match &endpoint.previous_secret {
            Some(previous) => {
                Some((Arc::from([present.clone(), open(&previous.sealed).await?]), previous.until))
            }
            None => None,
        };
        Ok(Self {
            url: endpoint.url.clone(),
            format: endpoint.format,
            present: Arc::from([present]),
            overlap,
        })
    }

    /// What a delivery at this moment is signed with, the present secret first.
    pub(super) fn secrets(&self, now: Timestamp) -> Arc<[SigningSecret]> {
        match &self.overlap {
            Some((both, until)) if now < *until => Arc::clone(both),
            _ => Arc::clone(&self.present),
        }
    }
}
