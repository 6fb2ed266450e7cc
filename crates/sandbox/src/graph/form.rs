//! `multipart/form-data`, whole: what is uploaded to the pretend platform fits into memory.

use bytes::Bytes;

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) mime_type: Option<String>,
    pub(crate) content: Bytes,
}

/// Members that are text, and the one that is a file.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) file: Option<File>,
}

impl Form {
    /// What cannot be read is left out, so that the complaint is about the first thing that is missing.
    pub(crate) fn read(content_type: &str, body: &Bytes) -> Self {
        let mut form = Self::default();
        let Some(boundary) = attribute(content_type, "boundary") else { return form };
        let (first, next) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
        let Some(mut at) = find(body, first.as_bytes(), 0).map(|at| at + first.len()) else { return form };
        while body.get(at..at + 2) == Some(b"\r\n") {
            let Some(end) = find(body, next.as_bytes(), at) else { break };
            form.take(&body.slice(at..end));
            at = end + next.len();
        }
        form
    }

    /// One part: a line break, its headers, an empty line, and what it says.
    fn take(&mut self, part: &Bytes) {
        let Some(end) = find(part, b"\r\n\r\n", 0) else { return };
        let (head, content) = (String::from_utf8_lossy(&part[..end]), part.slice(end + 4..));
        let header = |wanted: &str| {
            head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
            })
        };
        let disposition = header("content-disposition").unwrap_or_default();
        let Some(name) = attribute(&disposition, "name") else { return };
        if attribute(&disposition, "filename").is_some() {
            self.file = Some(File { mime_type: header("content-type"), content });
        } else {
            self.texts.push((name, String::from_utf8_lossy(&content).into_owned()));
        }
    }
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
}

/// `name="value"` or `name=value` among what semicolons separate.
fn attribute(header: &str, wanted: &str) -> Option<String> {
    header.split(';').find_map(|piece| {
        let (name, value) = piece.trim().split_once('=')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_texts_and_a_file_with_its_own_type() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--x\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\
            a\r\n--b\r\n--x--\r\n";
        let form = Form::read("multipart/form-data; boundary=\"x\"", &Bytes::from(body));
        assert_eq!(form.texts, [("messaging_product".to_owned(), "whatsapp".to_owned())]);
        let file = form.file.unwrap();
        assert_eq!((file.mime_type.as_deref(), &file.content[..]), (Some("image/jpeg"), &b"a\r\n--b"[..]));
    }

    #[test]
    fn what_is_no_form_has_nothing() {
        for (kind, body) in
            [("multipart/form-data", "--x"), ("multipart/form-data; boundary=x", "--x\r\nabc")]
        {
            let form = Form::read(kind, &Bytes::from(body));
            assert!(form.texts.is_empty() && form.file.is_none(), "{body}");
        }
    }
}
