//! Links to content. Whoever has one may read what it leads to for five minutes, as with the platform's own, and needs no
//! key: the link is sealed by us and says whose the content is and until when.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentDisposition, DispositionParam,
    DispositionType,
};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Path, ServiceConfig, get, resource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::ids::{AccountKey, BusinessKey, MediaId};
use domain::media::{MediaRow, MediaState};
use domain::secret::Sealed;
use futures_util::TryStreamExt as _;
use gateway_actors::column;

use super::kinds::is_shown;
use super::receive::unreadable;
use crate::http::api::method_not_allowed;
use crate::http::error::{Chain, Code, Problem};
use crate::http::json::Query;
use crate::http::limits::among_requests;
use crate::http::state::AppState;

const LIVES: Duration = Duration::from_mins(5);
/// Longer than any link of ours.
const LONGEST: usize = 512;

pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/media/{id}")
            .wrap(from_fn(among_requests))
            .route(get().to(read))
            .default_service(actix_web::web::to(method_not_allowed)),
    );
}

/// A link to this content, from now on.
pub async fn link_to(state: &AppState, row: &MediaRow) -> Result<String, Problem> {
    let until = state.clock.now().plus(LIVES);
    let said = says(row.account, until);
    let keychain = state.gateway.keychain();
    let sealed = keychain.seal(BusinessKey::INSTALLATION, row.id.uuid(), column::MEDIA_LINK, &said).await;
    let sealed = sealed.map_err(|error| {
        tracing::warn!(error = %Chain(&error), "a link to media cannot be sealed");
        Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
    })?;
    let key = URL_SAFE_NO_PAD.encode(sealed.as_bytes());
    Ok(state.link(&format!("/media/{}?key={key}", row.id.to_graph())))
}

/// Whose content a link leads to, while it lives.
async fn account_of(state: &AppState, id: MediaId, key: &str) -> Option<AccountKey> {
    let sealed = Sealed::from_bytes(URL_SAFE_NO_PAD.decode(key).ok()?);
    let keychain = state.gateway.keychain();
    let said = keychain.open(BusinessKey::INSTALLATION, id.uuid(), column::MEDIA_LINK, &sealed).await.ok()?;
    told(&said, state.clock.now())
}

fn says(account: AccountKey, until: Timestamp) -> Vec<u8> {
    [account.0.to_be_bytes(), until.as_micros().to_be_bytes()].concat()
}

fn told(said: &[u8], now: Timestamp) -> Option<AccountKey> {
    let (account, until) = said.split_first_chunk::<8>()?;
    let until = Timestamp::from_micros(i64::from_be_bytes(until.try_into().ok()?));
    (until > now).then(|| AccountKey(i64::from_be_bytes(*account)))
}

/// A link that is over, of something else, or of nobody is a link to nothing.
async fn read(state: Data<AppState>, id: Path<String>, mut query: Query) -> Result<HttpResponse, Problem> {
    let id = MediaId::from_graph(&id).ok_or_else(Problem::not_found)?;
    let key = query.take("key").filter(|key| key.len() <= LONGEST).ok_or_else(Problem::not_found)?;
    let account = account_of(&state, id, &key).await.ok_or_else(Problem::not_found)?;
    let row = state.store.media(account, id).await.map_err(|error| unreadable(&error))?;
    let row = row.ok_or_else(Problem::not_found)?;
    content(&state, &row).await
}

pub async fn content(state: &AppState, row: &MediaRow) -> Result<HttpResponse, Problem> {
    let MediaState::Stored(stored) = row.state else { return Err(Problem::not_found()) };
    let opened = state.gateway.read_media(row).await.map_err(|error| {
        tracing::warn!(media.id = %row.id, error = %Chain(&error), "content cannot be read");
        Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
    })?;
    let disposition = if is_shown(row) { DispositionType::Inline } else { DispositionType::Attachment };
    let parameters = opened.file_name.map(DispositionParam::Filename).into_iter().collect();
    let (media_id, content) = (row.id, opened.content);
    let content = content.map_err(move |error| -> Box<dyn std::error::Error> {
        tracing::warn!(media.id = %media_id, %error, "content broke off while it was read");
        error
    });
    // Made by strangers, and served from where our pages are: nothing in it may run.
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, row.mime_type.clone()))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((CONTENT_DISPOSITION, ContentDisposition { disposition, parameters }))
        .body(SizedStream::new(stored.size, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_over_leads_nowhere() {
        let until = Timestamp::from_seconds(1_790_000_300);
        let said = says(AccountKey(7), until);
        assert_eq!(told(&said, Timestamp::from_seconds(1_790_000_299)), Some(AccountKey(7)));
        assert_eq!(told(&said, until), None);
        assert_eq!(told(&said[..12], Timestamp::from_seconds(0)), None);
    }
}
