use std::path::{Path, PathBuf};

use domain::secret::SecretString;
use rusty_s3::{Bucket, UrlStyle};
use serde::Deserialize;
use url::Url;

/// Section `media` of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub kind: Kind,
    /// Days that content is kept.
    pub keep_days: u32,
    /// Of `files`: made when it is missing. Nothing else may be in it.
    pub folder: PathBuf,
    /// Of `s3`, as everything below. It must be there; it is not made.
    pub bucket: Option<String>,
    /// Such as `https://s3.eu-central-1.amazonaws.com` or `http://minio:9000`.
    pub endpoint: Option<Url>,
    /// What requests are signed for. Many servers take any.
    pub region: String,
    pub access_key_id: Option<SecretString>,
    pub secret_access_key: Option<SecretString>,
    /// In front of every key, so that a bucket can be shared. A folder ends with a slash.
    pub prefix: String,
    /// Names the bucket in the host (`bucket.s3.example`), as Amazon prefers it, instead of in the path.
    pub bucket_in_host: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One node, or several that share a folder.
    Files,
    S3,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Kind::Files,
            keep_days: 30,
            folder: PathBuf::from("data/media"),
            bucket: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            prefix: String::new(),
            bucket_in_host: false,
        }
    }
}

/// Which key is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("media.{key} {message}")]
pub struct ConfigError {
    pub key: &'static str,
    pub message: &'static str,
}

/// What the settings come to.
pub(crate) enum Place<'a> {
    Files { folder: &'a Path },
    S3(S3Place<'a>),
}

pub(crate) struct S3Place<'a> {
    pub(crate) bucket: Bucket,
    pub(crate) access_key_id: &'a SecretString,
    pub(crate) secret_access_key: &'a SecretString,
    pub(crate) prefix: &'a str,
}

impl Config {
    /// What would only be found out when the first media comes.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.checked().map(|_| ())
    }

    pub(crate) fn checked(&self) -> Result<Place<'_>, ConfigError> {
        if !(1..=3_650).contains(&self.keep_days) {
            return Err(ConfigError { key: "keep_days", message: "must be from 1 to 3650" });
        }
        match self.kind {
            Kind::Files if self.folder.as_os_str().is_empty() => {
                Err(ConfigError { key: "folder", message: "must name a folder" })
            }
            Kind::Files => Ok(Place::Files { folder: &self.folder }),
            Kind::S3 => self.checked_s3().map(Place::S3),
        }
    }

    fn checked_s3(&self) -> Result<S3Place<'_>, ConfigError> {
        const MISSING: &str = "is missing: media.kind is s3, which needs it";
        let missing = |key| ConfigError { key, message: MISSING };
        let name = self.bucket.as_ref().filter(|name| !name.is_empty()).ok_or(missing("bucket"))?;
        let endpoint = self.endpoint.clone().ok_or(missing("endpoint"))?;
        let style = if self.bucket_in_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
        if !["http", "https"].contains(&endpoint.scheme()) || endpoint.host().is_none() {
            return Err(ConfigError { key: "endpoint", message: "must be an http or https address" });
        }
        if self.region.is_empty() {
            return Err(ConfigError { key: "region", message: "must not be empty: write us-east-1 for any" });
        }
        if !self.prefix.bytes().all(is_plain) || self.prefix.starts_with('/') {
            let message = "may have letters, digits and !-_.*'()/ only, and no slash at its start";
            return Err(ConfigError { key: "prefix", message });
        }
        let bucket = Bucket::new(endpoint, style, name.clone(), self.region.clone()).map_err(|_| {
            let message = "cannot stand in the host of media.endpoint: set media.bucket_in_host to false";
            ConfigError { key: "bucket", message }
        })?;
        Ok(S3Place {
            bucket,
            access_key_id: self.access_key_id.as_ref().ok_or(missing("access_key_id"))?,
            secret_access_key: self.secret_access_key.as_ref().ok_or(missing("secret_access_key"))?,
            prefix: &self.prefix,
        })
    }
}

/// What every S3-compatible store takes in a key, unescaped or not.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!-_.*'()/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3() -> Config {
        Config {
            kind: Kind::S3,
            bucket: Some("media".to_owned()),
            endpoint: Some("http://127.0.0.1:9000".parse().unwrap()),
            access_key_id: Some("AKplanted".into()),
            secret_access_key: Some("SKplanted".into()),
            ..Config::default()
        }
    }

    #[test]
    fn the_defaults_and_a_complete_s3_are_fine() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(s3().check(), Ok(()));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let endpoint = |address: &str| Some(address.parse().unwrap());
        for (config, key) in [
            (Config { folder: PathBuf::new(), ..Config::default() }, "folder"),
            (Config { keep_days: 0, ..Config::default() }, "keep_days"),
            (Config { bucket: None, ..s3() }, "bucket"),
            (Config { bucket: Some(String::new()), ..s3() }, "bucket"),
            (Config { endpoint: None, ..s3() }, "endpoint"),
            (Config { endpoint: endpoint("ftp://example.org"), ..s3() }, "endpoint"),
            (
                Config {
                    endpoint: endpoint("http:a"),
                    bucket_in_host: true,
                    bucket: Some("a b".into()),
                    ..s3()
                },
                "bucket",
            ),
            (Config { bucket_in_host: true, ..s3() }, "bucket"),
            (Config { region: String::new(), ..s3() }, "region"),
            (Config { access_key_id: None, ..s3() }, "access_key_id"),
            (Config { secret_access_key: None, ..s3() }, "secret_access_key"),
            (Config { prefix: "/a/".into(), ..s3() }, "prefix"),
            (Config { prefix: "a?b".into(), ..s3() }, "prefix"),
        ] {
            let error = config.check().expect_err(key);
            assert_eq!(error.key, key, "{error}");
            assert!(error.to_string().starts_with(&format!("media.{key} ")), "{error}");
        }
    }

    #[test]
    fn keys_of_the_store_are_not_in_what_debug_prints() {
        assert!(!format!("{:?}", s3()).contains("planted"));
    }
}
