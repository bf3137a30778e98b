//! Whatever happens to the calls of `up` and `down`, they end where they should.
//!
//! `SPLIT_PIPELINE_FAULT_SEEDS=50 cargo test --test it -- faults --nocapture` is the long run; it prints its figures.

use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::proxy::Proxy;
use crate::support::weather::Weather;

const SPEC: &str = "name: it-faults\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// How many calls of a hundred are broken.
const PERCENT: u8 = 20;

/// How often a command is run at most.
const RUNS: usize = 2;

fn seeds() -> u64 {
    std::env::var("SPLIT_PIPELINE_FAULT_SEEDS").map_or(3, |count| count.parse().unwrap())
}

/// Runs a command until it succeeds; gives how often it had to be run.
async fn converge(emulator: &Emulator, proxy: &Proxy, arguments: &[&'static str]) -> usize {
    let mut failures = Vec::new();
    for run in 1..=RUNS {
        let outcome = proxy.local(SPEC, arguments.iter().copied()).outcome();
        if outcome.code == 0 {
            return run;
        }
        failures.push(outcome.stderr);
        emulator.tag_stream("it-faults").await;
    }
    panic!("{arguments:?}: {}", failures.join("\n---\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_and_down_converge_whatever_happens_to_their_calls() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let before = inventory::of(&config).await;
    let (mut calls, mut broken, mut repeated) = (0, 0, 0);
    for seed in 0..seeds() {
        proxy.set_weather(Weather::stormy(PERCENT, seed));
        repeated += converge(&emulator, &proxy, &["up"]).await - 1;
        calls += proxy.take_calls().len();
        broken += proxy.broken();

        proxy.set_weather(Weather::default());
        emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
        emulator.local(SPEC, ["smoke", "--count", "20"]).exits_with(0);
        let mut made = inventory::of(&config).await;
        made.retain(|resource| !before.contains(resource));
        assert_eq!(made.iter().filter(|it| it.starts_with("REST API")).count(), 1, "{made:?}");
        assert_eq!(made.len(), 9, "seed {seed}: {made:?}");

        proxy.set_weather(Weather::stormy(PERCENT, seed + 1000));
        repeated += converge(&emulator, &proxy, &["down", "--yes", "--purge-data"]).await - 1;
        calls += proxy.take_calls().len();
        broken += proxy.broken();
        assert_eq!(inventory::of(&config).await, before, "seed {seed}");
    }
    let figures =
        format!("{} seeds, {calls} calls, {broken} of them broken, {repeated} commands repeated", seeds());
    assert!(broken * 10 > calls, "{figures}");
    #[expect(clippy::print_stderr, reason = "the figures of a long run")]
    {
        eprintln!("{figures}");
    }
}
