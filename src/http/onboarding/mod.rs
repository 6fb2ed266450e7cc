//! Where an owner connects a number: a few server-rendered pages, one small script, and the steps behind them.
//!
//! ```text
//! link ──GET──▶ bound to this browser by cookie ──303──▶ choice ──▶ official page
//!                                                                     │ POST start: a fresh state
//!                     the provider's window, or its page in this tab ◀┘
//!                                 │ code and state
//!                                 ▼
//! callback: state and cookie belong together, once ──▶ signup: exchange … register, connect ──▶ official page
//! ```
//!
//! The state of a session lives on the server; every page is a view of it and can be loaded again at any time.
//! What to do next is decided in [`flow`]. The steps run inside the request that brings the code, which lives 30 s.
//! Without JavaScript, or where a popup is not allowed, the same forms lead through the provider's page in this tab.

mod answer;
mod assets;
mod begin;
mod callback;
mod flow;
mod headers;
mod limit;
mod link;
mod numbers;
mod pages;
mod problem;
mod refusal;
pub(super) mod session;
mod signup;
mod status;
mod texts;
mod views;
mod visitor;

use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, FormConfig, JsonConfig, ServiceConfig};

use super::limits::among_requests;

/// Addresses of the pages, as links and scripts name them.
mod path {
    pub const CHOICE: &str = "/onboarding/whatsapp";
    pub const OFFICIAL: &str = "/onboarding/whatsapp/official";
    pub const UNOFFICIAL: &str = "/onboarding/whatsapp/unofficial";
    pub const START: &str = "/onboarding/whatsapp/official/start";
    pub const CALLBACK: &str = "/onboarding/whatsapp/official/callback";
    pub const NUMBER: &str = "/onboarding/whatsapp/official/number";
    pub const CANCEL: &str = "/onboarding/whatsapp/cancel";
    pub const STATUS: &str = "/onboarding/whatsapp/status";
}

/// What a page or its script sends is small.
const LARGEST_BODY: usize = 16 << 10;

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::scope("/onboarding")
            .app_data(FormConfig::default().limit(LARGEST_BODY))
            .app_data(JsonConfig::default().limit(LARGEST_BODY))
            .wrap(from_fn(headers::protect))
            .wrap(Compress::default())
            .wrap(from_fn(among_requests))
            .service(
                web::resource("/whatsapp")
                    .route(web::get().to(pages::choice))
                    // Asking about a link neither binds nor spends it.
                    .route(web::head().to(actix_web::HttpResponse::Ok)),
            )
            .route("/whatsapp/official", web::get().to(pages::official))
            .route("/whatsapp/unofficial", web::get().to(pages::unofficial))
            .route("/whatsapp/official/start", web::post().to(begin::start))
            .route("/whatsapp/official/callback", web::get().to(callback::redirected))
            .route("/whatsapp/official/callback", web::post().to(callback::reported))
            .route("/whatsapp/official/number", web::post().to(numbers::choose))
            .route("/whatsapp/cancel", web::post().to(begin::cancel))
            .route("/whatsapp/status", web::get().to(status::status))
            .route("/assets/{name}", web::get().to(assets::serve))
            .default_service(web::to(pages::nothing_here)),
    );
}
