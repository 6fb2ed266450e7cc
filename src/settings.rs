//! The settings: the sum of every component's `Config`, from the defaults, files and the environment.

use std::fmt;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, File, FileFormat, ValueKind};
use domain::ExposeSecret;
use domain::secret::SecretString;
use serde::Deserialize;
use vault::KeyRing;

use crate::http::config::{OnboardingConfig, OperationsConfig, ServerConfig};
use crate::{deliver, retention, telemetry};

const DEFAULTS: &str = include_str!("../config/default.toml");
/// Stands there for its comments alone: no key of an app has a default, and an app without keys is none.
const NO_APP: &str = "[meta.apps.default]";
const PREFIX: &str = "GATEWAY__";
/// What an environment variable writes with commas.
const LISTS: [&str; 5] = [
    "server.trusted_proxies",
    "meta.message_origins",
    "meta.allowed_bases",
    "actors.deliveries.retry_s",
    "actors.deliveries.probe_s",
];
const DATABASES: [&str; 3] = ["sqlite:", "postgres:", "postgresql:"];
/// Below these nothing of a value is repeated, whatever is wrong with it.
const SECRETS: [&str; 5] =
    ["store.url", "vault", "meta.apps", "media.access_key_id", "media.secret_access_key"];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server: ServerConfig,
    pub operations: OperationsConfig,
    pub onboarding: OnboardingConfig,
    pub store: store::Config,
    pub vault: VaultConfig,
    pub meta: providers::meta::Config,
    pub actors: gateway_actors::Config,
    pub endpoints: deliver::Config,
    pub media: media::Config,
    pub retention: retention::Config,
    pub telemetry: telemetry::Config,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    pub master_keys: Option<SecretString>,
    pub master_keys_file: Option<PathBuf>,
}

/// A key and what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub key: String,
    pub message: String,
    /// The file or variable that said it.
    pub source: Option<String>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)?;
        match &self.source {
            Some(source) => write!(f, " (from {source})"),
            None => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read the configuration file {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("wrong configuration: {}", listed(.0))]
    Wrong(Vec<Wrong>),
}

fn listed(wrong: &[Wrong]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The settings, and where each of them was said.
#[derive(Debug)]
pub struct Loaded {
    pub settings: Settings,
    layers: Vec<(String, Config)>,
}

impl Settings {
    /// Reads everything; later files beat earlier ones, and the environment beats all.
    pub fn load(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, SettingsError> {
        Self::load_with("", files, environment)
    }

    /// The same, over other defaults.
    pub fn load_with(
        wishes: &str,
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, SettingsError> {
        let mut layers = vec![("the defaults".to_owned(), parse(&[&DEFAULTS.replace(NO_APP, ""), wishes])?)];
        for path in files {
            layers.push((path.display().to_string(), read(path)?));
        }
        for (name, value) in environment {
            let Some(path) = name.strip_prefix(PREFIX) else { continue };
            let key = path.to_lowercase().replace("__", ".");
            let layer = variable(&key, &value);
            let layer = layer.map_err(|_| SettingsError::Wrong(vec![wrong(&name, "names no key")]))?;
            layers.push((name, layer));
        }
        let merged = layers.iter().try_fold(Config::builder(), |builder, (_, layer)| {
            Ok::<_, ConfigError>(builder.add_source(layer.clone()))
        });
        let merged = merged.and_then(ConfigBuilder::<DefaultState>::build).map_err(|error| {
            SettingsError::Wrong(vec![wrong("the configuration", first_line(&error.to_string()))])
        })?;
        match serde_path_to_error::deserialize(merged) {
            Ok(settings) => Ok(Loaded { settings, layers }),
            Err(error) => {
                let key = error.path().to_string();
                let message = if SECRETS.iter().any(|secret| key.starts_with(secret)) {
                    "has a value of the wrong kind, misses one, or does not exist".to_owned()
                } else {
                    format!("is wrong: {}", error.inner())
                };
                let source = source_of(&layers, &key);
                Err(SettingsError::Wrong(vec![Wrong { key, message, source }]))
            }
        }
    }

    /// The defaults alone, for whoever puts the rest together itself.
    pub fn defaults() -> Result<Self, SettingsError> {
        Self::load(&[], []).map(|loaded| loaded.settings)
    }
}

impl Loaded {
    /// Everything that `gateway serve` needs, and that would only be found out later.
    pub fn check(&self) -> Result<(), SettingsError> {
        let Settings { server, store, vault, meta, actors, .. } = &self.settings;
        let mut found: Vec<Wrong> = Vec::new();
        if let Err(message) = server.checked_public_url() {
            found.push(wrong("server.public_url", message));
        }
        if let Err(errors) = server.validate() {
            found.extend(errors.iter().map(|(key, message)| wrong(&format!("server.{key}"), *message)));
        }
        if !DATABASES.iter().any(|scheme| store.url.expose_secret().starts_with(scheme)) {
            found.push(wrong("store.url", "must start with sqlite: or postgres:"));
        }
        if let Err(error) = vault.key_ring() {
            found.push(error);
        }
        if let Err(errors) = meta.validate() {
            found.extend(errors.iter().map(|(key, message)| wrong(&format!("meta.{key}"), message.as_str())));
        }
        if actors.ambiguous_settle_s <= meta.timeout_seconds {
            let message = "must be more than meta.timeout_seconds: a message must not be taken for unsent while its post may still be under way";
            found.push(wrong("actors.ambiguous_settle_s", message));
        }
        if actors.ambiguous_limit_s < actors.ambiguous_settle_s {
            found.push(wrong("actors.ambiguous_limit_s", "must not be less than actors.ambiguous_settle_s"));
        }
        if let Err(errors) = self.settings.retention.validate() {
            found.extend(errors.iter().map(|(key, message)| wrong(&format!("retention.{key}"), *message)));
        }
        if let Err(media::ConfigError { key, message }) = self.settings.media.check() {
            found.push(wrong(&format!("media.{key}"), message));
        }
        if let Err(message) = telemetry::check(&self.settings.telemetry) {
            found.push(wrong("telemetry.log", message));
        }
        if found.is_empty() {
            return Ok(());
        }
        for each in &mut found {
            each.source = source_of(&self.layers, &each.key);
        }
        Err(SettingsError::Wrong(found))
    }
}

impl VaultConfig {
    /// The master keys. There is no default and no way to do without.
    pub fn key_ring(&self) -> Result<KeyRing, Wrong> {
        match (&self.master_keys, &self.master_keys_file) {
            (None, None) => Err(wrong(
                "vault.master_keys",
                "or vault.master_keys_file is required: make a key with `gateway keys new`",
            )),
            (Some(_), Some(_)) => {
                Err(wrong("vault.master_keys", "and vault.master_keys_file are both given: take one away"))
            }
            (Some(text), None) => KeyRing::parse(text.expose_secret())
                .map_err(|error| wrong("vault.master_keys", format!("cannot be used: {error}"))),
            (None, Some(path)) => KeyRing::from_file(path)
                .map_err(|error| wrong("vault.master_keys_file", format!("cannot be used: {error}"))),
        }
    }
}

fn wrong(key: &str, message: impl Into<String>) -> Wrong {
    Wrong { key: key.to_owned(), message: message.into(), source: None }
}

fn parse(texts: &[&str]) -> Result<Config, SettingsError> {
    let builder = texts
        .iter()
        .fold(Config::builder(), |builder, text| builder.add_source(File::from_str(text, FileFormat::Toml)));
    builder.build().map_err(|error| {
        SettingsError::Wrong(vec![wrong("config/default.toml", first_line(&error.to_string()))])
    })
}

fn read(path: &Path) -> Result<Config, SettingsError> {
    let unreadable = |problem: String| SettingsError::File { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .build()
        // The rest of the message quotes the file, and the line may hold a secret.
        .map_err(|error| unreadable(first_line(&error.to_string())))
}

/// Text in every case: an id or a secret that looks like a number stays what it is.
fn variable(key: &str, value: &str) -> Result<Config, ConfigError> {
    let value: config::Value = if LISTS.contains(&key) {
        let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
        ValueKind::Array(parts.map(Into::into).collect()).into()
    } else {
        value.into()
    };
    Config::builder().set_override(key, value)?.build()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}

/// The last one that says something about the key, other than the defaults.
fn source_of(layers: &[(String, Config)], key: &str) -> Option<String> {
    let said = |layer: &Config| layer.get::<config::Value>(key).is_ok();
    layers.iter().skip(1).rev().find(|(_, layer)| said(layer)).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(&[path], environment)
    }

    fn error(file: &str, environment: &[(&str, &str)]) -> String {
        load(file, environment).and_then(|loaded| loaded.check()).unwrap_err().to_string()
    }

    const WHOLE: &[(&str, &str)] = &[
        ("GATEWAY__SERVER__PUBLIC_URL", "https://gw.example.com"),
        ("GATEWAY__VAULT__MASTER_KEYS", "k1:EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA="),
        ("GATEWAY__META__APPS__DEFAULT__ID", "0670843887433847"),
        ("GATEWAY__META__APPS__DEFAULT__SECRET", "0123456789"),
        ("GATEWAY__META__APPS__DEFAULT__CONFIG_ID", "1057862931420388"),
        ("GATEWAY__META__APPS__DEFAULT__VERIFY_TOKEN", "planted_verify_token"),
        ("GATEWAY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.0/16"),
        ("GATEWAY_UNRELATED", "1"),
        ("PATH", "/bin"),
    ];

    #[test]
    fn the_environment_alone_is_enough_and_text_stays_text() {
        let loaded = load("", WHOLE).unwrap();
        loaded.check().unwrap();
        assert_eq!(loaded.settings.meta.apps["default"].id, "0670843887433847");
        assert_eq!(loaded.settings.server.trusted_proxies.len(), 2);
        assert_eq!(loaded.settings.server.listen.port(), 8080);
    }

    #[test]
    fn the_environment_beats_a_file_and_a_file_the_defaults() {
        let file = "[server]\nworkers = 3\nmax_requests = 7\n";
        let settings = load(file, &[("GATEWAY__SERVER__WORKERS", "4")]).unwrap().settings;
        assert_eq!((settings.server.workers, settings.server.max_requests), (4, 7));
        assert_eq!(settings.actors.limiter.messages_per_second.get(), 80);
    }

    #[test]
    fn a_wrong_value_names_its_key_and_the_file() {
        let text = error("[server]\nworkers = \"many\"\n", &[]);
        assert!(text.contains("server.workers") && text.contains("gateway.toml"), "{text}");
        let text = error("", &[("GATEWAY__ACTORS__SWEEP_S", "soon")]);
        assert!(text.contains("actors") && text.contains("sweep_s"), "{text}");
    }

    #[test]
    fn a_key_that_does_not_exist_is_named() {
        for (file, key) in [
            ("[server]\nlissten = \"127.0.0.1:1\"\n", "lissten"),
            ("[actors]\nsweeps = 1\n", "sweeps"),
            ("[strange]\na = 1\n", "strange"),
            ("[meta]\nversion = \"v25.0\"\n", "version"),
        ] {
            let text = error(file, &[]);
            assert!(text.contains(key), "{text}");
        }
        let text = error("", &[("GATEWAY__HTTP__LISTEN", "127.0.0.1:1")]);
        assert!(text.contains("http"), "{text}");
    }

    #[test]
    fn what_serving_needs_is_asked_for_all_at_once() {
        let text = error("", &[]);
        for key in ["server.public_url", "vault.master_keys", "meta.apps"] {
            assert!(text.contains(key), "{text}");
        }
    }

    #[test]
    fn no_outcome_is_decided_while_its_post_may_be_under_way() {
        for (file, key) in [
            ("[actors]\nambiguous_settle_s = 10\n", "actors.ambiguous_settle_s"),
            ("[meta]\ntimeout_seconds = 60\n", "actors.ambiguous_settle_s"),
            ("[actors]\nambiguous_limit_s = 59\n", "actors.ambiguous_limit_s"),
        ] {
            let text = error(file, WHOLE);
            assert!(text.contains(key), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_of_a_secret_is_not_repeated() {
        for (file, environment) in [
            ("[meta.apps]\ndefault = \"planted-secret\"\n", &[][..]),
            ("[meta.apps.default]\nsecret = \"planted-secret\n", &[]),
            ("[vault]\nmaster_keys = \"planted-secret\"\n", &[]),
            ("[vault]\nmaster_keys = [\"planted-secret\"]\n", &[]),
            ("", &[("GATEWAY__META__APPS__DEFAULT", "planted-secret")]),
        ] {
            let text = error(file, environment);
            assert!(!text.contains("planted"), "{text}");
        }
    }

    #[test]
    fn a_master_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.keys");
        KeyRing::generate().unwrap().write_new_file(&path).unwrap();
        let vault = VaultConfig { master_keys: None, master_keys_file: Some(path.clone()) };
        assert!(vault.key_ring().is_ok());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = vault.key_ring().unwrap_err();
        assert_eq!(refused.key, "vault.master_keys_file");
        assert!(refused.message.contains("chmod 600"), "{refused}");
    }
}
