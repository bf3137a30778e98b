//! Who may call the webhook: its path is a secret that can be changed, and API Gateway itself refuses everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use aws_sdk_apigateway::types::{Op, PatchOperation};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::emulator::Emulator;
use crate::support::objects;

const SPEC: &str = "name: it-webhook\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

const BUCKET: &str = "it-webhook-000000000000-us-east-1";

async fn request(method: Method, url: &str, body: &str) -> StatusCode {
    let request = reqwest::Client::new().request(method, url);
    let request = request.header("content-type", "application/json").body(body.to_owned());
    request.send().await.unwrap().status()
}

fn impression(key: &str) -> String {
    format!(r#"[{{"key":"{key}","split":"s","treatment":"on"}}]"#)
}

/// How often the function ran: each batch is a line of its log.
fn batches(emulator: &Emulator) -> u64 {
    let status = emulator.local(SPEC, ["status", "--output", "json"]).outcome().json();
    status["traffic"]["batches"].as_u64().unwrap()
}

/// Every URL that must not work, made from one that does.
fn wrong_urls(url: &str) -> Vec<String> {
    let (stage, secret) = url.rsplit_once('/').unwrap();
    let mut other = secret.to_owned();
    other.replace_range(..1, if secret.starts_with('0') { "1" } else { "0" });
    vec![
        stage.to_owned(),
        format!("{stage}/"),
        format!("{stage}/impressions"),
        format!("{stage}/{other}"),
        format!("{stage}/{}", secret.to_uppercase()),
        format!("{url}/more"),
    ]
}

#[tokio::test]
async fn what_is_not_the_webhook_is_refused_before_the_function_runs() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let url = url.trim();
    assert_eq!(request(Method::POST, url, &impression("first")).await, StatusCode::OK);
    let before = batches(&emulator);
    assert_eq!(before, 1);
    let body = impression("refused");
    for wrong in wrong_urls(url) {
        let status = request(Method::POST, &wrong, &body).await;
        assert!(status.is_client_error(), "{wrong}: {status}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let status = request(method.clone(), url, &body).await;
        assert!(status.is_client_error(), "{method}: {status}");
    }
    assert_eq!(batches(&emulator), before);
}

/// What `rotate` gave.
fn rotate(emulator: &Emulator, arguments: &[&'static str]) -> Value {
    let arguments = ["rotate", "--output", "json"].into_iter().chain(arguments.iter().copied());
    emulator.local(SPEC, arguments).exits_with(0).json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_new_path_works_beside_the_old_one_until_that_is_revoked() {
    let emulator = Emulator::start();
    emulator.local(SPEC, ["rotate"]).exits_with(1).says("hint: run `split-pipeline up`");
    let old = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let old = old.trim();
    let rotated = rotate(&emulator, &[]);
    let new = text(&rotated["webhook_url"]);
    assert_ne!(new, old);
    assert_eq!(rotated["old_webhook_url"], old);
    // Asked again, before it is revoked, it is the same.
    assert_eq!(rotate(&emulator, &[]), rotated);
    // And `up` keeps both.
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
    assert_eq!(emulator.local(SPEC, ["up"]).exits_with(0).stdout.trim(), new);
    assert_eq!(emulator.local(SPEC, ["url"]).exits_with(0).stdout.trim(), new);
    let status = emulator.local(SPEC, ["status"]).exits_with(0).stdout;
    assert!(status.contains("rotate --revoke"), "{status}");
    for url in [old, new] {
        assert_eq!(request(Method::POST, url, &impression("k")).await, StatusCode::OK);
    }

    let revoked = rotate(&emulator, &["--revoke"]);
    assert_eq!((text(&revoked["webhook_url"]), &revoked["old_webhook_url"]), (new, &Value::Null));
    assert_eq!(rotate(&emulator, &["--revoke"]), revoked);
    let again = emulator.local(SPEC, ["rotate", "--revoke"]).exits_with(0);
    again.says("no old path to take away");
    let before = batches(&emulator);
    assert!(request(Method::POST, old, &impression("k")).await.is_client_error());
    assert_eq!(batches(&emulator), before);
    assert_eq!(request(Method::POST, new, &impression("k")).await, StatusCode::OK);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
    // The next one is another one.
    assert_ne!(text(&rotate(&emulator, &[])["webhook_url"]), new);
}

/// Posts one impression after the other, to the URL that is valid by then, until it is told to stop; says which URL
/// has answered.
async fn send_on(
    urls: watch::Receiver<String>,
    answered: watch::Sender<String>,
    stop: Arc<AtomicBool>,
) -> usize {
    let client = reqwest::Client::new();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let url = urls.borrow().clone();
        let request = client.post(&url).header("content-type", "application/json");
        let answer = request.body(impression(&format!("key-{sent}"))).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        sent += 1;
        answered.send_replace(url);
    }
    sent
}

async fn delivered(config: &SdkConfig, sent: usize) -> usize {
    let all = |lines: &[String]| lines.len() >= sent;
    objects::lines(config, BUCKET, "impressions/", all).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_loses_nothing_of_a_sender_that_never_stops() {
    let emulator = Emulator::start();
    let old = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let (paste, urls) = watch::channel(old.trim().to_owned());
    let (answered, mut seen) = watch::channel(String::new());
    let stop = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn(send_on(urls, answered, Arc::clone(&stop)));
    for _ in 0..3 {
        let new = text(&rotate(&emulator, &[])["webhook_url"]).to_owned();
        paste.send(new.clone()).unwrap();
        // By then, nothing is on its way to the old path any more.
        seen.wait_for(|url| *url == new).await.unwrap();
        rotate(&emulator, &["--revoke"]);
    }
    stop.store(true, Ordering::Relaxed);
    let sent = sender.await.unwrap();
    assert!(sent > 10, "{sent}");
    assert_eq!(delivered(&emulator.sdk().await, sent).await, sent);
}

#[test]
fn a_path_that_is_no_secret_is_warned_of_and_cannot_be_rotated() {
    let spec = "name: it-webhook\nwebhook: {secret_path: false}\n";
    let emulator = Emulator::start();
    emulator.local(spec, ["up"]).exits_with(0).says("warning:");
    emulator.local(spec, ["rotate"]).exits_with(2).says("webhook.secret_path");
}

#[tokio::test]
async fn a_rotation_changes_nothing_else() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    for more in ["webhook: {stage: v2}\n", "webhook: {secret_path: false}\n"] {
        let spec = format!("{SPEC}{more}");
        let refused = emulator.local(&spec, ["rotate"]).outcome();
        assert_ne!(refused.code, 0, "{more}: {}", refused.stderr);
        assert_eq!(emulator.local(SPEC, ["url"]).exits_with(0).stdout, url);
        emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
    }
    // What the spec asks for besides a new path, `up` is for.
    let more = "stream: {retention_hours: 48}\nhandler: {memory_mib: 512}\n";
    let more = format!("{SPEC}{more}");
    let pending = || emulator.local(&more, ["plan", "--output", "json"]).exits_with(0).json();
    let before = pending();
    assert_ne!(before["changes"], json!([]));
    emulator.local(&more, ["rotate"]).exits_with(0);
    emulator.local(&more, ["rotate", "--revoke"]).exits_with(0);
    assert_eq!(pending(), before);
    let url = emulator.local(SPEC, ["url"]).exits_with(0).stdout;
    let open = "name: it-webhook-open\nwebhook: {secret_path: false}\n";
    emulator.local(open, ["up"]).exits_with(0);
    let refused = emulator.local("name: it-webhook-open\n", ["rotate"]).exits_with(1);
    refused.says("nothing was changed").says("hint: run `split-pipeline up` first");
    emulator.local(open, ["plan", "--check"]).exits_with(0);

    // Where nothing says which of two paths is the old one, neither is taken away.
    rotate(&emulator, &[]);
    let apigateway = aws_sdk_apigateway::Client::new(&emulator.sdk().await);
    let apis = apigateway.get_rest_apis().send().await.unwrap();
    let api = apis.items().iter().find(|api| api.name() == Some("it-webhook"));
    let call = apigateway.update_rest_api().rest_api_id(api.unwrap().id().unwrap());
    let operation = PatchOperation::builder().op(Op::Replace).path("/description");
    let call = call.patch_operations(operation.value("somebody's").build());
    call.send().await.unwrap();
    let refused = emulator.local(SPEC, ["rotate", "--revoke"]).exits_with(1);
    refused.says("nothing was changed").says("hint: run `split-pipeline up` first");
    assert_eq!(request(Method::POST, url.trim(), &impression("k")).await, StatusCode::OK);
}
