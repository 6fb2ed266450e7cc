//! What a page asked the dialog for, and whether it may.

use super::grant::{Choice, NumberChoice, Scenario};
use crate::config::App;
use serde_json::Value;
use std::net::IpAddr;
use url::{Host, Url};

/// Names and values as a browser sends them; the first of a name counts.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

pub(super) struct Request {
    /// Set for the redirect variant; without it the dialog is a popup of `origin`.
    pub(super) redirect_uri: Option<String>,
    pub(super) state: Option<String>,
    pub(super) origin: Option<String>,
    /// Tells the SDK which of its calls is answered.
    pub(super) channel: Option<String>,
    pub(super) business_name: Option<String>,
    coexistence: bool,
    carried: Vec<(&'static str, String)>,
}

const CARRIED: [&str; 9] = [
    "client_id",
    "config_id",
    "response_type",
    "override_default_response_type",
    "redirect_uri",
    "state",
    "origin",
    "cb",
    "extras",
];

impl Request {
    pub(super) fn read(form: &Form, app: &App) -> Result<Self, &'static str> {
        if form.get("client_id") != Some(app.id.as_str()) {
            return Err("Invalid app id: there is no app with the given client_id.");
        }
        if form.get("config_id") != Some(app.config_id.as_str()) {
            return Err("This login configuration does not exist, or belongs to another app.");
        }
        if form.get("response_type") != Some("code")
            || form.get("override_default_response_type") != Some("true")
        {
            return Err(
                "This kind of login needs response_type=code and override_default_response_type=true.",
            );
        }
        let text = |name| form.get(name).map(str::to_owned);
        let (redirect_uri, origin) = (text("redirect_uri"), text("origin"));
        let asking = redirect_uri.as_deref().or(origin.as_deref());
        if !asking
            .ok_or("Neither a page nor a redirect address is waiting for this login.")
            .map(|url| may_ask(url, app))?
        {
            return Err("The domain of this page is not among the app's allowed domains.");
        }
        let extras: Value =
            form.get("extras").and_then(|extras| serde_json::from_str(extras).ok()).unwrap_or_default();
        Ok(Self {
            redirect_uri,
            origin,
            state: text("state"),
            channel: text("cb"),
            business_name: extras["setup"]["business"]["name"].as_str().map(str::to_owned),
            coexistence: matches!(
                extras["featureType"].as_str(),
                Some("whatsapp_business_app_onboarding" | "coexistence")
            ),
            carried: CARRIED.into_iter().filter_map(|name| Some((name, text(name)?))).collect(),
        })
    }

    /// What the next page's form has to bring along.
    pub(super) fn carried(&self) -> impl Iterator<Item = (&str, &str)> {
        self.carried.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// What the person has chosen on the pages before.
    pub(super) fn choice(&self, form: &Form) -> Result<Choice, &'static str> {
        let number = match form.get("number") {
            Some("new") => NumberChoice::New { verified: true },
            Some("new_unverified") => NumberChoice::New { verified: false },
            Some("none") | None => NumberChoice::None,
            Some(id) => NumberChoice::Existing(id.to_owned()),
        };
        let scenario = form.get("scenario").map_or(Some(Scenario::default()), Scenario::named);
        Ok(Choice {
            waba_id: form.get("business").filter(|id| *id != "new").map(str::to_owned),
            business_name: self.business_name.clone(),
            number,
            scenario: scenario.ok_or("There is no such scenario.")?,
            redirect_uri: self.redirect_uri.clone(),
            coexistence: self.coexistence,
        })
    }
}

fn may_ask(url: &str, app: &App) -> bool {
    if app.allowed_domains.is_empty() {
        return is_loopback(url);
    }
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| app.allowed_domains.iter().any(|domain| domain.eq_ignore_ascii_case(&host)))
}

/// Whether an origin or URL is on this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(app: &App, extra: &str) -> Result<Request, &'static str> {
        let text = format!(
            "client_id={}&config_id={}&response_type=code&override_default_response_type=true&{extra}",
            app.id, app.config_id
        );
        Request::read(&Form::parse(text.as_bytes()), app)
    }

    #[test]
    fn without_a_list_any_page_of_this_machine_may_ask() {
        let app = App::default();
        for origin in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:1"] {
            assert!(asked(&app, &format!("origin={origin}")).is_ok(), "{origin}");
        }
        for origin in ["https://evil.example", "http://localhost.evil.example", "null", "http://10.0.0.1"] {
            assert!(asked(&app, &format!("origin={origin}")).is_err(), "{origin}");
        }
    }

    #[test]
    fn with_a_list_only_its_domains_may() {
        let app = App { allowed_domains: vec!["app.example".to_owned()], ..App::default() };
        assert!(asked(&app, "redirect_uri=https://app.example/cb").is_ok());
        assert!(asked(&app, "redirect_uri=http://127.0.0.1/cb").is_err());
    }

    #[test]
    fn the_sdk_has_to_ask_for_a_code() {
        let app = App::default();
        let form = format!(
            "client_id={}&config_id={}&response_type=token&origin=http://localhost",
            app.id, app.config_id
        );
        assert!(Request::read(&Form::parse(form.as_bytes()), &app).is_err());
    }
}
