//! A standard input or FIFO that stays silent: the command's own deadline and Ctrl-C end the wait for it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::{read_until, split_pipeline};

/// Keeps an input silent, for so long that only a command that cannot be interrupted sees its end, and fails the test.
fn keep_silent<T: Send + 'static>(input: T) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(30));
        drop(input);
    });
}

/// Interrupts a command, and insists that this ended it.
#[track_caller]
fn interrupt(child: Child, what: &str) {
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{what}: {said}");
    assert!(said.contains("interrupted while reading"), "{what}: {said}");
}

#[test]
fn the_timeout_of_up_ends_the_wait_for_standard_input() {
    let up = split_pipeline(["--file", "-", "up", "--timeout", "1s"]);
    let (child, silent) = up.spawn_unfinished();
    keep_silent(silent);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why = "time ran out after 1s: interrupted while reading standard input";
    assert!(said.contains(why), "{said}");
}

#[test]
fn an_interrupt_ends_the_wait_for_standard_input_in_every_command_that_reads_the_spec() {
    for command in [
        &["validate"][..],
        &["plan"],
        &["up"],
        &["status"],
        &["url"],
        &["smoke"],
        &["down"],
        &["build"],
        &["replay"],
        &["rotate"],
        &["permissions"],
        &["logs"],
        &["estimate"],
        &["estimate", "--per-second", "1"],
        &["athena"],
        &["export", "terraform"],
    ] {
        let run = split_pipeline(["--file", "-"].iter().chain(command));
        let (child, silent) = run.spawn_unfinished();
        keep_silent(silent);
        interrupt(child, &command.join(" "));
    }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn an_interrupt_ends_the_wait_for_a_fifo() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("spec.yaml");
    make_fifo(&fifo);
    let file = fifo.to_str().unwrap();
    let child = split_pipeline(["--file", file, "validate"]).spawn(Stdio::null());
    // It opens once the command has opened the other end.
    let silent = File::options().write(true).open(&fifo).unwrap();
    keep_silent(silent);
    interrupt(child, "a FIFO");
}

#[test]
fn a_second_interrupt_ends_a_command_that_is_blocked() {
    let mut child = split_pipeline(["completions", "bash"]).spawn(Stdio::piped());
    // The script is longer than what a pipe holds: after its first byte the command waits for a reader of the rest.
    let mut unread = child.stdout.take().unwrap();
    unread.read_exact(&mut [0]).unwrap();
    keep_silent(unread);
    let process = Pid::from_child(&child);
    kill_process(process, Signal::INT).unwrap();
    drop(read_until("interrupt again to stop at once", &mut child));
    kill_process(process, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
