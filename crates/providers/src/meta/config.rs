//! Settings of Meta as a provider: section `meta` of the configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::versions;
use crate::http::Timeouts;

/// The name of the app that `/webhooks/meta` belongs to, and through which businesses are connected.
pub const DEFAULT_APP: &str = "default";
/// Hosts of Meta; their subdomains are Meta's too.
const META_HOSTS: [&str; 2] = ["facebook.com", "facebook.net"];
const LONGEST_TIMEOUT: u64 = 120;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base of the Graph API.
    pub graph_url: Url,
    /// Meta's JavaScript for the login window.
    pub sdk_url: Url,
    /// Base of the login dialog for browsers without a popup.
    pub dialog_url: Url,
    /// Origins whose window messages the onboarding page believes, compared exactly.
    pub message_origins: Vec<String>,
    /// Version of the Graph API, such as `v25.0`.
    pub graph_version: String,
    /// Addresses other than Meta's that the four above may point to: origins such as `http://localhost:8090`.
    pub allowed_bases: Vec<Url>,
    /// Whether the exchange of a popup's code says `redirect_uri=` or nothing about it: Meta's texts differ.
    pub popup_redirect_uri: PopupRedirect,
    /// Seconds for one whole call.
    pub timeout_seconds: u64,
    /// Seconds until a connection stands.
    pub connect_timeout_seconds: u64,
    /// Calls an hour about one WhatsApp business account, messages not counted.
    pub management_calls_per_hour: ManagementCalls,
    /// Meta apps by the name in their webhook's path: `/webhooks/meta/{name}`. One is called `default`: it is
    /// also at `/webhooks/meta`, and businesses are connected and messages sent through it.
    pub apps: BTreeMap<String, App>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub id: String,
    pub secret: SecretString,
    /// Believed on webhooks while a secret is being changed.
    #[serde(default)]
    pub previous_secret: Option<SecretString>,
    /// The login configuration of Embedded Signup; only the default app needs one.
    #[serde(default)]
    pub config_id: String,
    /// What Meta has to say in the handshake of the webhook.
    pub verify_token: SecretString,
}

/// Meta's limits, unless it has agreed to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManagementCalls {
    /// While the account is being connected and has no registered number.
    pub onboarding: NonZeroU32,
    /// With a registered number.
    pub connected: NonZeroU32,
}

impl Default for ManagementCalls {
    fn default() -> Self {
        let calls = |hourly| NonZeroU32::new(hourly).unwrap_or(NonZeroU32::MIN);
        Self { onboarding: calls(200), connected: calls(5_000) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PopupRedirect {
    #[default]
    Omit,
    Empty,
}

impl Default for Config {
    fn default() -> Self {
        let url =
            |text: &str| Url::parse(text).unwrap_or_else(|_| unreachable!("a literal that is an address"));
        Self {
            graph_url: url("https://graph.facebook.com"),
            sdk_url: url("https://connect.facebook.net/en_US/sdk.js"),
            dialog_url: url("https://www.facebook.com"),
            message_origins: ["www", "web", "business", "m"]
                .map(|name| format!("https://{name}.facebook.com"))
                .to_vec(),
            graph_version: versions::DEFAULT.to_owned(),
            allowed_bases: Vec::new(),
            popup_redirect_uri: PopupRedirect::default(),
            timeout_seconds: 10,
            connect_timeout_seconds: 5,
            management_calls_per_hour: ManagementCalls::default(),
            apps: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Everything that would only be found out later: pairs of a key, as it stands in this section, and what is wrong with it.
    pub fn validate(&self) -> Result<(), Vec<(String, String)>> {
        let mut wrong = Vec::new();
        let mut complain = |key: &str, message: &str| wrong.push((key.to_owned(), message.to_owned()));
        for (key, url) in
            [("graph_url", &self.graph_url), ("sdk_url", &self.sdk_url), ("dialog_url", &self.dialog_url)]
        {
            if !self.is_allowed(url) {
                complain(
                    key,
                    "is not an https address of Meta: list its origin in allowed_bases if it is meant",
                );
            }
            if url.query().is_some()
                || url.fragment().is_some()
                || !url.username().is_empty()
                || url.password().is_some()
            {
                complain(key, "must be a plain address without a user, a query or a fragment");
            }
        }
        for (index, origin) in self.message_origins.iter().enumerate() {
            let key = format!("message_origins[{index}]");
            match Url::parse(origin) {
                Ok(url) if url.origin().ascii_serialization() != *origin => {
                    complain(&key, "must be an origin alone, such as https://www.facebook.com");
                }
                Ok(url) if !self.is_allowed(&url) => {
                    complain(&key, "is not an https origin of Meta: list it in allowed_bases if it is meant");
                }
                Ok(_) => {}
                Err(_) => complain(&key, "must be an origin, such as https://www.facebook.com"),
            }
        }
        if !versions::is_version(&self.graph_version) {
            complain("graph_version", "must be a version of the Graph API, such as v25.0");
        }
        if !(1..=LONGEST_TIMEOUT).contains(&self.timeout_seconds) {
            complain("timeout_seconds", "must be from 1 to 120");
        }
        if !(1..=self.timeout_seconds).contains(&self.connect_timeout_seconds) {
            complain("connect_timeout_seconds", "must be at least 1 and not more than timeout_seconds");
        }
        self.validate_apps(&mut complain);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn validate_apps(&self, complain: &mut impl FnMut(&str, &str)) {
        if !self.apps.contains_key(DEFAULT_APP) {
            complain("apps", "needs an app called default");
        }
        for (name, app) in &self.apps {
            let key = |member: &str| format!("apps.{name}.{member}");
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
            if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
                complain(
                    &format!("apps.{name}"),
                    "must be named with 1 to 64 small letters, digits, - and _: the name stands in a path",
                );
            }
            if !is_decimal(&app.id) {
                complain(&key("id"), "must be the app's id: digits only");
            }
            if name == DEFAULT_APP && !is_decimal(&app.config_id) {
                complain(&key("config_id"), "must be the id of the login configuration: digits only");
            }
            let previous = app.previous_secret.as_ref().map(|secret| ("previous_secret", secret));
            for (member, secret) in
                [("secret", &app.secret), ("verify_token", &app.verify_token)].into_iter().chain(previous)
            {
                if secret.expose_secret().len() < 8 {
                    complain(&key(member), "is missing or shorter than 8 characters");
                }
            }
        }
    }

    /// An address of Meta over https, or one whose origin the operator has listed.
    fn is_allowed(&self, url: &Url) -> bool {
        let of_meta = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| META_HOSTS.iter().any(|meta| is_under(host, meta)));
        of_meta
            || (matches!(url.scheme(), "http" | "https")
                && self.allowed_bases.iter().any(|allowed| allowed.origin() == url.origin()))
    }

    /// Whether content may be fetched from there with a token: Meta's own hosts, and what is listed.
    pub(crate) fn is_medias(&self, url: &Url) -> bool {
        const HOSTS: [&str; 4] = ["facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net"];
        let of_meta = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| HOSTS.iter().any(|meta| is_under(host, meta)));
        of_meta || self.is_allowed(url)
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(self.connect_timeout_seconds),
            total: Duration::from_secs(self.timeout_seconds),
        }
    }
}

/// `facebook.com` and `graph.facebook.com`, but not `evilfacebook.com`.
fn is_under(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

pub(super) fn is_decimal(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Config {
        let app = App {
            id: "670843887433847".to_owned(),
            secret: "planted_app_secret".into(),
            previous_secret: None,
            config_id: "1057862931420388".to_owned(),
            verify_token: "planted_verify_token".into(),
        };
        Config { apps: BTreeMap::from([(DEFAULT_APP.to_owned(), app)]), ..Config::default() }
    }

    fn keys(config: &Config) -> Vec<String> {
        config
            .validate()
            .map_or_else(|wrong| wrong.into_iter().map(|(key, _)| key).collect(), |()| Vec::new())
    }

    #[test]
    fn the_defaults_lack_nothing_but_an_app() {
        assert_eq!(keys(&good()), [""; 0]);
        assert_eq!(keys(&Config::default()), ["apps"]);
    }

    #[test]
    fn an_address_that_is_not_metas_is_refused_unless_its_origin_is_listed() {
        let at = |text: &str| Config { graph_url: Url::parse(text).unwrap(), ..good() };
        for strange in [
            "http://graph.facebook.com",
            "https://evilfacebook.com",
            "https://graph.facebook.com.evil.example",
            "https://graph.facebook.com:444",
            "http://localhost:8090/graph",
        ] {
            assert_eq!(keys(&at(strange)), ["graph_url"], "{strange}");
        }
        let mut listed = at("http://localhost:8090/graph");
        listed.allowed_bases = vec![Url::parse("http://localhost:8090").unwrap()];
        assert_eq!(keys(&listed), [""; 0]);
        listed.allowed_bases = vec![Url::parse("http://localhost:8091").unwrap()];
        assert_eq!(keys(&listed), ["graph_url"]);
    }

    #[test]
    fn a_message_origin_is_an_origin_and_nothing_more() {
        let with = |origin: &str| Config { message_origins: vec![origin.to_owned()], ..good() };
        for wrong in [
            "https://www.facebook.com/",
            "www.facebook.com",
            "https://evilfacebook.com",
            "http://www.facebook.com",
        ] {
            assert_eq!(keys(&with(wrong)), ["message_origins[0]"], "{wrong}");
        }
    }

    #[test]
    fn every_wrong_value_is_named_by_its_key() {
        let mut config = Config { graph_version: "25".to_owned(), timeout_seconds: 0, ..good() };
        let mut app = config.apps.remove(DEFAULT_APP).unwrap();
        app.id = "my app".to_owned();
        app.verify_token = "short".into();
        app.previous_secret = Some("".into());
        config.apps.insert("Second App".to_owned(), app);
        assert_eq!(
            keys(&config),
            [
                "graph_version",
                "timeout_seconds",
                "connect_timeout_seconds",
                "apps",
                "apps.Second App",
                "apps.Second App.id",
                "apps.Second App.verify_token",
                "apps.Second App.previous_secret",
            ]
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", good());
        assert!(shown.contains("670843887433847") && !shown.contains("planted"), "{shown}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let read = |json: &str| serde_json::from_str::<Config>(json);
        assert!(read("{}").is_ok());
        assert!(read(r#"{"graph_uri":"https://graph.facebook.com"}"#).is_err());
    }
}
