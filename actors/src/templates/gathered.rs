//! What the pieces of one webhook tell about templates, kept until they are durable.

use std::sync::Arc;

use domain::clock::Timestamp;
use domain::connection::Connection;
use domain::contracts::provider::{Content, Fault, SendError, Update};
use domain::template::TemplateNews;

use crate::services::Services;

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    news: Vec<(Arc<Connection>, Box<TemplateNews>, Timestamp)>,
    /// Connections whose messages failed because of their template.
    doubted: Vec<Arc<Connection>>,
}

impl Gathered {
    /// `owners` are the connections of the number or account. All businesses of an account share its templates.
    pub(crate) fn gather(&mut self, owners: &[Arc<Connection>], update: &Update) {
        let Some(owner) = owners.iter().find(|owner| owner.status.sends()).or(owners.first()) else { return };
        match &update.content {
            Content::Other { template: Some(news), .. } => {
                self.news.push((Arc::clone(owner), news.clone(), update.at));
            }
            Content::Status(status)
                if matches!(status.judged, Some(SendError::Rejected { fault: Fault::Template, .. })) =>
            {
                self.doubted.push(Arc::clone(owner));
            }
            _ => {}
        }
    }

    pub(crate) async fn tell(self, services: &Services) {
        for (owner, news, at) in self.news {
            services.templates.hear(&owner, &news, at).await;
        }
        for owner in self.doubted {
            services.templates.hint(&owner);
        }
    }
}
