//! Providers by name. Filled once, where the program is put together.

use std::sync::Arc;

use domain::ProviderName;
use domain::contracts::provider::Provider;

use crate::http::ClientError;
use crate::meta::config::{Config, DEFAULT_APP};
use crate::meta::graph::Graph;
use crate::meta::media::MetaMedia;
use crate::meta::onboarding::MetaOnboard;
use crate::meta::pass_through::MetaPassThrough;
use crate::meta::send::MetaSend;
use crate::meta::templates::MetaTemplates;
use crate::meta::webhook::MetaWebhook;

/// Every provider this installation may use.
#[derive(Debug, Clone, Default)]
pub struct Registry(Vec<Provider>);

impl Registry {
    pub fn new(providers: impl IntoIterator<Item = Provider>) -> Self {
        Self(providers.into_iter().collect())
    }

    pub fn get(&self, name: ProviderName) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Keys of the provider's section and what is wrong with each.
    #[error("the settings of {provider} are wrong: {}", listed(.wrong))]
    Settings { provider: ProviderName, wrong: Vec<(String, String)> },
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn listed(wrong: &[(String, String)]) -> String {
    wrong.iter().map(|(key, message)| format!("{key} {message}")).collect::<Vec<_>>().join("; ")
}

/// Meta direct, through the app called `default`. One client, and so one pool of connections, for everything.
pub fn meta(config: &Config) -> Result<Provider, SetupError> {
    let wrong = |wrong| SetupError::Settings { provider: ProviderName::Meta, wrong };
    config.validate().map_err(wrong)?;
    let missing = || wrong(vec![("apps".to_owned(), "needs an app called default".to_owned())]);
    let app = config.apps.get(DEFAULT_APP).ok_or_else(missing)?;
    let graph = Arc::new(Graph::new(config, app)?);
    Ok(Provider {
        name: ProviderName::Meta,
        send: Arc::new(MetaSend::new(Arc::clone(&graph))),
        webhook: Arc::new(MetaWebhook::new(config)),
        templates: Some(Arc::new(MetaTemplates::new(Arc::clone(&graph)))),
        pass_through: Some(Arc::new(MetaPassThrough::new(Arc::clone(&graph)))),
        media: Some(Arc::new(MetaMedia::new(Arc::clone(&graph), config))),
        onboard: Some(Arc::new(MetaOnboard::new(graph, config, app))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_with_wrong_settings_does_not_start_and_says_which() {
        let error = meta(&Config::default()).unwrap_err();
        assert_eq!(error.to_string(), "the settings of meta are wrong: apps needs an app called default");
    }
}
