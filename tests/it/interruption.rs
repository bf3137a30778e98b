//! Ctrl-C: what is under way is finished, nothing new is started, and the next run goes on.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::{read_until, split_pipeline};
use crate::support::emulator::Emulator;
use crate::support::inventory;

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
    for part in [
        "interrupted: finishing",
        "not done: stage prod",
        "running `up` again is safe",
    ] {
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
        assert!(
            said.contains("was taken down again") && !said.contains("hint:"),
            "{said}"
        );
        assert_eq!(inventory::of(&emulator.sdk().await).await, empty, "{said}");
    }
}
