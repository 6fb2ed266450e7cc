//! What every implementation of `Membership` has to hold, whatever stands behind it.
//!
//! Redis is asked at `GATEWAY_TEST_REDIS_URL`. Without it its half passes with a notice, unless
//! `GATEWAY_TEST_REQUIRE_SERVICES=1` says that services must be there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coordination::InProcess;
use domain::clock::{Clock, ManualClock};
use domain::contracts::coordination::{Member, Membership};
use domain::partition::{Epoch, Incarnation, Partition};

const HOUR: Duration = Duration::from_hours(1);
const BRIEF: Duration = Duration::from_secs(2);

/// One cluster that no other test uses.
#[async_trait]
trait Cluster {
    /// Another node's view of it.
    fn node(&self) -> Box<dyn Membership>;
    /// Lets time go by.
    async fn pass(&self, time: Duration);
}

/// One test per claim and implementation. `$start` takes how long a silent node is believed to live and answers
/// a cluster, or `None` when this implementation cannot be tested here.
macro_rules! conformance {
    ($implementation:ident, $start:path, $($claim:ident($alive_for:expr)),+ $(,)?) => {
        mod $implementation {
            use super::*;
            $(
                #[tokio::test]
                async fn $claim() {
                    if let Some(cluster) = $start($alive_for) {
                        claims::$claim(&cluster).await;
                    }
                }
            )+
        }
    };
}

macro_rules! every_claim {
    ($implementation:ident, $start:path) => {
        conformance!(
            $implementation,
            $start,
            every_living_node_is_listed_by_name_the_asking_one_included(HOUR),
            a_node_that_beats_again_is_listed_once_and_as_it_is_now(HOUR),
            two_incarnations_of_one_name_are_both_listed(HOUR),
            a_node_silent_for_too_long_is_not_listed_until_it_beats_again(BRIEF),
            a_node_that_left_is_not_listed(HOUR),
            leaving_twice_or_without_having_been_there_is_no_error(HOUR),
            what_was_published_is_found_and_nothing_else(HOUR),
            a_higher_epoch_moves_a_partition_and_an_older_one_is_ignored(HOUR),
            the_same_epoch_from_another_node_is_ignored(HOUR),
            epochs_beyond_what_a_double_holds_are_told_apart(HOUR),
            who_held_what_outlives_the_holders_membership(HOUR),
            a_whole_set_of_partitions_is_published_at_once(HOUR),
            names_may_hold_any_character(HOUR),
        );
    };
}

every_claim!(in_process, InOneProcess::start);
every_claim!(redis, redis_server::Server::start);

mod claims {
    use super::*;

    fn member(incarnation: i64, name: &str) -> Member {
        Member {
            incarnation: Incarnation(incarnation),
            name: name.to_owned(),
            address: format!("https://{name}:9443"),
        }
    }

    pub(super) async fn every_living_node_is_listed_by_name_the_asking_one_included(cluster: &dyn Cluster) {
        let (a, b) = (cluster.node(), cluster.node());
        let (juma, asha) = (member(2, "juma"), member(i64::MAX, "asha"));
        assert_eq!(b.beat(&juma).await.unwrap(), std::slice::from_ref(&juma));
        assert_eq!(a.beat(&asha).await.unwrap(), [asha.clone(), juma.clone()]);
        assert_eq!(b.beat(&juma).await.unwrap(), [asha, juma]);
    }

    pub(super) async fn a_node_that_beats_again_is_listed_once_and_as_it_is_now(cluster: &dyn Cluster) {
        let node = cluster.node();
        node.beat(&member(1, "asha")).await.unwrap();
        let moved = Member { address: "https://elsewhere:9443".to_owned(), ..member(1, "asha") };
        assert_eq!(node.beat(&moved).await.unwrap(), [moved]);
    }

    pub(super) async fn two_incarnations_of_one_name_are_both_listed(cluster: &dyn Cluster) {
        let node = cluster.node();
        node.beat(&member(9, "asha")).await.unwrap();
        let listed = node.beat(&member(1, "asha")).await.unwrap();
        assert_eq!(listed, [member(1, "asha"), member(9, "asha")]);
    }

    pub(super) async fn a_node_silent_for_too_long_is_not_listed_until_it_beats_again(cluster: &dyn Cluster) {
        let (a, b) = (cluster.node(), cluster.node());
        a.beat(&member(1, "asha")).await.unwrap();
        cluster.pass(BRIEF + Duration::from_millis(50)).await;
        assert_eq!(b.beat(&member(2, "juma")).await.unwrap(), [member(2, "juma")]);
        assert_eq!(a.beat(&member(1, "asha")).await.unwrap(), [member(1, "asha"), member(2, "juma")]);
    }

    pub(super) async fn a_node_that_left_is_not_listed(cluster: &dyn Cluster) {
        let (a, b) = (cluster.node(), cluster.node());
        a.beat(&member(1, "asha")).await.unwrap();
        a.leave(Incarnation(1)).await.unwrap();
        assert_eq!(b.beat(&member(2, "juma")).await.unwrap(), [member(2, "juma")]);
    }

    pub(super) async fn leaving_twice_or_without_having_been_there_is_no_error(cluster: &dyn Cluster) {
        let node = cluster.node();
        node.leave(Incarnation(1)).await.unwrap();
        node.beat(&member(1, "asha")).await.unwrap();
        node.leave(Incarnation(1)).await.unwrap();
        node.leave(Incarnation(1)).await.unwrap();
    }

    pub(super) async fn what_was_published_is_found_and_nothing_else(cluster: &dyn Cluster) {
        let (a, b) = (cluster.node(), cluster.node());
        a.publish(Incarnation(1), &[(Partition(0), Epoch(1)), (Partition(1023), Epoch(7))]).await.unwrap();
        a.publish(Incarnation(1), &[]).await.unwrap();
        assert_eq!(b.holder(Partition(0)).await.unwrap(), Some((Incarnation(1), Epoch(1))));
        assert_eq!(b.holder(Partition(1023)).await.unwrap(), Some((Incarnation(1), Epoch(7))));
        assert_eq!(b.holder(Partition(1)).await.unwrap(), None);
    }

    pub(super) async fn a_higher_epoch_moves_a_partition_and_an_older_one_is_ignored(cluster: &dyn Cluster) {
        let (old, heir) = (cluster.node(), cluster.node());
        old.publish(Incarnation(1), &[(Partition(5), Epoch(9))]).await.unwrap();
        heir.publish(Incarnation(2), &[(Partition(5), Epoch(10))]).await.unwrap();
        old.publish(Incarnation(1), &[(Partition(5), Epoch(9)), (Partition(6), Epoch(1))]).await.unwrap();
        assert_eq!(old.holder(Partition(5)).await.unwrap(), Some((Incarnation(2), Epoch(10))));
        assert_eq!(old.holder(Partition(6)).await.unwrap(), Some((Incarnation(1), Epoch(1))));
    }

    pub(super) async fn the_same_epoch_from_another_node_is_ignored(cluster: &dyn Cluster) {
        let (first, second) = (cluster.node(), cluster.node());
        first.publish(Incarnation(1), &[(Partition(5), Epoch(3))]).await.unwrap();
        second.publish(Incarnation(2), &[(Partition(5), Epoch(3))]).await.unwrap();
        assert_eq!(second.holder(Partition(5)).await.unwrap(), Some((Incarnation(1), Epoch(3))));
    }

    pub(super) async fn epochs_beyond_what_a_double_holds_are_told_apart(cluster: &dyn Cluster) {
        let node = cluster.node();
        let big = (1_i64 << 60) + 1;
        for epoch in [big, big - 1, big + 1, 2] {
            node.publish(Incarnation(epoch), &[(Partition(5), Epoch(epoch))]).await.unwrap();
        }
        assert_eq!(node.holder(Partition(5)).await.unwrap(), Some((Incarnation(big + 1), Epoch(big + 1))));
    }

    pub(super) async fn who_held_what_outlives_the_holders_membership(cluster: &dyn Cluster) {
        let (a, b) = (cluster.node(), cluster.node());
        a.beat(&member(1, "asha")).await.unwrap();
        a.publish(Incarnation(1), &[(Partition(5), Epoch(3))]).await.unwrap();
        a.leave(Incarnation(1)).await.unwrap();
        assert_eq!(b.holder(Partition(5)).await.unwrap(), Some((Incarnation(1), Epoch(3))));
    }

    pub(super) async fn a_whole_set_of_partitions_is_published_at_once(cluster: &dyn Cluster) {
        let node = cluster.node();
        let all: Vec<_> = Partition::all().map(|partition| (partition, Epoch(4))).collect();
        node.publish(Incarnation(-3), &all).await.unwrap();
        for partition in [Partition(0), Partition(512), Partition(1023)] {
            assert_eq!(node.holder(partition).await.unwrap(), Some((Incarnation(-3), Epoch(4))));
        }
    }

    pub(super) async fn names_may_hold_any_character(cluster: &dyn Cluster) {
        let node = cluster.node();
        let odd = member(1, "Mji \"Mkuu\" {}: \\ \u{0} ☕");
        assert_eq!(node.beat(&odd).await.unwrap(), [odd]);
    }
}

struct InOneProcess {
    clock: Arc<ManualClock>,
    coordination: InProcess,
}

impl InOneProcess {
    #[expect(clippy::unnecessary_wraps, reason = "a start may not be possible for other implementations")]
    fn start(alive_for: Duration) -> Option<Self> {
        let clock = Arc::new(ManualClock::at_seconds(1_790_000_000));
        let shared: Arc<dyn Clock> = clock.clone();
        Some(Self { clock, coordination: InProcess::new(shared).with_alive_for(alive_for) })
    }
}

#[async_trait]
impl Cluster for InOneProcess {
    fn node(&self) -> Box<dyn Membership> {
        Box::new(self.coordination.clone())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

mod redis_server {
    use super::*;
    use ::redis::AsyncTypedCommands as _;
    use coordination::{Config, Redis};
    use domain::secret::SecretString;

    pub(super) struct Server {
        url: String,
        cluster: String,
        alive_for: Duration,
    }

    impl Server {
        pub(super) fn start(alive_for: Duration) -> Option<Self> {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            let Ok(url) = std::env::var("GATEWAY_TEST_REDIS_URL") else {
                assert!(!required, "GATEWAY_TEST_REDIS_URL is not set, but services are required");
                notice();
                return None;
            };
            let cluster = format!("test-{:016x}", getrandom::u64().unwrap());
            Some(Self { url, cluster, alive_for })
        }

        fn redis(&self) -> Redis {
            let url = SecretString::from(self.url.clone());
            let config = Config { url, cluster: self.cluster.clone() };
            Redis::new(&config).unwrap().with_alive_for(self.alive_for)
        }

        async fn connection(&self) -> ::redis::aio::MultiplexedConnection {
            let client = ::redis::Client::open(self.url.as_str()).unwrap();
            client.get_multiplexed_async_connection().await.unwrap()
        }

        /// What a restart without persistence does, limited to this cluster's data: other tests use
        /// the same server.
        async fn forget(&self) {
            let mut connection = self.connection().await;
            let keys = connection.keys(format!("{{gw:{}}}:*", self.cluster)).await.unwrap();
            assert_eq!(keys.len(), 4, "{keys:?}");
            connection.del(&keys).await.unwrap();
        }
    }

    #[expect(clippy::print_stderr, reason = "a person reads the test's output")]
    fn notice() {
        eprintln!("not tested: GATEWAY_TEST_REDIS_URL is not set");
    }

    #[async_trait]
    impl Cluster for Server {
        fn node(&self) -> Box<dyn Membership> {
            Box::new(self.redis())
        }

        async fn pass(&self, time: Duration) {
            tokio::time::sleep(time).await;
        }
    }

    #[tokio::test]
    async fn a_server_that_forgot_everything_is_told_again_at_the_next_beat() {
        let Some(server) = Server::start(HOUR) else { return };
        let node = server.redis();
        let me = Member {
            incarnation: Incarnation(1),
            name: "asha".to_owned(),
            address: "https://asha:9443".to_owned(),
        };
        node.beat(&me).await.unwrap();
        node.publish(Incarnation(1), &[(Partition(5), Epoch(3))]).await.unwrap();
        node.beat(&me).await.unwrap();

        server.forget().await;
        assert_eq!(node.holder(Partition(5)).await.unwrap(), None);
        assert_eq!(node.beat(&me).await.unwrap(), [me]);
        assert_eq!(node.holder(Partition(5)).await.unwrap(), Some((Incarnation(1), Epoch(3))));
    }

    #[tokio::test]
    async fn clusters_on_one_server_do_not_see_each_other() {
        let (Some(one), Some(other)) = (Server::start(HOUR), Server::start(HOUR)) else { return };
        one.redis().publish(Incarnation(1), &[(Partition(5), Epoch(3))]).await.unwrap();
        assert_eq!(other.redis().holder(Partition(5)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_entry_that_cannot_be_read_does_not_hide_the_others() {
        let Some(server) = Server::start(HOUR) else { return };
        let mut connection = server.connection().await;
        connection.hset(format!("{{gw:{}}}:members", server.cluster), "9", "no json").await.unwrap();
        let me = Member { incarnation: Incarnation(1), name: "asha".to_owned(), address: String::new() };
        assert_eq!(server.redis().beat(&me).await.unwrap(), [me]);
    }
}
