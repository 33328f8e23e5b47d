//! Ten simulated years of keys: DNS fails, servers lag, processes end anywhere, operators order what
//! they like. The code is the store's own, but for the disk, which is in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chance;
mod disk;
mod witness;
mod world;
mod zone;

use mailseal::keys::Policy;
use mailseal::keys::policy::SelectorStyle;
use mailseal::keys::state::Algorithm;
use proptest::prelude::*;
use world::{Counts, World};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const YEARS: u64 = 10;

/// Policies that the configuration allows, and some that it does not.
fn policies() -> impl Strategy<Value = Policy> {
    let algorithms = proptest::sample::subsequence(Algorithm::ALL.to_vec(), 0..=2);
    let times = (prop::option::weighted(0.9, 20..300_u64), 1..20_u64, 1..10_u64, 1..60_u64);
    (times, 0..DAY, 0..20 * DAY, algorithms, any::<bool>()).prop_map(
        |(
            (every, overlap, queue, revoked),
            distribution_secs,
            waiver_secs,
            algorithms,
            together,
        )| {
            Policy {
                primary: true,
                every_secs: every.map(|days| days * DAY),
                overlap_secs: overlap * DAY,
                queue_secs: queue * DAY,
                revoked_secs: revoked * DAY,
                distribution_secs,
                waiver_secs,
                algorithms,
                together,
                selectors: SelectorStyle::Random,
                rsa_bits: 2048,
            }
        },
    )
}

fn live(seed: u64, policy: &Policy) -> Counts {
    let mut world = World::new(seed, policy.clone());
    let start = 1_795_261_620;
    let mut now = start;
    let mut hours = chance::Chance(seed ^ 1);
    while now < start + YEARS * 365 * DAY {
        world.pass(now);
        now += HOUR / 2 + hours.below(12 * HOUR);
    }
    world.finish(now);
    world.counts
}

/// A domain a case.
#[test]
fn keys_live_through_ten_years() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 16,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let all = std::cell::Cell::new(Counts::default());
    let lived = runner.run(&(any::<u64>(), policies()), |(seed, policy)| {
        let counts = live(seed, &policy);
        all.set(sum(all.get(), counts));
        Ok(())
    });
    println!("{:?}", all.get());
    if let Err(failure) = lived {
        panic!("{failure}");
    }
    let Counts { made, activated, waived, forced, rolled_back, revoked_early, .. } = all.get();
    let Counts { removed, refused, crashes, adopted, .. } = all.get();
    for (what, count) in [
        ("made", made),
        ("activated", activated),
        ("waived", waived),
        ("forced", forced),
        ("rolled back", rolled_back),
        ("revoked early", revoked_early),
        ("removed", removed),
        ("refused", refused),
        ("crashes", crashes),
        ("adopted", adopted),
    ] {
        assert!(count > 0, "{what}: never");
    }
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        made: a.made + b.made,
        activated: a.activated + b.activated,
        waived: a.waived + b.waived,
        forced: a.forced + b.forced,
        rolled_back: a.rolled_back + b.rolled_back,
        revoked_early: a.revoked_early + b.revoked_early,
        removed: a.removed + b.removed,
        refused: a.refused + b.refused,
        crashes: a.crashes + b.crashes,
        adopted: a.adopted + b.adopted,
    }
}
