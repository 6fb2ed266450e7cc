//! Where the session stands, for the page that waits.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::flow;
use super::limit::Cost;
use super::refusal::Refusal;
use super::session::Visit;
use super::views;
use crate::http::state::AppState;

pub async fn status(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    match Visit::of(&state, &request, Cost::View).await {
        Ok(visit) => HttpResponse::Ok().json(body(&visit)),
        Err(refusal) => Refusal::answer(refusal, &request),
    }
}

fn body(visit: &Visit) -> Value {
    let words = flow::problem_of(&visit.session).map(|problem| visit.lang.problem(problem));
    let steps = views::step_lines(&visit.session, visit.lang).into_iter().map(
        |line| json!({ "name": line.name, "label": line.label, "mark": line.mark, "state": line.state }),
    );
    json!({
        "status": visit.session.status,
        "problem": visit.session.problem,
        "title": words.map(|words| words.title),
        "text": words.map(|words| words.advice),
        "steps": steps.collect::<Vec<_>>(),
    })
}
