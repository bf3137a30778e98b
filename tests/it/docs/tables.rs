//! Tables and figures of the docs, held to the schema, the prices and the snapshot that they repeat.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
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
    estimate(
        &Spec::parse(spec, "spec.yaml").unwrap().spec,
        per_second,
        REQUESTS,
    )
}

/// Every key of the spec with its part of the schema.
fn keys() -> BTreeMap<String, Value> {
    let schema = Spec::schema();
    let mut keys = BTreeMap::new();
    for (key, value) in schema["properties"].as_object().unwrap() {
        let path = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        match path.and_then(|path| schema.pointer(path)) {
            Some(section) => {
                let inner = section["properties"].as_object().unwrap().iter();
                keys.extend(inner.map(|(name, value)| (format!("{key}.{name}"), value.clone())));
            }
            None => drop(keys.insert(key.clone(), value.clone())),
        }
    }
    keys
}

/// The README's table of the spec: key, default, meaning.
fn readme() -> Vec<(String, String, String)> {
    let page = page("README.md");
    let section = page.split("\n## The spec\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [keys, defaults, meaning] = cells[..] else {
            panic!("{line}")
        };
        let (keys, defaults) = (keys.split(", "), defaults.split(", "));
        let mut section = None;
        for (key, default) in keys.zip(defaults) {
            let key = key.trim_matches('`');
            // `webhook.rate_limit`, `burst_limit`
            let start = section.filter(|_| !key.contains('.')).map(|it| format!("{it}."));
            section = key.split_once('.').map(|(section, _)| section).or(section);
            let key = format!("{}{key}", start.unwrap_or_default());
            rows.push((key, default.to_owned(), meaning.to_owned()));
        }
    }
    rows
}

/// Whether the README has this default; it may shorten long texts, and say in words what `null` means.
fn is_default(said: &str, default: &Value) -> bool {
    let code = said.trim_matches('`');
    match default {
        Value::Null => code == "null" || code.starts_with('<') || !said.starts_with('`'),
        Value::String(text) => match code.split_once('…') {
            Some((start, _)) => text.starts_with(start),
            None => code == text,
        },
        other => *code == *other.to_string(),
    }
}

/// The first span of numbers in a text, such as `1–500`.
fn span(text: &str) -> Option<String> {
    let (before, after) = text.split_once('–')?;
    let is_not_digit = |letter: char| !letter.is_ascii_digit();
    let from = before.rsplit(is_not_digit).next()?;
    let to = after.split(is_not_digit).next()?;
    Some(format!("{from}–{to}"))
}

#[test]
fn the_readme_has_every_key_with_its_default() {
    let (keys, rows) = (keys(), readme());
    let mut listed: Vec<_> = rows.iter().map(|(key, ..)| key).collect();
    listed.sort();
    assert_eq!(listed, keys.keys().collect::<Vec<_>>());
    for (key, default, meaning) in &rows {
        let value = &keys[key];
        assert!(
            is_default(default, &value["default"]),
            "{key}: {default}, not {}",
            value["default"]
        );
        let (Some(minimum), Some(span)) = (value["minimum"].as_u64(), span(meaning)) else {
            continue;
        };
        assert_eq!(span, format!("{minimum}–{}", value["maximum"]), "{key}");
    }
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
        let mut want: BTreeMap<_, _> = estimate
            .monthly
            .iter()
            .map(|it| (it.service, (it.packed, it.unpacked)))
            .collect();
        want.insert("together", (estimate.total_packed, estimate.total_unpacked));
        for line in block.lines() {
            let words: Vec<_> = line
                .split("  ")
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .collect();
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
            assert!(
                !snapshot.contains(&format!("  {action} {kind} ")),
                "{action} {kind}"
            );
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
