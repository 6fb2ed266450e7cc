//! Faults on demand: rules that change single answers, and settings that trouble the webhooks.

use crate::chance::Chance;
use crate::world::locked;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) webhooks: WebhookFaults,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(rename = "match")]
    pub(crate) matches: Match,
    /// How often it still applies; `None` is without end.
    pub(crate) times: Option<u64>,
    /// How likely it applies to a request that matches; `None` is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chance: Option<f64>,
    #[serde(rename = "do")]
    pub(crate) act: Act,
}

/// An absent member matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Match {
    /// Whole segments of the path after the version: `messages`, `oauth/access_token`, `register`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone_number_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) delay_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Members of Graph's error object; `code` is always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<Cut>,
    /// With `status` or `error`: the request is carried out all the same, and only its answer is this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) carry_out: bool,
    /// Accept the message and let a `failed` status with this error follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) async_error: Option<Map<String, Value>>,
    /// The statuses to send instead of sent, delivered, read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) statuses: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cut {
    /// The request is lost.
    Before,
    /// The request is carried out and its answer is lost.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WebhookFaults {
    pub(crate) delay_ms: (u64, u64),
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) drop: f64,
    /// Updates in one POST, at most.
    pub(crate) batch: usize,
    /// Whether statuses carry `biz_opaque_callback_data`.
    pub(crate) echo: bool,
    /// How likely the statuses of one POST do not carry it, where they otherwise would.
    #[serde(default)]
    pub(crate) echo_omitted: f64,
}

impl Default for WebhookFaults {
    fn default() -> Self {
        Self {
            delay_ms: (0, 0),
            duplicate: 0.0,
            reorder: 0.0,
            drop: 0.0,
            batch: 1,
            echo: true,
            echo_omitted: 0.0,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Lets a request pass without taking the lock when there are no rules, which is nearly always.
    any: AtomicBool,
    set: Mutex<FaultSet>,
}

impl Faults {
    pub(crate) fn replace(&self, set: FaultSet) {
        let mut current = locked(&self.set);
        self.any.store(!set.rules.is_empty(), Ordering::Release);
        *current = set;
    }

    pub(crate) fn current(&self) -> FaultSet {
        locked(&self.set).clone()
    }

    pub(crate) fn webhooks(&self) -> WebhookFaults {
        locked(&self.set).webhooks
    }

    /// The first rule that matches and has not been used up. `used` sees the rules afterwards, if the count changed.
    pub(crate) fn pick(
        &self,
        call: &Asked<'_>,
        chance: &Chance,
        used: impl FnOnce(&FaultSet),
    ) -> Option<Act> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut set = locked(&self.set);
        let rule = set.rules.iter_mut().find(|rule| {
            rule.times != Some(0) && rule.matches.fits(call) && rule.chance.is_none_or(|p| chance.happens(p))
        })?;
        let act = rule.act.clone();
        if let Some(times) = &mut rule.times {
            *times -= 1;
            used(&set);
        }
        Some(act)
    }
}

/// What a rule can look at.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) segments: &'a [&'a str],
    pub(crate) to: Option<&'a str>,
}

impl Match {
    fn fits(&self, call: &Asked<'_>) -> bool {
        let path = self.path.as_deref().is_none_or(|path| {
            let wanted: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
            wanted.is_empty() || call.segments.windows(wanted.len()).any(|run| run == wanted)
        });
        let number = self.phone_number_id.as_deref().is_none_or(|id| call.segments.first() == Some(&id));
        path && number
            && self.to.as_deref().is_none_or(|to| call.to.is_some_and(|asked| same_person(to, asked)))
    }
}

/// Phone numbers are the same whatever they are decorated with; anything else has to be equal.
fn same_person(a: &str, b: &str) -> bool {
    let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
    let is_phone = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_digit() || "+-() ".contains(c));
    a == b || (is_phone(a) && is_phone(b) && digits(a) == digits(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, to: Option<&str>, times: Option<u64>, delay_ms: u64) -> Rule {
        Rule {
            matches: Match { path: Some(path.to_owned()), to: to.map(str::to_owned), ..Match::default() },
            times,
            chance: None,
            act: Act { delay_ms, ..Act::default() },
        }
    }

    fn picked(faults: &Faults, segments: &[&str], to: Option<&str>) -> Option<u64> {
        faults.pick(&Asked { segments, to }, &Chance::new(Some(1)), |_| ()).map(|act| act.delay_ms)
    }

    #[test]
    fn the_first_matching_rule_applies_until_its_times_are_used_up() {
        let faults = Faults::default();
        let rules = vec![rule("messages", None, Some(2), 1), rule("messages", None, None, 2)];
        faults.replace(FaultSet { rules, ..FaultSet::default() });
        let delays: Vec<_> = (0..4).map(|_| picked(&faults, &["1", "messages"], None)).collect();
        assert_eq!(delays, [Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(faults.current().rules[0].times, Some(0));
    }

    #[test]
    fn a_rule_with_a_chance_applies_now_and_then_and_leaves_the_rest_to_those_behind_it() {
        let faults = Faults::default();
        let rare = Rule { chance: Some(0.25), ..rule("messages", None, None, 1) };
        faults
            .replace(FaultSet { rules: vec![rare, rule("messages", None, None, 2)], ..FaultSet::default() });
        let chance = Chance::new(Some(1));
        let asked = Asked { segments: &["1", "messages"], to: None };
        let delays = (0..400).filter_map(|_| faults.pick(&asked, &chance, |_| ())).map(|act| act.delay_ms);
        let rare = delays.filter(|delay| *delay == 1).count();
        assert!((50..150).contains(&rare), "{rare} of 400");
    }

    #[test]
    fn a_path_matches_whole_segments_only() {
        let faults = Faults::default();
        let rules = vec![rule("register", None, None, 1), rule("oauth/access_token", None, None, 2)];
        faults.replace(FaultSet { rules, ..FaultSet::default() });
        assert_eq!(picked(&faults, &["1", "register"], None), Some(1));
        assert_eq!(picked(&faults, &["1", "deregister"], None), None);
        assert_eq!(picked(&faults, &["oauth", "access_token"], None), Some(2));
        assert_eq!(picked(&faults, &["oauth"], None), None);
    }

    #[test]
    fn a_recipient_matches_however_the_number_is_written() {
        let faults = Faults::default();
        let rules = vec![rule("messages", Some("255712345678"), None, 1)];
        faults.replace(FaultSet { rules, ..FaultSet::default() });
        assert_eq!(picked(&faults, &["1", "messages"], Some("+255 712 345 678")), Some(1));
        assert_eq!(picked(&faults, &["1", "messages"], Some("255712345679")), None);
        assert_eq!(picked(&faults, &["1", "messages"], None), None);
    }
}
