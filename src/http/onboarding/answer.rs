//! What is read from every request of a page: language, the kind of answer wanted, where it came from.

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, ORIGIN, USER_AGENT};
use url::{Url, form_urlencoded};

use super::texts::Lang;

pub const LANG_COOKIE: &str = "onboarding-lang";

pub fn header(request: &HttpRequest, name: impl actix_web::http::header::AsHeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The language asked for by `?lang=`.
pub fn asked_lang(request: &HttpRequest) -> Option<Lang> {
    let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
    pairs.find(|(name, _)| name == "lang").and_then(|(_, tag)| Lang::from_tag(&tag))
}

/// Asked for here, chosen before, named by the application, wished by the browser: in this order.
pub fn lang(request: &HttpRequest, locale: Option<&str>) -> Lang {
    asked_lang(request)
        .or_else(|| Lang::from_tag(request.cookie(LANG_COOKIE)?.value()))
        .or_else(|| Lang::from_tag(locale?))
        .or_else(|| Lang::from_header(header(request, ACCEPT_LANGUAGE)))
        .unwrap_or(Lang::En)
}

/// A program wants JSON; whatever accepts pages, or says nothing, is taken for a person.
pub fn wants_json(request: &HttpRequest) -> bool {
    let accept = header(request, ACCEPT);
    let sends_json = header(request, CONTENT_TYPE).starts_with("application/json");
    !accept.contains("text/html") && (accept.contains("json") || sends_json)
}

/// Whether a POST may come from one of our own pages. `no-referrer` has browsers say `null` for a form's origin, so
/// that alone proves nothing; every POST carries a token besides.
pub fn is_ours(request: &HttpRequest, public_url: &Url) -> bool {
    let site = header(request, HeaderName::from_static("sec-fetch-site"));
    let origin = header(request, ORIGIN);
    (site.is_empty() || site == "same-origin")
        && (origin.is_empty() || origin == "null" || origin == public_url.origin().ascii_serialization())
}

/// Messengers and browsers fetch links that nobody has opened yet.
pub fn is_preview(request: &HttpRequest) -> bool {
    const PROGRAMS: [&str; 8] = [
        "whatsapp/",
        "facebookexternalhit",
        "telegrambot",
        "twitterbot",
        "slackbot",
        "skypeuripreview",
        "googlebot",
        "bingbot",
    ];
    let purpose = |name| header(request, HeaderName::from_static(name)).contains("prefetch");
    let agent = header(request, USER_AGENT).to_ascii_lowercase();
    purpose("sec-purpose")
        || purpose("purpose")
        || PROGRAMS
            .iter()
            .any(|program| agent.starts_with(program) || agent.contains(&format!("compatible; {program}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::cookie::Cookie;
    use actix_web::test::TestRequest;

    #[test]
    fn the_language_asked_for_last_wins() {
        let request = || TestRequest::default().insert_header((ACCEPT_LANGUAGE, "sw"));
        assert_eq!(lang(&request().to_http_request(), None), Lang::Sw);
        assert_eq!(lang(&request().to_http_request(), Some("en")), Lang::En);
        let chosen = request().cookie(Cookie::new(LANG_COOKIE, "sw"));
        assert_eq!(lang(&chosen.to_http_request(), Some("en")), Lang::Sw);
        let asked = request().cookie(Cookie::new(LANG_COOKIE, "sw")).uri("/?lang=en");
        assert_eq!(lang(&asked.to_http_request(), None), Lang::En);
        assert_eq!(lang(&TestRequest::default().to_http_request(), Some("fr")), Lang::En);
    }

    #[test]
    fn a_person_gets_a_page_and_a_program_json() {
        let wants = |accept: &'static str, sends: &'static str| {
            let request =
                TestRequest::default().insert_header((ACCEPT, accept)).insert_header((CONTENT_TYPE, sends));
            wants_json(&request.to_http_request())
        };
        assert!(!wants("text/html,application/xhtml+xml", ""));
        assert!(!wants("*/*", ""));
        assert!(wants("application/json", ""));
        assert!(wants("*/*", "application/json"));
    }

    #[test]
    fn a_post_of_another_site_is_not_ours() {
        let ours = Url::parse("https://gateway.example.com").unwrap();
        let posted = |origin: &'static str, site: &'static str| {
            let request = TestRequest::default()
                .insert_header((ORIGIN, origin))
                .insert_header((HeaderName::from_static("sec-fetch-site"), site));
            is_ours(&request.to_http_request(), &ours)
        };
        assert!(posted("https://gateway.example.com", "same-origin"));
        assert!(posted("null", "same-origin"));
        assert!(posted("", ""));
        assert!(!posted("https://gateway.example.com.evil.example", ""));
        assert!(!posted("null", "cross-site"));
        assert!(!posted("https://evil.example", "same-origin"));
    }

    #[test]
    fn a_preview_is_told_from_a_person() {
        let agent = |agent: &'static str| {
            is_preview(&TestRequest::default().insert_header((USER_AGENT, agent)).to_http_request())
        };
        assert!(agent("WhatsApp/2.23.20.0"));
        assert!(agent("facebookexternalhit/1.1"));
        assert!(agent("Mozilla/5.0 (compatible; Googlebot/2.1)"));
        assert!(!agent("Mozilla/5.0 (Linux; Android 8) Chrome/80.0 Mobile"));
        let prefetch = TestRequest::default()
            .insert_header((HeaderName::from_static("sec-purpose"), "prefetch;prerender"));
        assert!(is_preview(&prefetch.to_http_request()));
    }
}
