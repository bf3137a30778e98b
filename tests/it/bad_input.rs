//! What goes wrong before AWS is called: the spec, the command line, credentials, the emulator. Exit codes, streams,
//! and what the user is told.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::command::{Run, against, split_pipeline};
use crate::support::emulator::Emulator;

const SPEC: &str = "name: it-bad\n";

fn validate(spec: &str) -> Run {
    split_pipeline(["--file", "-", "validate"]).stdin(spec)
}

#[test]
fn every_problem_of_a_spec_is_placed_and_explained() {
    for (spec, said) in [
        ("nam: x", vec!["1:1: nam: unknown key `nam`", "hint: did you mean `name`?"]),
        ("name: it\nstream: {shards: two}", vec!["2:18: stream.shards", "from 1 to 500"]),
        ("name: it-x\nstream: {shards: 0}", vec!["2:18: stream.shards", "from 1 to 500, not 0"]),
        (
            "name: it-x\nhandler: {memory_mib: 1}\nwebhook: {stag: a}",
            vec!["2:23: handler.memory_mib", "3:11: webhook.stag", "did you mean `stage`?"],
        ),
        ("", vec!["name"]),
        ("{", vec!["standard input:2:1"]),
        ("[1, 2]", vec!["standard input:1"]),
    ] {
        let refused = validate(spec).exits_with(2);
        assert_eq!(refused.stdout, "");
        for text in said {
            refused.says(text);
        }
    }
    validate(&"x".repeat(10 << 20)).exits_with(2).says("larger than 1 MiB");
}

#[test]
fn a_missing_spec_says_how_to_get_one() {
    let empty = tempfile::tempdir().unwrap();
    for command in ["validate", "plan", "up", "status", "url", "smoke", "down"] {
        let refused = split_pipeline([command]).directory(empty.path()).exits_with(2);
        refused.says("split-pipeline.yaml").says("hint: `split-pipeline init`");
    }
}

#[test]
fn an_error_is_json_on_standard_error_where_json_is_asked_for() {
    let refused = split_pipeline(["--output", "json", "--file", "-", "plan"]).stdin("nam: x").exits_with(2);
    assert_eq!(refused.stdout, "");
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "spec");
    assert!(error["error"]["message"].as_str().unwrap().contains("unknown key"), "{error}");
    assert!(error["error"]["hints"].is_array(), "{error}");
}

#[test]
fn a_wrong_command_line_is_json_too_where_json_is_asked_for() {
    let refused = split_pipeline(["--output", "json", "plan", "--nope"]).exits_with(2);
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "usage", "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("--nope"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let schema = split_pipeline(["schema"]).spawn(full.into()).wait_with_output().unwrap();
    let said = String::from_utf8(schema.stderr).unwrap();
    assert_eq!(schema.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [
        &["nope"][..],
        &["up", "--nope"],
        &[],
        &["--local", "--profile", "x", "up"],
        &["up", "--timeout", "x"],
        &["plan", "--endpoint-url", "foo"],
        &["replay", "--since", "1h"],
    ] {
        let refused = split_pipeline(arguments).exits_with(2);
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
}

#[test]
fn without_usable_credentials_no_call_is_made() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    // Each call is counted, and its connection closed at once.
    std::thread::spawn(move || {
        for _connection in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let up = |arguments: &[&str]| against(&endpoint, SPEC, arguments.iter().chain(&["up", "--yes"]));
    let region = ["--region", "us-east-1"];
    let none = up(&region).exits_with(1);
    none.says("credentials").says("hint:");
    let no_profile = up(&["--profile", "nobody", region[0], region[1]]).exits_with(1);
    no_profile.says("credentials");
    let keys = |run: Run| run.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let no_region = keys(up(&[])).exits_with(1);
    no_region.says("no region").says("--region");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn an_endpoint_that_nobody_listens_on_is_said_so() {
    let failed = against("http://127.0.0.1:9", SPEC, ["status"]).credentials("test", "test").exits_with(1);
    failed.says("sts:GetCallerIdentity").says("hint: check the network, the region and --endpoint-url");
}

#[test]
fn a_port_that_something_else_uses_is_said_so() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write as _;
        for stream in listener.incoming() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
            let _ = stream.unwrap().write_all(answer);
        }
    });
    let failed = split_pipeline(["--local", "--file", "-", "up"]).stdin(SPEC);
    let failed = failed.env("SPLIT_PIPELINE_LOCAL_PORT", port.to_string()).exits_with(1);
    failed.says(&format!("port {port} is in use")).says("hint:");
}

/// A directory with a `python3` that does this.
fn python(script: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("python3");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

#[test]
fn a_file_that_is_not_there_comes_with_what_it_should_be() {
    let emulator = Emulator::start();
    let run = |arguments: &[&'static str]| emulator.local("name: it-files\n", arguments.iter().copied());
    run(&["up", "--handler", "none.zip"]).exits_with(1).says("split-pipeline build --out");
    run(&["smoke", "--payload", "none.json"]).exits_with(2).says("hint: --payload names a file");
    run(&["init", "no-directory/spec.yaml"]).exits_with(1).says("`mkdir -p`");
    run(&["up", "--timeout", "0s"]).exits_with(2).says("more than nothing");
}

fn start_with_only(path: &Path) -> Run {
    let cache = path.join("cache");
    let port = crate::support::emulator::free_port().to_string();
    let start = split_pipeline(["local", "start"]).env("PATH", path).env("SPLIT_PIPELINE_CACHE_DIR", cache);
    start.env("SPLIT_PIPELINE_LOCAL_PORT", port)
}

#[test]
fn an_emulator_that_cannot_be_installed_says_why() {
    let empty = tempfile::tempdir().unwrap();
    start_with_only(empty.path()).exits_with(1).says("no Python 3.10 or newer").says("hint: install Python");
    let old = python("exit 1");
    start_with_only(old.path()).exits_with(1).says("no Python 3.10 or newer");
    let offline = python("case \"$*\" in *venv*) echo 'Could not fetch URL'; exit 1;; esac");
    start_with_only(offline.path())
        .exits_with(1)
        .says("Could not fetch URL")
        .says("hint: the first start downloads");
    let bare = python("case \"$*\" in *venv*) echo 'ensurepip is not available'; exit 1;; esac");
    start_with_only(bare.path()).exits_with(1).says("apt install python3-venv");
}

/// Runs `plan` with a handler, against an endpoint that only says who calls.
#[track_caller]
fn refused(handler: &Path) -> crate::support::command::Outcome {
    let emulator = crate::support::emulator::Emulator::start();
    let arguments = ["plan".as_ref(), "--handler".as_ref(), handler.as_os_str()];
    emulator.as_root(SPEC, arguments).exits_with(1)
}

#[test]
fn a_handler_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("handler.zip");
    std::fs::write(&file, "not a zip").unwrap();
    refused(&file).says("is no deployment zip");

    // Four GiB of zeros are four MiB of zip.
    let zeros = vec![0u8; 1 << 20];
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&file).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .unix_permissions(0o755)
        .compression_level(Some(1))
        .large_file(true);
    archive.start_file("bootstrap", options).unwrap();
    for _ in 0..300 {
        std::io::Write::write_all(&mut archive, &zeros).unwrap();
    }
    archive.finish().unwrap();
    refused(&file).says("bytes, and Lambda unpacks");

    std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    refused(&file).says("bytes, and Lambda takes");
}

#[test]
fn specs_that_would_fill_the_memory_are_refused() {
    let mut bomb = "name: it-bomb\na: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (key, below) in ('b'..='i').zip('a'..='h') {
        let list = vec![format!("*{below}"); 9].join(",");
        writeln!(bomb, "{key}: &{key} [{list}]").unwrap();
    }
    let deep = format!("name: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (spec, said) in [
        (bomb, "the aliases (`*`) add up to far too much"),
        (deep, "too many brackets are open"),
        (format!("name: it-large\n# {}", "x".repeat(100 << 20)), "larger than 1 MiB"),
    ] {
        validate(&spec).exits_with(2).says(said);
    }
}

#[tokio::test]
async fn what_others_wrote_does_not_reach_the_terminal_as_it_is() {
    let emulator = crate::support::emulator::Emulator::start();
    let spec = "name: it-escapes\n";
    emulator.local(spec, ["up"]).exits_with(0);
    let lambda = aws_sdk_lambda::Client::new(&emulator.sdk().await);
    let call = lambda.tag_resource().tags("\u{1b}[2J", "\u{1b}]0;title\u{7}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:it-escapes";
    call.resource(arn).send().await.unwrap();
    for command in ["plan", "status"] {
        let told = emulator.local(spec, [command, "--color", "never"]).outcome();
        assert!(told.stdout.contains("\\u{1b}[2J"), "{}", told.stdout);
        assert!(!told.stdout.contains('\u{1b}') && !told.stdout.contains('\u{7}'), "{}", told.stdout);
    }
}
