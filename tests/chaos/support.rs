//! What the other tests stand on serves here too.

#[path = "../it/support/api.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
pub(crate) mod api;
#[path = "../it/support/owner.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
pub(crate) mod owner;
#[path = "../it/support/patience.rs"]
mod patience;

pub(crate) use patience::eventually;
