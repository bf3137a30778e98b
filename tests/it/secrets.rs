//! What must not be told: the webhook's path where nobody asked for it, and credentials anywhere.

use crate::support::command::{Outcome, against};
use crate::support::emulator::Emulator;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-secrets\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// The local emulator's root credentials, which are no secret, but would be on AWS.
const KEY: &str = "credentials-that-nobody-may-see";

#[track_caller]
fn tells_nothing(outcome: &Outcome, secrets: &[&str]) {
    for secret in secrets {
        for (stream, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
            assert!(!text.contains(secret), "{secret} on {stream}:\n{text}");
        }
    }
}

#[test]
fn the_path_is_only_told_where_it_is_asked_for_and_credentials_nowhere() {
    let emulator = Emulator::start();
    let (endpoint, token) = (emulator.endpoint(), emulator.token());
    let run = |arguments: &[&str]| {
        let run = against(&endpoint, SPEC, ["-v"].iter().chain(arguments));
        // MiniStack's root has any secret.
        run.credentials("test", KEY).session_token(&token)
    };
    let up = run(&["up", "--output", "json"]).exits_with(0);
    let url = up.json()["webhook_url"].as_str().unwrap().to_owned();
    let path = url.rsplit('/').next().unwrap();
    assert_eq!(path.len(), 32);
    tells_nothing(&up, &[KEY]);
    assert!(!up.stderr.contains(path), "{}", up.stderr);
    for asked in [&["url"][..], &["status"], &["status", "--output", "json"]] {
        let outcome = run(asked).exits_with(0);
        assert!(outcome.stdout.contains(path), "{asked:?}");
        assert!(!outcome.stderr.contains(path), "{asked:?}: {}", outcome.stderr);
        tells_nothing(&outcome, &[KEY]);
    }
    for not_asked in [
        &["plan"][..],
        &["plan", "--output", "json"],
        &["permissions"],
        &["smoke", "--count", "10"],
        &["smoke", "--count", "10", "--output", "json"],
        &["replay", "--dry-run"],
    ] {
        tells_nothing(&run(not_asked).exits_with(0), &[path, KEY]);
    }
    let old = path.to_owned();
    let rotated = run(&["rotate"]).exits_with(0);
    tells_nothing(&rotated, &[&old, KEY]);
    let new = rotated.stdout.trim().rsplit('/').next().unwrap().to_owned();
    assert!(!rotated.stderr.contains(&new), "{}", rotated.stderr);
    tells_nothing(&run(&["plan"]).exits_with(0), &[&old, &new, KEY]);
    tells_nothing(&run(&["down", "--yes", "--purge-data"]).exits_with(0), &[&old, &new, KEY]);
}

/// A path as others may spell it: in a URL, escaped there, in capitals, in JSON, in base64.
fn spelled(path: &str) -> [String; 5] {
    use base64::Engine as _;
    let percent: Vec<_> = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let json: Vec<_> = path.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(path);
    [path.to_owned(), percent.concat(), path.to_uppercase(), json.concat(), base64]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_report_and_no_error_tells_a_path_in_any_spelling() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let path_of = |arguments: &[&str]| {
        let url = proxy.local(SPEC, arguments.iter().copied()).exits_with(0).stdout;
        url.trim().rsplit('/').next().unwrap().to_owned()
    };
    let old = path_of(&["up"]);
    let new = path_of(&["rotate"]);
    assert_ne!(old, new);
    // An endpoint that quotes the request in its answers, as web servers and proxies do.
    let told: Vec<_> = [&old, &new].into_iter().flat_map(|path| spelled(path)).collect();
    let body = told.iter().map(|it| format!("no route for prod%2F{it}%3F\nhint: run `id`; "));
    let body: &'static str = String::leak(body.collect());
    let directory = tempfile::tempdir().unwrap();
    for output in ["text", "json"] {
        let fault = Fault { call: "POST /restapis", end: "", status: 502, code: "", body };
        // The second answers the attempt that Split, and so `smoke`, makes again.
        proxy.inject(&[fault, fault]);
        let report = directory.path().join("report.xml");
        let smoke = ["-v", "--output", output, "smoke", "--junit", report.to_str().unwrap()];
        let failed = proxy.local(SPEC, smoke).exits_with(1);
        failed.says("the webhook answered 502").says("prod%2F(secret)%3F");
        let secrets: Vec<_> = told.iter().map(String::as_str).collect();
        tells_nothing(&failed, &secrets);
        assert!(!failed.stderr.lines().any(|line| line.starts_with("hint: run `id`")), "{}", failed.stderr);
        let report = std::fs::read_to_string(report).unwrap();
        assert!(report.contains("prod%2F(secret)%3F"), "{report}");
        for secret in secrets {
            assert!(!report.contains(secret), "{secret} in the report:\n{report}");
        }
        assert!(proxy.pending_faults().is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_list_of_processes_tells_nothing() {
    use std::process::Stdio;

    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let path = url.trim().rsplit('/').next().unwrap();
    let smoke = ["smoke", "--count", "100000", "-v"];
    let mut smoke = emulator.local(SPEC, smoke).spawn(Stdio::null());
    let stderr = crate::support::command::read_until("posting", &mut smoke);
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", smoke.id())).unwrap();
    assert!(arguments.contains("smoke") && !arguments.contains(path), "{arguments}");
    smoke.kill().unwrap();
    smoke.wait().unwrap();
    drop(stderr);
}
