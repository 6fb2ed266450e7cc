//! What each template is given. The templates hold the structure, `texts` the words, `flow` the decisions.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use domain::Connection;
use domain::contracts::provider::OfferedNumber;
use domain::onboarding::{OnboardingSession, StepOutcome};
use url::Url;

use super::flow::{self, Mark};
use super::problem::Problem;
use super::texts::{Lang, Texts, Words};
use super::{assets, path};

/// What every page has.
pub struct Page {
    pub lang: Lang,
    pub t: &'static Texts,
    /// Who will use the number, as the owner knows them.
    pub business: Option<String>,
    pub style: &'static str,
    pub script: &'static str,
}

impl Page {
    pub fn new(lang: Lang, business: Option<String>) -> Self {
        let (style, script) = (&assets::STYLE.address, &assets::SCRIPT.address);
        Self { lang, t: lang.texts(), business, style, script }
    }
}

#[derive(Template)]
#[template(path = "choice.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct ChoicePage {
    pub page: Page,
    pub form: String,
}

#[derive(Template)]
#[template(path = "unofficial.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct UnofficialPage {
    pub page: Page,
    /// Whether the official way may be taken instead.
    pub official: bool,
    pub choice: bool,
    pub returns: Vec<Return>,
}

/// The button, and every state that the page goes through before it is loaded anew.
#[derive(Template)]
#[template(path = "official.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct OfficialPage {
    pub page: Page,
    pub form: String,
    pub failure: Option<Failure>,
    pub choice: bool,
    pub steps: Vec<StepLine>,
    /// For the script, as JSON.
    pub settings: String,
}

#[derive(Template)]
#[template(path = "progress.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct ProgressPage {
    pub page: Page,
    pub form: String,
    pub steps: Vec<StepLine>,
    pub settings: String,
}

#[derive(Template)]
#[template(path = "numbers.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct NumbersPage {
    pub page: Page,
    pub form: String,
    pub numbers: Vec<NumberLine>,
}

#[derive(Template)]
#[template(path = "connected.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct ConnectedPage {
    pub page: Page,
    pub name: Option<String>,
    pub number: Option<String>,
    pub quality: &'static str,
    pub returns: Vec<Return>,
}

#[derive(Template)]
#[template(path = "notice.html", config = "src/http/onboarding/templates/askama.toml")]
pub struct NoticePage {
    pub page: Page,
    pub words: Words,
    /// Whether the owner can go on with a session of this browser.
    pub goes_on: bool,
    pub returns: Vec<Return>,
}

pub struct Failure {
    pub words: Words,
    /// Stable words and the provider's own, for whoever helps the owner.
    pub details: Vec<String>,
}

impl Failure {
    pub fn of(session: &OnboardingSession, lang: Lang) -> Option<Self> {
        let problem = flow::problem_of(session)?;
        // Whoever changed their mind needs no help.
        if problem == Problem::UserCancelled {
            return Some(Self { words: lang.problem(problem), details: Vec::new() });
        }
        let mut details = vec![problem.as_str().to_owned(), session.id.to_string()];
        let last = session.steps.last().filter(|step| step.outcome == StepOutcome::Failed);
        if let Some(error) = last.and_then(|step| step.provider_error.as_ref()) {
            details.extend(error.get("message").and_then(serde_json::Value::as_str).map(str::to_owned));
            let number = |name: &str| error.get(name).map(ToString::to_string);
            details.extend(number("code").map(|code| match number("subcode") {
                Some(subcode) => format!("{code}/{subcode}"),
                None => code,
            }));
        }
        Some(Self { words: lang.problem(problem), details })
    }
}

pub struct StepLine {
    pub name: &'static str,
    pub label: &'static str,
    pub mark: &'static str,
    pub state: &'static str,
}

pub fn step_lines(session: &OnboardingSession, lang: Lang) -> Vec<StepLine> {
    let running = matches!(flow::view(session), flow::View::Progress);
    let line = |(step, mark): (_, Mark)| StepLine {
        name: flow::word(step),
        label: lang.step(step),
        mark: mark.word(),
        state: lang.texts().step_states[mark as usize],
    };
    flow::checklist(&session.steps, running).map(line).into()
}

pub struct NumberLine {
    pub id: String,
    pub number: String,
    pub name: Option<String>,
    pub unverified: bool,
}

impl NumberLine {
    pub fn of(number: OfferedNumber) -> Self {
        let unverified = !number.verified && !number.registered;
        let shown = number.phone_number.as_deref().map(readable);
        let shown = shown.unwrap_or_else(|| number.phone_number_id.clone());
        Self { id: number.phone_number_id, number: shown, name: number.verified_name, unverified }
    }
}

/// What the owner sees of a finished connection.
pub fn connected(page: Page, connection: Option<&Connection>, returns: Vec<Return>) -> ConnectedPage {
    let quality = match connection.and_then(|connection| connection.quality_rating.as_deref()) {
        Some("GREEN") => 0,
        Some("YELLOW") => 1,
        Some("RED") => 2,
        _ => 3,
    };
    ConnectedPage {
        name: connection.and_then(|connection| connection.verified_name.clone()),
        number: connection.and_then(|connection| connection.phone_number.as_deref()).map(readable),
        quality: page.t.qualities[quality],
        page,
        returns,
    }
}

/// `+255712345678` as people read it. The countries we serve have calling codes of three digits; any other number
/// is left as it is.
pub fn readable(number: &str) -> String {
    if !number.starts_with("+2")
        || number.starts_with("+20")
        || number.starts_with("+27")
        || number.len() < 11
    {
        return number.to_owned();
    }
    let mut text = number[..4].to_owned();
    for (index, digit) in number[4..].chars().enumerate() {
        if index % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Where the owner goes afterwards: the addresses that the application named, with the session's id and nothing else.
pub fn returns(session: &OnboardingSession, lang: Lang) -> Vec<Return> {
    let app = session.app_return_uri.as_deref().and_then(|uri| Url::parse(uri).ok());
    let site = session.return_url.clone();
    let named = [(app, lang.texts().open_app), (site, lang.texts().go_back)];
    let with_id = |(url, label): (Option<Url>, &'static str)| {
        let mut url = url.filter(|url| !runs_here(url.scheme()))?;
        url.query_pairs_mut().append_pair("session", &session.id.to_string());
        Some(Return { label, address: url.to_string() })
    };
    named.into_iter().filter_map(with_id).collect()
}

pub struct Return {
    pub label: &'static str,
    pub address: String,
}

/// Schemes that would run or show something on this page instead of leaving it.
fn runs_here(scheme: &str) -> bool {
    ["javascript", "data", "blob", "vbscript", "file", "about", "filesystem"].contains(&scheme)
}

pub fn html(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(text) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// For a session at its end.
pub fn over(page: Page, problem: Problem, session: &OnboardingSession) -> HttpResponse {
    let (words, returns) = (page.lang.problem(problem), returns(session, page.lang));
    html(StatusCode::GONE, &NoticePage { page, words, goes_on: false, returns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_as_people_read_it() {
        assert_eq!(readable("+255712345678"), "+255 712 345 678");
        assert_eq!(readable("+254712345678"), "+254 712 345 678");
        assert_eq!(readable("+15550783881"), "+15550783881");
        assert_eq!(readable("+27821234567"), "+27821234567");
    }
}
