//! What an onboarding session may be told: where its browser goes afterwards, how long it lives, whom it expects.

use std::time::Duration;

use domain::Business;
use domain::recipient::normalise;
use url::Url;

use crate::http::config::is_loopback;
use crate::http::error::Problem;

/// In seconds.
const SHORTEST_LIFE: u64 = 60;
const LONGEST_URI: usize = 2_048;
/// Schemes that a browser runs, or reads from the machine it is on.
const NOT_AN_APP: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "http"];

pub fn lifetime(asked: Option<u64>, longest: u64) -> Result<Duration, Problem> {
    match asked {
        None => Ok(Duration::from_secs(longest)),
        Some(seconds) if (SHORTEST_LIFE..=longest).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => {
            let message = format!("expires_in must be from {SHORTEST_LIFE} to {longest} seconds");
            Err(Problem::field("expires_in", "out_of_range", message))
        }
    }
}

/// The browser is sent there; whoever holds an API key chose it.
pub fn return_url(text: &str) -> Result<Url, Problem> {
    let wrong = |message: &str| Problem::field("return_url", "invalid", message);
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URI);
    let url = url.ok_or_else(|| wrong("return_url must be an https address"))?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure || url.host().is_none() {
        return Err(wrong("return_url must be an https address; http is for loopback only"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("return_url must not contain a user or a password"));
    }
    Ok(url)
}

pub fn app_uri(text: String) -> Result<String, Problem> {
    let url = Url::parse(&text).ok().filter(|_| text.len() <= LONGEST_URI);
    match url {
        Some(url) if !NOT_AN_APP.contains(&url.scheme()) => Ok(text),
        _ => Err(Problem::field(
            "app_return_uri",
            "invalid",
            "app_return_uri must begin with the app's own scheme, or https",
        )),
    }
}

pub fn number(text: &str, business: &Business) -> Result<String, Problem> {
    normalise(text, business.country)
        .map(|found| found.number.to_string())
        .map_err(|invalid| Problem::fields(vec![invalid.in_field("phone_hint")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_https_or_loopback_only() {
        for good in ["https://app.example/whatsapp?x=1", "http://127.0.0.1:3000/back", "http://localhost/x"] {
            assert!(return_url(good).is_ok(), "{good}");
        }
        for bad in
            ["http://app.example/", "javascript:alert(1)", "https://u:p@app.example/", "app", "https:///x y"]
        {
            assert!(return_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_app_is_called_by_a_scheme_of_its_own() {
        for good in ["safarichat://whatsapp/return", "https://app.example/open", "com.example.app:/back"] {
            assert!(app_uri(good.to_owned()).is_ok(), "{good}");
        }
        for bad in
            ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "plain"]
        {
            assert!(app_uri(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_lives_no_longer_than_configured() {
        assert_eq!(lifetime(None, 600), Ok(Duration::from_mins(10)));
        assert_eq!(lifetime(Some(60), 600), Ok(Duration::from_mins(1)));
        assert!(lifetime(Some(601), 600).is_err());
        assert!(lifetime(Some(59), 600).is_err());
    }
}
