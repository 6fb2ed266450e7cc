//! TLS of our own, with a certificate that is read again when its files change.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
    #[error("{path} can be used by others than its owner (mode {mode:04o}): run chmod 600 on it")]
    TooOpen { path: String, mode: u32 },
    #[error("{path} is not PEM of the expected kind")]
    NotPem { path: String },
    #[error("the certificate and the key do not belong together")]
    Mismatch(#[source] rustls::Error),
}

/// The certificate in force.
pub struct Certificate {
    files: [PathBuf; 2],
    current: ArcSwap<CertifiedKey>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Certificate {
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(read(certificate, key)?);
        Ok(Arc::new(Self { files: [certificate.to_owned(), key.to_owned()], current }))
    }

    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Mismatch)?;
        let resolver: Arc<dyn ResolvesServerCert> = self.clone();
        Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(resolver)))
    }

    /// Takes over changed files until the runtime ends. Files that cannot be used leave the old certificate in force.
    pub async fn keep_fresh(self: Arc<Self>) {
        let mut seen = self.changed_at();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            let [certificate, key] = &self.files;
            match read(certificate, key) {
                Ok(certificate) => {
                    self.current.store(Arc::new(certificate));
                    seen = now;
                    tracing::info!("the TLS certificate was read again");
                }
                Err(error) => {
                    let error = super::error::Chain(&error).to_string();
                    tracing::error!(error, "the changed TLS certificate cannot be used: the old one stays");
                }
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        self.files.each_ref().map(modified)
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let mode = std::fs::metadata(key).map_err(unreadable(key))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(TlsError::TooOpen { path: shown(key), mode });
    }
    let chain = std::fs::read(certificate).map_err(unreadable(certificate))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::NotPem { path: shown(certificate) })?;
    let pem = zeroize::Zeroizing::new(std::fs::read(key).map_err(unreadable(key))?);
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NotPem { path: shown(key) })?;
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(TlsError::Mismatch)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> TlsError + '_ {
    move |source| TlsError::Read { path: shown(path), source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
