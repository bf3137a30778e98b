//! What must not be told: the webhook's path where nobody asked for it, and credentials anywhere.

use crate::support::command::{Outcome, against};
use crate::support::emulator::Emulator;

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
    tells_nothing(
        &run(&["down", "--yes", "--purge-data"]).exits_with(0),
        &[&old, &new, KEY],
    );
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
    assert!(
        arguments.contains("smoke") && !arguments.contains(path),
        "{arguments}"
    );
    smoke.kill().unwrap();
    smoke.wait().unwrap();
    drop(stderr);
}
