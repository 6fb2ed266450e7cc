//! What allowed a message when it was accepted is asked again when its turn comes.

use std::sync::Arc;

use domain::MessageId;
use domain::Timestamp;
use domain::connection::Pace;
use domain::contact::{Said, Scope};
use domain::contracts::provider::Content;
use domain::contracts::templates::Waba;
use domain::message::MessageStatus::{Failed, Sent};
use domain::news::Quality;
use domain::template::{Category, Shape, Template, TemplateChange, TemplateNews, TemplateStatus};
use domain::{Clock as _, ProviderName};
use gateway_actors::{AcceptError, SystemClock};
use serde_json::json;

use crate::support::tree::{Step, Tree, config};

const ASHA: &str = "+255712000001";
const JUMA: &str = "+255712000002";

/// A number whose queue stands still until it is let go, and whose account has templates.
struct Stage(Tree);

impl Stage {
    async fn with(templates: &[Template]) -> Self {
        let tree = Tree::start(config(), Arc::new(|_, _| Step::Accept)).await;
        let stage = Self(tree);
        stage.lists(templates, SystemClock.now()).await;
        let slow = Pace { per_minute: 1, jitter_percent: 0 };
        stage.0.gateway.set_pace(&stage.0.connection, Some(slow)).await.expect("it waits");
        stage
    }

    async fn lists(&self, templates: &[Template], asked_at: Timestamp) {
        let id = self.0.connection.waba_id.clone().expect("an account");
        let waba = Waba { provider: ProviderName::Meta, id };
        self.0.store.save_templates(&waba, templates, asked_at).await.expect("listed");
    }

    async fn offers(&self, to: &str, name: &str) -> Result<MessageId, AcceptError> {
        let template = json!({ "name": name, "language": { "code": "sw" } });
        let message = json!({ "to": to, "type": "template", "template": template });
        let accepted = self.0.accept_on(self.0.connection.id, to, "", |submission| {
            "template".clone_into(&mut submission.kind);
            submission.json = message.to_string();
        });
        accepted.await
    }

    async fn waits(&self, to: &str, name: &str) -> MessageId {
        self.offers(to, name).await.expect("accepted")
    }

    /// The platform says so in a webhook.
    async fn changes(&self, name: &str, change: TemplateChange) {
        let news = TemplateNews { id: None, name: name.to_owned(), language: "sw".to_owned(), change };
        let field = "message_template_status_update".to_owned();
        let key = uuid::Uuid::new_v4().to_string();
        let template = Some(Box::new(news));
        let content = Content::Other { field, key, value: json!({}), means: None, template };
        self.0.hear(&self.0.connection, content).await;
    }

    async fn stops(&self, who: &str, scope: Scope) {
        let alias = who.parse().expect("a name");
        self.0.gateway.set_preference(&self.0.business, &alias, Said::Stop(scope)).await.expect("kept");
    }

    async fn goes_on(&self) {
        assert_eq!(self.0.posts().len(), 0, "so far everything waits");
        self.0.gateway.set_pace(&self.0.connection, None).await.expect("it goes");
    }

    /// It ends without a post. Answers what its row and its timeline say about it.
    async fn fails(&self, id: MessageId) -> (String, String) {
        self.0.reaches(id, Failed).await;
        let row = self.0.store.message(self.0.account(), id).await.expect("readable").expect("there");
        let line = self.0.store.timeline(id).await.expect("readable").pop().expect("a line");
        (line.reason.unwrap_or_default(), row.error.unwrap_or_default())
    }
}

fn approved(name: &str, category: Category) -> Template {
    Template {
        id: None,
        name: name.to_owned(),
        language: "sw".to_owned(),
        status: TemplateStatus::new(TemplateStatus::APPROVED),
        category: Some(category),
        quality: Quality::Unknown,
        shape: Shape::default(),
    }
}

#[actix_rt::test]
async fn a_template_that_is_lost_while_its_message_waits_is_not_posted() {
    let utility = |name| approved(name, Category::Utility);
    let all = ["fine", "paused", "rejected", "gone"].map(utility);
    let stage = Stage::with(&all).await;
    let mut ids = Vec::new();
    for template in &all {
        ids.push(stage.waits(ASHA, &template.name).await);
    }
    stage.lists(&all[..3], SystemClock.now()).await;
    for (name, status) in [("paused", TemplateStatus::PAUSED), ("rejected", TemplateStatus::REJECTED)] {
        stage.changes(name, TemplateChange::Status(TemplateStatus::new(status))).await;
    }
    stage.goes_on().await;
    stage.0.reaches(ids[0], Sent).await;
    for (id, said) in ids[1..].iter().zip(["is PAUSED", "is REJECTED", "has no template gone"]) {
        let (reason, error) = stage.fails(*id).await;
        assert_eq!(reason, "template_unusable");
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(stage.0.posts(), ["fine"]);
}

#[actix_rt::test]
async fn who_stops_marketing_while_a_message_waits_gets_no_marketing_and_the_rest() {
    let stage =
        Stage::with(&[approved("offer", Category::Marketing), approved("order", Category::Utility)]).await;
    let offer = stage.waits(ASHA, "offer").await;
    let order = stage.waits(ASHA, "order").await;
    let other = stage.waits(JUMA, "offer").await;
    stage.stops(ASHA, Scope::Marketing).await;
    stage.goes_on().await;
    assert_eq!(stage.fails(offer).await.0, "opted_out");
    for id in [order, other] {
        stage.0.reaches(id, Sent).await;
    }
    assert_eq!(stage.0.posts().len(), 2);
}

#[actix_rt::test]
async fn a_template_that_becomes_marketing_while_its_message_waits_is_kept_from_who_wants_none() {
    let stage = Stage::with(&[approved("news", Category::Utility)]).await;
    stage.stops(ASHA, Scope::Marketing).await;
    let to_asha = stage.waits(ASHA, "news").await;
    let to_juma = stage.waits(JUMA, "news").await;
    stage.changes("news", TemplateChange::Category(Category::Marketing)).await;
    stage.goes_on().await;
    assert_eq!(stage.fails(to_asha).await.0, "opted_out");
    stage.0.reaches(to_juma, Sent).await;
    assert_eq!(stage.0.posts().len(), 1);
}
