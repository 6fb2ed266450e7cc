//! Posts under way on this node, handed out fairly among businesses and priorities.

pub mod pool;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::prelude::SendError;
use domain::Priority;

use crate::metrics;
use crate::supervisor::registry::Registry;
use pool::{Applicant, Pool};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    pool: Arc<Mutex<Pool>>,
    registry: Registry,
}

/// One post; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Permits,
    applicant: Applicant,
    /// Whoever drops it is calling the next already.
    calls_nobody: bool,
}

/// A permit for a connection that waited for one. One that it does not need goes to the next by being dropped.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Granted(pub(crate) Permit);

impl Permits {
    pub(crate) fn new(total: usize, registry: Registry) -> Self {
        Self { pool: Arc::new(Mutex::new(Pool::new(total))), registry }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self, applicant: Applicant) -> Permit {
        Permit { permits: self.clone(), applicant, calls_nobody: false }
    }

    /// A permit, or nothing: then the connection is told as soon as one is there for it.
    pub(crate) fn take(&self, applicant: Applicant) -> Option<Permit> {
        let given = self.lock().apply(&applicant);
        given.then(|| self.permit(applicant))
    }

    /// Gives what is free to those who wait.
    fn call(&self) {
        loop {
            let Some(applicant) = self.lock().call() else { return };
            let granted = Granted(self.permit(applicant));
            let refused = match self.registry.get(applicant.connection) {
                Some(running) => match running.address.try_send(granted) {
                    Ok(()) => continue,
                    Err(SendError::Full(granted) | SendError::Closed(granted)) => granted,
                },
                None => granted,
            };
            let Granted(mut permit) = refused;
            permit.calls_nobody = true;
        }
    }
}

impl Permit {
    pub(crate) const fn priority(&self) -> Priority {
        self.applicant.priority
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let out = {
            let mut pool = self.permits.lock();
            pool.give_back(&self.applicant);
            pool.out()
        };
        metrics::posts_in_flight(out);
        if !self.calls_nobody {
            self.permits.call();
        }
    }
}
