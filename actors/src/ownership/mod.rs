//! The lease of this node and the partitions it holds.
//!
//! One node runs until the cluster exists: it joins, takes every partition under a new epoch, and renews at 1 Hz.
//! An earlier process that still lives is fenced by the epochs, and its next renewal tells it so.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use domain::clock::Clock;
use domain::contracts::coordination::{Member, Membership};
use domain::contracts::leases::Node;
use domain::contracts::store::{Store, StoreError};
use domain::partition::Incarnation;
use tokio::sync::watch;

use crate::holdings::Holdings;

const RENEWAL: Duration = Duration::from_secs(1);
/// After a renewal was *sent*, the node may act for so long. The lease itself lasts 5 s.
const ACT: Duration = Duration::from_secs(4);

pub(crate) struct Ownership {
    store: Arc<dyn Store>,
    membership: Arc<dyn Membership>,
    clock: Arc<dyn Clock>,
    node: Node,
    holdings: Holdings,
    /// Tells the process that it must not go on.
    lost: watch::Sender<bool>,
}

impl Ownership {
    /// Joins and takes, before anything else runs.
    pub(crate) async fn take(
        store: Arc<dyn Store>,
        membership: Arc<dyn Membership>,
        clock: Arc<dyn Clock>,
        node: Node,
        holdings: Holdings,
        lost: watch::Sender<bool>,
    ) -> Result<Self, StoreError> {
        let sent_at = clock.boottime();
        store.join(&node, clock.now()).await?;
        let held = store.take_all(node.incarnation).await?;
        holdings.hold(&held);
        holdings.extend(sent_at + ACT);
        let member =
            Member { incarnation: node.incarnation, name: node.name.clone(), address: node.address.clone() };
        // Membership is a hint: without it this node is merely not seen.
        if let Err(error) = membership.beat(&member).await {
            tracing::warn!(%error, "the coordinator does not know of this node yet");
        }
        if let Err(error) = membership.publish(node.incarnation, &held).await {
            tracing::warn!(%error, "the coordinator does not know what this node holds yet");
        }
        Ok(Self { store, membership, clock, node, holdings, lost })
    }

    fn renew(&self) -> ResponseFuture<Renewal> {
        let (store, membership, clock) =
            (Arc::clone(&self.store), Arc::clone(&self.membership), Arc::clone(&self.clock));
        let node = self.node.clone();
        Box::pin(async move {
            let sent_at = clock.boottime();
            let member = Member { incarnation: node.incarnation, name: node.name, address: node.address };
            if let Err(error) = membership.beat(&member).await {
                tracing::warn!(%error, "the coordinator cannot be reached");
            }
            match store.renew(node.incarnation, clock.now()).await {
                Ok(true) => Renewal::Renewed { sent_at },
                Ok(false) => Renewal::Taken,
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed");
                    Renewal::Unknown
                }
            }
        })
    }
}

enum Renewal {
    Renewed {
        sent_at: Duration,
    },
    Taken,
    /// The database did not answer; the deadline goes on running.
    Unknown,
}

impl Actor for Ownership {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(RENEWAL, |this, ctx| {
            ctx.spawn(this.renew().into_actor(this).map(|renewal, this, ctx| match renewal {
                Renewal::Renewed { sent_at } => this.holdings.extend(sent_at + ACT),
                Renewal::Unknown => {}
                Renewal::Taken => {
                    tracing::error!("another process took this node's partitions: this one stops");
                    this.holdings.lose_all();
                    this.lost.send_replace(true);
                    ctx.stop();
                }
            }));
        });
    }
}

/// The end of an orderly stop: what this node held is free at once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

impl Handler<Leave> for Ownership {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Leave, _: &mut Self::Context) -> Self::Result {
        self.holdings.lose_all();
        let (store, membership) = (Arc::clone(&self.store), Arc::clone(&self.membership));
        let incarnation: Incarnation = self.node.incarnation;
        let leaving = async move {
            if let Err(error) = store.leave(incarnation).await {
                tracing::warn!(%error, "the lease could not be given back");
            }
            if let Err(error) = membership.leave(incarnation).await {
                tracing::warn!(%error, "the coordinator was not told that this node leaves");
            }
        };
        Box::pin(leaving.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}
