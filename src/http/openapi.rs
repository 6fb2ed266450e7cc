//! The description of the API, generated from its handlers, and pages to read it without the internet.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, ObjectBuilder, PathItem, Ref, RefOr, Required, Response};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::api::{
    businesses, connections, deliveries, endpoints, events, messages, onboarding_sessions, opt_outs,
    read_marks, stats, templates, windows,
};
use super::error::{Code, PROBLEM_JSON};

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
    components(schemas(super::api::views::TimelineLine, super::error::ProblemBody)),
    modifiers(&ApiKeys, &Common),
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

/// What every call has, so that no handler repeats it: the problems that it may answer, and a POST's key.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for status in statuses() {
            components.responses.insert(problem_name(status), problem(status).into());
        }
        for path in openapi.paths.paths.values_mut() {
            let PathItem { get, put, post, delete, patch, .. } = path;
            post.iter_mut().for_each(takes_a_key);
            for operation in [get, delete].into_iter().flatten() {
                may_answer(operation, false);
            }
            for operation in [put, post, patch].into_iter().flatten() {
                may_answer(operation, true);
            }
        }
    }
}

/// Of the problems that can be told.
fn statuses() -> BTreeSet<u16> {
    Code::ALL.iter().map(|code| code.status().as_u16()).collect()
}

fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

fn problem(status: u16) -> Response {
    let codes = Code::ALL.iter().filter(|code| code.status().as_u16() == status);
    let codes: Vec<_> = codes.map(|code| format!("`{code}`")).collect();
    told_as_problem(Response::new(codes.join(", ")))
}

fn told_as_problem(mut response: Response) -> Response {
    response.content.clear();
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    response.content.insert(PROBLEM_JSON.to_owned(), content.into());
    response
}

/// What a handler says itself about a problem stays; what it says it in is the same everywhere.
fn may_answer(operation: &mut Operation, has_body: bool) {
    let told = &mut operation.responses.responses;
    for status in statuses() {
        let possible = match status {
            // Only where there is another method, and only where something ends.
            405 | 410 => false,
            408 | 409 | 413 | 415 => has_body,
            _ => true,
        };
        if possible {
            let named = || Ref::from_response_name(problem_name(status)).into();
            told.entry(status.to_string()).or_insert_with(named);
        }
    }
    for (status, response) in told {
        if let (true, RefOr::T(told)) = (status.starts_with(['4', '5']), &mut *response) {
            *response = told_as_problem(std::mem::take(told)).into();
        }
    }
}

fn takes_a_key(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The same key and body have the same answer for at least 72 hours"))
        .schema(Some(
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)),
        ))
        .build();
    operation.parameters.get_or_insert_default().push(key.into());
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
    fn every_call_may_answer_problems_and_a_post_takes_a_key() {
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        for (path, calls) in description["paths"].as_object().unwrap() {
            for (method, call) in calls.as_object().unwrap() {
                for status in ["400", "401", "403", "422", "429", "431", "500", "503"] {
                    assert!(call["responses"][status].is_object(), "{method} {path} {status}");
                }
                let parameters = call["parameters"].as_array().into_iter().flatten();
                let keys = parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").count();
                assert_eq!(keys, usize::from(method == "post"), "{method} {path}");
            }
        }
        let problem = &description["components"]["responses"]["Problem401"];
        assert_eq!(problem["description"], "`unauthorized`, `invalid_signature`");
        assert_eq!(
            problem["content"],
            serde_json::json!({PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}})
        );
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
