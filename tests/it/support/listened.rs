//! A demo whose number has been connected for days, so that what nobody wrote to it is known.

use std::time::Duration;

use domain::Clock;
use domain::contracts::store::Store;
use gateway_actors::SystemClock;
use std::sync::Arc;

use super::demo::Demo;

const LISTENED: Duration = Duration::from_hours(100);

impl Demo {
    /// As if it had been started days ago and heard everything since.
    pub(crate) async fn start_days_ago(environment: &[(&str, &str)]) -> Self {
        let mut demo = Self::start_after(environment, async |data| {
            let store = open(data).await;
            let now = SystemClock.now();
            store.heard(now.minus(LISTENED), Duration::ZERO).await.expect("written");
            store.heard(now, LISTENED * 2).await.expect("written");
        })
        .await;
        demo.kill().await;
        let connection = demo.ready.connection_id.parse().expect("an id");
        let store = open(&demo.data).await;
        store.hears_anew(connection, SystemClock.now().minus(LISTENED)).await.expect("written");
        drop(store);
        demo.kill_and_restart().await;
        demo
    }
}

async fn open(data: &std::path::Path) -> Arc<dyn Store> {
    let url = format!("sqlite://{}", data.join("gateway.db").display());
    let config = serde_json::from_value(serde_json::json!({ "url": url })).expect("a store");
    let store = store::open(&config).await.expect("the store opens");
    store.migrate().await.expect("the schema is made");
    store
}
