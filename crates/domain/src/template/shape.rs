//! What a template takes: the places in its parts that a message has to fill.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The places of one text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Places {
    /// Not told; anything may fit.
    #[default]
    Untold,
    /// So many, filled in order.
    Numbered(usize),
    Named(BTreeSet<String>),
}

impl Places {
    /// The places of a text with `{{1}}` or `{{first_name}}` in it. A number may stand in it twice.
    pub fn of(text: &str) -> Self {
        let names: BTreeSet<&str> = text
            .split("{{")
            .skip(1)
            .filter_map(|rest| rest.split_once("}}"))
            .map(|(name, _)| name.trim())
            .filter(|name| !name.is_empty())
            .collect();
        if names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            Self::Numbered(names.len())
        } else {
            Self::Named(names.into_iter().map(str::to_owned).collect())
        }
    }

    pub fn are_none(&self) -> bool {
        *self == Self::Numbered(0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// Not told; anything may fit.
    #[default]
    Untold,
    Text(Places),
    /// A parameter of this type: `image`, `video`, `document`, `gif`, `location` or `product`.
    Of(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// As `sub_type` of a message names it, in small letters.
    pub kind: String,
    /// Whether its address has a place to fill. `None` for buttons that may be filled and need not.
    pub filled: Option<bool>,
}

/// What stands together: the template itself, or one card of its carousel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    #[serde(default)]
    pub header: Header,
    #[serde(default)]
    pub body: Places,
    #[serde(default)]
    pub buttons: Vec<Button>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shape {
    #[serde(default)]
    pub main: Part,
    /// The cards of a carousel.
    #[serde(default)]
    pub cards: Vec<Part>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_once_each_and_known_by_number_or_name() {
        assert_eq!(Places::of("Habari"), Places::Numbered(0));
        assert_eq!(Places::of("Habari {{1}}, {{ 2 }} na {{1}}"), Places::Numbered(2));
        let named = Places::of("Habari {{first_name}}, {{order_id}}");
        assert_eq!(named, Places::Named(["first_name", "order_id"].map(str::to_owned).into()));
        assert_eq!(Places::of("open {{1"), Places::Numbered(0));
        assert_eq!(Places::of("{{}}"), Places::Numbered(0));
    }

    #[test]
    fn a_shape_reads_back_as_it_was_written() {
        let shape = Shape {
            main: Part {
                header: Header::Of("image".to_owned()),
                body: Places::Named(["a".to_owned()].into()),
                buttons: vec![Button { kind: "url".to_owned(), filled: Some(true) }],
            },
            cards: vec![Part::default()],
        };
        let text = serde_json::to_string(&shape).unwrap();
        assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), shape);
        assert_eq!(serde_json::from_str::<Shape>("{}").unwrap(), Shape::default());
    }
}
