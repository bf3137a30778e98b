//! What whoever runs a pipeline asks: its log, what a rate needs, how to query what came in.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::{read_until, split_pipeline};
use crate::support::emulator::Emulator;

const SPEC: &str = "name: it-running\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

async fn post(url: &str, body: &str) -> u16 {
    let request = reqwest::Client::new().post(url).body(body.to_owned());
    let request = request.header("content-type", "application/json");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_log_says_what_came_in_and_what_was_refused() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let url = url.trim();
    assert_eq!(post(url, r#"[{"key":"k","split":"s"},{"key":"k","split":"s"},1]"#).await, 200);
    assert_eq!(post(url, "nope").await, 400);
    let logs = emulator.local(SPEC, ["logs", "--color", "never"]).exits_with(0).stdout;
    let batches: Vec<_> = logs.lines().filter(|line| line.contains("answered")).collect();
    assert_eq!(batches.len(), 2, "{logs}");
    for (line, level, said) in [
        (batches[0], " WARN ", "answered 200: received 3, delivered 2, spilled 0, rejected 1,"),
        (batches[1], " WARN ", "answered 400: received 0"),
    ] {
        assert!(line.contains(level) && line.contains(said), "{line}");
    }
    let json = emulator.local(SPEC, ["logs", "--output", "json"]).exits_with(0).stdout;
    let lines = json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let levels: Vec<_> = lines.filter(|line| line["message"].as_str().unwrap().contains("batch")).collect();
    assert_eq!(levels.len(), 2, "{json}");
    assert_eq!(levels[0]["source"], "function");
    assert_eq!(levels[0]["fields"]["received"], 3);
    let old = emulator.local(SPEC, ["logs", "--since", "0s"]).exits_with(0).stdout;
    assert_eq!(old, "");

    // Three received, in the last thirtieth of a day: before, there was nothing.
    let estimate = emulator.local(SPEC, ["estimate", "--output", "json"]).exits_with(0).json();
    let per_second = estimate["per_second"].as_f64().unwrap();
    assert!((per_second - 3.0 / 2880.0).abs() < 1e-9, "{per_second}");
    // In two batches, of which one was none.
    let a_post = estimate["impressions_a_post"].as_f64().unwrap();
    assert!((a_post - 1.5).abs() < 1e-9, "{a_post}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_log_is_followed_and_no_line_comes_twice() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let url = url.trim();
    assert_eq!(post(url, r#"[{"key":"first","split":"s"}]"#).await, 200);
    let follow = ["logs", "--follow", "-v"];
    let mut follow = emulator.local(SPEC, follow).spawn(Stdio::piped());
    // It has looked once.
    let stderr = read_until("logs:FilterLogEvents", &mut follow);
    assert_eq!(post(url, r#"[{"key":"a","split":"s"},{"key":"b","split":"s"}]"#).await, 200);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().unwrap()));
    let mut batches = Vec::new();
    while batches.len() < 2 {
        let line = lines.next().unwrap().unwrap();
        if line.contains("answered") {
            batches.push(line);
        }
    }
    assert!(batches[0].contains("received 1,") && batches[1].contains("received 2,"), "{batches:?}");
    // To interrupt it is how it ends, and nothing that went wrong.
    kill_process(Pid::from_child(&follow), Signal::INT).unwrap();
    assert_eq!(follow.wait().unwrap().code(), Some(130));
    let said = std::io::read_to_string(stderr).unwrap();
    assert!(!said.contains("interrupted"), "{said}");
}

#[test]
fn what_logs_do_not_have_any_more_is_said() {
    let emulator = Emulator::start();
    emulator.local(SPEC, ["up"]).exits_with(0);
    for command in [["status", "--since", "30d"], ["logs", "--since", "30d"]] {
        emulator.local(SPEC, command).exits_with(0).says("logs are kept for 14 days");
    }
    let status = emulator.local(SPEC, ["status", "--since", "14d"]).exits_with(0);
    assert!(!status.stderr.contains("logs are kept"), "{}", status.stderr);
}

#[test]
fn a_rate_is_estimated_without_aws() {
    let estimate = |arguments: &[&str]| {
        let start = ["--file", "-", "estimate"];
        split_pipeline(start.iter().chain(arguments)).stdin(SPEC)
    };
    let text = estimate(&["--per-second", "100"]).exits_with(0).stdout;
    for part in [
        "needs 1 shard, and the spec has 1",
        "  3.7 % bytes a second into stream.shards",
        "Kinesis",
        "List prices of us-east-1",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let without_rate = estimate(&["--environments", "3"]).exits_with(2);
    without_rate.says("--per-second");
    let day = estimate(&["--per-day", "8640000", "--output", "json"]).exits_with(0).json();
    assert_eq!(day["per_second"], 100.0);
    assert_eq!(day["problems"], serde_json::json!([]));
    let much = estimate(&["--per-second", "1000000"]).exits_with(0).stdout;
    assert!(much.contains("does not fit"), "{much}");
    for wrong in
        [&["--per-second", "0"][..], &["--per-second", "x"], &["--per-second", "1", "--per-day", "1"]]
    {
        estimate(wrong).exits_with(2);
    }
}

#[test]
fn nothing_received_is_no_rate() {
    let emulator = Emulator::start();
    let nothing = emulator.local(SPEC, ["estimate"]).exits_with(1);
    nothing.says("received nothing").says("hint: --per-second");
}

#[test]
fn the_table_follows_from_the_spec() {
    let emulator = Emulator::start();
    let athena = emulator.local(SPEC, ["athena"]).exits_with(0).stdout;
    for part in [
        "CREATE EXTERNAL TABLE IF NOT EXISTS `it_running_impressions` (",
        "LOCATION 's3://it-running-000000000000-us-east-1/impressions/'",
        "-- Who saw what, lately",
    ] {
        assert!(athena.contains(part), "no {part:?} in\n{athena}");
    }
    let zip = "name: it-running\ndelivery: {compression: zip}\n";
    emulator.local(zip, ["athena"]).exits_with(2).says("delivery.compression: zip");
}

#[test]
fn every_command_has_a_manual_page() {
    let page = split_pipeline(["man"]).exits_with(0).stdout;
    assert!(page.contains(".TH") && page.contains("up"), "{page}");
    for command in ["up", "smoke", "rotate"] {
        let page = split_pipeline(["man", command]).exits_with(0).stdout;
        assert!(page.contains(&format!("split\\-pipeline\\-{command}")), "{page}");
    }
    split_pipeline(["man", "nope"]).exits_with(2).says("no command `nope`");
}
