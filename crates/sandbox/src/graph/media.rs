//! Media: `POST /{phone}/media`, `GET` and `DELETE /{media}`, and the address that a look-up gives.

use super::access::{alive, business, number as find};
use super::call::Call;
use super::error::GraphError;
use super::numbers::product;
use super::{Answer, Answered};
use crate::accounts::MESSAGING;
use crate::media::{Medium, UPLOADED_MS};
use crate::world::{World, locked};
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

const MB: usize = 1 << 20;
/// Kinds that are looked at closely: their types, and how large one may be.
const KINDS: [(&str, &[&str], usize); 4] = [
    ("audio", &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"], 16 * MB),
    ("image", &["image/jpeg", "image/png"], 5 * MB),
    ("video", &["video/mp4", "video/3gpp"], 16 * MB),
    ("sticker", &["image/webp"], 500 << 10),
];
const LARGEST_DOCUMENT: usize = 100 * MB;

pub(super) fn has(world: &World, id: &str) -> bool {
    world.medium(id).is_some()
}

pub(super) fn upload(world: &World, call: &Call, id: &str) -> Answered {
    let accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let number = find(&accounts, token, call, id, MESSAGING)?;
    product(call)?;
    let file = call.file.as_ref();
    let file = file.ok_or_else(|| GraphError::parameter("The parameter file is required."))?;
    let said = file.mime_type.as_deref().filter(|kind| *kind != "application/octet-stream");
    let listed = call.param("type");
    let mime_type = said.or(listed.as_deref());
    let mime_type = mime_type.ok_or_else(|| GraphError::parameter("The parameter type is required."))?;
    if listed.as_deref().is_some_and(|listed| essence(listed) != essence(mime_type)) {
        return Err(GraphError::known(131_053, "The type of the file is not the one that was named."));
    }
    fits(essence(mime_type), file.content.len())?;
    let waba_id = number.waba_id.clone();
    let kept = world.keep_media(&number.id, mime_type, &file.content, UPLOADED_MS);
    let (medium, synced) = kept.map_err(|_| GraphError::unavailable())?;
    Ok(Answer { synced: vec![synced], ..Answer::of(json!({ "id": medium.id })).using(&waba_id) })
}

/// `GET` and `DELETE`, with the number named that it has to belong to or without.
pub(super) fn one(world: &World, call: &Call, id: &str) -> Answered {
    let accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let unknown = || GraphError::unknown_object(call.method.as_str(), id);
    let medium = world.medium(id).ok_or_else(unknown)?;
    let number = find(&accounts, token, call, &medium.phone_number_id, MESSAGING).map_err(|_| unknown())?;
    if call.param("phone_number_id").is_some_and(|named| named != number.id) {
        return Err(unknown());
    }
    if call.method == Method::DELETE {
        return Ok(Answer::success(world.delete_media(id)));
    }
    let base =
        if call.host().is_empty() { world.public_url.clone() } else { format!("http://{}", call.host()) };
    let body = json!({
        "messaging_product": "whatsapp",
        "url": format!("{base}{}", world.media_link(id)),
        "mime_type": medium.mime_type,
        "sha256": medium.sha256,
        "file_size": medium.size,
        "id": medium.id,
    });
    Ok(Answer::of(body).using(&number.waba_id))
}

/// `GET` of an address: whatever is wrong about it is answered with 404.
pub(crate) async fn content(
    request: HttpRequest,
    secret: web::Path<String>,
    world: web::Data<World>,
) -> HttpResponse {
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let medium = world.linked_media(&secret).filter(|medium| may_read(&world, token, medium));
    let content = medium.as_ref().and_then(|medium| world.media_content(&medium.id));
    match medium.zip(content) {
        Some((medium, content)) => HttpResponse::Ok().content_type(medium.mime_type).body(content),
        None => HttpResponse::NotFound().finish(),
    }
}

fn may_read(world: &World, token: &str, medium: &Medium) -> bool {
    let accounts = locked(&world.accounts);
    let number = accounts.numbers.get(&medium.phone_number_id);
    let token = alive(world, &accounts, token).ok();
    number.zip(token).is_some_and(|(number, token)| token.sees(&number.waba_id))
}

fn essence(mime_type: &str) -> &str {
    mime_type.split(';').next().unwrap_or_default().trim()
}

/// What is of no kind that is looked at closely is a document, of any type.
fn fits(mime_type: &str, size: usize) -> Result<(), GraphError> {
    let kind = KINDS.iter().find(|(_, types, _)| types.contains(&mime_type));
    let strange = ["audio/", "image/", "video/"].iter().any(|family| mime_type.starts_with(family));
    let (name, at_most) = match kind {
        Some((name, _, at_most)) => (*name, *at_most),
        None if strange => {
            return Err(GraphError::parameter(format!("Param file must not be of the type {mime_type}.")));
        }
        None => ("document", LARGEST_DOCUMENT),
    };
    if size == 0 || size > at_most {
        return Err(GraphError::known(
            131_053,
            format!("A file of the kind {name} has 1 to {at_most} bytes."),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_types_and_its_size() {
        for (mime_type, size, fine) in [
            ("image/jpeg", 5 * MB, true),
            ("image/jpeg", 5 * MB + 1, false),
            ("image/gif", 1, false),
            ("image/webp", 512_000, true),
            ("image/webp", 512_001, false),
            ("audio/ogg", 16 * MB, true),
            ("video/mp4", 16 * MB + 1, false),
            ("application/pdf", 100 * MB, true),
            ("application/x-anything", 100 * MB + 1, false),
            ("text/plain", 0, false),
        ] {
            assert_eq!(fits(mime_type, size).is_ok(), fine, "{mime_type} of {size}");
        }
    }
}
