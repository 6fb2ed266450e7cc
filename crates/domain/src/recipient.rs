//! Who a message goes to: a phone number in E.164, or a business-scoped user id where the number is hidden.

/// ISO 3166-1 alpha-2 code of a country whose numbering plan is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    pub const TANZANIA: Self = Self(*b"TZ");

    pub fn from_code(code: &str) -> Option<Self> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("TZ")
    }
}
