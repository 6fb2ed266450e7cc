//! Resident memory when nothing happens any more.

use anyhow::Result;
use tokio::time::{Duration, sleep};

use crate::process::Watched;

const LOOKS: u32 = 9;
const BETWEEN: Duration = Duration::from_millis(200);
/// How long the looks take.
pub const LOOKING: Duration = BETWEEN.saturating_mul(LOOKS);

/// KB: the middle of several looks after a rest, because something small always happens.
pub async fn at_rest(process: &Watched, rest: Duration) -> Result<u64> {
    sleep(rest).await;
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        looks.push(process.mark()?.resident_kb);
        sleep(BETWEEN).await;
    }
    looks.sort_unstable();
    Ok(looks[looks.len() / 2])
}
