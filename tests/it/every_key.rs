//! Every key of the spec, changed one at a time: `plan` names it, `up` applies it, and then there is nothing to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use split_pipeline::spec::Spec;

use crate::support::archive::{ARM64, header_only};
use crate::support::command::Run;
use crate::support::emulator::Emulator;

/// Each key with another value than the one it had before.
pub(crate) fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("tags", json!({"team": "growth"})),
        ("iam.permissions_boundary", json!("arn:aws:iam::aws:policy/PowerUserAccess")),
        ("stream.shards", json!(2)),
        ("stream.retention_hours", json!(48)),
        ("stream.encryption", json!("none")),
        ("delivery.prefix", json!("views/!{timestamp:yyyy/MM/dd}/")),
        ("delivery.error_prefix", json!("broken/!{firehose:error-output-type}/")),
        ("delivery.compression", json!("none")),
        ("delivery.format", json!("parquet")),
        ("delivery.buffer_mib", json!(128)),
        ("delivery.buffer_seconds", json!(60)),
        ("delivery.encryption", json!("alias/it-keys")),
        ("delivery.versioning", json!(true)),
        ("delivery.expire_days", json!(30)),
        ("delivery.bucket", json!("it-keys-elsewhere")),
        ("handler.memory_mib", json!(512)),
        ("handler.timeout_seconds", json!(25)),
        ("handler.log_retention_days", json!(30)),
        ("handler.reserved_concurrency", json!(5)),
        ("handler.fields", json!(["key", "split"])),
        ("handler.record_kib", json!(0)),
        ("webhook.stage", json!("live")),
        ("webhook.access_log", json!(true)),
        ("webhook.rate_limit", json!(50)),
        ("webhook.burst_limit", json!(60)),
        ("webhook.allow_cidrs", json!(["192.0.2.0/24", "2001:db8::/32"])),
        ("webhook.secret_path", json!(false)),
        ("monitoring.alarms", json!(true)),
        ("monitoring.emails", json!(["on-call@example.com"])),
        ("monitoring.quiet_minutes", json!(30)),
        ("monitoring.dashboard", json!(true)),
    ]
}

/// Keys whose change needs more than a line of `changes`; each has a test of its own, `stream.mode` on the emulator that knows it.
pub(crate) const OTHERS: [&str; 8] = [
    "stream.mode",
    "name",
    "region",
    "delivery.existing_bucket",
    "iam.role_path",
    "protect",
    "monitoring.topic_arn",
    "handler.architecture",
];

pub(crate) fn set(spec: &mut Value, key: &str, value: Value) {
    let place = key.split('.').fold(spec, |place, part| &mut place[part]);
    assert_ne!(*place, value, "{key} would not change");
    *place = value;
}

/// The plan as lines, one a field.
fn plan(run: Run) -> String {
    let plan = run.exits_with(0).json();
    let mut lines = String::new();
    for change in plan["changes"].as_array().unwrap() {
        let (kind, action) = (change["kind"].as_str().unwrap(), change["action"].as_str().unwrap());
        for field in change["fields"].as_array().unwrap() {
            let path = field["path"].as_str().unwrap();
            let _ = writeln!(lines, "  {action} {kind} {path}: {} -> {}", field["have"], field["want"]);
        }
    }
    lines
}

#[test]
fn every_key_is_planned_and_applied_in_place() {
    let emulator = Emulator::start();
    let mut spec = json!({"name": "it-keys", "iam": {}, "stream": {}, "delivery": {}, "handler": {}, "webhook": {},
        "monitoring": {}});
    emulator.local(&spec.to_string(), ["up"]).exits_with(0);
    let mut table = String::new();
    for (key, value) in changes() {
        let _ = writeln!(table, "{key}: {value}");
        set(&mut spec, key, value);
        let text = spec.to_string();
        table += &plan(emulator.local(&text, ["plan", "--output", "json"]));
        emulator.local(&text, ["up", "--yes"]).exits_with(0);
        emulator.local(&text, ["plan", "--check"]).exits_with(0);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_table_has_every_key_of_the_schema() {
    let mut have: BTreeSet<_> = changes().into_iter().map(|(key, _)| key.to_owned()).collect();
    have.extend(OTHERS.map(str::to_owned));
    let want: BTreeSet<_> = Spec::keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(have, want);
}

#[test]
fn another_name_or_region_is_another_pipeline() {
    let emulator = Emulator::start();
    for spec in ["name: it-first\n", "name: it-second\n", "name: it-first\nregion: eu-west-1\n"] {
        let up = emulator.local(spec, ["up", "--output", "json"]).exits_with(0).json();
        let made = up["resources"].as_array().unwrap();
        assert!(made.iter().all(|it| it["action"] == "created"), "{spec}: {up}");
    }
    for spec in ["name: it-first\n", "name: it-second\n", "name: it-first\nregion: eu-west-1\n"] {
        emulator.local(spec, ["plan", "--check"]).exits_with(0);
    }
}

#[tokio::test]
async fn an_existing_bucket_is_used_and_never_touched() {
    let emulator = Emulator::start();
    let config = aws_sdk_s3::config::Builder::from(&emulator.sdk().await).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let absent = "name: it-existing\ndelivery: {bucket: it-mine, existing_bucket: true, buffer_seconds: 0}\n";
    emulator.local(absent, ["up"]).exits_with(1).says("it-mine");
    s3.create_bucket().bucket("it-mine").send().await.unwrap();
    emulator.local(absent, ["up"]).exits_with(0);
    emulator.local(absent, ["plan", "--check"]).exits_with(0);
    emulator.local(absent, ["smoke", "--count", "10"]).exits_with(0);
    let down =
        emulator.local(absent, ["down", "--yes", "--purge-data", "--output", "json"]).exits_with(0).json();
    assert_eq!(down["kept"][0]["kind"], "bucket", "{down}");
    let objects = s3.list_objects_v2().bucket("it-mine").send().await.unwrap();
    assert!(objects.contents().iter().any(|it| it.key().unwrap().starts_with("impressions/")));
    s3.get_bucket_tagging().bucket("it-mine").send().await.unwrap_err();
}

#[test]
fn another_architecture_needs_a_handler_for_it() {
    let emulator = Emulator::start();
    let run = |spec: &str, arguments: &[&str]| emulator.as_root(spec, arguments);
    let (native, arm64) = ("name: it-arch\n", "name: it-arch\nhandler: {architecture: arm64}\n");
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    run(native, &["up"]).exits_with(0);
    let zip = header_only(ARM64);
    let zip = zip.path().to_str().unwrap();
    run(native, &["up", "--handler", zip]).exits_with(1).says("arm64");
    let planned = plan(run(arm64, &["plan", "--handler", zip, "--output", "json"]));
    assert!(planned.contains("update function architecture: \"x86_64\" -> \"arm64\""), "{planned}");
    run(arm64, &["up", "--handler", zip]).exits_with(0);
    run(arm64, &["plan", "--check", "--handler", zip]).exits_with(0);
}
