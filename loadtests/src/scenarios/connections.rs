//! Memory of one connection: while it never did anything, while it is active, and once it is cold again.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep_until};

use super::endpoint::Endpoint;
use super::memory;
use super::texts::{People, Texts};
use crate::drive::Answers;
use crate::fill::{Filling, fill};
use crate::options::{Connections, Gateway};
use crate::report::{self, ratio};
use crate::target::{IDLE_AFTER, Number, Seeding, Target};

/// Businesses of the installation that is compared with, and numbers that are hot before any other is: so many that
/// what the platform lets each send does not hold them up.
const FEW: u32 = 100;
/// For writing from all of them.
const PATIENCE: Duration = Duration::from_mins(10);
/// After its time a connection leaves memory at the next look, and the allocator gives back a little later.
const COOLING: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Measured {
    /// Resident memory of the gateway in MB.
    resident_mb: Memory,
    /// What one connection more took of it, in KB.
    kb_each: Each,
    /// The first message of every connection.
    touched: Answers,
}

#[derive(Debug, Serialize)]
struct Memory {
    few_at_rest: f64,
    many_at_rest: f64,
    /// After as many messages from a few hot connections as there are cold ones.
    before: f64,
    all_active: f64,
    all_cold_again: f64,
}

#[derive(Debug, Serialize)]
struct Each {
    cold: f64,
    active: f64,
    cold_again: f64,
}

pub async fn run(options: &Connections) -> Result<bool> {
    let chosen = [(IDLE_AFTER, options.idle_seconds.to_string())];
    let rest = Duration::from_secs(u64::from(options.rest_seconds));
    let few = Target::seeded(&options.gateway, Seeding { with: &options.seed, count: FEW }, &chosen).await?;
    let few_at_rest = memory::at_rest(few.process("gateway")?, rest).await?;
    few.stop().await;

    let second = Gateway { store_url: options.second_store_url.clone(), ..options.gateway.clone() };
    let seeding = Seeding { with: &options.seed, count: options.count };
    let target = Target::seeded(&second, seeding, &chosen).await?;
    let endpoint = Endpoint::register(&target.gateway).await?;
    report::tell(&format!("connections against {}", target.kind));
    let measured = measure(options, &target, &endpoint, few_at_rest).await;
    endpoint.remove(&target.gateway).await?;
    let target = target.stop().await;
    let measured = measured?;
    report::tell(&in_words(&measured));
    report::print_json(&json!({
        "scenario": "connections", "clean": true, "target": target, "machine": report::machine(),
        "options": {
            "connections": options.count, "compared_with": FEW, "workers": options.workers,
            "rest_seconds": options.rest_seconds, "idle_seconds": options.idle_seconds,
            "settings": options.gateway.setting,
        },
        "measured": measured,
    }))?;
    Ok(true)
}

async fn measure(
    options: &Connections,
    target: &Target,
    endpoint: &Endpoint,
    few_at_rest: u64,
) -> Result<Measured> {
    let rest = Duration::from_secs(u64::from(options.rest_seconds));
    let gateway = target.process("gateway")?;
    let many_at_rest = memory::at_rest(gateway, rest).await?;
    let (hot, cold) = target.numbers.split_at(FEW as usize);
    let write = async |numbers: &[Number]| {
        let people = People { first: 0, count: options.count };
        let texts = Arc::new(Texts::new(target, numbers, people));
        let count = cold.len() as u64;
        let written =
            fill(target.address, Filling { count, workers: options.workers, at_most: PATIENCE }, texts).await;
        ensure!(written.ids.len() == cold.len(), "not all was accepted: {:?}", written.answers());
        endpoint.hear_all_of(&written.ids, PATIENCE).await?;
        Ok(written.answers())
    };
    // As many messages as there are connections to touch, so that everything but the connections is warm.
    write(hot).await?;
    let before = memory::at_rest(gateway, rest).await?;
    let began = Instant::now();
    let touched = write(cold).await?;
    let last_touched = Instant::now();
    let all_active = memory::at_rest(gateway, rest).await?;
    let idle = Duration::from_secs(u64::from(options.idle_seconds));
    ensure!(
        began.elapsed() < idle,
        "the first connections were cold again before the last was active: raise --idle-seconds"
    );
    sleep_until(last_touched + idle + COOLING).await;
    let all_cold_again = memory::at_rest(gateway, rest).await?;
    let mb = |kb| ratio(kb, 1024);
    Ok(Measured {
        resident_mb: Memory {
            few_at_rest: mb(few_at_rest),
            many_at_rest: mb(many_at_rest),
            before: mb(before),
            all_active: mb(all_active),
            all_cold_again: mb(all_cold_again),
        },
        kb_each: Each {
            cold: each(many_at_rest, few_at_rest, cold.len()),
            active: each(all_active, before, cold.len()),
            cold_again: each(all_cold_again, before, cold.len()),
        },
        touched,
    })
}

fn in_words(measured: &Measured) -> String {
    let Measured { resident_mb: mb, kb_each: each, touched } = measured;
    format!(
        "  first messages {} in {:.1} s; answered p50 {:.1} ms, p99 {:.1} ms\n  MB: few {:.1}, many {:.1}; before {:.1}, \
         all active {:.1}, all cold again {:.1}\n  KB each: cold {:.2}, active {:.2}, cold again {:.2}",
        touched.taken,
        touched.seconds,
        touched.latency.p50_ms,
        touched.latency.p99_ms,
        mb.few_at_rest,
        mb.many_at_rest,
        mb.before,
        mb.all_active,
        mb.all_cold_again,
        each.cold,
        each.active,
        each.cold_again
    )
}

/// What one of so many takes of the difference; less than nothing, where nothing is to be seen.
fn each(with_kb: u64, without_kb: u64, count: usize) -> f64 {
    let count = count as u64;
    if with_kb >= without_kb {
        ratio(with_kb - without_kb, count)
    } else {
        -ratio(without_kb - with_kb, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_shared_out_also_when_memory_shrinks() {
        assert!((each(3_000, 1_000, 1_000) - 2.0).abs() < 1e-9);
        assert!((each(1_000, 3_000, 1_000) + 2.0).abs() < 1e-9);
    }
}
