//! The signature of a webhook: its shape, and what it is over.

use domain::contracts::provider::WebhookError;
use proptest::prelude::*;
use providers::cloud_api::signature::{digest_of, verify};
use secrecy::SecretString;

use super::Claim;

const BODY: &[u8] = include_bytes!("../../fixtures/meta/signed.json");
const HEADER: &[u8] = b"sha256=53ab6dc1eeb56777cbf283f4ffb5e1990f73f903bc1b2332c4d25905e060aa2a";

fn verified(header: &[u8], body: &[u8]) -> Result<(), WebhookError> {
    verify([&SecretString::from("test_app_secret")], Some(header), body)
}

/// What is read as a digest is written as it was read, and only the true one is believed.
pub(super) fn header(header: &[u8]) -> Claim {
    if let Ok(digest) = digest_of(Some(header)) {
        prop_assert_eq!(format!("sha256={}", hex::encode(digest)).into_bytes(), header);
    }
    prop_assert_eq!(verified(header, BODY).is_ok(), header == HEADER);
    Ok(true)
}

pub(super) fn body(body: &[u8]) -> Claim {
    prop_assert_eq!(verified(HEADER, body).is_ok(), body == BODY);
    Ok(true)
}
