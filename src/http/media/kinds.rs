//! Which types of content the platform takes, how large each may be, and how some of them begin. Source: Cloud API,
//! supported media types.

use domain::media::MediaRow;

const MB: u64 = 1 << 20;
/// Enough to tell what a file is.
pub(super) const BEGINNING: usize = 16;

/// What is known of a type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) at_most: u64,
    begins: Option<fn(&[u8]) -> bool>,
}

const fn kind(name: &'static str, at_most: u64, begins: Option<fn(&[u8]) -> bool>) -> Kind {
    Kind { name, at_most, begins }
}

fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xd8\xff")
}

fn is_png(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n")
}

fn is_webp(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP")
}

/// MPEG-4 and 3GPP, sound and pictures: the same container.
fn is_mp4(head: &[u8]) -> bool {
    head.get(4..8) == Some(b"ftyp")
}

fn is_ogg(head: &[u8]) -> bool {
    head.starts_with(b"OggS")
}

fn is_amr(head: &[u8]) -> bool {
    head.starts_with(b"#!AMR")
}

/// A frame of MPEG sound, or the tag in front of the first one.
fn is_frames(head: &[u8]) -> bool {
    head.starts_with(b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe0 == 0xe0)
}

fn is_pdf(head: &[u8]) -> bool {
    head.starts_with(b"%PDF-")
}

/// A type without its parameters, in small letters.
pub(super) fn essence(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Everything that is no picture, sound or film is a document; of those only the listed ones are taken.
pub(super) fn kind_of(mime_type: &str) -> Option<Kind> {
    let essence = essence(mime_type);
    Some(match essence.as_str() {
        "image/jpeg" => kind("image", 5 * MB, Some(is_jpeg)),
        "image/png" => kind("image", 5 * MB, Some(is_png)),
        // Of a sticker that moves; one that does not may have 100 KB, which shows inside the file only.
        "image/webp" => kind("sticker", 500 * 1024, Some(is_webp)),
        "audio/aac" | "audio/mpeg" => kind("audio", 16 * MB, Some(is_frames)),
        "audio/amr" => kind("audio", 16 * MB, Some(is_amr)),
        "audio/mp4" => kind("audio", 16 * MB, Some(is_mp4)),
        "audio/ogg" => kind("audio", 16 * MB, Some(is_ogg)),
        "video/mp4" | "video/3gpp" => kind("video", 16 * MB, Some(is_mp4)),
        "application/pdf" => kind("document", 100 * MB, Some(is_pdf)),
        other if !other.contains('/') => return None,
        other if ["image/", "audio/", "video/"].iter().any(|family| other.starts_with(family)) => {
            return None;
        }
        _ => kind("document", 100 * MB, None),
    })
}

impl Kind {
    /// Whether content that begins so can be of this type, as far as its beginning tells.
    pub(super) fn may_begin(&self, head: &[u8]) -> bool {
        self.begins.is_none_or(|begins| begins(head))
    }
}

/// What a browser may show; everything else is saved.
pub(super) fn is_shown(row: &MediaRow) -> bool {
    matches!(essence(&row.mime_type).as_str(), "image/jpeg" | "image/png" | "image/webp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_size_and_strange_pictures_are_not_taken() {
        for (mime_type, expected) in [
            ("image/jpeg", Some(("image", 5 * MB))),
            ("Audio/OGG; codecs=opus", Some(("audio", 16 * MB))),
            ("video/3gpp", Some(("video", 16 * MB))),
            ("image/webp", Some(("sticker", 512_000))),
            ("application/pdf", Some(("document", 100 * MB))),
            ("application/x-anything", Some(("document", 100 * MB))),
            ("image/gif", None),
            ("image", None),
            ("", None),
        ] {
            let found = kind_of(mime_type).map(|kind| (kind.name, kind.at_most));
            assert_eq!(found, expected, "{mime_type}");
        }
    }

    #[test]
    fn a_type_that_its_content_gives_the_lie_is_found() {
        for (mime_type, head, fine) in [
            ("image/jpeg", &b"\xff\xd8\xff\xe0JFIF"[..], true),
            ("image/jpeg", b"\x89PNG\r\n\x1a\n", false),
            ("image/png", b"\x89PNG\r\n\x1a\n", true),
            ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", true),
            ("audio/ogg", b"OggS", true),
            ("audio/mpeg", b"ID3\x04", true),
            ("audio/mpeg", b"\xff\xfb\x90", true),
            ("audio/mpeg", b"OggS", false),
            ("video/mp4", b"\0\0\0\x18ftypmp42", true),
            ("video/mp4", b"MZ\x90\0", false),
            ("application/pdf", b"<html>", false),
            ("text/plain", b"Habari", true),
        ] {
            assert_eq!(kind_of(mime_type).unwrap().may_begin(head), fine, "{mime_type} {head:?}");
        }
    }
}
