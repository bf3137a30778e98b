//! A gap that a missing delivery stream leaves is told by every command until it is copied.

use aws_config::SdkConfig;
use serde_json::Value;

use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-gaps\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// What every command says of a gap.
const TOLD: &str = "replay --stream --since";

const fn denied(call: &'static str, end: &'static str) -> Fault {
    Fault {
        call,
        end,
        status: 403,
        code: "AccessDeniedException",
        body: r#"{"__type":"AccessDeniedException","message":"not authorized"}"#,
    }
}

async fn delete_delivery_stream(config: &SdkConfig) {
    let firehose = aws_sdk_firehose::Client::new(config);
    let delete = firehose.delete_delivery_stream();
    delete.delivery_stream_name("it-gaps").send().await.unwrap();
}

async fn post(url: &str, first: usize, count: usize) -> Vec<String> {
    let impression = |index| format!(r#"{{"key":"k{index}","split":"s","time":1}}"#);
    let impressions: Vec<_> = (first..first + count).map(impression).collect();
    let body = format!("[{}]", impressions.join(","));
    let answer = reqwest::Client::new().post(url.trim()).body(body).send();
    assert_eq!(answer.await.unwrap().status(), 200);
    impressions
}

/// The gaps that `status` tells, as spans for `replay`.
fn gaps(proxy: &Proxy) -> Vec<(String, Option<String>)> {
    let status = proxy.local(SPEC, ["status", "--output", "json"]).outcome().json();
    let gaps = status["undelivered"]["gaps"].as_array().unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let span = |gap: &Value| (text(&gap["from"]).unwrap(), text(&gap["until"]));
    gaps.iter().map(span).collect()
}

/// Copies one gap as the hint says.
fn copy(proxy: &Proxy, (from, until): &(String, Option<String>)) -> Value {
    let mut arguments = vec!["replay", "--stream", "--output", "json", "--since", from];
    arguments.extend(until.iter().flat_map(|until| ["--until", until]));
    proxy.local(SPEC, arguments).exits_with(0).json()
}

/// What is in S3 of these impressions, each once.
async fn delivered(config: &SdkConfig, want: &[String]) -> usize {
    let bucket = format!("it-gaps-{ACCOUNT}-us-east-1");
    let is_there = |lines: &[String]| want.iter().all(|it| lines.contains(it));
    let lines = objects::lines(config, &bucket, "impressions/", is_there).await;
    want.iter().filter(|it| lines.contains(it)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_gap_is_told_after_a_failed_up_until_it_is_copied() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    let mut want = post(&url, 0, 10).await;
    delete_delivery_stream(&config).await;
    want.extend(post(&url, 10, 50).await);
    // Missing: the gap has no end yet.
    proxy.local(SPEC, ["status"]).exits_with(3);
    proxy.local(SPEC, ["plan"]).exits_with(0).says(TOLD);
    assert!(matches!(gaps(&proxy).as_slice(), [(_, None)]));

    // The delivery stream is created, and `up` fails at something else.
    proxy.inject(&[denied("PUT /2015-03-31/functions/it-gaps/configuration", "")]);
    let larger = format!("{SPEC}handler: {{memory_mib: 512}}\n");
    proxy.local(&larger, ["up"]).exits_with(1).says(TOLD);
    assert!(proxy.pending_faults().is_empty());
    for _ in 0..2 {
        proxy.local(SPEC, ["up"]).exits_with(0).says(TOLD);
        proxy.local(SPEC, ["plan", "--check"]).exits_with(0).says(TOLD);
        let status = proxy.local(SPEC, ["status"]).exits_with(3);
        assert!(status.stdout.contains(TOLD), "{}", status.stdout);
    }

    // Part of the gap is copied, and the rest is still told.
    let all = gaps(&proxy);
    let [(from, Some(until))] = all.as_slice() else { panic!("{all:?}") };
    let early = ("2026-01-01T00:00:00Z".to_owned(), Some(from.clone()));
    copy(&proxy, &early);
    assert_eq!(gaps(&proxy), all);
    assert_eq!(copy(&proxy, &(from.clone(), Some(until.clone())))["copied"], 60);
    assert!(gaps(&proxy).is_empty());
    assert_eq!(delivered(&config, &want).await, 60);
    let status = proxy.local(SPEC, ["status"]).exits_with(0);
    assert!(!status.stdout.contains(TOLD), "{}", status.stdout);
    let up = proxy.local(SPEC, ["up"]).exits_with(0);
    assert!(!up.stderr.contains(TOLD), "{}", up.stderr);
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_gap_does_not_hide_the_first() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    let mut want = Vec::new();
    for round in 0..2 {
        delete_delivery_stream(&config).await;
        want.extend(post(&url, round * 10, 10).await);
        // `up` cannot create the delivery stream, and forgets nothing of when it was missing.
        proxy.inject(&[denied("CreateDeliveryStream", "")]);
        proxy.local(SPEC, ["up"]).exits_with(1).says(TOLD);
        want.extend(post(&url, 100 + round * 10, 10).await);
        proxy.local(SPEC, ["up"]).exits_with(0).says(TOLD);
    }
    let told = gaps(&proxy);
    assert!(!told.is_empty());
    for gap in &told {
        copy(&proxy, gap);
    }
    assert_eq!(delivered(&config, &want).await, 40);
    assert!(gaps(&proxy).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pipeline_whose_delivery_stream_was_always_there_has_no_gap() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    // Interrupted between the stream and the delivery stream: the webhook was never open.
    proxy.inject(&[denied("CreateDeliveryStream", "")]);
    proxy.local(SPEC, ["up"]).exits_with(1);
    let up = proxy.local(SPEC, ["up"]).exits_with(0);
    assert!(!up.stderr.contains(TOLD), "{}", up.stderr);
    assert!(gaps(&proxy).is_empty());
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_spilled_is_told_until_it_is_replayed() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    crate::replay::forbid_put_records(&config, "it-gaps").await;
    let want = post(&url, 0, 10).await;
    proxy.local(SPEC, ["up"]).exits_with(0).says("1 object (");
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0).says("split-pipeline replay");
    // Also when the log no longer tells of it.
    let status = proxy.local(SPEC, ["status", "--since", "1s", "--output", "json"]);
    let status = status.exits_with(3).json();
    assert_eq!(status["undelivered"]["spilled"]["objects"], 1, "{status}");
    proxy.local(SPEC, ["replay"]).exits_with(0);
    let status = proxy.local(SPEC, ["status", "--output", "json"]).exits_with(0).json();
    assert!(status["undelivered"]["spilled"].is_null(), "{status}");
    assert_eq!(delivered(&config, &want).await, 10);
}
