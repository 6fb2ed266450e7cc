//! Values that are known to one party and kept here as a digest only: API keys, secrets in links, cookies, states.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::onboarding::Digest32;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// 256 random bits as base64url text, wiped when dropped.
pub struct RandomToken(Zeroizing<String>);

impl RandomToken {
    pub fn new() -> Result<Self, getrandom::Error> {
        Self::with_prefix("")
    }

    pub fn with_prefix(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 43));
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Ok(Self(text))
    }

    /// The text, for the one answer, link or cookie that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest32 {
        digest(&self.0)
    }
}

impl fmt::Debug for RandomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomToken(redacted)")
    }
}

/// What is stored of such a value: SHA-256 of its text, prefix included, byte for byte as it is presented.
/// The value has 256 random bits, so that neither salt nor slowness is needed.
pub fn digest(text: &str) -> Digest32 {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tokens_differ_and_fit_into_a_link_as_they_are() {
        let (first, second) = (RandomToken::new().unwrap(), RandomToken::with_prefix("gw_").unwrap());
        assert_eq!((first.expose().len(), second.expose().len()), (43, 46));
        assert_ne!(first.digest(), second.digest());
        assert!(second.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(digest(second.expose()), second.digest());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", RandomToken::new().unwrap()), "RandomToken(redacted)");
    }
}
