//! Keeps a call's secrets out of texts that came back from it.
//!
//! Graph repeats parts of tokens in some error messages, and an answer of a proxy may repeat the address of
//! the request. So not only a whole secret is taken out, but every piece of one that is long enough to matter.

use secrecy::{ExposeSecret, SecretString};

/// What stands where something was taken out.
const MARK: &str = "[redacted]";
/// A run of this many bytes of a secret is never let through.
const PIECE: usize = 8;
/// Anything shorter is no secret, and taking it out would make texts unreadable.
const SHORTEST: usize = 4;
/// No text of a provider is worth more than this, in bytes.
const LONGEST: usize = 1_000;
/// How access tokens of Meta begin, ours or anyone's.
const TOKEN_PREFIX: &[u8] = b"EAA";
const TOKEN_SHORTEST: usize = 7;

/// What one call must not let out.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self(secrets.into_iter().map(SecretString::from).collect())
    }

    /// Whether a secret, or a token of Meta's, stands in the text as a whole.
    pub(crate) fn show_in(&self, text: &str) -> bool {
        let own = |secret: &SecretString| {
            secret.expose_secret().len() >= SHORTEST && text.contains(secret.expose_secret())
        };
        let mut hidden = vec![false; text.len()];
        hide_tokens(text.as_bytes(), &mut hidden);
        self.0.iter().any(own) || hidden.contains(&true)
    }

    /// The text without any of the secrets or pieces of them, and not longer than it has to be.
    pub(crate) fn clean(&self, text: &str) -> String {
        let text = shortened(text);
        let bytes = text.as_bytes();
        let mut hidden = vec![false; bytes.len()];
        for secret in &self.0 {
            hide_pieces(bytes, secret.expose_secret().as_bytes(), &mut hidden);
        }
        hide_tokens(bytes, &mut hidden);
        rebuilt(text, &hidden)
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn hide_pieces(text: &[u8], secret: &[u8], hidden: &mut [bool]) {
    if secret.len() < SHORTEST {
        return;
    }
    let size = secret.len().min(PIECE);
    for (at, window) in text.windows(size).enumerate() {
        if secret.windows(size).any(|piece| piece == window) {
            hidden[at..at + size].fill(true);
        }
    }
}

fn hide_tokens(text: &[u8], hidden: &mut [bool]) {
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if length >= TOKEN_SHORTEST && text[at..].starts_with(TOKEN_PREFIX) {
            hidden[at..at + length].fill(true);
        }
        at += length.max(1);
    }
}

fn rebuilt(text: &str, hidden: &[bool]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut marked = false;
    for (at, character) in text.char_indices() {
        let covered = hidden[at..at + character.len_utf8()].contains(&true);
        if !covered {
            clean.push(character);
        } else if !marked {
            clean.push_str(MARK);
        }
        marked = covered;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_secrets_pieces_of_them_and_strange_tokens_are_taken_out() {
        let secrets = Secrets::of(["s3cr3t-of-the-app", "493817"]);
        assert_eq!(secrets.clean("bad s3cr3t-of-the-app."), "bad [redacted].");
        assert_eq!(secrets.clean("starts with s3cr3t-of…"), "starts with [redacted]…");
        assert_eq!(secrets.clean("pin 493817 is wrong"), "pin [redacted] is wrong");
        assert_eq!(
            secrets.clean("Malformed access token EAAGm0PX4ZCps"),
            "Malformed access token [redacted]"
        );
        assert_eq!(secrets.clean("(#131047) Re-engagement message"), "(#131047) Re-engagement message");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(LONGEST);
        assert!(Secrets::default().clean(&text).len() <= LONGEST);
    }

    proptest! {
        #[test]
        fn no_piece_of_a_secret_survives(before in "\\PC{0,40}", secret in "[ -~]{8,60}", after in "\\PC{0,40}") {
            let clean = Secrets::of([secret.as_str()]).clean(&format!("{before}{secret}{after}"));
            for piece in secret.as_bytes().windows(PIECE) {
                let seen = clean.as_bytes().windows(PIECE).any(|window| window == piece);
                prop_assert!(!seen || MARK.as_bytes().windows(PIECE).any(|window| window == piece));
            }
        }
    }
}
