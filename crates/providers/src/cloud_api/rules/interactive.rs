//! Interactive messages: what is common to all of them; what each can do is in [`super::interactive_action`].

use serde_json::Value;

use super::interactive_action as action;
use super::{At, Checker, interactive_carousel, plain, rule};

const HEADER: usize = 60;
const BODY: usize = 1_024;
/// The guide allows this for lists, the OpenAPI file the usual 1024; the platform has the last word.
const LIST_BODY: usize = 4_096;
const FOOTER: usize = 60;

/// What may stand above the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Any,
    /// Text, image, video or document.
    Media,
    Text,
    TextRequired,
    Document,
    None,
}

struct Kind {
    name: &'static str,
    header: Header,
    body: Body,
    footer: bool,
    action: fn(&mut Checker, At<'_, '_>),
}

struct Body {
    required: bool,
    longest: usize,
}

const NEEDED: Body = Body { required: true, longest: BODY };
const OPTIONAL: Body = Body { required: false, longest: BODY };

const KINDS: &[Kind] = &[
    Kind { name: "button", header: Header::Media, body: NEEDED, footer: true, action: action::button },
    Kind {
        name: "list",
        header: Header::Text,
        body: Body { required: true, longest: LIST_BODY },
        footer: true,
        action: action::list,
    },
    Kind { name: "cta_url", header: Header::Media, body: NEEDED, footer: true, action: action::cta_url },
    Kind { name: "flow", header: Header::Any, body: NEEDED, footer: true, action: action::flow },
    Kind { name: "product", header: Header::None, body: OPTIONAL, footer: true, action: action::product },
    Kind {
        name: "product_list",
        header: Header::TextRequired,
        body: NEEDED,
        footer: true,
        action: action::product_list,
    },
    Kind {
        name: "catalog_message",
        header: Header::None,
        body: NEEDED,
        footer: true,
        action: action::catalog_message,
    },
    Kind {
        name: "location_request_message",
        header: Header::None,
        body: NEEDED,
        footer: true,
        action: action::location_request,
    },
    Kind {
        name: "address_message",
        header: Header::Media,
        body: NEEDED,
        footer: true,
        action: action::address_message,
    },
    Kind {
        name: "carousel",
        header: Header::None,
        body: NEEDED,
        footer: false,
        action: interactive_carousel::cards,
    },
    Kind {
        name: "call_permission_request",
        header: Header::None,
        body: OPTIONAL,
        footer: true,
        action: action::call_permission_request,
    },
    Kind { name: "voice_call", header: Header::Any, body: NEEDED, footer: true, action: action::voice_call },
    Kind {
        name: "request_contact_info",
        header: Header::None,
        body: OPTIONAL,
        footer: true,
        action: action::request_contact_info,
    },
    Kind {
        name: "order_details",
        header: Header::Document,
        body: NEEDED,
        footer: true,
        action: action::order_details,
    },
    Kind {
        name: "order_status",
        header: Header::None,
        body: NEEDED,
        footer: true,
        action: action::order_status,
    },
];

pub(super) fn interactive(checker: &mut Checker, message: At<'_, '_>) {
    if plain::is_for_a_group(message.object) {
        checker.wrong(
            &message.path.key("type"),
            rule::NOT_ALLOWED,
            "interactive messages cannot be sent to groups: send text, media or a template",
        );
    }
    let Some(object) = checker.object(message, "interactive") else { return };
    let at = At { object, path: &message.path.key("interactive") };
    let Some(name) = checker.text(at, "type", plain::ID) else { return };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        if !checker.allow_unknown {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            let path = at.path.key("type");
            let message =
                format!("{path} is not a known interactive type: it must be one of {}", known.join(", "));
            checker.wrong(&path, rule::UNKNOWN_TYPE, message);
        }
        return;
    };
    header(checker, at, kind.header);
    body(checker, at, &kind.body);
    if kind.footer {
        small_text(checker, at, "footer", FOOTER);
    } else {
        checker.not_allowed(at, "footer", "this interactive type has none");
    }
    if let Some(object) = checker.object(at, "action") {
        (kind.action)(checker, At { object, path: &at.path.key("action") });
    }
}

fn body(checker: &mut Checker, at: At<'_, '_>, body: &Body) {
    if body.required && at.member("body").is_none() {
        let path = at.path.key("body");
        let message = format!("{path} is missing: it must be an object such as {{\"text\":\"…\"}}");
        checker.wrong(&path, rule::REQUIRED, message);
    } else {
        small_text(checker, at, "body", body.longest);
    }
}

/// `{"text":"…"}` behind `name`, if there.
pub(super) fn small_text(checker: &mut Checker, at: At<'_, '_>, name: &str, longest: usize) {
    if let Some(object) = checker.optional_object(at, name) {
        checker.text(At { object, path: &at.path.key(name) }, "text", longest);
    }
}

fn header(checker: &mut Checker, at: At<'_, '_>, allowed: Header) {
    if allowed == Header::None {
        return checker.not_allowed(at, "header", "this interactive type has none");
    }
    if allowed == Header::TextRequired && at.member("header").is_none() {
        let path = at.path.key("header");
        return checker.wrong(&path, rule::REQUIRED, format!("{path} is missing: a text header is needed"));
    }
    let kinds: &[&str] = match allowed {
        Header::Text | Header::TextRequired => &["text"],
        Header::Document => &["text", "image", "document"],
        Header::Media => &["text", "image", "video", "document"],
        Header::Any | Header::None => &["text", "image", "video", "document", "gif"],
    };
    if let Some(object) = checker.optional_object(at, "header") {
        header_of(checker, At { object, path: &at.path.key("header") }, kinds);
    }
}

/// A header whose `type` is one of `kinds`, with the member of that name.
pub(super) fn header_of(checker: &mut Checker, at: At<'_, '_>, kinds: &[&str]) {
    checker.word(at, "type", kinds);
    match at.member("type").and_then(Value::as_str) {
        Some("text") if kinds.contains(&"text") => {
            checker.text(at, "text", HEADER);
        }
        Some(kind) if kinds.contains(&kind) => plain::media(checker, at, kind),
        _ => {}
    }
}
