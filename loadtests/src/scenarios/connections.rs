//! Memory of one connection: while it never did anything, while it is active, and once it is cold again.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep_until};

use super::endpoint::Endpoint;
use super::memory;
use super::run::Driver;
use super::steady_send::EVENTS_EACH;
use super::texts::{People, Texts};
use crate::options::{Connections, Gateway, Load};
use crate::report::{self, Run, ratio};
use crate::target::{IDLE_AFTER, Number, Seeding, Target};

/// Businesses of the installation that is compared with, and numbers that are hot before any other is.
const FEW: u32 = 25;
/// After its time a connection leaves memory at the next look, and the allocator gives back a little later.
const COOLING: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Measured {
    /// Resident memory of the gateway in MB.
    resident_mb: Memory,
    /// What one connection more took of it.
    kb_each: Each,
    /// The run in which every connection sent its first message.
    touched: Run,
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
    let took = options.count.div_ceil(options.load.rate);
    ensure!(
        took + 2 * options.rest_seconds < options.idle_seconds,
        "at this rate the first connections would be cold before the last is active: raise --rate or --idle-seconds"
    );
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
    let Measured { kb_each: each, touched, .. } = &measured;
    report::tell(&format!(
        "{}\n  KB each: cold {:.2}, active {:.2}, cold again {:.2}",
        report::in_words(touched),
        each.cold,
        each.active,
        each.cold_again
    ));
    let clean = touched.faults.is_clean();
    report::print_json(&json!({
        "scenario": "connections", "clean": clean, "target": target, "machine": report::machine(),
        "options": {
            "load": options.load, "connections": options.count, "compared_with": FEW,
            "idle_seconds": options.idle_seconds, "settings": options.gateway.setting,
        },
        "measured": measured,
    }))?;
    Ok(clean)
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
    // As many messages as there are connections to touch, so that everything but the connections is warm.
    let seconds = (options.count - FEW).div_ceil(options.load.rate);
    let load = Load { closed: false, seconds, ..options.load.clone() };
    let driver = Driver {
        address: target.address,
        load: &load,
        weight: 1,
        events_each: EVENTS_EACH,
        processes: &target.processes,
        receiver: Some(&endpoint.receiver),
    };
    let texts =
        |numbers: &[Number]| Arc::new(Texts::new(target, numbers, People { first: 0, count: options.count }));
    driver.measure(texts(hot)).await?;
    let before = memory::at_rest(gateway, rest).await?;
    let touched = driver.measure(texts(cold)).await?;
    let last_touched = Instant::now();
    let all_active = memory::at_rest(gateway, rest).await?;
    sleep_until(last_touched + Duration::from_secs(u64::from(options.idle_seconds)) + COOLING).await;
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
        touched: touched.run,
    })
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
