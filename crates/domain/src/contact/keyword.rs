//! Words by which people say that they want no more messages, or want them again.

use super::opt_out::{Said, Scope};

const STOP: [&str; 5] = ["stop", "acha", "sitisha", "jiondoe", "unsubscribe"];
const START: [&str; 3] = ["start", "anza", "subscribe"];
/// Longer texts are not looked at.
const LONGEST: usize = 64;

/// What a text says when it is one of the words and nothing else. Case, spaces around it and punctuation do not
/// matter; a sentence with the word in it is a sentence.
pub fn said_in(text: &str) -> Option<Said> {
    if text.len() > LONGEST {
        return None;
    }
    let word = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if STOP.contains(&word.as_str()) {
        Some(Said::Stop(Scope::All))
    } else if START.contains(&word.as_str()) {
        Some(Said::Resume(Scope::All))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_alone_counts_however_it_is_written() {
        for text in ["STOP", "stop", " Stop. ", "\u{201c}ACHA\u{201d}!!", "Sitisha\n", "jiondoe"] {
            assert_eq!(said_in(text), Some(Said::Stop(Scope::All)), "{text}");
        }
        for text in ["START", "anza!", "  Anza"] {
            assert_eq!(said_in(text), Some(Said::Resume(Scope::All)), "{text}");
        }
        for text in ["", "please stop", "stop it", "STOPP", "acha kabisa", "s t o p", "\u{1f6d1}"] {
            assert_eq!(said_in(text), None, "{text}");
        }
        assert_eq!(said_in(&format!("stop{}", "!".repeat(100))), None);
    }
}
