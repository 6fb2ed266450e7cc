//! Every template of one account, to look one up by its name and language.

use super::{Known, Template, language};
use crate::clock::Timestamp;

/// The templates as they were listed, and changed by news since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateList {
    synced_at: Timestamp,
    /// By name, then language.
    templates: Vec<Template>,
}

impl TemplateList {
    pub fn new(synced_at: Timestamp, mut templates: Vec<Template>) -> Self {
        templates.sort_unstable_by(|a, b| (&a.name, &a.language).cmp(&(&b.name, &b.language)));
        Self { synced_at, templates }
    }

    pub const fn synced_at(&self) -> Timestamp {
        self.synced_at
    }

    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// One template in every language it has.
    pub fn named(&self, name: &str) -> &[Template] {
        let from = self.templates.partition_point(|template| template.name.as_str() < name);
        let rest = &self.templates[from..];
        &rest[..rest.partition_point(|template| template.name == name)]
    }

    /// An account that has no template at all has told nothing that could be held against a message: the platform gives
    /// every account one.
    pub fn find(&self, name: &str, code: &str) -> Known<'_> {
        if self.templates.is_empty() {
            return Known::Nothing;
        }
        let code = language(code);
        let named = self.named(name);
        named
            .iter()
            .find(|template| template.language.eq_ignore_ascii_case(&code))
            .map_or(Known::Missing { others: named }, Known::Template)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, TemplateStatus};
    use super::*;
    use crate::news::Quality;

    fn list(entries: &[(&str, &str)]) -> TemplateList {
        let template = |(name, language): &(&str, &str)| Template {
            id: None,
            name: (*name).to_owned(),
            language: (*language).to_owned(),
            status: TemplateStatus::new(TemplateStatus::APPROVED),
            category: None,
            quality: Quality::Unknown,
            shape: Shape::default(),
        };
        TemplateList::new(Timestamp::from_seconds(1), entries.iter().map(template).collect())
    }

    #[test]
    fn a_template_is_found_by_its_name_and_either_spelling_of_its_language() {
        let list = list(&[("order", "sw"), ("hello", "en_US"), ("order", "en_US"), ("ordering", "sw")]);
        for code in ["en_US", "en-US", "EN_us"] {
            assert!(matches!(list.find("order", code), Known::Template(found) if found.language == "en_US"));
        }
        let Known::Missing { others } = list.find("order", "fr") else { panic!("it is not there") };
        assert_eq!(others.len(), 2, "its other languages are told");
        assert!(matches!(list.find("orde", "sw"), Known::Missing { others: [] }));
    }

    #[test]
    fn an_account_without_any_template_knows_nothing() {
        assert!(matches!(list(&[]).find("order", "sw"), Known::Nothing));
    }
}
