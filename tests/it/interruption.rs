//! Ctrl-C: what is under way is finished, nothing new is started, and the next run goes on.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::archive::{NATIVE, header_only};
use crate::support::command::{read_until, split_pipeline};
use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::objects;
use crate::support::pace::Pace;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-interrupt\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// Sends SIGINT once standard error has a line with `text`; gives the exit code and the rest of standard error.
fn interrupt_after(text: &str, mut child: Child) -> (i32, String) {
    let mut stderr = read_until(text, &mut child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code().unwrap(), rest)
}

#[test]
fn an_interrupted_up_says_where_things_stand_and_the_next_one_goes_on() {
    let emulator = Emulator::start();
    let up = emulator.local(SPEC, ["up", "--yes"]).spawn(Stdio::null());
    let (code, said) = interrupt_after("created in", up);
    assert_eq!(code, 130, "{said}");
    for part in ["interrupted: finishing", "not done: stage prod", "running `up` again is safe"] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[test]
fn an_interrupt_ends_the_wait_for_another_command_that_starts_or_stops_the_emulator() {
    let directory = tempfile::tempdir().unwrap();
    let lock = File::create(directory.path().join("lock")).unwrap();
    lock.lock().unwrap();
    for command in ["start", "stop"] {
        let run = split_pipeline(["local", command]).env("SPLIT_PIPELINE_CACHE_DIR", directory.path());
        let (code, said) = interrupt_after("waiting for another", run.spawn(Stdio::null()));
        assert_eq!(code, 130, "{command}: {said}");
    }
}

#[tokio::test]
async fn an_interrupted_ephemeral_smoke_test_cleans_up_all_the_same() {
    let emulator = Emulator::start();
    let empty = inventory::of(&emulator.sdk().await).await;
    let smoke = ["smoke", "--ephemeral", "--count", "30000"];
    for moment in ["created in", "waiting for delivery"] {
        let smoke = emulator.local(SPEC, smoke).spawn(Stdio::null());
        let (code, said) = interrupt_after(moment, smoke);
        assert_eq!(code, 130, "{said}");
        assert!(said.contains("was taken down again") && !said.contains("hint:"), "{said}");
        assert_eq!(inventory::of(&emulator.sdk().await).await, empty, "{said}");
    }
}

/// Calls of `up` that are followed by others of the same resource: the user interrupts while each is under way.
const MOMENTS: [(&str, &str); 8] = [
    ("PUT /NAME-", ""),
    ("PUT /NAME-", "?policy"),
    ("CreateStream", ""),
    ("CreateRole", ""),
    ("POST /restapis", ""),
    ("POST /restapis/", ""),
    ("CreateDeliveryStream", ""),
    ("POST /2015-03-31/functions", ""),
];

/// Interrupts `up` once it made a call whose name starts and ends like this; gives what it changed after that.
async fn changes_after_interruption(proxy: &Proxy, spec: &str, (start, end): (&str, &str)) -> Vec<String> {
    proxy.take_calls();
    // Small, so that no call is prepared for long before it is sent.
    let handler = header_only(NATIVE);
    let up = ["up", "--yes", "--handler", handler.path().to_str().unwrap()];
    let mut up = proxy.local(spec, up).spawn(Stdio::null());
    while !proxy.has_called(start, end) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(up.try_wait().unwrap(), None, "`up` ended before {start}…{end}");
    }
    kill_process(Pid::from_child(&up), Signal::INT).unwrap();
    let _stderr = read_until("interrupted: finishing", &mut up);
    // What was sent before is under way for as long as the proxy takes.
    tokio::time::sleep(CALL / 3).await;
    let interrupted = Instant::now();
    assert_eq!(up.wait().unwrap().code(), Some(130));
    let later = proxy.take_calls().into_iter();
    let later = later.filter(|call| call.started > interrupted);
    // The emulator drops the tags that CreateStream carries on AWS, so adding them is a part of the creation.
    let later = later.filter(|call| call.changes && call.name != "AddTagsToStream");
    later.map(|call| call.name).collect()
}

/// How long the proxy takes for each call.
const CALL: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_starts_after_an_interruption_within_a_resource_either() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.set_pace(Pace { call: CALL, ..Pace::default() });
    for (index, (start, end)) in MOMENTS.into_iter().enumerate() {
        let name = format!("it-interrupt-{index}");
        let (spec, start) = (format!("name: {name}\n"), start.replace("NAME", &name));
        let later = changes_after_interruption(&proxy, &spec, (&start, end)).await;
        assert_eq!(later, [""; 0], "after {start}…{end}");
        emulator.local(&spec, ["up"]).exits_with(0);
        emulator.local(&spec, ["plan", "--check"]).exits_with(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_replay_ends_with_130_and_keeps_what_it_did_not_send() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    crate::replay::forbid_put_records(&config, "it-interrupt").await;
    let body = r#"[{"key":"a","split":"s"}]"#;
    let answer = reqwest::Client::new().post(url.trim()).body(body).send();
    assert_eq!(answer.await.unwrap().status(), 200);
    // Kinesis throttles for longer than any test lasts.
    proxy.inject(&vec![THROTTLED; 1000]);
    let mut replay = proxy.local(SPEC, ["replay"]).spawn(Stdio::null());
    while !proxy.has_called("PutRecords", "") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kill_process(Pid::from_child(&replay), Signal::INT).unwrap();
    assert_eq!(replay.wait().unwrap().code(), Some(130));
    let bucket = "it-interrupt-000000000000-us-east-1";
    assert_eq!(objects::keys(&config, bucket, "spill/").await.len(), 1);
    emulator.local(SPEC, ["replay"]).exits_with(0);
    assert_eq!(objects::keys(&config, bucket, "spill/").await, [""; 0]);
}

const THROTTLED: Fault = Fault {
    call: "PutRecords",
    end: "",
    status: 400,
    code: "",
    body: r#"{"__type":"ProvisionedThroughputExceededException","message":"slow down"}"#,
};
