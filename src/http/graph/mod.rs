//! The Graph door: `/{version}/…`, shaped like Meta's Graph API, so that Cloud API clients change a base address and
//! nothing else. The bearer is an API key. What is behind it is what is behind `/v1`.
//!
//! Source: Meta's Cloud API reference, v25.0. What differs from it, and why, stands in `docs/CLOUD_API.md`.

mod edges;
pub(super) mod error;
mod media;
mod messages;
mod node;
mod number;
mod passing;
mod version;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, delete, get, post};
use actix_web::{Resource, Scope};

use super::api::{method_not_allowed, not_found};
use super::auth::with_api_key;
use super::limits::among_requests;
use version::Version;

pub(super) use version::supplied;

/// Digits, a dot and digits, so that `/v1` is no version of Graph.
const VERSION: &str = r"/{version:v\d+\.\d+}";

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        routes().wrap(from_fn(with_api_key)).wrap(from_fn(among_requests)).wrap(from_fn(version::around)),
    );
}

fn routes() -> Scope {
    web::scope(VERSION)
        .service(resource("/{number}/messages").route(post().to(messages::send)))
        .service(resource("/{number}/marketing_messages").route(post().to(messages::send)))
        .service(resource("/{number}/media").route(post().to(media::upload)))
        .service(
            resource("/{number}/message_qrdls/{code}")
                .route(get().to(edges::read_code))
                .route(delete().to(edges::delete_code)),
        )
        .service(
            resource("/{id}/{edge}")
                .route(get().to(edges::read_edge))
                .route(post().to(edges::write_edge))
                .route(delete().to(edges::delete_edge)),
        )
        .service(
            resource("/{id}")
                .route(get().to(media::read))
                .route(post().to(edges::change))
                .route(delete().to(media::delete)),
        )
        .default_service(web::to(not_found))
}

/// Graph does not mind a slash at the end, and there are clients that send one.
fn resource(path: &str) -> Resource {
    web::resource([path.to_owned(), format!("{path}/")]).default_service(web::to(method_not_allowed))
}

/// Whether an answer at this path is written as Graph writes it.
pub(super) fn speaks(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first.parse::<Version>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_of_graph_makes_a_path_one_of_this_door() {
        for path in ["/v25.0/106/messages", "/v19.0", "/v25.0/"] {
            assert!(speaks(path), "{path}");
        }
        for path in ["/v1/messages", "/", "", "/v25/106", "/webhooks/v25.0", "/v25.x/106"] {
            assert!(!speaks(path), "{path}");
        }
    }
}
