//! `X-Hub-Signature-256`: an HMAC-SHA256 over the body, byte for byte as it arrived, keyed with the app's secret.

use domain::contracts::provider::WebhookError;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const PREFIX: &[u8] = b"sha256=";
const DIGEST: usize = 32;
/// The whole header: the prefix and 64 hexadecimal digits.
pub const HEADER_LENGTH: usize = PREFIX.len() + 2 * DIGEST;

/// The digest a header carries: `sha256=` and 64 lower-case hexadecimal digits, and nothing else.
pub fn digest_of(header: Option<&[u8]>) -> Result<[u8; DIGEST], WebhookError> {
    let header =
        header.filter(|header| header.len() == HEADER_LENGTH).ok_or(WebhookError::SignatureMissing)?;
    let digits = header.strip_prefix(PREFIX).ok_or(WebhookError::SignatureMissing)?;
    if digits.iter().any(u8::is_ascii_uppercase) {
        return Err(WebhookError::SignatureMissing);
    }
    let mut digest = [0; DIGEST];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| WebhookError::SignatureMissing)?;
    Ok(digest)
}

/// Whether one of the secrets made this signature of the body. Each comparison takes constant time.
pub fn verify<'a>(
    secrets: impl IntoIterator<Item = &'a SecretString>,
    header: Option<&[u8]>,
    body: &[u8],
) -> Result<(), WebhookError> {
    let digest = digest_of(header)?;
    let matches = |secret: &SecretString| keyed(secret).chain_update(body).verify_slice(&digest).is_ok();
    if secrets.into_iter().any(matches) { Ok(()) } else { Err(WebhookError::SignatureWrong) }
}

/// Meta's `appsecret_proof`: the lower-case hexadecimal HMAC-SHA256 of the very token of the call, keyed with the app's secret.
pub fn proof(secret: &SecretString, token: &str) -> String {
    hex::encode(keyed(secret).chain_update(token).finalize().into_bytes())
}

fn keyed(secret: &SecretString) -> Hmac<Sha256> {
    let key = secret.expose_secret().as_bytes();
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = include_bytes!("../../fixtures/meta/signed.json");
    const HEADER: &str = "sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a";
    /// The signature of the same document written out by another JSON writer.
    const REWRITTEN: &str = "sha256=337963800ccc8752056d0dee85f9d3354d976347a0abcf665429b1e1398c9421";

    fn secrets() -> [SecretString; 2] {
        ["another_secret", "test_app_secret"].map(SecretString::from)
    }

    fn check(header: &str, body: &[u8]) -> Result<(), WebhookError> {
        verify(&secrets(), Some(header.as_bytes()), body)
    }

    #[test]
    fn the_signature_is_over_the_bytes_as_they_came() {
        assert_eq!(BODY.len(), 348);
        assert_eq!(check(HEADER, BODY), Ok(()));
        assert_eq!(check(REWRITTEN, BODY), Err(WebhookError::SignatureWrong));
        assert_eq!(check(HEADER, &BODY[..BODY.len() - 1]), Err(WebhookError::SignatureWrong));
    }

    #[test]
    fn the_previous_secret_is_believed_too_and_no_other() {
        let [other, current] = secrets();
        assert_eq!(verify([&current], Some(HEADER.as_bytes()), BODY), Ok(()));
        assert_eq!(verify([&other], Some(HEADER.as_bytes()), BODY), Err(WebhookError::SignatureWrong));
        assert_eq!(verify([], Some(HEADER.as_bytes()), BODY), Err(WebhookError::SignatureWrong));
    }

    #[test]
    fn a_header_of_another_shape_is_no_signature() {
        let upper = HEADER.to_uppercase().replace("SHA256", "sha256");
        let longer = format!("{HEADER}0");
        let not_hex = HEADER.replace('a', "g");
        for header in ["", "sha256=", &HEADER[7..], &HEADER[..70], &longer, &upper, &not_hex] {
            assert_eq!(check(header, BODY), Err(WebhookError::SignatureMissing), "{header}");
        }
        assert_eq!(verify(&secrets(), None, BODY), Err(WebhookError::SignatureMissing));
    }

    #[test]
    fn the_proof_belongs_to_the_secret_and_the_token() {
        assert_eq!(
            proof(&SecretString::from("test_app_secret"), "EAAtesttoken"),
            "2f6c99f265a9e1644d725e8f9c96e439fcbf40a73357d1d98ba8b98fbfe445e4"
        );
    }
}
