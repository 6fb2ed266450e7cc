//! Message templates as an account holds them, and whether a message fits one.

mod check;
mod list;
mod shape;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::news::Quality;

pub use check::{Known, TemplateProblem, decide};
pub use list::TemplateList;
pub use shape::{Button, Header, Part, Places, Shape};

/// What a template is for; decides what it costs, who may get it, and which limits count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Category {
    Marketing,
    Utility,
    Authentication,
}

impl Category {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "MARKETING",
            Self::Utility => "UTILITY",
            Self::Authentication => "AUTHENTICATION",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Marketing, Self::Utility, Self::Authentication]
            .into_iter()
            .find(|category| category.as_str().eq_ignore_ascii_case(word))
    }
}

/// Where a template stands, in the platform's own word: it invents new ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TemplateStatus(String);

impl TemplateStatus {
    pub const APPROVED: &'static str = "APPROVED";
    pub const PAUSED: &'static str = "PAUSED";
    pub const DISABLED: &'static str = "DISABLED";
    pub const REJECTED: &'static str = "REJECTED";
    pub const DELETED: &'static str = "DELETED";

    /// The words that certainly keep a template from being sent. A word that is not known leaves it to the platform.
    const HELD: [&'static str; 10] = [
        "PENDING",
        Self::REJECTED,
        Self::PAUSED,
        Self::DISABLED,
        "IN_APPEAL",
        "PENDING_DELETION",
        Self::DELETED,
        "LIMIT_EXCEEDED",
        "ARCHIVED",
        "LOCKED",
    ];

    pub fn new(word: &str) -> Self {
        Self(word.to_ascii_uppercase())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn sends(&self) -> bool {
        !Self::HELD.contains(&self.as_str())
    }
}

impl fmt::Display for TemplateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One template in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The platform's, where it was told.
    pub id: Option<String>,
    pub name: String,
    /// As [`language`] writes it.
    pub language: String,
    pub status: TemplateStatus,
    pub category: Option<Category>,
    pub quality: Quality,
    pub shape: Shape,
}

/// One spelling of a language: the platform writes `en_US` here and `en-US` there.
pub fn language(code: &str) -> String {
    code.trim().replace('-', "_")
}

/// What one piece of news changes about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateNews {
    /// The platform's, where it was told.
    pub id: Option<String>,
    pub name: String,
    /// As [`language`] writes it.
    pub language: String,
    pub change: TemplateChange,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateChange {
    Status(TemplateStatus),
    Quality(Quality),
    Category(Category),
    /// What it is made of, which only the whole list tells.
    Components,
}

impl TemplateChange {
    /// Whether the list has to be read again: a template that is approved may have been edited before.
    pub fn asks_for_the_list(&self) -> bool {
        match self {
            Self::Status(status) => status.sends(),
            Self::Components => true,
            Self::Quality(_) | Self::Category(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certainly_held_is_not_sent_and_a_new_word_is_left_to_the_platform() {
        for word in ["APPROVED", "FLAGGED", "REINSTATED", "quality_pending", "UNARCHIVED", "SOMETHING_NEW"] {
            assert!(TemplateStatus::new(word).sends(), "{word}");
        }
        for word in ["PENDING", "paused", "REJECTED", "DISABLED", "DELETED", "ARCHIVED"] {
            assert!(!TemplateStatus::new(word).sends(), "{word}");
        }
    }

    #[test]
    fn a_category_is_one_of_three_words() {
        assert_eq!(Category::from_word("marketing"), Some(Category::Marketing));
        assert_eq!(Category::from_word("MARKETING_LITE"), None);
    }
}
