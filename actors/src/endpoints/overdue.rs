//! Giving up what an endpoint was not asked to take again in time.
//!
//! An endpoint that fails gets new events first, one at a time. What failed before may then never come to its next try,
//! and is given up all the same when its time is over, so that it is listed among the parked. Where an endpoint takes
//! events each row has its tries, and at one that is gone everything stays as it is.

use actix::prelude::*;
use domain::clock::Timestamp;
use domain::contracts::deliveries::DeliveryFilter;
use domain::contracts::store::{Page, StoreError};
use domain::endpoint::{DeliveryState, Endpoint, FailedDelivery};

use super::actor::{A_MOMENT, EndpointActor};
use super::keeping::Passing;
use super::schedule::Config;
use crate::apart::Apart as _;
use crate::services::Services;

/// Rows looked through at a time.
const PAGE: u32 = 500;

/// What is over by now, and when the first of the others is.
struct Looked {
    over: Vec<FailedDelivery>,
    next: Option<Timestamp>,
}

impl EndpointActor {
    /// Looks for rows whose time is over, when there may be some.
    pub(super) fn give_up(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(over_at) = self.retrying.over_at() else { return };
        if over_at > now {
            self.wake_at(over_at, ctx);
            return;
        }
        if !self.may_look() {
            return;
        }
        self.retrying.look_for_over();
        let (services, endpoint) = (self.services.clone(), self.endpoint.clone());
        let looking = async move { look(&services, &endpoint, now).await };
        ctx.spawn(looking.apart(self).map(move |looked, this, ctx| {
            this.retrying.looked();
            // Not again at once, whatever is written meanwhile.
            let soon = this.services.clock.now().plus(A_MOMENT);
            match looked {
                Ok(Looked { over, next }) => {
                    if let Some(next) = next {
                        this.retrying.over_by(next.max(soon));
                    }
                    for row in over {
                        this.give_up_one(row, ctx);
                    }
                }
                Err(error) => {
                    tracing::warn!(endpoint.id = %this.endpoint.id, %error, "failed deliveries cannot be read now");
                    this.retrying.over_by(soon);
                }
            }
            this.pump(ctx);
        }));
    }

    /// It keeps what its last try came to.
    fn give_up_one(&mut self, row: FailedDelivery, ctx: &mut Context<Self>) {
        if self.begin_again(&row) {
            let row = FailedDelivery { attempts: row.attempts + 1, state: DeliveryState::Parked, ..row };
            let passing = Passing::retried(&row);
            self.write_rows(vec![row.into()], passing, ctx);
        }
    }
}

async fn look(services: &Services, endpoint: &Endpoint, now: Timestamp) -> Result<Looked, StoreError> {
    let filter = DeliveryFilter { endpoint: Some(endpoint.id), state: Some(DeliveryState::Retrying) };
    let mut looked = Looked { over: Vec::new(), next: None };
    let mut page = Page { after: None, limit: PAGE };
    loop {
        let rows = services.store.deliveries(endpoint.account, &filter, page).await?;
        page.after = rows.last().map(|last| last.id);
        let last = rows.len() < PAGE as usize;
        sort(rows, &services.config.deliveries, now, &mut looked);
        if last {
            return Ok(looked);
        }
    }
}

fn sort(rows: Vec<FailedDelivery>, config: &Config, now: Timestamp, looked: &mut Looked) {
    for row in rows {
        match config.over_at(&row) {
            Some(at) if at <= now => looked.over.push(row),
            Some(at) => looked.next = Some(looked.next.map_or(at, |next| next.min(at))),
            None => {}
        }
    }
}
