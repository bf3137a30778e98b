//! Tables and figures of the docs, held to the prices and the snapshot that they repeat.

use std::collections::BTreeMap;
use std::path::Path;

use split_pipeline::estimate::{Estimate, estimate};
use split_pipeline::spec::Spec;

use super::blocks;
use crate::support::command::root;

/// Requests per second of one environment.
const REQUESTS: f64 = 0.1;

fn page(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn estimated(spec: &str, per_second: f64) -> Estimate {
    estimate(&Spec::parse(spec, "spec.yaml").unwrap().spec, per_second, REQUESTS)
}

/// The number that a line has before some words.
fn number_before(line: &str, words: &str) -> Option<f64> {
    let (before, _) = line.split_once(words)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_costs_are_those_of_estimate() {
    let mut compared = 0;
    let page = page("docs/cost.md");
    for block in blocks(&page, "text") {
        let rate = number_before(&block, " impressions a second").unwrap();
        let estimate = estimated("name: my-impressions", rate);
        let mut want: BTreeMap<_, _> =
            estimate.monthly.iter().map(|it| (it.service, (it.packed, it.unpacked))).collect();
        want.insert("together", (estimate.total_packed, estimate.total_unpacked));
        for line in block.lines() {
            let words: Vec<_> = line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
            if let [service, packed, unpacked] = words[..]
                && let Some(want) = want.remove(service)
            {
                assert_eq!(
                    (packed, unpacked),
                    (&*format!("{:.2}", want.0), &*format!("{:.2}", want.1)),
                    "{line}"
                );
                compared += 1;
            }
            if let Some(objects) = number_before(line, " objects a day") {
                assert!((objects - estimate.objects_per_day).abs() <= 0.5, "{line}");
            }
            if let Some(shards) = number_before(line, " shard") {
                assert!((shards - estimate.sizing.shards_needed).abs() < 0.1, "{line}");
            }
        }
        assert!(want.is_empty(), "{want:?} in\n{block}");
    }
    assert_eq!(compared, 14);
}

#[test]
fn a_shard_carries_what_the_docs_say() {
    let shards = |per_second| estimated("name: abc", per_second).sizing.shards_needed;
    assert_eq!((shards(2_690.0), shards(2_710.0)), (1.0, 2.0));
}

#[test]
fn arm64_is_a_fifth_cheaper() {
    let lambda = |architecture: &str| {
        // So much memory that requests hardly count.
        let spec = format!("name: abc\nhandler: {{architecture: {architecture}, memory_mib: 10240}}");
        let estimate = estimated(&spec, 100_000.0);
        let lambda = estimate.monthly.iter().find(|cost| cost.service == "Lambda");
        lambda.unwrap().packed
    };
    let share = lambda("arm64") / lambda("x86_64");
    assert!((share - 0.8).abs() < 0.01, "{share}");
}

#[test]
fn the_benchmark_of_packing_has_the_prices_of_estimate() {
    let (prices, benchmark) = (page("src/estimate/price.rs"), page("benches/handler/packing.py"));
    for (name, price) in [
        ("ON_DEMAND_IN_GB", "0.08"),
        ("ON_DEMAND_OUT_GB", "0.04"),
        ("PUT_UNITS", "0.014"),
        ("FIREHOSE_GB", "0.029"),
    ] {
        assert!(prices.contains(&format!("{name}: f64 = {price};")), "{name}");
        assert!(benchmark.contains(&format!("* {price}")), "{name}");
    }
}

#[test]
fn no_key_replaces_what_holds_data() {
    let snapshot = page("tests/it/snapshots/it__every_key__every_key_is_planned_and_applied_in_place.snap");
    for kind in ["bucket", "stream"] {
        assert!(snapshot.contains(&format!("  update {kind} ")), "{kind}");
        for action in ["replace", "delete"] {
            assert!(!snapshot.contains(&format!("  {action} {kind} ")), "{action} {kind}");
        }
    }
}

#[test]
fn no_shell_is_started() {
    let mut looked_at = 0;
    let mut directories = vec![root().join("src"), root().join("handler/src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                starts_no_shell(&path);
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[track_caller]
fn starts_no_shell(path: &Path) {
    let source = std::fs::read_to_string(path).unwrap();
    // What a test of its own starts is no concern.
    let source = source.split("#[cfg(test)]").next().unwrap();
    for shell in ["sh", "bash", "zsh", "cmd", "powershell"] {
        for call in [format!("Command::new(\"{shell}\")"), format!("\"/bin/{shell}\"")] {
            assert!(!source.contains(&call), "{call} in {}", path.display());
        }
    }
}
