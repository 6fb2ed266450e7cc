//! The description of the API, generated from its handlers, and pages to read it without the internet.

use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::api::{
    businesses, connections, deliveries, endpoints, events, messages, onboarding_sessions, opt_outs,
    read_marks, stats, templates, windows,
};
use super::error::Code;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "WhatsApp messaging gateway",
        description = "Errors are problem details (RFC 9457); their codes are explained at /docs/problems. \
                       Every POST takes an Idempotency-Key."
    ),
    paths(
        messages::accept::create,
        messages::lookup::list,
        messages::lookup::read,
        messages::lookup::cancel,
        messages::replay::one,
        messages::replay_many::many,
        businesses::create,
        businesses::list,
        businesses::read,
        businesses::change,
        opt_outs::list,
        opt_outs::read,
        opt_outs::set,
        opt_outs::lift,
        businesses::erase,
        onboarding_sessions::create,
        onboarding_sessions::read,
        onboarding_sessions::cancel,
        connections::list,
        connections::read,
        windows::read,
        read_marks::create,
        connections::change,
        connections::resume,
        connections::disconnect,
        connections::reconnect,
        templates::list,
        templates::read,
        endpoints::resource::create,
        endpoints::resource::list,
        endpoints::resource::read,
        endpoints::resource::change,
        endpoints::resource::remove,
        endpoints::secret::rotate,
        endpoints::resume::resume,
        endpoints::replay::replay,
        events::list,
        deliveries::list,
        deliveries::read,
        deliveries::replay,
        stats::read,
    ),
    components(schemas(super::api::views::TimelineLine)),
    modifiers(&ApiKeys),
    security(("api_key" = [])),
)]
struct Description;

struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("api_key", scheme);
    }
}

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| Description::openapi().to_json().unwrap_or_default());

/// The reader's own scripts and styles, nothing from elsewhere.
const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                             img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

pub fn configure(cfg: &mut ServiceConfig) {
    let headers = DefaultHeaders::new()
        .add((CONTENT_SECURITY_POLICY, READER_POLICY))
        .add((CACHE_CONTROL, "public, max-age=3600"));
    cfg.route("/openapi.json", web::get().to(description)).route("/docs", web::get().to(reader)).service(
        web::scope("/docs")
            .wrap(headers)
            .route("/problems", web::get().to(problems))
            .service(SwaggerUi::new("/{_:.*}").config(Config::from("/openapi.json").validator_url("none"))),
    );
}

async fn description() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(DESCRIPTION.as_str())
}

async fn reader() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, "/docs/")).finish()
}

/// Where the `type` of every problem leads.
async fn problems() -> HttpResponse {
    let mut page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Problems</title>\
                    <style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}\
                    dt{font-family:monospace;font-weight:bold;margin-top:1rem}</style>\
                    <h1>Problems</h1><dl>"
        .to_owned();
    for code in Code::ALL {
        let retry = if code.is_retryable() { " The same request may succeed later." } else { "" };
        let _ = write!(
            page,
            "<dt id=\"{code}\">{code}</dt><dd>HTTP {}. {}.{retry}</dd>",
            code.status().as_u16(),
            code.title()
        );
    }
    page.push_str("</dl></html>");
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(page)
}

/// Method and path of everything that is described.
#[cfg(test)]
pub fn calls() -> Vec<(String, String)> {
    let description: serde_json::Value = serde_json::from_str(&DESCRIPTION).unwrap();
    let paths = description["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, calls)| {
            calls.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_call_is_described_with_its_answers() {
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = description["paths"].as_object().unwrap();
        assert!(paths.contains_key("/v1/messages") && paths.contains_key("/v1/deliveries/{id}/replay"));
        for (path, calls) in paths {
            for (method, call) in calls.as_object().unwrap() {
                assert!(!call["responses"].as_object().unwrap().is_empty(), "{method} {path}");
                assert!(call["summary"].is_string(), "{method} {path}");
            }
        }
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        for reference in DESCRIPTION.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(description["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
}
