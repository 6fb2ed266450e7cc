//! Nodes and edges of Graph that are passed on to Meta with the number's own token: profile, fields and health, block
//! list, QR codes, templates. What is not in the table below is not passed on: some edges would take the number, or its
//! news, away from the gateway.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Path};
use domain::Connection;
use domain::contracts::pass_through::{PassedCall, Verb};
use serde_json::{Map, Value};

use super::node::{Account, Node, node};
use super::number::unknown;
use super::passing::answered;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::Problem;
use crate::http::json::{Json, JsonOrNothing, Query};
use crate::http::passing::not_passed;
use crate::http::state::AppState;

const GET: &[Method] = &[Method::GET];
const READ_AND_WRITE: &[Method] = &[Method::GET, Method::POST];
const ALL: &[Method] = &[Method::GET, Method::POST, Method::DELETE];

/// Edges of a number. The empty one is the number itself.
const OF_NUMBERS: &[(&str, &[Method])] = &[
    ("", READ_AND_WRITE),
    ("whatsapp_business_profile", READ_AND_WRITE),
    ("block_users", ALL),
    ("message_qrdls", READ_AND_WRITE),
    ("conversational_automation", READ_AND_WRITE),
    ("settings", GET),
];
/// Edges of an account.
const OF_ACCOUNTS: &[(&str, &[Method])] = &[("", GET), ("phone_numbers", GET), ("message_templates", ALL)];
const OF_TEMPLATES: &[(&str, &[Method])] = &[("", READ_AND_WRITE)];
/// What a number may be told about itself. Its webhooks and its registration are the gateway's.
const OWN_MEMBERS: [&str; 2] = ["messaging_product", "new_display_name"];

type Members = Map<String, Value>;

pub(super) async fn read(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    query: Query,
) -> Result<HttpResponse, Problem> {
    let (version, id) = path.into_inner();
    passed(&state, &caller, Asked { version, id, edge: String::new(), verb: Verb::Get, query, members: None })
        .await
}

pub(super) async fn change(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    query: Query,
    body: Json<Members>,
) -> Result<HttpResponse, Problem> {
    let (version, id) = path.into_inner();
    let members = Some(body.value);
    passed(&state, &caller, Asked { version, id, edge: String::new(), verb: Verb::Post, query, members })
        .await
}

pub(super) async fn read_edge(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    path: Path<(String, String, String)>,
    query: Query,
) -> Result<HttpResponse, Problem> {
    let (version, id, edge) = path.into_inner();
    passed(&state, &caller, Asked { version, id, edge, verb: Verb::Get, query, members: None }).await
}

pub(super) async fn write_edge(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    path: Path<(String, String, String)>,
    query: Query,
    body: JsonOrNothing<Members>,
) -> Result<HttpResponse, Problem> {
    let (version, id, edge) = path.into_inner();
    let members = Some(body.value);
    passed(&state, &caller, Asked { version, id, edge, verb: Verb::Post, query, members }).await
}

pub(super) async fn delete_edge(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    path: Path<(String, String, String)>,
    query: Query,
    body: JsonOrNothing<Members>,
) -> Result<HttpResponse, Problem> {
    let (version, id, edge) = path.into_inner();
    let members = Some(body.value).filter(|members| !members.is_empty());
    passed(&state, &caller, Asked { version, id, edge, verb: Verb::Delete, query, members }).await
}

/// One QR code of a number.
pub(super) async fn read_code(
    caller: May<scope::ConnectionsRead>,
    state: Data<AppState>,
    path: Path<(String, String, String)>,
    query: Query,
) -> Result<HttpResponse, Problem> {
    code(&state, &caller, path.into_inner(), Verb::Get, query).await
}

pub(super) async fn delete_code(
    caller: May<scope::ConnectionsWrite>,
    state: Data<AppState>,
    path: Path<(String, String, String)>,
    query: Query,
) -> Result<HttpResponse, Problem> {
    code(&state, &caller, path.into_inner(), Verb::Delete, query).await
}

async fn code(
    state: &AppState,
    caller: &Caller,
    (version, id, code): (String, String, String),
    verb: Verb,
    query: Query,
) -> Result<HttpResponse, Problem> {
    let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Node::Number(number) = node(state, caller, &id).await? else { return Err(unknown(&id)) };
    if !is_code {
        return Err(Problem::not_found());
    }
    let call = call(&number, verb, format!("{id}/message_qrdls/{code}"), query, None);
    let answer = state.gateway.pass_through(&number, call).await.map_err(not_passed)?;
    Ok(answered(state, &version, &answer))
}

struct Asked {
    version: String,
    id: String,
    edge: String,
    verb: Verb,
    query: Query,
    members: Option<Members>,
}

impl Asked {
    fn path(&self) -> String {
        if self.edge.is_empty() { self.id.clone() } else { format!("{}/{}", self.id, self.edge) }
    }

    fn call(self, connection: &Connection) -> PassedCall {
        let path = self.path();
        let json = self.members.map(|members| Value::Object(members).to_string());
        call(connection, self.verb, path, self.query, json)
    }

    /// Whether the table has it.
    fn is_in(&self, table: &[(&str, &[Method])]) -> Result<(), Problem> {
        let method = match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let known = table.iter().any(|(edge, methods)| *edge == self.edge && methods.contains(&method));
        if known { Ok(()) } else { Err(unknown(&self.id)) }
    }
}

async fn passed(state: &AppState, caller: &Caller, asked: Asked) -> Result<HttpResponse, Problem> {
    stays_here(&asked.query)?;
    match node(state, caller, &asked.id).await? {
        Node::Number(number) => {
            asked.is_in(OF_NUMBERS)?;
            if asked.edge.is_empty() {
                leaves_alone(asked.members.as_ref())?;
            }
            let version = asked.version.clone();
            let answer =
                state.gateway.pass_through(&number, asked.call(&number)).await.map_err(not_passed)?;
            Ok(answered(state, &version, &answer))
        }
        Node::Template(account) => {
            asked.is_in(OF_TEMPLATES)?;
            of_account(state, &account, asked).await
        }
        Node::Account(account) => {
            asked.is_in(OF_ACCOUNTS)?;
            // Some of its fields tell of all its numbers.
            if asked.edge.is_empty() && asked.query.all("fields").next().is_some() {
                account.is_the_callers_alone()?;
            }
            of_account(state, &account, asked).await
        }
    }
}

/// Graph follows a field with braces behind it into other objects, of which nobody knows here whose they are.
fn stays_here(query: &Query) -> Result<(), Problem> {
    if query.all("fields").any(|fields| fields.contains('{')) {
        let message = "fields must be names only: what stands in braces is not passed on";
        return Err(Problem::field("fields", "unsupported", message));
    }
    Ok(())
}

async fn of_account(state: &AppState, account: &Account, asked: Asked) -> Result<HttpResponse, Problem> {
    let changes = asked.verb != Verb::Get;
    if changes {
        account.is_the_callers_alone()?;
    }
    let connection = account.connection();
    let (version, lists_numbers) = (asked.version.clone(), asked.edge == "phone_numbers");
    let mut answer =
        state.gateway.pass_through(connection, asked.call(connection)).await.map_err(not_passed)?;
    if changes {
        state.gateway.templates_may_differ(connection);
    }
    if lists_numbers && account.is_shared {
        answer.json = without_others(&answer.json, account);
    }
    Ok(answered(state, &version, &answer))
}

/// What a number may not be told about itself, if it is told that.
fn leaves_alone(members: Option<&Members>) -> Result<(), Problem> {
    let unknown =
        members.and_then(|members| members.keys().find(|name| !OWN_MEMBERS.contains(&name.as_str())));
    let Some(name) = unknown else { return Ok(()) };
    let message = format!("{name} cannot be changed here: only new_display_name can");
    Err(Problem::field(name.clone(), "unsupported", message))
}

/// A list of numbers without those that the caller may not act for.
fn without_others(json: &str, account: &Account) -> String {
    let mut list: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(data) = list.get_mut("data").and_then(Value::as_array_mut) {
        data.retain(|number| number.get("id").and_then(Value::as_str).is_some_and(|id| account.holds(id)));
    }
    list.to_string()
}

fn call(connection: &Connection, verb: Verb, path: String, query: Query, json: Option<String>) -> PassedCall {
    PassedCall { verb, path, query: query.rest(), json, waba_id: connection.waba_id.clone() }
}
