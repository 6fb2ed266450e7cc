//! A request that leads nowhere, as a page in plain words or, to a program, as a problem.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use domain::contracts::store::StoreError;

use super::answer;
use super::flow::Untaken;
use super::problem::Problem;
use super::texts::{Lang, Words};
use super::views::{self, NoticePage, Page};
use crate::http::error::{Chain, Code, Problem as ApiProblem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// No cookie, or one that belongs to no session.
    NoSession,
    LinkUnknown,
    OtherBrowser,
    /// A program that shows previews of links asked, not a person.
    Preview,
    Forged,
    Spent,
    Malformed,
    NotFound,
    TooMany,
    Unavailable,
}

impl Notice {
    const fn status(self) -> StatusCode {
        match self {
            Self::NoSession | Self::OtherBrowser | Self::Forged => StatusCode::FORBIDDEN,
            Self::LinkUnknown | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Preview => StatusCode::OK,
            Self::Spent => StatusCode::GONE,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::NoSession | Self::OtherBrowser | Self::Forged => Code::Forbidden,
            Self::LinkUnknown | Self::NotFound | Self::Preview => Code::NotFound,
            Self::Spent => Code::SessionExpired,
            Self::Malformed => Code::BadRequest,
            Self::TooMany => Code::RateLimited,
            Self::Unavailable => Code::Unavailable,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Notice(Notice),
    /// The session is at its end.
    Over(Problem),
}

impl From<Notice> for Refusal {
    fn from(notice: Notice) -> Self {
        Self::Notice(notice)
    }
}

impl From<Untaken> for Refusal {
    fn from(untaken: Untaken) -> Self {
        Self::Notice(match untaken {
            Untaken::Forged => Notice::Forged,
            Untaken::Spent => Notice::Spent,
        })
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %Chain(&error), "an onboarding page could not read or write");
        Self::Notice(Notice::Unavailable)
    }
}

impl Refusal {
    const fn parts(self, lang: Lang) -> (StatusCode, Code, Words) {
        match self {
            Self::Notice(notice) => (notice.status(), notice.code(), lang.notice(notice)),
            Self::Over(problem) => (StatusCode::GONE, Code::SessionExpired, lang.problem(problem)),
        }
    }

    pub fn answer(self, request: &HttpRequest) -> HttpResponse {
        let lang = answer::lang(request, None);
        let (status, code, words) = self.parts(lang);
        if answer::wants_json(request) {
            return HttpResponse::from_error(ApiProblem::new(code).with_detail(words.advice));
        }
        let goes_on = matches!(self, Self::Notice(Notice::Spent | Notice::Forged | Notice::Malformed));
        let page = Page::new(lang, None);
        views::html(status, &NoticePage { page, words, goes_on, returns: Vec::new() })
    }
}

/// What an extractor could not read is answered by us, in words, instead of by the framework.
pub type Read<T> = Result<T, actix_web::Error>;

pub fn read<T>(read: Read<T>) -> Result<T, Refusal> {
    read.map_err(|_| Notice::Malformed.into())
}
