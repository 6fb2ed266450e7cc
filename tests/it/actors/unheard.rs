//! A number whose account does not send us its webhooks: what people write to it is not heard, so of nobody's service
//! window it is certain that it is closed.

use std::sync::Arc;
use std::time::Duration;

use domain::ConnectionStatus::Degraded;
use domain::contact::{Refusal, Window};
use domain::contracts::provider::{Content, ProviderError, SendError};
use domain::delivery_status::DeliveryStatus;
use domain::message::MessageStatus::{Ambiguous, Failed, Sent};
use domain::{Clock as _, MessageId};
use gateway_actors::AcceptError;
use serde_json::json;

use crate::support::eventually;
use crate::support::held_date::HeldDate;
use crate::support::tree::{Step, Tree, config};

const ASHA: &str = "+255712000001";
const DAY: Duration = Duration::from_hours(24);
/// The installation says so often at least that it hears, and a silence of so long is none.
const SILENCE: Duration = Duration::from_mins(15);

/// Asha wrote more than a day ago.
struct Stage {
    tree: Tree,
    date: Arc<HeldDate>,
}

impl Stage {
    async fn start() -> Self {
        let date = Arc::new(HeldDate::today());
        let lost = SendError::OutcomeUnknown { error: ProviderError::default() };
        let script =
            move |_, text: &str| if text == "lost" { Step::Fail(lost.clone()) } else { Step::Accept };
        let tree = Tree::start_by(date.clone(), config(), Arc::new(script), false).await;
        let message =
            json!({ "from": ASHA.trim_start_matches('+'), "type": "text", "text": { "body": "Bei?" } });
        let content =
            Content::Message { key: "wamid.asha".to_owned(), message, contact: None, metadata: json!({}) };
        tree.hear(&tree.connection, content).await;
        let stage = Self { tree, date };
        stage.a_day_passes().await;
        stage
    }

    /// And an hour.
    async fn a_day_passes(&self) {
        let mut left = DAY + Duration::from_hours(1);
        while !left.is_zero() {
            self.date.advance(SILENCE);
            self.tree.store.heard(self.date.now(), SILENCE).await.expect("written");
            left -= SILENCE;
        }
    }

    /// An outcome that nobody knows makes the gateway ask whether it is told of outcomes at all. Once it is given up
    /// there is nothing to ask for any more.
    async fn asks_for_its_subscription(&self) {
        let lost = self.tree.accept("+255712000008", "lost").await;
        self.tree.reaches(lost, Ambiguous).await;
        self.date.advance(Duration::from_secs(1));
        let other = self.tree.accept("+255712000009", "other").await;
        self.tree.reaches(other, Sent).await;
        self.tree.report(other, DeliveryStatus::Sent, None).await;
        self.tree.turns(self.tree.connection.id, Degraded, Some("webhook_unsubscribed")).await;
        self.date.advance(Duration::from_secs(1));
        self.tree.reaches(lost, Failed).await;
    }

    async fn window_is_unknown(&self) {
        let asha = ASHA.parse().expect("a name");
        eventually("the window is unknown", Duration::from_secs(10), || async {
            let number = self.tree.row(self.tree.connection.id).await;
            let window = self.tree.gateway.window(&number, &asha).await.expect("readable");
            if window == Window::Unknown { Ok(()) } else { Err(format!("{window:?}")) }
        })
        .await;
    }

    async fn writes_to_asha(&self) -> Result<MessageId, AcceptError> {
        self.tree.accept_on(self.tree.connection.id, ASHA, "Karibu", |_| {}).await
    }
}

#[actix_rt::test]
async fn nobody_is_refused_for_a_closed_window_once_the_subscription_is_found_missing() {
    let stage = Stage::start().await;
    let refused = stage.writes_to_asha().await;
    assert!(
        matches!(refused, Err(AcceptError::Refused { refusal: Refusal::WindowClosed { .. }, .. })),
        "{refused:?}"
    );
    stage.asks_for_its_subscription().await;
    stage.window_is_unknown().await;
    let id = stage.writes_to_asha().await.expect("accepted");
    stage.tree.reaches(id, Sent).await;
}

#[actix_rt::test]
async fn a_subscription_that_stays_missing_makes_no_window_certain_with_time() {
    let stage = Stage::start().await;
    stage.asks_for_its_subscription().await;
    stage.a_day_passes().await;
    stage.window_is_unknown().await;
    stage.writes_to_asha().await.expect("accepted");
}
