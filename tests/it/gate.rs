//! The gate before the local emulator: what web pages and other users of the machine can send reaches nothing.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::support::command::{cache, split_pipeline};
use crate::support::emulator::{Emulator, credentials_file, free_port, sdk_with};

const SPEC: &str = "name: it-gate\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

const LIST_ROLES: &str = "Action=ListRoles&Version=2010-05-08";

/// A user of the system that owns nothing: `nobody` on Linux.
const NOBODY: u32 = 65534;

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Headers as a web page or another user can send them.
fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

/// The header of a request that is signed with a key, however wrongly.
fn signed_with(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261127/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=00"
    )
}

#[tokio::test]
async fn only_requests_with_the_credentials_of_the_start_reach_the_emulator() {
    let emulator = Emulator::start();
    let (token, root) = (emulator.token(), signed_with("test"));
    let list_roles = async |query: &str, pairs: &[(&str, &str)]| {
        let request = client().post(format!("{}/{query}", emulator.endpoint()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.headers(headers(pairs)).body(LIST_ROLES).send().await;
        answer.unwrap().status()
    };
    let (key, given) = (("authorization", root.as_str()), ("x-amz-security-token", token.as_str()));
    assert_eq!(list_roles("", &[key, given]).await, StatusCode::OK);
    let (account, made_up) = (signed_with("123456789012"), signed_with("AKIAIOSFODNN7EXAMPLE"));
    let wrong = format!("{}0", &token[1..]);
    let evil = format!("evil.example:{}", emulator.port);
    for refused in [
        &[][..],
        &[key],
        &[("authorization", &account)],
        &[("authorization", &made_up)],
        &[key, ("x-amz-security-token", &wrong)],
        &[key, given, given],
        // Not even with the token, which a web page cannot know.
        &[key, given, ("origin", "http://127.0.0.1:8000")],
        &[key, given, ("origin", "null")],
        &[key, given, ("sec-fetch-site", "cross-site")],
        &[key, given, ("sec-fetch-mode", "no-cors")],
        &[key, given, ("host", &evil)],
    ] {
        assert_eq!(list_roles("", refused).await, StatusCode::FORBIDDEN, "{refused:?}");
    }
    let presigned =
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test/20261127/us-east-1/iam/aws4_request";
    assert_eq!(list_roles(presigned, &[]).await, StatusCode::FORBIDDEN);
    for path in ["_ministack/reset", "_ministack/health", "restapis", "2015-03-31/functions"] {
        assert_eq!(list_roles(path, &[]).await, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn the_webhook_needs_its_secret_path_alone_and_leads_nowhere_else() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let post = async |url: &str, pairs: &[(&str, &str)], body: &'static str| {
        let request = client().post(url.trim()).headers(headers(pairs)).body(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let json = ("content-type", "application/json");
    let impression = r#"[{"key":"k","split":"s"}]"#;
    assert_eq!(post(&url, &[json], impression).await.0, StatusCode::OK);
    for page in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site")] {
        assert_eq!(post(&url, &[json, page], impression).await.0, StatusCode::FORBIDDEN);
    }
    let large = client().post(url.trim()).body(vec![b' '; (10 << 20) + 1]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Credentials and actions in the headers of a webhook's request are not read.
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &signed_with("test")),
        ("x-amz-target", "Kinesis_20131202.ListStreams"),
    ];
    for path in [url.trim(), &format!("{}/restapis/x/y/_user_request_/z", emulator.endpoint())] {
        let (_, answer) = post(path, &form, LIST_ROLES).await;
        assert!(!answer.contains("ListRoles") && !answer.contains("StreamNames"), "{answer}");
    }
}

#[tokio::test]
async fn a_functions_credentials_cannot_be_derived_from_its_name() {
    let emulator = Emulator::start();
    let up = emulator.local(SPEC, ["up", "--output", "json"]).exits_with(0).json();
    let url = up["webhook_url"].as_str().unwrap();
    let sent = client().post(url).body(r#"[{"key":"k","split":"s"}]"#).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    let lambda = aws_sdk_lambda::Client::new(&emulator.sdk().await);
    let function = lambda.get_function_configuration().function_name("it-gate");
    let function = function.send().await.unwrap();
    // As MiniStack derives them by itself.
    let digest = |text: &str| hex::encode(Sha256::digest(text));
    let names = digest(&format!("{}:{}", function.function_arn().unwrap(), function.role().unwrap()));
    let key = format!("ASIA{}", names[..16].to_uppercase());
    let (secret, token) = (digest(&format!("secret:{names}")), digest(&format!("token:{names}")));
    let config = sdk_with(&emulator.endpoint(), &key, &secret, Some(token)).await;
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let describe = kinesis.describe_stream_summary().stream_name("it-gate");
    let refused = describe.send().await.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("InvalidClientTokenId"), "{refused:?}");
}

/// The processes of a process group, by id, with their environments.
fn environments(group: u64) -> BTreeMap<String, String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let member = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let is_member = fields.split_whitespace().nth(2)? == group.to_string();
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let id = entry.file_name().into_string().ok()?;
        is_member.then(|| (id, String::from_utf8_lossy(&environment).replace('\0', "\n")))
    };
    entries.filter_map(member).collect()
}

#[tokio::test]
async fn functions_get_nothing_of_the_users_environment_and_pages_do_not_reach_their_events() {
    const SECRET: &str = "a-secret-of-the-user";
    let emulator = Emulator::start_with(&[("GITHUB_TOKEN", SECRET), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let sent = client().post(url.trim()).body(r#"[{"key":"k","split":"s"}]"#).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    let status = emulator.run(["local", "status", "--output", "json"]).exits_with(0).json();
    let group = environments(status["pid"].as_u64().unwrap());
    let runtime_api = |environment: &String| {
        let line = environment.lines().find_map(|line| line.strip_prefix("AWS_LAMBDA_RUNTIME_API="));
        line.map(|address| format!("http://{address}/2018-06-01/runtime/invocation/next"))
    };
    let next = group.values().find_map(runtime_api).expect("no function runs");
    for (process, environment) in &group {
        assert!(!environment.contains(SECRET), "{process}: {environment}");
        assert!(!environment.contains(&emulator.token()), "{process}: {environment}");
    }
    for page in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let answer = client().get(&next).headers(headers(&[page])).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{page:?}");
    }
    another_user_gets(&next, 403);
}

/// Insists on the status that another user gets; only root can act as one.
fn another_user_gets(url: &str, status: u16) {
    if !rustix::process::geteuid().is_root() {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: only root can try what another user can do").unwrap();
        return;
    }
    let script = "import sys, urllib.request, urllib.error\n\
                  try: print(urllib.request.urlopen(sys.argv[1], timeout=20).status)\n\
                  except urllib.error.HTTPError as error: print(error.code)";
    let mut python = Command::new("python3");
    let output = python.args(["-I", "-c", script, url]).uid(NOBODY).current_dir("/").output();
    let output = output.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), status.to_string(), "{stderr}");
}

#[test]
fn a_port_that_another_program_took_first_learns_no_credentials() {
    let emulator = Emulator::start();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // An emulator of this user ran on the port before.
    fs::copy(emulator.credentials_file(), credentials_file(port)).unwrap();
    let received = Arc::new(Mutex::new(String::new()));
    let record = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 8192];
            let length = stream.read(&mut buffer).unwrap_or(0);
            record.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            let body = format!(r#"{{"version":"1.5.33","auth":"enabled","proof":"{}"}}"#, "00".repeat(32));
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    for command in [&["--local", "--file", "-", "up"][..], &["local", "start"], &["local", "status"]] {
        let run = split_pipeline(command).stdin(SPEC).env("SPLIT_PIPELINE_LOCAL_PORT", port.to_string());
        run.exits_with(1).says(&format!("port {port} is in use"));
    }
    let received = received.lock().unwrap();
    assert!(received.contains("GET /_split-pipeline/health"), "{received}");
    assert!(!received.contains(&emulator.token()), "{received}");
    fs::remove_file(credentials_file(port)).unwrap();
}

#[test]
fn an_emulator_that_nobody_uses_ends_by_itself() {
    let emulator = Emulator::start_with(&[("SPLIT_PIPELINE_LOCAL_IDLE", "1s")]);
    let deadline = Instant::now() + Duration::from_mins(2);
    let is_running = || {
        let status = emulator.run(["local", "status", "--output", "json"]).exits_with(0);
        status.json()["running"] == true
    };
    while is_running() {
        assert!(Instant::now() < deadline, "it still runs");
        std::thread::sleep(Duration::from_millis(100));
    }
    let wrong = emulator.run(["local", "start"]).env("SPLIT_PIPELINE_LOCAL_IDLE", "soon");
    wrong.exits_with(1).says("SPLIT_PIPELINE_LOCAL_IDLE").says("hint:");
    let zero = emulator.run(["local", "start"]).env("SPLIT_PIPELINE_LOCAL_IDLE", "0s");
    zero.exits_with(1).says("above zero").says("hint:");
}

#[test]
fn what_an_ephemeral_smoke_test_started_it_ends() {
    let port = free_port();
    let run = |arguments: &[&str]| {
        let run = split_pipeline(arguments).stdin(SPEC);
        run.env("SPLIT_PIPELINE_LOCAL_PORT", port.to_string())
    };
    let smoke = ["--local", "--file", "-", "smoke", "--ephemeral", "--count", "10"];
    run(&smoke).exits_with(0);
    assert_eq!(run(&["local", "status"]).exits_with(0).stdout, "not running\n");
    let left = ["pid", "credentials", "starter", "work"];
    for file in left.map(|extension| cache().join(format!("ministack-{port}.{extension}"))) {
        assert!(!file.exists(), "{}", file.display());
    }
}

/// Writes an executable file.
fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn nothing_in_the_current_directory_is_run() {
    let hostile = tempfile::tempdir().unwrap();
    let marker = hostile.path().join("executed");
    for module in ["cbor2", "duckdb", "ministack", "pip", "sitecustomize", "venv"] {
        let text = format!("open({:?}, 'a').write('{module} ')", marker.to_str().unwrap());
        fs::write(hostile.path().join(format!("{module}.py")), text).unwrap();
    }
    for program in ["cargo", "ministack", "python3", "uv", "uvx"] {
        let text = format!("#!/bin/sh\nprintf '{program} ' >> {}\nexit 1\n", marker.display());
        script(&hostile.path().join(program), &text);
    }
    let path = format!(".:{}:", std::env::var("PATH").unwrap());
    let port = free_port().to_string();
    let run = |command: &str| {
        let run = split_pipeline(["local", command]).directory(hostile.path());
        let run = run.env("PATH", &path).env("PYTHONPATH", hostile.path());
        run.env("SPLIT_PIPELINE_LOCAL_PORT", &port).exits_with(0)
    };
    run("start");
    run("stop");
    assert_eq!(fs::read_to_string(&marker).unwrap_or_default(), "");
}

#[test]
fn a_build_of_the_handler_gets_no_aws_credentials() {
    let workspace = tempfile::tempdir().unwrap();
    let sources = workspace.path().join("handler/src");
    fs::create_dir_all(&sources).unwrap();
    let manifest = "[package]\nname = \"split-pipeline-handler\"\n";
    for file in ["Cargo.toml", "Cargo.lock", "handler/Cargo.toml", "handler/src/lib.rs"] {
        fs::write(workspace.path().join(file), manifest).unwrap();
    }
    let (cargo, environment) = (workspace.path().join("fake"), workspace.path().join("environment"));
    script(&cargo, &format!("#!/bin/sh\nenv > {}\nexit 1\n", environment.display()));
    let build =
        split_pipeline(["build", "--arch", std::env::consts::ARCH.replace("aarch64", "arm64").as_str()])
            .directory(&sources)
            .env("CARGO", &cargo)
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_SESSION_TOKEN", "token");
    build.exits_with(1).says("could not be built").says(&format!(" in {}", workspace.path().display()));
    let environment = fs::read_to_string(environment).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("AWS_"), "{environment}");
}
