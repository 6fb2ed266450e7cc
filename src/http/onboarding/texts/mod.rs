//! Every word the owner reads, one file a language. A text that one language lacks does not compile.

mod en;
mod sw;

use domain::onboarding::StepName;

use super::problem::Problem;
use super::refusal::Notice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Sw,
}

/// A heading and what to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub title: &'static str,
    pub advice: &'static str,
}

/// One way to connect, as the choice page shows it.
#[derive(Debug)]
pub struct Way {
    pub title: &'static str,
    pub summary: &'static str,
    pub cost: &'static str,
    pub needs: &'static str,
    pub risk: &'static str,
}

#[derive(Debug)]
pub struct Texts {
    pub lang: &'static str,
    pub language: &'static str,
    pub for_business: &'static str,
    pub secure_note: &'static str,
    pub try_again: &'static str,
    pub not_now: &'static str,
    pub open_app: &'static str,
    pub go_back: &'static str,
    pub back_to_choice: &'static str,
    pub go_on: &'static str,
    pub for_support: &'static str,

    pub choice_title: &'static str,
    pub choice_lead: &'static str,
    pub cost: &'static str,
    pub needs: &'static str,
    pub risk: &'static str,
    pub official: Way,
    pub unofficial: Way,
    pub recommended: &'static str,
    pub not_available: &'static str,
    pub choose_official: &'static str,
    pub about_unofficial: &'static str,

    pub unofficial_title: &'static str,
    pub unofficial_text: &'static str,
    pub unofficial_instead: &'static str,

    pub official_title: &'static str,
    pub official_lead: &'static str,
    pub ready_title: &'static str,
    pub ready: [&'static str; 3],
    pub connect: &'static str,
    pub connect_note: &'static str,
    pub loading: Words,
    pub open: Words,
    pub open_button: &'static str,
    pub waiting: Words,
    pub show_window: &'static str,
    pub start_again: &'static str,
    pub same_tab: &'static str,
    pub same_tab_button: &'static str,
    pub blocked: Words,
    pub no_network: Words,

    pub progress: Words,
    pub progress_slow: &'static str,
    pub step_states: [&'static str; 5],
    pub offline: &'static str,

    pub numbers_title: &'static str,
    pub numbers_lead: &'static str,
    pub numbers_button: &'static str,
    pub number_unverified: &'static str,

    pub connected_title: &'static str,
    pub connected_lead: &'static str,
    pub name: &'static str,
    pub number: &'static str,
    pub quality: &'static str,
    pub qualities: [&'static str; 4],
    pub next_title: &'static str,
    pub next: [&'static str; 2],
    pub close_page: &'static str,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::Sw, Self::En];

    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Sw => "sw",
        }
    }

    /// Its own name in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Sw => "Kiswahili",
        }
    }

    /// What Meta calls it.
    pub const fn meta_locale(self) -> &'static str {
        match self {
            Self::En => "en_US",
            Self::Sw => "sw_KE",
        }
    }

    /// `sw`, `sw-TZ`, `en_US`; `None` for any other language.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|lang| lang.code().eq_ignore_ascii_case(language))
    }

    /// The first language of an `Accept-Language` header that we speak.
    pub fn from_header(header: &str) -> Option<Self> {
        header.split(',').find_map(|entry| Self::from_tag(entry.split(';').next().unwrap_or_default()))
    }

    pub const fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::Sw => &sw::TEXTS,
        }
    }

    pub const fn problem(self, problem: Problem) -> Words {
        match self {
            Self::En => en::problem(problem),
            Self::Sw => sw::problem(problem),
        }
    }

    pub const fn notice(self, notice: Notice) -> Words {
        match self {
            Self::En => en::notice(notice),
            Self::Sw => sw::notice(notice),
        }
    }

    pub const fn step(self, step: StepName) -> &'static str {
        match self {
            Self::En => en::step(step),
            Self::Sw => sw::step(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_tag_and_by_the_browsers_wish() {
        assert_eq!(Lang::from_tag("sw-TZ"), Some(Lang::Sw));
        assert_eq!(Lang::from_tag("EN"), Some(Lang::En));
        assert_eq!(Lang::from_tag("swb"), None);
        assert_eq!(Lang::from_header("fr-CH, sw;q=0.9, en;q=0.8"), Some(Lang::Sw));
        assert_eq!(Lang::from_header("fr"), None);
    }

    #[test]
    fn no_text_is_the_same_in_both_languages() {
        for problem in Problem::all() {
            let (en, sw) = (Lang::En.problem(problem), Lang::Sw.problem(problem));
            assert!(en.title != sw.title && en.advice != sw.advice, "{problem:?}");
            assert!(!sw.title.is_empty() && !en.advice.is_empty(), "{problem:?}");
        }
    }
}
