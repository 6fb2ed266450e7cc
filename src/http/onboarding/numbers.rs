//! Several numbers were granted: the owner says which.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::onboarding::{OnboardingSession, SessionStatus};
use serde::Deserialize;

use super::callback::away_from_the_request;
use super::flow;
use super::link::see;
use super::path;
use super::refusal::{Notice, Read, Refusal, read};
use super::session::{self, Visit};
use super::signup::Signup;
use super::views::{self, NumberLine, NumbersPage, Page};
use crate::http::state::AppState;

#[derive(Deserialize)]
pub struct Chosen {
    form: String,
    number: String,
}

/// The list, read anew each time: what the owner sees is what there is.
pub async fn page(state: &web::Data<AppState>, page: Page, visit: Visit) -> Result<HttpResponse, Refusal> {
    let form = visit.browser.form_token();
    let signup = Signup::new(state, visit.session.clone()).await?;
    match signup.offered().await {
        Ok(offered) => {
            let numbers = offered.into_iter().map(NumberLine::of).collect();
            Ok(views::html(StatusCode::OK, &NumbersPage { page, form, numbers }))
        }
        Err(problem) => {
            let problem_word = Some(problem.as_str().to_owned());
            let mut failed =
                OnboardingSession { status: SessionStatus::Failed, problem: problem_word, ..visit.session };
            session::change(state, &mut failed).await?;
            Ok(see(path::OFFICIAL))
        }
    }
}

/// `POST …/number`: goes on with the number that was chosen.
pub async fn choose(
    request: HttpRequest,
    state: web::Data<AppState>,
    chosen: Read<web::Form<Chosen>>,
) -> HttpResponse {
    let went_on = async {
        let chosen = read(chosen)?.into_inner();
        let visit = Visit::of_form(&state, &request, &chosen.form).await?;
        if !flow::waits_for_choice(&visit.session) {
            return Ok(see(path::OFFICIAL));
        }
        let mut session = OnboardingSession { problem: None, ..visit.session };
        // Of two choices, the first counts.
        if !session::save(&state, &mut session).await? {
            return Err(Notice::Spent.into());
        }
        let signup = Signup::new(&state, session).await?;
        away_from_the_request(signup.with_number(chosen.number)).await?;
        Ok(see(path::OFFICIAL))
    };
    went_on.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}
