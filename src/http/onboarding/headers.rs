//! What every answer of these pages says to the browser about itself.

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use domain::ProviderName;
use domain::contracts::provider::LoginWindow;

use super::answer;
use crate::http::state::AppState;

const OTHERS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    // The window that we open may talk to us, and no other may hold a reference to us.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin-allow-popups"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

pub async fn protect(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let window = request.app_data::<web::Data<AppState>>().and_then(|state| {
        state.provider(ProviderName::Meta)?.onboard.as_ref().map(|onboard| onboard.login_window())
    });
    let policy = HeaderValue::from_str(&policy(window.as_ref()));
    let lang = answer::asked_lang(request.request());

    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in OTHERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // An address that no header can hold is worse than a page without scripts.
    let policy = policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    if let Some(lang) = lang {
        let chosen =
            Cookie::build(answer::LANG_COOKIE, lang.code()).path("/onboarding").same_site(SameSite::Lax);
        if let Ok(value) = HeaderValue::from_str(&chosen.finish().to_string()) {
            headers.append(SET_COOKIE, value);
        }
    }
    Ok(response)
}

/// Our own files, and the provider's SDK with the frames and calls it makes; nothing inline, nobody frames us.
fn policy(window: Option<&LoginWindow>) -> String {
    let origins = window.map_or_else(String::new, |window| format!(" {}", window.message_origins.join(" ")));
    let sdk = window
        .map_or_else(String::new, |window| format!(" {}", window.sdk_url.origin().ascii_serialization()));
    // Browsers ask this of the address that a form is redirected to as well.
    let dialog = window
        .map_or_else(String::new, |window| format!(" {}", window.dialog_url.origin().ascii_serialization()));
    format!(
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'; img-src 'self' data:; \
         script-src 'self'{sdk}; connect-src 'self'{origins}; frame-src{}; form-action 'self'{dialog}",
        if origins.is_empty() { " 'none'" } else { &origins }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_and_the_providers_sdk_run() {
        let window = LoginWindow {
            app_id: "1".to_owned(),
            config_id: "2".to_owned(),
            graph_version: "v25.0".to_owned(),
            sdk_url: "https://connect.facebook.net/en_US/sdk.js".parse().unwrap(),
            message_origins: vec!["https://www.facebook.com".to_owned()],
            dialog_url: "https://www.facebook.com/v25.0/dialog/oauth".parse().unwrap(),
        };
        let policy = policy(Some(&window));
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "script-src 'self' https://connect.facebook.net;",
            "connect-src 'self' https://www.facebook.com;",
            "form-action 'self' https://www.facebook.com",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe"));
    }

    #[test]
    fn without_a_provider_nothing_foreign_is_allowed() {
        assert!(
            policy(None)
                .contains("script-src 'self'; connect-src 'self'; frame-src 'none'; form-action 'self'")
        );
    }
}
