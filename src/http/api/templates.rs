//! Message templates of an official number's account, as they are known here. They are made at the provider.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use domain::news::Quality;
use domain::template::{Category, Header, Part, Places, Template, TemplateList, TemplateProblem};
use domain::{Connection, Timestamp, Transport};
use gateway_actors::Gateway;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::{May, scope};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::http::json::{Query, named};
use crate::http::state::AppState;

/// Stands between name and language in a cursor, and in neither of them.
const BETWEEN: char = '/';

#[derive(Debug, Serialize, ToSchema)]
pub struct Templates {
    data: Vec<TemplateView>,
    /// To be sent as `after` for what follows; null at the end.
    next: Option<String>,
    /// When the list was read from the provider; null when it was not read yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    synced_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateView {
    name: String,
    #[schema(example = "en_US")]
    language: String,
    /// The platform's own word.
    #[schema(example = "APPROVED")]
    status: String,
    /// Whether a message may use it now.
    sends: bool,
    #[schema(value_type = Option<String>, example = "UTILITY")]
    category: Option<Category>,
    #[schema(value_type = String, example = "GREEN")]
    quality: Quality,
    /// What a message has to fill.
    parameters: Vec<ParameterView>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParameterView {
    #[schema(example = "body")]
    component: String,
    /// `text`, or the kind of media.
    #[serde(rename = "type")]
    kind: String,
    /// How many, where they have no names.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

impl From<&Template> for TemplateView {
    fn from(template: &Template) -> Self {
        let mut parameters = Vec::new();
        part(&mut parameters, "", &template.shape.main);
        for (index, card) in template.shape.cards.iter().enumerate() {
            part(&mut parameters, &format!("cards[{index}]."), card);
        }
        Self {
            name: template.name.clone(),
            language: template.language.clone(),
            status: template.status.to_string(),
            sends: template.status.sends(),
            category: template.category,
            quality: template.quality,
            parameters,
        }
    }
}

fn part(list: &mut Vec<ParameterView>, at: &str, part: &Part) {
    match &part.header {
        Header::Untold => {}
        Header::Text(text) => places(list, format!("{at}header"), text),
        Header::Of(kind) => list.push(ParameterView {
            component: format!("{at}header"),
            kind: kind.clone(),
            count: Some(1),
            names: Vec::new(),
        }),
    }
    places(list, format!("{at}body"), &part.body);
    for (index, button) in part.buttons.iter().enumerate() {
        if button.filled == Some(true) {
            places(list, format!("{at}buttons[{index}]"), &Places::Numbered(1));
        }
    }
}

fn places(list: &mut Vec<ParameterView>, component: String, places: &Places) {
    let (count, names) = match places {
        Places::Untold | Places::Numbered(0) => return,
        Places::Numbered(count) => (Some(*count), Vec::new()),
        Places::Named(names) => (None, names.iter().cloned().collect()),
    };
    list.push(ParameterView { component, kind: "text".to_owned(), count, names });
}

/// List the templates of a number's account, by name and language
///
/// The list is read from the provider when the number is connected, every six hours, and when something hints at a
/// change; in between webhooks keep it up to date.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/templates",
    tag = "connections",
    params(
        ("id" = String, Path),
        ("status" = Option<String>, Query, description = "Only those with this status, such as APPROVED"),
        ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = Templates), (status = 404, body = ProblemBody)),
)]
pub async fn list(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    id: Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let connection = super::connection(&state, &caller, named(&id)?).await?;
    let (limit, after) = (query.limit()?, query.parsed::<String>("after")?);
    let status = query.parsed::<String>("status")?.map(|status| status.to_ascii_uppercase());
    query.done()?;
    let Some(known) = known(&state.gateway, &connection).await? else {
        return Ok(HttpResponse::Ok().json(Templates { data: Vec::new(), next: None, synced_at: None }));
    };
    let asked = |template: &&Template| {
        status.as_ref().is_none_or(|status| template.status.as_str() == status)
            && after.as_ref().is_none_or(|after| cursor(template) > *after)
    };
    let mut found = known.templates().iter().filter(asked);
    let page: Vec<&Template> = found.by_ref().take(limit as usize).collect();
    let next = page.last().filter(|_| found.next().is_some()).map(|last| cursor(last));
    let data = page.into_iter().map(TemplateView::from).collect();
    Ok(HttpResponse::Ok().json(Templates { data, next, synced_at: Some(known.synced_at()) }))
}

/// Read one template in all its languages
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/templates/{name}",
    tag = "connections",
    params(("id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Templates), (status = 404, body = ProblemBody)),
)]
pub async fn read(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let connection = super::connection(&state, &caller, named(&path.0)?).await?;
    let known = known(&state.gateway, &connection).await?.ok_or(Problem::not_found())?;
    let data: Vec<_> = known.named(&path.1).iter().map(TemplateView::from).collect();
    if data.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(HttpResponse::Ok().json(Templates { data, next: None, synced_at: Some(known.synced_at()) }))
}

async fn known(gateway: &Gateway, connection: &Connection) -> Result<Option<Arc<TemplateList>>, Problem> {
    if connection.transport() != Transport::Official {
        return Err(Problem::new(Code::StateConflict)
            .with_detail("the number is a linked device: templates belong to official numbers"));
    }
    gateway.templates(connection).await.map_err(|error| {
        tracing::warn!(%error, "templates cannot be read");
        Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1))
    })
}

/// As the list is sorted: a slash comes before everything that a name may hold.
fn cursor(template: &Template) -> String {
    format!("{}{BETWEEN}{}", template.name, template.language)
}

/// Why a template message is not accepted, as its caller is told.
pub fn refused(problem: TemplateProblem) -> Problem {
    let message = problem.to_string();
    match problem {
        TemplateProblem::NotApproved(_) => Problem::new(Code::TemplateNotApproved).with_field(
            "message.template.name",
            "template_not_approved",
            message,
        ),
        TemplateProblem::ParamMismatch { component, .. } => Problem::new(Code::TemplateParamMismatch)
            .with_field(
                format!("message.template.components[{component}]"),
                "template_param_mismatch",
                message,
            ),
        TemplateProblem::NeedsPhoneNumber => Problem::field("message.to", "needs_a_phone_number", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::template::{Button, Shape, TemplateStatus};

    fn template(name: &str, language: &str) -> Template {
        Template {
            id: None,
            name: name.to_owned(),
            language: language.to_owned(),
            status: TemplateStatus::new("PAUSED"),
            category: Some(Category::Utility),
            quality: Quality::Red,
            shape: Shape {
                main: Part {
                    header: Header::Of("image".to_owned()),
                    body: Places::Numbered(2),
                    buttons: vec![Button { kind: "url".to_owned(), filled: Some(true) }],
                },
                cards: vec![Part { body: Places::Named(["a".to_owned()].into()), ..Part::default() }],
            },
        }
    }

    #[test]
    fn a_template_is_shown_with_everything_that_a_message_has_to_fill() {
        let view = TemplateView::from(&template("order", "sw"));
        assert_eq!((view.status.as_str(), view.sends), ("PAUSED", false));
        let parameters = serde_json::to_value(&view.parameters).unwrap();
        assert_eq!(
            parameters,
            serde_json::json!([
                {"component": "header", "type": "image", "count": 1},
                {"component": "body", "type": "text", "count": 2},
                {"component": "buttons[0]", "type": "text", "count": 1},
                {"component": "cards[0].body", "type": "text", "names": ["a"]},
            ])
        );
    }

    #[test]
    fn cursors_stand_in_the_order_of_the_list() {
        let list = TemplateList::new(
            Timestamp::from_seconds(1),
            [("order", "sw"), ("order_1", "en_US"), ("order", "en_US"), ("a", "sw"), ("order0", "sw")]
                .map(|(name, language)| template(name, language))
                .to_vec(),
        );
        let cursors: Vec<_> = list.templates().iter().map(cursor).collect();
        assert!(cursors.is_sorted(), "{cursors:?}");
    }

    #[test]
    fn a_refusal_names_the_component_and_what_it_takes() {
        let problem = refused(TemplateProblem::ParamMismatch {
            component: "body".to_owned(),
            message: "takes 2 parameters, and 1 are given".to_owned(),
        });
        let field = "message.template.components[body]";
        let message = "body takes 2 parameters, and 1 are given";
        let expected = Problem::new(Code::TemplateParamMismatch);
        assert_eq!(problem, expected.with_field(field, "template_param_mismatch", message));
    }
}
