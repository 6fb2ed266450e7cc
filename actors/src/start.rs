//! Starts the tree, in the order in which its parts need each other.

use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use domain::clock::Clock;
use domain::connection::ProviderName;
use domain::contracts::coordination::Membership;
use domain::contracts::deliver::Deliver;
use domain::contracts::leases::Node;
use domain::contracts::media::Media;
use domain::contracts::provider::Provider;
use domain::contracts::store::{Store, StoreError};
use domain::ids::Ids;
use domain::partition::Incarnation;
use tokio::sync::watch;
use vault::Vault;

use crate::breaker::Breakers;
use crate::contacts::Contacts;
use crate::directory::Directory;
use crate::endpoints::Endpoints;
use crate::handle::Gateway;
use crate::hearing::{Hearing, Pulse};
use crate::holdings::Holdings;
use crate::keychain::Keychain;
use crate::media::{self, Fetching, Shelf, Sweeping};
use crate::outcomes::Outcomes;
use crate::ownership::Ownership;
use crate::permits::Permits;
use crate::references::References;
use crate::router::Router;
use crate::services::{Config, Services};
use crate::stream::Stream;
use crate::supervisor::Supervisor;
use crate::supervisor::registry::Registry;
use crate::templates::{Listing, Templates};
use crate::writer::Writer;

/// What the gateway runs on. Everything is given: time, databases, providers.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub membership: Arc<dyn Membership>,
    pub vault: Arc<Vault>,
    pub providers: HashMap<ProviderName, Provider>,
    pub deliver: Arc<dyn Deliver>,
    /// Where the content of media is kept.
    pub media: Arc<dyn Media>,
    pub media_config: media::Config,
    pub clock: Arc<dyn Clock>,
    pub node_name: String,
    pub node_address: String,
    /// Threads that run connections.
    pub threads: usize,
    pub config: Config,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Takes the lease and starts every actor. Call inside an actix system.
pub async fn start(parts: Parts) -> Result<Gateway, StoreError> {
    let Parts {
        store,
        membership,
        vault,
        providers,
        deliver,
        media,
        media_config,
        clock,
        node_name,
        node_address,
        threads,
        config,
    } = parts;
    let ids = Ids::new(Arc::clone(&clock));
    let holdings = Holdings::default();
    let (lost, lost_seen) = watch::channel(false);

    let node = Node { incarnation: incarnation(&ids), name: node_name, address: node_address };
    let ownership =
        Ownership::take(Arc::clone(&store), membership, Arc::clone(&clock), node, holdings.clone(), lost)
            .await?;

    let keychain = Keychain::new(vault, Arc::clone(&store));
    let directory = Directory::new(Arc::clone(&store));
    let arbiters: Vec<ArbiterHandle> = (0..threads.max(1)).map(|_| Arbiter::new().handle()).collect();
    let writer = Writer::start(&arbiters[0], Arc::clone(&store), holdings.clone(), Arc::clone(&clock));
    let hearing = Hearing::new(Arc::clone(&clock));
    let pulse = Arc::new(Pulse::start(hearing.clone()));
    let contacts = Contacts::new(Arc::clone(&store), Arc::clone(&clock), config.service_window);
    let registry = Registry::default();
    let total = usize::try_from(config.posts_in_flight_total.get()).unwrap_or(usize::MAX);
    let permits = Permits::new(total, registry.clone());
    let (templates, template_hints) = Templates::new(Arc::clone(&store), Arc::clone(&clock));
    let services = Services {
        store,
        contacts,
        templates,
        keychain,
        writer,
        directory: directory.clone(),
        providers: Arc::new(providers),
        clock,
        ids,
        holdings,
        permits,
        breakers: Breakers::default(),
        config: Arc::new(config),
        hearing,
        media: Shelf::new(media, media_config),
        stream: Stream::default(),
        references: References::default(),
        outcomes: Outcomes::default(),
        news: watch::channel(()).0,
    };

    let router = Router::start_in_arbiter(&arbiters[0], |_| Router::new(directory));
    let ownership = Ownership::start_in_arbiter(&arbiters[0], |_| ownership);
    let endpoints = {
        let services = services.clone();
        // Away from the writer's thread, where there is another.
        Endpoints::start_in_arbiter(&arbiters[arbiters.len() - 1], |_| Endpoints::new(services, deliver))
    };
    let supervisor = {
        let (services, registry, children) = (services.clone(), registry.clone(), arbiters.clone());
        Supervisor::start_in_arbiter(&arbiters[0], |_| Supervisor::new(services, registry, children))
    };
    let listing = Arc::new(Listing::start(services.clone(), template_hints));
    let fetching = Arc::new(Fetching::start(services.clone()));
    let sweeping = Arc::new(Sweeping::start(services.clone()));
    Ok(Gateway {
        services,
        registry,
        supervisor,
        router,
        endpoints,
        ownership,
        lost: lost_seen,
        _listing: listing,
        _fetching: fetching,
        _sweeping: sweeping,
        _pulse: pulse,
    })
}

/// A random positive number: a restarted node is another incarnation.
fn incarnation(ids: &Ids) -> Incarnation {
    let random = ids.next().into_bytes();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&random[8..]);
    Incarnation(i64::from_be_bytes(bytes) & i64::MAX)
}
