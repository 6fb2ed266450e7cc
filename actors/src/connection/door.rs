//! What the gateway can be asked and told about how a number sends.

use std::num::NonZeroU32;

use domain::clock::Timestamp;
use domain::connection::{Connection, ConnectionStatus, Pace, SendingChange};
use domain::contracts::store::StoreError;

use super::limiter;
use super::messages::{Observe, Reload, Resume};
use crate::breaker::BrokenApp;
use crate::handle::{Gateway, MoveError};

/// Waiting messages of a number that does not run here are counted no further.
const COUNTED: u64 = 1_000_000;

/// How a number sends at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Messages a second that it may send now.
    pub messages_per_second: u32,
    /// Messages that wait for their turn, or for their time.
    pub waiting: u64,
    /// Posts under way.
    pub in_flight: usize,
    /// Messages whose outcome is not known.
    pub unknown: usize,
    /// Nothing is sent before, whatever waits.
    pub paused_until: Option<Timestamp>,
}

impl Gateway {
    pub async fn sight(&self, connection: &Connection) -> Result<Sight, StoreError> {
        if let Some(running) = self.registry.get(connection.id)
            && let Ok(seen) = running.address.send(Observe).await
        {
            return Ok(Sight {
                messages_per_second: seen.messages_per_second,
                waiting: seen.waiting,
                in_flight: seen.in_flight,
                unknown: seen.ambiguous,
                paused_until: seen.paused_until,
            });
        }
        let now = self.services.clock.now();
        let standard: NonZeroU32 = self.services.config.limiter.messages_per_second;
        Ok(Sight {
            messages_per_second: limiter::rate(standard, &connection.sending, now).get(),
            waiting: self.services.store.backlog(connection.id, COUNTED).await?,
            in_flight: 0,
            unknown: 0,
            paused_until: connection.sending.probe.map(|probe| probe.at).filter(|&at| at > now),
        })
    }

    /// The number goes on now, whatever it waits for by itself, and whatever it was suspended for. One that its owner
    /// took off, or whose token is gone, has to be connected again instead.
    pub async fn resume_connection(&self, connection: &Connection) -> Result<(), MoveError> {
        match connection.status {
            ConnectionStatus::Suspended => {
                self.move_connection(connection, ConnectionStatus::Connected, None).await?;
            }
            ConnectionStatus::Connected | ConnectionStatus::Degraded => {}
            from => {
                let to = ConnectionStatus::Connected;
                return Err(domain::connection::InvalidTransition { from, to }.into());
            }
        }
        if let Some(running) = self.registry.get(connection.id) {
            let _ = running.address.send(Resume).await;
        }
        Ok(())
    }

    /// The number sends no faster than this, or as fast as it may.
    pub async fn set_pace(&self, connection: &Connection, pace: Option<Pace>) -> Result<(), StoreError> {
        let now = self.services.clock.now();
        self.services.store.change_sending(connection.id, SendingChange::Pace(pace), now).await?;
        self.services.directory.forget_business(connection.account, &connection.business_reference).await;
        if let Some(running) = self.registry.get(connection.id) {
            let _ = running.address.send(Reload).await;
        }
        Ok(())
    }

    /// Apps through which nothing is sent, because many of their businesses were refused alike.
    pub fn broken_apps(&self) -> Vec<BrokenApp> {
        self.services.breakers.broken()
    }
}
