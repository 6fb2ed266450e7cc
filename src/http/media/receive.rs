//! An upload: a form with a file, read a piece at a time, checked while it comes, and sealed as it goes to where it is
//! kept.

use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use domain::Connection;
use domain::contracts::media::{Cause, Incoming};
use domain::contracts::store::StoreError;
use domain::media::MediaRow;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use gateway_actors::{KeepError, LARGEST_MEDIA, NewMedia};
use tokio::sync::mpsc;

use super::kinds::{BEGINNING, Kind, essence, kind_of};
use crate::http::error::{Chain, Code, Problem};
use crate::http::state::AppState;

/// Of a member that is text.
const LONGEST_TEXT: usize = 1024;
/// Of everything in a form beside its file.
const FORM: u64 = 64 * 1024;
const LONGEST_NAME: usize = 240;
/// A file that comes more slowly than its size needs is refused at the latest after this.
const LONGEST: Duration = Duration::from_mins(10);
/// What says nothing.
const ANYTHING: &str = "application/octet-stream";

/// Members of the form that are text.
#[derive(Debug, Default)]
pub struct Said {
    messaging_product: Option<String>,
    mime_type: Option<String>,
}

/// Keeps the file of the form for this number.
pub async fn receive(
    state: &AppState,
    connection: &Connection,
    request: &HttpRequest,
    payload: Payload,
) -> Result<MediaRow, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > LARGEST_MEDIA + FORM) {
        return Err(too_large("file", LARGEST_MEDIA));
    }
    let _place = state.limits.upload()?;
    let form = Multipart::new(request.headers(), payload);
    match tokio::time::timeout(LONGEST, read(state, connection, form)).await {
        Ok(received) => received,
        Err(_) => Err(Problem::new(Code::RequestTimeout)),
    }
}

async fn read(state: &AppState, connection: &Connection, mut form: Multipart) -> Result<MediaRow, Problem> {
    let mut said = Said::default();
    let mut kept = None;
    let whole = async {
        while let Some(mut field) =
            in_time(state, form.next()).await?.transpose().map_err(|error| broken(&error))?
        {
            match field.name().unwrap_or_default() {
                "file" if kept.is_none() => kept = Some(file(state, connection, &said, field).await?),
                "file" => return Err(Problem::field("file", "invalid", "file may be given once")),
                "messaging_product" => said.messaging_product = Some(text(state, &mut field).await?),
                "type" => said.mime_type = Some(text(state, &mut field).await?),
                _ => drop(text(state, &mut field).await?),
            }
        }
        complete(&said, kept.as_ref())
    };
    match whole.await {
        Ok(()) => kept.ok_or_else(|| Problem::field("file", "required", "file is required")),
        Err(problem) => {
            if let Some(row) = &kept
                && let Err(error) = state.gateway.delete_media(row).await
            {
                tracing::warn!(media.id = %row.id, error = %Chain(&error), "refused content could not be deleted");
            }
            Err(problem)
        }
    }
}

/// What is known of the whole form only when it ends.
fn complete(said: &Said, kept: Option<&MediaRow>) -> Result<(), Problem> {
    match said.messaging_product.as_deref() {
        Some("whatsapp") => {}
        Some(_) => {
            return Err(Problem::field("messaging_product", "invalid", "messaging_product must be whatsapp"));
        }
        None => {
            return Err(Problem::field("messaging_product", "required", "messaging_product is required"));
        }
    }
    if let (Some(row), Some(named)) = (kept, &said.mime_type)
        && essence(named) != essence(&row.mime_type)
    {
        return Err(Problem::field("type", "type_mismatch", "type is not the content type of the file"));
    }
    Ok(())
}

/// At most so long may nothing come.
async fn in_time<T>(state: &AppState, coming: impl Future<Output = T>) -> Result<T, Problem> {
    let came = tokio::time::timeout(state.server.body_timeout(), coming).await;
    came.map_err(|_| Problem::new(Code::RequestTimeout))
}

fn broken(error: &MultipartError) -> Problem {
    match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible
        | MultipartError::BoundaryMissing => {
            Problem::new(Code::UnsupportedMedia).with_detail("send the file as multipart/form-data")
        }
        _ => Problem::new(Code::BadRequest).with_detail("the form broke off, or is not one"),
    }
}

async fn text(state: &AppState, field: &mut Field) -> Result<String, Problem> {
    let mut text = Vec::new();
    while let Some(piece) = in_time(state, field.next()).await?.transpose().map_err(|error| broken(&error))? {
        if text.len() + piece.len() > LONGEST_TEXT {
            return Err(Problem::new(Code::TooLarge).with_detail("a member of the form is too long"));
        }
        text.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn file(
    state: &AppState,
    connection: &Connection,
    said: &Said,
    field: Field,
) -> Result<MediaRow, Problem> {
    let own = field.content_type().map(ToString::to_string).filter(|own| own != ANYTHING);
    let mime_type = own.or_else(|| said.mime_type.clone()).ok_or_else(|| {
        let message = "type is required before a file that has no content type of its own";
        Problem::field("type", "required", message)
    })?;
    let kind = kind_of(&mime_type).filter(|_| mime_type.len() <= LONGEST_TEXT).ok_or_else(|| {
        Problem::field("file", "unsupported_type", "the platform takes no files of this type")
    })?;
    let name = field.content_disposition().and_then(|disposition| disposition.get_filename());
    let file_name = name.map(|name| name.chars().take(LONGEST_NAME).collect());
    let new = NewMedia { mime_type, file_name, at_most: kind.at_most };
    let (pieces, content) = mpsc::channel(2);
    let (passed, kept) = future::join(
        pass(state, kind, field, pieces),
        state.gateway.keep_media(connection, new, arriving(content)),
    )
    .await;
    passed?;
    kept.map_err(|error| not_kept(&error))
}

/// What is kept may be read from any thread, and a request only from its own.
fn arriving(content: mpsc::Receiver<Result<Bytes, Cause>>) -> Incoming {
    stream::unfold(content, |mut content| async move { Some((content.recv().await?, content)) }).boxed()
}

/// Hands the file on, piece by piece, as long as it is what it is said to be.
async fn pass(
    state: &AppState,
    kind: Kind,
    mut field: Field,
    to: mpsc::Sender<Result<Bytes, Cause>>,
) -> Result<(), Problem> {
    let passed = pass_all(state, kind, &mut field, &to).await;
    if passed.is_err() {
        let _ = to.send(Err("the upload was refused".into())).await;
    }
    passed
}

async fn pass_all(
    state: &AppState,
    kind: Kind,
    field: &mut Field,
    to: &mpsc::Sender<Result<Bytes, Cause>>,
) -> Result<(), Problem> {
    let mut size = 0;
    let mut beginning = Some(BytesMut::new());
    loop {
        let piece = in_time(state, field.try_next()).await?.map_err(|error| broken(&error))?;
        size += piece.as_ref().map_or(0, Bytes::len) as u64;
        if size > kind.at_most {
            return Err(too_large(kind.name, kind.at_most));
        }
        let ended = piece.is_none();
        let ready = match (beginning.take(), piece) {
            (Some(mut head), piece) => {
                head.extend_from_slice(&piece.unwrap_or_default());
                if head.len() < BEGINNING && !ended {
                    beginning = Some(head);
                    continue;
                }
                if head.is_empty() {
                    return Err(Problem::field("file", "empty", "file has no content"));
                }
                if !kind.may_begin(&head) {
                    let message = "the content of file is not of the type that it is said to be";
                    return Err(Problem::field("file", "type_mismatch", message));
                }
                Some(head.freeze())
            }
            (None, piece) => piece,
        };
        // Whoever keeps it has ended, and says why.
        if let Some(ready) = ready
            && to.send(Ok(ready)).await.is_err()
        {
            return Ok(());
        }
        if ended {
            return Ok(());
        }
    }
}

fn too_large(name: &str, at_most: u64) -> Problem {
    Problem::new(Code::TooLarge).with_detail(format!("a {name} may have at most {at_most} bytes"))
}

pub fn not_kept(error: &KeepError) -> Problem {
    match error {
        KeepError::TooLarge { at_most } => too_large("file", *at_most),
        KeepError::Broken(_) | KeepError::Different => {
            Problem::new(Code::BadRequest).with_detail("the file broke off")
        }
        KeepError::Erased => Problem::not_found(),
        KeepError::Unavailable(_) => {
            tracing::warn!(error = %Chain(error), "media cannot be kept");
            Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
        }
    }
}

pub fn unreadable(error: &StoreError) -> Problem {
    tracing::warn!(error = %Chain(error), "media cannot be looked up");
    Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
}
