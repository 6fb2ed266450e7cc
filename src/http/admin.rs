//! For operators, on a listener of its own: health, readiness, metrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use domain::contracts::store::Store;
use gateway_actors::Gateway;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

/// What the operators' listener works with.
#[derive(Clone)]
pub struct Operations {
    pub gateway: Gateway,
    pub store: Arc<dyn Store>,
    pub metrics: Option<PrometheusHandle>,
    /// Set when the process begins to leave, so that no new work is sent here.
    pub leaving: Arc<AtomicBool>,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operations")
    }
}

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics));
}

/// The process answers.
async fn healthz() -> impl Responder {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The process can do its work: the schema is ours, so is the lease, and it stays.
async fn readyz(operations: Data<Operations>) -> impl Responder {
    let store = matches!(operations.store.ready().await, Ok(true));
    let lease = operations.gateway.is_leased();
    let leaving = operations.leaving.load(Ordering::Relaxed);
    let ready = store && lease && !leaving;
    let status = if ready { "ready" } else { "not_ready" };
    let body = json!({ "status": status, "store": store, "lease": lease, "leaving": leaving });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

async fn metrics(operations: Data<Operations>) -> impl Responder {
    match &operations.metrics {
        Some(handle) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
            .body(handle.render()),
        None => HttpResponse::NotFound().finish(),
    }
}
