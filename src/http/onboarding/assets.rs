//! The one style sheet and the one script, compiled in. Their addresses change with their content.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::pages;
use crate::random_token::digest;

pub struct Asset {
    pub address: String,
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    etag: String,
}

impl Asset {
    fn new(name: &'static str, media_type: &'static str, text: &'static str) -> Self {
        let hash = hex::encode(&digest(text)[..8]);
        Self {
            address: format!("/onboarding/assets/{name}?v={hash}"),
            name,
            media_type,
            text,
            // Weak: the same content also travels compressed.
            etag: format!("W/\"{hash}\""),
        }
    }
}

pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.css", "text/css; charset=utf-8", include_str!("static/page.css")));
pub static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.js", "text/javascript; charset=utf-8", include_str!("static/page.js")));

pub async fn serve(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(asset) = [&*STYLE, &*SCRIPT].into_iter().find(|asset| asset.name == name.as_str()) else {
        return pages::nothing_here(request).await;
    };
    let known = answer::header(&request, IF_NONE_MATCH).split(',').any(|tag| tag.trim() == asset.etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((ETAG, asset.etag.as_str()));
    if known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, asset.media_type)).body(asset.text)
}
