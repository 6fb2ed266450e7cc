//! Lists in pages: cursors that say nothing, and `next` only where something follows.

use super::call::Call;
use super::error::GraphError;
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fmt::Write;

const USUAL: usize = 25;
const MOST: usize = 100;

/// The page that a call of `path` asks for, each of its elements written by `show`.
pub(super) fn page<T>(
    world: &World,
    call: &Call,
    path: &str,
    all: &[T],
    key: impl Fn(&T) -> String,
    show: impl Fn(&T) -> Result<Value, GraphError>,
) -> Result<Value, GraphError> {
    let asked = call.param("limit").and_then(|limit| limit.parse::<usize>().ok());
    let limit = asked.unwrap_or(USUAL).clamp(1, MOST);
    let start = match call.param("after") {
        None => 0,
        Some(cursor) => from_cursor(&cursor)
            .and_then(|last| all.iter().position(|element| key(element) == last))
            .map(|position| position + 1)
            .ok_or_else(|| GraphError::known(131_059, "The paging cursor is not valid any more."))?,
    };
    let page: Vec<&T> = all.iter().skip(start).take(limit).collect();
    let data = page.iter().map(|element| show(element)).collect::<Result<Vec<_>, _>>()?;
    let mut body = json!({"data": data});
    if let (Some(first), Some(last)) = (page.first(), page.last()) {
        let cursor = |element: &T| URL_SAFE_NO_PAD.encode(key(element));
        let (before, after) = (cursor(first), cursor(last));
        body["paging"] = json!({"cursors": {"before": before, "after": after}});
        if start + page.len() < all.len() {
            let (major, minor) = call.version;
            let base = &world.public_url;
            let mut next = format!("{base}/graph/v{major}.{minor}/{path}?limit={limit}&after={after}");
            for name in ["fields", "name", "status"] {
                if let Some(value) = call.param(name) {
                    let _ = write!(next, "&{name}=");
                    next.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
                }
            }
            body["paging"]["next"] = json!(next);
        }
    }
    Ok(body)
}

fn from_cursor(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
