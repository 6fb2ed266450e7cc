//! The breakers of this node, one for each app that businesses are connected through.

pub mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::clock::Timestamp;
use domain::connection::ProviderName;
use domain::ids::BusinessKey;
use serde::Serialize;

use crate::metrics;
use state::{Breaker, Gate};

/// An app at a provider, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App {
    pub provider: ProviderName,
    pub id: String,
}

/// An app that counts as broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenApp {
    pub provider: ProviderName,
    pub app_id: String,
    pub since: Timestamp,
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breakers(Arc<Mutex<HashMap<App, Breaker>>>);

impl Breakers {
    fn lock(&self) -> MutexGuard<'_, HashMap<App, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn gate(&self, app: &App, now: Timestamp) -> Gate {
        self.lock().get_mut(app).map_or(Gate::Go, |breaker| breaker.gate(now))
    }

    /// Whether the app's numbers have to wait, or leave it to one of them to try.
    pub(crate) fn holds(&self, app: &App, now: Timestamp) -> bool {
        self.lock().get(app).is_some_and(|breaker| breaker.holds(now))
    }

    pub(crate) fn is_tripped(&self, app: &App) -> bool {
        self.lock().get(app).is_some_and(|breaker| breaker.tripped_since().is_some())
    }

    /// Whether the app is broken, or was at some time since then.
    pub(crate) fn was_tripped_since(&self, app: &App, then: Timestamp) -> bool {
        self.lock().get(app).is_some_and(|breaker| breaker.was_tripped_since(then))
    }

    pub(crate) fn answered(&self, app: &App, business: BusinessKey, sent: bool, now: Timestamp) {
        let mut breakers = self.lock();
        let breaker = match breakers.get_mut(app) {
            Some(breaker) => breaker,
            None => breakers.entry(app.clone()).or_default(),
        };
        let tripped = breaker.tripped_since().is_some();
        breaker.answered(business, sent, now);
        if tripped && breaker.tripped_since().is_none() {
            tracing::warn!(app.id = app.id, "the app works again: its numbers send");
            metrics::broken_app(&app.id, false);
        }
    }

    /// Tells the operator when that trips the breaker: this one line is what has to wake somebody.
    pub(crate) fn refused(&self, app: &App, business: BusinessKey, now: Timestamp) {
        if self.lock().entry(app.clone()).or_default().refused(business, now) {
            tracing::error!(
                app.id = app.id,
                provider = %app.provider,
                "many businesses of this app are refused alike: the app is broken, not they. Nothing is sent through \
                 it until it works again; look at the app's token, permissions and review status at the provider"
            );
            metrics::broken_app(&app.id, true);
        }
    }

    pub(crate) fn throttle(&self, app: &App, until: Timestamp) {
        self.lock().entry(app.clone()).or_default().throttle(until);
    }

    pub(crate) fn broken(&self) -> Vec<BrokenApp> {
        let breakers = self.lock();
        let broken = breakers.iter().filter_map(|(app, breaker)| {
            let since = breaker.tripped_since()?;
            Some(BrokenApp { provider: app.provider, app_id: app.id.clone(), since })
        });
        broken.collect()
    }
}
