//! Whose trouble a refusal is that may be the app's, and who hears of it: by the platform's own codes, and by the grace
//! that is set where nobody sets another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ConnectionStatus::{Connected, Disconnected, Suspended};
use domain::contracts::store::EventFilter;
use domain::event::EventType;
use domain::message::MessageStatus::{Accepted, Retrying, Sent};
use domain::{Connection, MessageId};
use gateway::settings::Settings;
use gateway_actors::Config;

use super::refusal;
use crate::support::eventually;
use crate::support::held_date::HeldDate;
use crate::support::tree::{Step, Tree, config};

const SECOND: Duration = Duration::from_secs(1);

fn grace() -> Duration {
    Duration::from_secs(Settings::defaults().expect("there are defaults").actors.app_trouble_grace_s)
}

/// Numbers of one app, each of a business of its own, on a platform that refuses each message with the code that it
/// has for a text, until it is put right.
struct Stage {
    tree: Tree,
    date: Arc<HeldDate>,
    repaired: Arc<AtomicBool>,
    numbers: Vec<Connection>,
}

impl Stage {
    async fn of(numbers: usize) -> Self {
        let (date, repaired) = (Arc::new(HeldDate::today()), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&repaired);
        let refused = |code: &str| Step::Fail(refusal(code.parse().expect("a code")));
        let script =
            move |_, code: &str| if seen.load(Ordering::SeqCst) { Step::Accept } else { refused(code) };
        let config = Config { app_trouble_grace_s: grace().as_secs(), ..config() };
        let tree = Tree::start_by(date.clone(), config, Arc::new(script), true).await;
        let mut all = vec![tree.connection.clone()];
        for number in 1..numbers {
            all.push(tree.another(&format!("duka-{number}")).await);
        }
        Self { tree, date, repaired, numbers: all }
    }

    /// Tries a message of this number, and it is refused.
    async fn is_refused(&self, number: usize, code: i64) -> MessageId {
        let posts = self.tree.posts().len();
        let id = self.accepts(number, code).await;
        self.tree.reaches(id, Retrying).await;
        assert_eq!(self.tree.posts().len(), posts + 1);
        id
    }

    async fn accepts(&self, number: usize, code: i64) -> MessageId {
        let number = self.numbers[number].id;
        self.tree.accept_on(number, "+255712000001", &code.to_string(), |_| {}).await.expect("accepted")
    }

    async fn counts_as_broken(&self, broken: bool) {
        eventually(&format!("the app is broken: {broken}"), Duration::from_secs(10), || async {
            let apps = self.tree.gateway.broken_apps();
            if apps.len() == usize::from(broken) { Ok(()) } else { Err(format!("{apps:?}")) }
        })
        .await;
    }

    /// So long passes, and every number looks at its work, as it does once a second.
    async fn passes(&self, time: Duration) {
        self.date.advance(time);
        tokio::time::sleep(2 * SECOND).await;
    }

    /// What owners were told about their numbers after they were connected.
    async fn told(&self) -> usize {
        let filter = EventFilter { types: vec![EventType::ConnectionStatus], ..EventFilter::default() };
        let told = self.tree.store.events_after(self.tree.account(), &filter, 0, 1_000).await;
        told.expect("readable").len() - self.numbers.len()
    }

    async fn nothing_has_changed(&self) {
        for number in &self.numbers {
            let row = self.tree.row(number.id).await;
            assert_eq!((row.status, row.reason), (Connected, None));
        }
        assert_eq!(self.told().await, 0);
    }

    async fn all_are_sent(&self, messages: &[MessageId]) {
        for &id in messages {
            self.tree.reaches(id, Sent).await;
        }
    }
}

#[actix_rt::test]
async fn what_two_numbers_have_is_their_owners_trouble_after_the_grace_and_not_before() {
    let stage = Stage::of(2).await;
    stage.is_refused(0, 190).await;
    stage.is_refused(1, 10).await;
    stage.passes(grace().saturating_sub(SECOND)).await;
    stage.nothing_has_changed().await;
    stage.date.advance(SECOND);
    stage.tree.turns(stage.numbers[0].id, Disconnected, Some("token_invalid")).await;
    stage.tree.turns(stage.numbers[1].id, Suspended, Some("permission_missing")).await;
    stage.counts_as_broken(false).await;
    eventually("both owners are told", Duration::from_secs(10), || async {
        let told = stage.told().await;
        if told == 2 { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
}

#[actix_rt::test]
async fn what_many_numbers_have_is_no_owners_trouble_before_the_grace_or_after_it() {
    let codes = [190, 10, 200, 4, 3];
    let stage = Stage::of(codes.len()).await;
    let mut ids = Vec::new();
    for (number, code) in codes.into_iter().enumerate() {
        ids.push(stage.accepts(number, code).await);
    }
    stage.counts_as_broken(true).await;
    for time in [grace().saturating_sub(SECOND), 2 * SECOND] {
        stage.passes(time).await;
        stage.nothing_has_changed().await;
    }
    for id in ids {
        assert!(matches!(stage.tree.status(id).await, Retrying | Accepted), "every message is kept");
    }
    stage.counts_as_broken(true).await;
}

#[actix_rt::test]
async fn an_app_that_works_again_within_the_grace_has_changed_nothing() {
    let stage = Stage::of(4).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(stage.is_refused(number, 190).await);
    }
    stage.counts_as_broken(true).await;
    ids.push(stage.accepts(3, 190).await);
    stage.repaired.store(true, Ordering::SeqCst);
    stage.date.advance(grace() / 2);
    stage.all_are_sent(&ids[3..]).await;
    stage.counts_as_broken(false).await;
    stage.passes(grace()).await;
    stage.nothing_has_changed().await;
    stage.all_are_sent(&ids).await;
}

#[actix_rt::test]
async fn an_app_that_works_again_when_the_first_grace_is_over_has_changed_nothing() {
    let stage = Stage::of(3).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(stage.is_refused(number, 190).await);
        stage.date.advance(10 * SECOND);
    }
    stage.counts_as_broken(true).await;
    stage.repaired.store(true, Ordering::SeqCst);
    stage.date.advance(grace().saturating_sub(30 * SECOND));
    stage.all_are_sent(&ids[..1]).await;
    stage.passes(30 * SECOND).await;
    stage.nothing_has_changed().await;
    stage.all_are_sent(&ids).await;
}
