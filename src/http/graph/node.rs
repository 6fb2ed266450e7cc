//! What an id in a path names: a number of the caller's, the WhatsApp business account of one, or a template of that.

use std::sync::Arc;

use domain::Connection;

use super::number::{unknown, unreadable};
use crate::http::auth::Caller;
use crate::http::error::{Code, Problem};
use crate::http::state::AppState;

#[derive(Debug)]
pub(super) enum Node {
    Number(Arc<Connection>),
    Account(Account),
    /// A template of that account.
    Template(Account),
}

/// An account that at least one number of the caller's belongs to.
#[derive(Debug)]
pub(super) struct Account {
    /// Numbers that the caller may act for, oldest first. Never empty.
    seen: Vec<Arc<Connection>>,
    /// The account has numbers of businesses that the caller may not act for.
    pub(super) is_shared: bool,
}

impl Account {
    /// Through whose token it is asked: one that works, where there is one.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        self.seen.iter().find(|connection| connection.status.sends()).unwrap_or(&self.seen[0])
    }

    pub(super) fn holds(&self, phone_number_id: &str) -> bool {
        self.seen.iter().any(|connection| connection.graph_id.as_deref() == Some(phone_number_id))
    }

    /// Whoever changes what all numbers of the account share must be allowed to act for all of them.
    pub(super) fn may_be_changed(&self) -> Result<(), Problem> {
        if !self.is_shared {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden).with_detail(
            "the account is shared with businesses that this API key may not act for: use a key for all of them",
        ))
    }
}

pub(super) async fn node(state: &AppState, caller: &Caller, id: &str) -> Result<Node, Problem> {
    let number = state.gateway.number(caller.account(), id).await.map_err(|error| unreadable(&error))?;
    if let Some(number) = number.filter(|number| caller.sees(&number.business_reference)) {
        return Ok(Node::Number(number));
    }
    if let Some(found) = account_of(state, caller, id).await? {
        return Ok(Node::Account(found));
    }
    for waba in state.store.accounts_with_template(id).await? {
        if let Some(found) = account_of(state, caller, &waba.id).await? {
            return Ok(Node::Template(found));
        }
    }
    Err(unknown(id))
}

async fn account_of(state: &AppState, caller: &Caller, waba_id: &str) -> Result<Option<Account>, Problem> {
    let all = state.gateway.numbers_of(caller.account(), waba_id).await;
    let all = all.map_err(|error| unreadable(&error))?;
    let count = all.len();
    let seen: Vec<_> = all.into_iter().filter(|number| caller.sees(&number.business_reference)).collect();
    Ok((!seen.is_empty()).then_some(Account { is_shared: seen.len() < count, seen }))
}
