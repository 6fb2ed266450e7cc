//! What a visitor without a browser has to read from a page: its forms, and the login dialog that it leads to.

use url::Url;

/// The login dialog as the gateway asks for it; the sandbox's dialog takes these members.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Without the query.
    pub dialog: Url,
    pub members: Vec<(String, String)>,
}

impl Asked {
    pub fn of(address: &Url) -> Option<Self> {
        let members: Vec<(String, String)> = address.query_pairs().into_owned().collect();
        let has = |name: &str| members.iter().any(|(known, _)| known == name);
        let mut dialog = address.clone();
        dialog.set_query(None);
        (dialog.path().ends_with("/dialog/oauth") && has("state") && has("redirect_uri"))
            .then_some(Self { dialog, members })
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    pub action: String,
    /// Names and values of the fields that hold one already.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// Every form of a page, as it is before anybody has touched it.
    pub fn all(page: &str) -> Vec<Self> {
        let forms = page.split("<form").skip(1).filter_map(|rest| rest.split("</form").next());
        forms.filter_map(Self::read).collect()
    }

    fn read(text: &str) -> Option<Self> {
        let (tag, body) = text.split_once('>')?;
        let inputs = body.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
        let fields = inputs.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)));
        Some(Self { action: attribute(tag, "action")?, fields: fields.collect() })
    }
}

/// The value of `name="…"`, with or without quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split([' ', '/', '>']).next()?,
    };
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    const CHARACTERS: [(&str, &str); 7] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x2F;", "/"),
        ("&#38;", "&"),
        ("&#x26;", "&"),
        ("&amp;", "&"),
    ];
    CHARACTERS.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_with_what_they_hold() {
        let page = r#"<form class="a" method="post" action="/start?a=1&amp;b=2"><input type="hidden" name="token" value="t&#38;u">
            <input type=hidden name=lang value=sw><input name="phone"><button>Go</button></form>
            <form action='/cancel' method=post></form>"#;
        let fields =
            [("token", "t&u"), ("lang", "sw")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let start = Form { action: "/start?a=1&b=2".to_owned(), fields: fields.to_vec() };
        assert_eq!(Form::all(page), [start, Form { action: "/cancel".to_owned(), fields: Vec::new() }]);
    }

    #[test]
    fn the_dialog_is_told_from_other_addresses() {
        let dialog =
            "http://localhost:8090/v25.0/dialog/oauth?state=abc&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb";
        let asked = Asked::of(&Url::parse(dialog).unwrap()).unwrap();
        assert_eq!(asked.dialog.as_str(), "http://localhost:8090/v25.0/dialog/oauth");
        assert!(asked.members.contains(&("redirect_uri".to_owned(), "http://127.0.0.1/cb".to_owned())));
        for other in ["http://localhost:8090/v25.0/dialog/oauth?state=abc", "http://127.0.0.1/x?state=1"] {
            assert_eq!(Asked::of(&Url::parse(other).unwrap()), None);
        }
    }
}
