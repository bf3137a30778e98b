//! States that last on AWS: `up` waits for them, says so when time runs out, and makes anew what AWS could not make.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::{read_until, resource};
use crate::support::emulator::Emulator;
use crate::support::pace::Pace;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-held\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// As on AWS, a tenth as long.
const SLOW: Pace = Pace {
    call: Duration::from_millis(4),
    stream: Duration::from_millis(1500),
    stream_change: Duration::from_millis(300),
    // Longer than a busy machine takes from the role to the function.
    role: Duration::from_secs(4),
    delivery_stream: Duration::from_secs(2),
    function: Duration::from_millis(400),
    delivery_fails: None,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_waits_for_what_takes_its_time() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.set_pace(SLOW);
    let up = proxy.local(SPEC, ["up"]).exits_with(0);
    for waiting in [
        "stream             it-held waiting for it to be ready, and it is CREATING",
        "delivery_stream    it-held waiting for it to be ready, and it is CREATING",
        "function           it-held waiting for The role defined for the function cannot be assumed",
        "function           it-held waiting for it to be ready, and it is Pending",
    ] {
        up.says(waiting);
    }
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
    proxy.local(SPEC, ["smoke", "--count", "10"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_stream_that_aws_could_not_make_is_made_anew() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.set_pace(Pace { delivery_fails: Some("the key is disabled"), ..SLOW });
    let failed = proxy.local(SPEC, ["up"]).exits_with(1);
    failed.says("failed: delivery_stream it-held: the key is disabled").says("not done: stage prod");
    let status = proxy.local(SPEC, ["status"]).exits_with(3);
    assert!(status.stdout.contains("the key is disabled"), "{}", status.stdout);
    // It never worked, so there is nothing to ask.
    let up = proxy.local(SPEC, ["up", "--output", "json"]).exits_with(0).json();
    assert_eq!(resource(&up, "delivery_stream")["action"], "replaced", "{up}");
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
}

/// AWS's answer to one change of the shards too many.
const TOO_OFTEN: Fault = Fault {
    call: "UpdateShardCount",
    end: "",
    status: 400,
    code: "",
    body: r#"{"__type":"LimitExceededException","message":"Request to update shard count was refused."}"#,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_change_by_the_steps_that_aws_allows() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.set_pace(SLOW);
    let spec = |shards| format!("name: it-held\nstream: {{shards: {shards}}}\n");
    proxy.local(&spec(1), ["up"]).exits_with(0);
    // 1 → 2 → 4 → 5 → 3 → 2 → 1
    for (shards, steps) in [(5, 3), (1, 3)] {
        proxy.take_calls();
        proxy.local(&spec(shards), ["up", "--yes"]).exits_with(0);
        let changes = proxy.take_changes();
        assert_eq!(changes, vec!["UpdateShardCount"; steps]);
        proxy.local(&spec(shards), ["plan", "--check"]).exits_with(0);
    }
    proxy.inject(&[TOO_OFTEN]);
    let refused = proxy.local(&spec(2), ["up"]).exits_with(1);
    refused
        .says("failed: stream it-held")
        .says("hint: AWS lets a stream's shards be changed ten times in 24 hours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_time_runs_out_it_is_said_what_was_waited_for() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    // Builds the handler, which would take the time.
    emulator.local("name: it-before\n", ["up"]).exits_with(0);
    proxy.set_pace(Pace { stream: Duration::from_mins(10), ..SLOW });
    let late = proxy.local(SPEC, ["up", "--timeout", "5s"]).exits_with(1);
    late.says("time ran out after 5s")
        .says("not done: stream it-held: stopped waiting for stream it-held to be ready; the last state was CREATING")
        .says("not done: delivery_stream it-held: what it needs is not there")
        .says("hint: running `up` again is safe");
    proxy.set_pace(Pace::default());
    emulator.tag_stream("it-held").await;
    proxy.local(SPEC, ["up"]).exits_with(0);
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_interruption_does_not_wait_for_answers() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let mut up = proxy.local(SPEC, ["up", "-v"]).spawn(Stdio::null());
    let stderr = read_until("kinesis:CreateStream ok", &mut up);
    proxy.set_pace(Pace { call: Duration::from_mins(10), ..Pace::default() });
    // An interruption before the next call would leave nothing to wait for.
    let slow = Instant::now();
    while !proxy.is_unanswered_since(slow) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill_process(Pid::from_child(&up), Signal::INT).unwrap();
    let mut stderr = stderr;
    let mut line = String::new();
    while !line.contains("interrupt again to stop at once") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut line).unwrap(), 0);
    }
    kill_process(Pid::from_child(&up), Signal::INT).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(130));
    let unanswered = proxy.take_calls();
    assert!(unanswered.iter().any(|call| call.ended.get().is_none()), "{unanswered:#?}");

    emulator.tag_stream("it-held").await;
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
}
