//! The way out: stop accepting, let what is under way finish, give the lease back, leave.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use domain::clock::Clock;
use gateway_actors::Gateway;
use tokio::signal::unix::{SignalKind, signal};

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// Another process took over our partitions: going on would be wrong.
    LeaseLost,
    /// A server ended by itself.
    ServerEnded,
}

/// Ends when this process is asked to end.
pub async fn asked() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Everything within `patience`. What is not finished by then is settled at the next start.
pub async fn leave(public: ServerHandle, gateway: &Gateway, clock: &dyn Clock, patience: Duration) {
    let started = clock.boottime();
    // Requests that are answered meanwhile still need the actors.
    if tokio::time::timeout(patience / 2, public.stop(true)).await.is_err() {
        tracing::warn!("stopping although requests are under way");
    }
    let left = patience.saturating_sub(clock.boottime().saturating_sub(started));
    gateway.stop(left.max(Duration::from_secs(1))).await;
}
