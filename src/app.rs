//! The composition root: the one place that names concrete adapters, and puts them together.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::Context as _;
use coordination::InProcess;
use domain::ProviderName;
use domain::clock::Clock;
use domain::contact::Hour;
use domain::contracts::provider::Provider;
use domain::contracts::store::Store;
use domain::ids::Ids;
use gateway_actors::{Gateway, MediaConfig, Parts, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig as RustlsConfig;
use url::Url;
use vault::{KeyRing, Vault};

use crate::deliver::HttpDeliver;
use crate::http::admin::Operations;
use crate::http::auth::ApiKeys;
use crate::http::idempotency::Turns;
use crate::http::limits::Limits;
use crate::http::state::AppState;
use crate::http::tls::Certificate;
use crate::http::{self};
use crate::retention;
use crate::settings::Settings;
use crate::shutdown::{self, Reason};
use crate::stats;
use crate::telemetry;
use crate::url_guard::UrlGuard;

/// Idempotency records are kept for longer than the 72 hours that are promised.
pub const RECORDS_KEPT_FOR: Duration = Duration::from_hours(96);
const TIDY_EVERY: Duration = Duration::from_mins(10);
const RECORDS_AT_ONCE: u32 = 1_000;
/// How long before its end a version of the Graph API is warned about.
const WARNED_AHEAD: Duration = Duration::from_hours(180 * 24);

/// The gateway, put together and taking part, before it serves.
pub struct App {
    pub state: Data<AppState>,
    metrics: Option<PrometheusHandle>,
    tls: Option<Arc<RustlsConfig>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// Opens the database that the settings name, and brings its schema up to date where that is wanted.
pub async fn open_store(settings: &Settings, migrate: bool) -> anyhow::Result<Arc<dyn Store>> {
    let store = store::open(&settings.store).await?;
    if migrate {
        store.migrate().await.context("the schema cannot be brought up to date")?;
    }
    Ok(store)
}

impl App {
    /// Call inside an actix system.
    pub async fn compose(settings: &Settings, ring: KeyRing, public_url: Url) -> anyhow::Result<Self> {
        let metrics = telemetry::start_metrics();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = open_store(settings, settings.server.migrate_at_start).await?;
        if !store.ready().await? {
            anyhow::bail!("the schema of the database is not the one of this version: run `gateway migrate`");
        }
        let providers = providers(settings)?;
        warn_of_end(settings, &*clock);
        let deliver = HttpDeliver::new(&settings.endpoints, Arc::clone(&clock))
            .context("the HTTP client for endpoints cannot be set up")?;
        let handshake = deliver.handshake();
        let gateway = gateway_actors::start(Parts {
            store: Arc::clone(&store),
            membership: Arc::new(InProcess::new(Arc::clone(&clock))),
            vault: Arc::new(Vault::new(ring)),
            providers: providers.clone(),
            deliver: Arc::new(deliver),
            media: media::open(&settings.media, Arc::clone(&clock)).context("media")?,
            media_config: MediaConfig { keep_days: settings.media.keep_days },
            clock: Arc::clone(&clock),
            node_name: "gateway".to_owned(),
            node_address: settings.server.listen.to_string(),
            threads: settings.server.actor_threads(),
            config: settings.actors.clone(),
        })
        .await
        .context("the partitions cannot be taken")?;
        let tls = match settings.server.tls.files() {
            Some((certificate, key)) => {
                let certificate = Certificate::load(certificate, key).context("server.tls")?;
                actix_rt::spawn(Arc::clone(&certificate).keep_fresh());
                Some(certificate.server_config().context("server.tls")?)
            }
            None => None,
        };
        let state = Data::new(AppState {
            gateway,
            api_keys: ApiKeys::new(Arc::clone(&store)),
            store,
            providers: Arc::new(providers),
            ids: Ids::new(Arc::clone(&clock)),
            clock,
            public_url,
            limits: Limits::new(&settings.server),
            server: Arc::new(settings.server.clone()),
            onboarding: Arc::new(settings.onboarding.clone()),
            guard: UrlGuard::new(settings.endpoints.allow_private_addresses),
            handshake,
            turns: Turns::default(),
        });
        actix_rt::spawn(tidy(state.clone()));
        actix_rt::spawn(retention::keep_days(state.clone(), settings.retention.clone()));
        actix_rt::spawn(stats::keep_counting(state.clone()));
        if let Some(handle) = &metrics {
            telemetry::keep_up(handle.clone());
        }
        Ok(Self { state, metrics, tls })
    }

    pub fn gateway(&self) -> &Gateway {
        &self.state.gateway
    }

    /// Accepts connections from here on.
    pub fn serve(self, public: TcpListener, operations: TcpListener) -> anyhow::Result<Serving> {
        let leaving = Arc::new(AtomicBool::new(false));
        let parts = Operations {
            leaving: Arc::clone(&leaving),
            gateway: self.state.gateway.clone(),
            store: Arc::clone(&self.state.store),
            metrics: self.metrics,
        };
        let operations = http::operations(operations, parts)?;
        let public = http::public(public, self.state.clone(), self.tls)?;
        let (public_handle, operations_handle) = (public.handle(), operations.handle());
        let ended = async move {
            tokio::select! {
                ended = public => ended,
                ended = operations => ended,
            }
        };
        Ok(Serving {
            state: self.state,
            leaving,
            public: public_handle,
            operations: operations_handle,
            ended: actix_rt::spawn(ended),
        })
    }
}

/// The gateway at work.
pub struct Serving {
    pub state: Data<AppState>,
    leaving: Arc<AtomicBool>,
    public: ServerHandle,
    operations: ServerHandle,
    ended: actix_rt::task::JoinHandle<std::io::Result<()>>,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    /// Until there is a reason to end.
    pub async fn until_the_end(&mut self) -> anyhow::Result<Reason> {
        let reason = tokio::select! {
            asked = shutdown::asked() => asked.map(|()| Reason::Asked)?,
            () = self.state.gateway.lost() => Reason::LeaseLost,
            ended = &mut self.ended => {
                ended.context("the servers")??;
                Reason::ServerEnded
            }
        };
        self.leaving.store(true, Ordering::Relaxed);
        tracing::info!(?reason, "stopping");
        Ok(reason)
    }

    pub async fn stop(self) {
        let patience = Duration::from_secs(self.state.server.shutdown_s);
        shutdown::leave(self.public, &self.state.gateway, &*self.state.clock, patience).await;
        self.operations.stop(false).await;
        self.ended.abort();
    }
}

fn providers(settings: &Settings) -> anyhow::Result<HashMap<ProviderName, Provider>> {
    let meta = providers::registry::meta(&settings.meta)?;
    Ok(HashMap::from([(meta.name, meta)]))
}

fn warn_of_end(settings: &Settings, clock: &dyn Clock) {
    let version = &settings.meta.graph_version;
    if let Some(end) = providers::meta::ends_at(version)
        && clock.now() > end.minus(WARNED_AHEAD)
    {
        tracing::warn!(graph.version = %version, %end, "this version of the Graph API ends: set meta.graph_version");
    }
}

/// Forgets what is kept no longer.
async fn tidy(state: Data<AppState>) {
    loop {
        state.clock.sleep(TIDY_EVERY).await;
        let now = state.clock.now();
        if let Err(error) = state.store.forget_reached(Hour::of(now), RECORDS_AT_ONCE).await {
            tracing::warn!(%error, "people that count no more cannot be forgotten now");
        }
        let before = now.minus(RECORDS_KEPT_FOR);
        loop {
            match state.store.forget_before(before, RECORDS_AT_ONCE).await {
                Ok(forgotten) if forgotten >= u64::from(RECORDS_AT_ONCE) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "old idempotency records cannot be deleted now");
                    break;
                }
            }
        }
    }
}
