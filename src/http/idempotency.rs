//! The same key and the same request have the same answer, for at least 72 hours.
//!
//! A message's record is written in the message's own commit; see [`gateway_actors::IdempotencyKey`]. Everything else
//! goes through [`once`]: it does the work and keeps the answer, under a lock of this process, so that two requests
//! with one key do not both do it. An answer that holds a secret, such as a link or a signing secret, or that tells of a
//! business, such as its name or a customer's number, is kept sealed: it goes with the business.
//!
//! Only answers of success are kept. A crash between the work and its record can make the work happen twice; what it
//! makes twice is a link or an endpoint, never a message.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::BusinessKey;
use domain::contracts::store::IdempotencyRecord;
use domain::ids::AccountKey;
use domain::onboarding::Digest32;
use domain::secret::Sealed;
use gateway_actors::SealError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::error::{Code, Problem};
use super::state::AppState;
use crate::random_token::digest;

pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LONGEST_KEY: usize = 255;
/// Bound into sealed answers. It never changes.
const COLUMN: &str = "idempotency_keys.answer";

/// The digest of the caller's `Idempotency-Key`, where one was sent.
#[derive(Debug, Clone, Copy)]
pub struct Key(pub Option<Digest32>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get(HEADER) else { return ready(Ok(Self(None))) };
        let text = value.to_str().ok().filter(|text| (1..=LONGEST_KEY).contains(&text.len()));
        ready(match text {
            Some(text) => Ok(Self(Some(digest(text)))),
            None => Err(Problem::new(Code::BadRequest)
                .with_detail(format!("Idempotency-Key must be 1 to {LONGEST_KEY} visible ASCII characters"))),
        })
    }
}

type AccountsKey = (AccountKey, Digest32);

/// Requests of one account with one key take turns; nobody else waits for them. Holds the keys of requests under way
/// and no others.
#[derive(Clone, Default)]
pub struct Turns(Arc<StdMutex<HashMap<AccountsKey, Arc<Mutex<()>>>>>);

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

/// Given back when it is dropped.
struct Turn {
    turns: Turns,
    key: AccountsKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<AccountsKey, Arc<Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, key: AccountsKey) -> Turn {
        let lock = Arc::clone(self.under_way().entry(key).or_default());
        // Made before the wait, so that a request that is given up meanwhile leaves nothing behind.
        let mut turn = Turn { turns: self.clone(), key, held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.turns.under_way();
        self.held = None;
        // The map's own and nobody else's.
        if under_way.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            under_way.remove(&self.key);
        }
    }
}

/// What makes a second request the same one.
#[derive(Debug)]
pub struct Request<'a> {
    pub account: AccountKey,
    pub key: Key,
    /// Method and path, such as `POST /v1/endpoints`.
    pub route: String,
    pub body: &'a [u8],
}

/// An answer of success.
#[derive(Debug)]
pub struct Made {
    status: StatusCode,
    json: String,
    /// Under whose key the answer is sealed when it is kept.
    secret_of: Option<BusinessKey>,
}

impl Made {
    pub fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let json =
            serde_json::to_string(body).map_err(|error| Problem::internal("writing an answer", &error))?;
        Ok(Self { status, json, secret_of: None })
    }

    /// An answer that is written already.
    pub const fn from_json(status: StatusCode, json: String) -> Self {
        Self { status, json, secret_of: None }
    }

    pub fn json(&self) -> &str {
        &self.json
    }

    /// The answer holds something that must not be stored in clear, or be read once its owner is erased.
    #[must_use]
    pub fn holding_secret_of(self, owner: BusinessKey) -> Self {
        Self { secret_of: Some(owner), ..self }
    }
}

/// How a secret answer is kept. Its end is looked for when the owner is erased: [`IdempotencyRecord::ending`].
#[derive(Serialize, Deserialize)]
struct Kept {
    sealed: String,
    owner: i64,
}

/// Does the work unless it was done under this key before.
pub async fn once(
    state: &AppState,
    request: Request<'_>,
    work: impl Future<Output = Result<Made, Problem>>,
) -> Result<HttpResponse, Problem> {
    let Some(key_hash) = request.key.0 else { return work.await.map(|made| answer(made.status, made.json)) };
    let body_hash: Digest32 = Sha256::digest(request.body).into();
    let _turn = state.turns.wait((request.account, key_hash)).await;
    if let Some(record) = state.store.remembered(request.account, &key_hash).await? {
        return replay(state, &record, &request.route, &body_hash).await;
    }
    let made = work.await?;
    let record = IdempotencyRecord {
        account: request.account,
        key_hash,
        route: request.route,
        body_hash,
        answer_status: made.status.as_u16(),
        answer: match made.secret_of {
            Some(owner) => seal(state, owner, &key_hash, &made.json).await?,
            None => made.json.clone(),
        },
        created_at: state.clock.now(),
    };
    let in_force = state.store.remember(&record).await?;
    if in_force == record {
        return Ok(answer(made.status, made.json));
    }
    // Another node was first.
    replay(state, &in_force, &record.route, &body_hash).await
}

/// The answer of the first request, if this is the same one.
pub async fn replay(
    state: &AppState,
    record: &IdempotencyRecord,
    route: &str,
    body_hash: &Digest32,
) -> Result<HttpResponse, Problem> {
    if record.route != route || record.body_hash != *body_hash {
        return Err(Problem::new(Code::IdempotencyConflict)
            .with_detail("this Idempotency-Key was sent before with another request: use a new one"));
    }
    let json = match serde_json::from_str::<Kept>(&record.answer) {
        Ok(kept) => open(state, &record.key_hash, &kept).await?,
        Err(_) => record.answer.clone(),
    };
    let status = StatusCode::from_u16(record.answer_status).unwrap_or(StatusCode::OK);
    let mut response = answer(status, json);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn answer(status: StatusCode, json: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(json)
}

async fn seal(
    state: &AppState,
    owner: BusinessKey,
    key_hash: &Digest32,
    json: &str,
) -> Result<String, Problem> {
    let sealed = state.gateway.keychain().seal(owner, row(key_hash), COLUMN, json.as_bytes()).await;
    let sealed = sealed.map_err(of_seal)?;
    let kept = Kept { sealed: STANDARD.encode(sealed.as_bytes()), owner: owner.0 };
    serde_json::to_string(&kept).map_err(|error| Problem::internal("writing an answer", &error))
}

async fn open(state: &AppState, key_hash: &Digest32, kept: &Kept) -> Result<String, Problem> {
    let sealed =
        STANDARD.decode(&kept.sealed).map_err(|error| Problem::internal("reading a kept answer", &error))?;
    let sealed = Sealed::from_bytes(sealed);
    let opened = state.gateway.keychain().open(BusinessKey(kept.owner), row(key_hash), COLUMN, &sealed).await;
    let opened = opened.map_err(of_seal)?;
    Ok(String::from_utf8_lossy(&opened).into_owned())
}

/// A record has no id of its own.
fn row(key_hash: &Digest32) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key_hash[..16]);
    Uuid::from_bytes(bytes)
}

/// What sealing and opening mean to a caller.
pub fn of_seal(error: SealError) -> Problem {
    match error {
        SealError::Erased => Problem::not_found(),
        SealError::Store(_) => {
            Problem::new(Code::Unavailable).with_retry_after(std::time::Duration::from_secs(1))
        }
        error => Problem::internal("sealing", &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_sealed_answer_ends_in_its_owner() {
        for owner in [1, 17] {
            let kept = serde_json::to_string(&Kept { sealed: "c2VhbGVk".to_owned(), owner }).unwrap();
            assert!(kept.ends_with(&IdempotencyRecord::ending(BusinessKey(owner))), "{kept}");
        }
        assert!(
            !IdempotencyRecord::ending(BusinessKey(17)).ends_with(&IdempotencyRecord::ending(BusinessKey(7)))
        );
    }

    const FIRST: AccountsKey = (AccountKey(1), [1; 32]);

    async fn waits(turns: &Turns, key: AccountsKey) -> bool {
        tokio::time::timeout(Duration::from_millis(20), turns.wait(key)).await.is_err()
    }

    #[tokio::test]
    async fn one_key_waits_for_itself_and_for_no_other_key_or_account() {
        let turns = Turns::default();
        let held = turns.wait(FIRST).await;
        assert!(waits(&turns, FIRST).await);
        for other in [(AccountKey(1), [2; 32]), (AccountKey(2), [1; 32]), (AccountKey(1), [65; 32])] {
            assert!(!waits(&turns, other).await);
        }
        drop(held);
        assert!(!waits(&turns, FIRST).await);
    }

    #[tokio::test]
    async fn keys_that_nobody_uses_are_forgotten_also_by_those_who_gave_up() {
        let turns = Turns::default();
        let first = turns.wait(FIRST).await;
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.wait(FIRST).await) }
        });
        assert!(waits(&turns, FIRST).await);
        assert_eq!(turns.under_way().len(), 1);
        drop(first);
        second.await.unwrap();
        assert_eq!(turns.under_way().len(), 0);
    }
}
