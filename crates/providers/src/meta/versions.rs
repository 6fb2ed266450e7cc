//! The versions of the Graph API and when they end. A call to an ended one is silently answered by an older one.

use domain::Timestamp;

/// What a new installation calls: the version of Meta's own examples.
pub const DEFAULT: &str = "v25.0";

/// A version and the day it ends; `None` where Meta has not said. Source: Meta's changelog, October 2026. For
/// v22.0 sources give two days of May 2027; this is the earlier one.
const VERSIONS: &[(&str, Option<&str>)] = &[
    ("v26.0", None),
    ("v25.0", Some("2028-07-29T00:00:00Z")),
    ("v24.0", Some("2028-02-18T00:00:00Z")),
    ("v23.0", Some("2027-10-08T00:00:00Z")),
    ("v22.0", Some("2027-05-20T00:00:00Z")),
    ("v21.0", Some("2027-01-21T00:00:00Z")),
];

/// The newest version that is known here.
pub const fn newest_version() -> &'static str {
    VERSIONS[0].0
}

/// When a version ends, such as `v25.0`; `None` for one whose end is not announced or not known here.
pub fn ends_at(version: &str) -> Option<Timestamp> {
    let (_, end) = VERSIONS.iter().find(|(name, _)| *name == version)?;
    serde_json::from_value((*end)?.into()).ok()
}

/// Whether the text is `v`, digits, a dot and digits.
pub(super) fn is_version(text: &str) -> bool {
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|numbers| numbers.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_announced_end_can_be_read_and_the_default_has_one() {
        for (version, end) in VERSIONS {
            assert!(is_version(version));
            assert_eq!(ends_at(version).is_some(), end.is_some(), "{version}");
        }
        assert_eq!(ends_at(DEFAULT).unwrap().to_string(), "2028-07-29T00:00:00.000000Z");
        assert_eq!(ends_at("v99.0"), None);
    }

    #[test]
    fn a_version_is_v_digits_dot_digits() {
        for wrong in ["", "25.0", "v25", "v25.", "v.0", "v25.0/", "v25.0.0", "vv5.0"] {
            assert!(!is_version(wrong), "{wrong}");
        }
    }
}
