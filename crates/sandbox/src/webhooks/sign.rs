//! HMAC-SHA256 with the app secret: webhook signatures and `appsecret_proof`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Lower-case hexadecimal.
pub(crate) fn hmac_hex(key: &str, message: &[u8]) -> String {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(message);
    hex::encode(mac.finalize().into_bytes())
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn signature(app_secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hmac_hex(app_secret, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::json::escape;

    const RAW: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"2"},"messages":[{"from":"16505551234","id":"wamid.A=","timestamp":"1749416383","type":"text","text":{"body":"é 😀 https://x.y"}}]}}]}]}"#;

    #[test]
    fn the_signature_is_over_the_escaped_bytes() {
        let body = escape(RAW);
        assert_eq!((RAW.len(), body.len()), (334, 348));
        assert_eq!(
            signature("test_app_secret", body.as_bytes()),
            "sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a"
        );
        assert_eq!(
            hmac_hex("test_app_secret", RAW.as_bytes()),
            "337963800ccc8752056d0dee85f9d3354d976347a0abcf665429b1e1398c9421"
        );
    }

    #[test]
    fn a_proof_belongs_to_one_token() {
        assert_eq!(
            hmac_hex("test_app_secret", b"EAAtesttoken"),
            "2f6c99f265a9e1644d725e8f9c96e439fcbf40a73357d1d98ba8b98fbfe445e4"
        );
    }
}
