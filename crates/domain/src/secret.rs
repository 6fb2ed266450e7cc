//! Secrets are types: no `Display`, no `Serialize`, a redacted `Debug`, wiped when dropped.

use std::fmt;

pub use secrecy::{ExposeSecret, SecretString};

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }
        }

        impl ExposeSecret<str> for $name {
            fn expose_secret(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret_text!(
    /// What lets us act for a business at its provider.
    AccessToken
);
secret_text!(
    /// The two-step verification PIN of a number: six digits, needed at each registration.
    Pin
);
secret_text!(
    /// The authorization code of a login: 30 seconds, once.
    AuthorizationCode
);

secret_text!(
    /// What an endpoint verifies our deliveries with: `whsec_` and base64 of 32 bytes.
    SigningSecret
);

/// Bytes that only the vault can open. Safe to store and to print: nothing in it is in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A data key wrapped under the master key it names; one business may have several generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    pub generation: u32,
    pub master_key_id: String,
    pub wrapped: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", AccessToken::new("EAAplanted"), Pin::new("493817"));
        assert_eq!(shown, "AccessToken(redacted) Pin(redacted)");
    }

    #[test]
    fn a_secret_can_be_neither_displayed_nor_serialised() {
        // A type that has the trait would make one of these calls ambiguous and stop the build.
        trait NotDisplay<A> {
            fn holds() {}
        }
        impl<T> NotDisplay<()> for T {}
        impl<T: fmt::Display> NotDisplay<u8> for T {}
        trait NotSerialize<A> {
            fn holds() {}
        }
        impl<T> NotSerialize<()> for T {}
        impl<T: serde::Serialize> NotSerialize<u8> for T {}
        <AccessToken as NotDisplay<_>>::holds();
        <AccessToken as NotSerialize<_>>::holds();
        <Pin as NotDisplay<_>>::holds();
        <Pin as NotSerialize<_>>::holds();
    }

    #[test]
    fn a_secret_is_wiped_on_drop() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<SecretString>();
    }
}
