//! The cookie that ties a session to one browser, and the token that proves a form came from one of our pages.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use domain::onboarding::Digest32;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::random_token::digest;

/// Under https no other host and no plain page can set it.
const SECURE_NAME: &str = "__Host-onboarding";
/// On loopback, which has no https.
const PLAIN_NAME: &str = "onboarding";

/// The browser at the other end, by the random value in its cookie. Only the digest of it is stored.
pub struct Browser(Zeroizing<String>);

impl Browser {
    pub fn of(request: &HttpRequest, https: bool) -> Option<Self> {
        let cookie = request.cookie(if https { SECURE_NAME } else { PLAIN_NAME })?;
        (cookie.value().len() == 43).then(|| Self(Zeroizing::new(cookie.value().to_owned())))
    }

    pub fn digest(&self) -> Digest32 {
        digest(&self.0)
    }

    /// For the hidden field of our forms. It follows from the cookie, which scripts and other sites cannot read, and
    /// not from what is stored of it.
    pub fn form_token(&self) -> String {
        hex::encode(digest(&format!("form {}", self.0.as_str())))
    }

    pub fn wrote(&self, form_token: &str) -> bool {
        self.form_token().as_bytes().ct_eq(form_token.as_bytes()).into()
    }
}

pub fn cookie(value: &str, https: bool, lifetime: std::time::Duration) -> Cookie<'static> {
    Cookie::build(if https { SECURE_NAME } else { PLAIN_NAME }, value.to_owned())
        .path("/")
        .http_only(true)
        .secure(https)
        // The provider's page leads back to us by a plain navigation, which brings the cookie along.
        .same_site(SameSite::Lax)
        .max_age(CookieDuration::seconds(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn request(name: &'static str, value: &str) -> HttpRequest {
        TestRequest::default().cookie(Cookie::new(name, value.to_owned())).to_http_request()
    }

    #[test]
    fn under_https_only_the_cookie_that_nobody_else_can_set_counts() {
        let value = "v".repeat(43);
        assert!(Browser::of(&request(SECURE_NAME, &value), true).is_some());
        assert!(Browser::of(&request(PLAIN_NAME, &value), true).is_none());
        assert!(Browser::of(&request(PLAIN_NAME, &value), false).is_some());
        assert!(Browser::of(&request(PLAIN_NAME, "short"), false).is_none());
    }

    #[test]
    fn a_form_token_belongs_to_one_cookie_and_tells_nothing_of_what_is_stored() {
        let browser = Browser(Zeroizing::new("a".repeat(43)));
        let other = Browser(Zeroizing::new("b".repeat(43)));
        assert!(browser.wrote(&browser.form_token()));
        assert!(!browser.wrote(&other.form_token()) && !browser.wrote(""));
        assert_ne!(browser.form_token(), hex::encode(browser.digest()));
    }

    #[test]
    fn the_cookie_is_for_us_alone() {
        let cookie = cookie("x", true, std::time::Duration::from_mins(1)).to_string();
        assert_eq!(cookie, "__Host-onboarding=x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
    }
}
