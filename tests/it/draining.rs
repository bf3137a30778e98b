//! `down` deletes the stream only once the bucket has what the stream holds.

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-drain\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

fn bucket() -> String {
    format!("it-drain-{ACCOUNT}-us-east-1")
}

async fn post(url: &str, count: usize) -> Vec<String> {
    let impression = |index| format!(r#"{{"key":"k{index}","split":"s","time":1}}"#);
    let mut impressions: Vec<_> = (0..count).map(impression).collect();
    let body = format!("[{}]", impressions.join(","));
    let answer = reqwest::Client::new().post(url.trim()).body(body).send();
    assert_eq!(answer.await.unwrap().status(), 200);
    impressions.sort();
    impressions
}

async fn delete_delivery_stream(config: &SdkConfig) {
    let firehose = aws_sdk_firehose::Client::new(config);
    let delete = firehose.delete_delivery_stream();
    delete.delivery_stream_name("it-drain").send().await.unwrap();
}

async fn has_stream(config: &SdkConfig) -> bool {
    let kinesis = aws_sdk_kinesis::Client::new(config);
    let describe = kinesis.describe_stream_summary().stream_name("it-drain");
    describe.send().await.is_ok()
}

/// The kinds that `down` deleted.
fn deleted(down: &Value) -> Vec<&str> {
    let deleted = down["deleted"].as_array().unwrap().iter();
    deleted.map(|it| it["kind"].as_str().unwrap()).collect()
}

fn down(proxy: &Proxy, more: &[&str]) -> crate::support::command::Run {
    let arguments = ["down", "--yes", "--output", "json"].iter().chain(more);
    proxy.local(SPEC, arguments.copied())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_delivered_is_found_and_not_copied() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    let want = post(&url, 50).await;
    let result = down(&proxy, &[]).exits_with(0).json();
    assert_eq!(result["copied"], 0, "{result}");
    assert!(deleted(&result).contains(&"stream"), "{result}");
    let lines = objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 50).await;
    assert_eq!(lines, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_no_delivery_stream_delivered_is_copied_before_the_stream_goes() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    delete_delivery_stream(&config).await;
    let want = post(&url, 50).await;
    let result = down(&proxy, &[]).exits_with(0).json();
    assert_eq!(result["copied"], 50, "{result}");
    assert!(!has_stream(&config).await);
    let lines = objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 50).await;
    assert_eq!(lines, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_gap_of_the_past_is_copied_too() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    delete_delivery_stream(&config).await;
    let want = post(&url, 50).await;
    proxy.local(SPEC, ["up"]).exits_with(0);
    let result = down(&proxy, &[]).exits_with(0).json();
    assert_eq!(result["copied"], 50, "{result}");
    let lines = objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 50).await;
    assert_eq!(lines, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_whose_impressions_can_be_neither_seen_nor_copied_stays() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    delete_delivery_stream(&config).await;
    let want = post(&url, 50).await;
    let denied = |call| Fault {
        call,
        end: "",
        status: 400,
        code: "",
        body: r#"{"__type":"AccessDeniedException","message":"not authorized"}"#,
    };
    for call in ["ListShards", "GetRecords"] {
        proxy.inject(&[denied(call)]);
        let failed = down(&proxy, &[]).exits_with(1);
        failed.says("may not be in S3").says("replay --stream").says("--purge-data");
        assert!(proxy.pending_faults().is_empty(), "{call}");
        assert!(has_stream(&config).await, "{call}");
    }
    // The bucket is gone, so there is nowhere to copy to.
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    s3.delete_bucket().bucket(bucket()).send().await.unwrap();
    down(&proxy, &[]).exits_with(1).says("NoSuchBucket");
    assert!(has_stream(&config).await);
    // Once there is, the same command finishes.
    s3.create_bucket().bucket(bucket()).send().await.unwrap();
    assert_eq!(down(&proxy, &[]).exits_with(0).json()["copied"], 50);
    assert!(!has_stream(&config).await);
    let lines = objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 50).await;
    assert_eq!(lines, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn data_that_is_to_go_is_not_copied_first() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    delete_delivery_stream(&config).await;
    post(&url, 50).await;
    let asked = proxy.local(SPEC, ["down", "--purge-data"]).exits_with(2);
    asked.says("undelivered impressions in the stream are deleted too");
    assert!(has_stream(&config).await);
    let result = down(&proxy, &["--purge-data"]).exits_with(0).json();
    assert_eq!((&result["copied"], &result["kept"]), (&json!(0), &json!([])), "{result}");
    assert!(!has_stream(&config).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_stays_spilled_is_told() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    crate::replay::forbid_put_records(&config, "it-drain").await;
    let want = post(&url, 10).await;
    down(&proxy, &[]).exits_with(0).says("1 object (").says("`down` keeps these objects");
    // And the next pipeline of this name delivers them.
    proxy.local(SPEC, ["up"]).exits_with(0).says("split-pipeline replay");
    proxy.local(SPEC, ["replay"]).exits_with(0);
    let lines = objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 10).await;
    assert_eq!(lines, want);
}
