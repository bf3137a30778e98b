//! How long `up`, `plan` and `down` take beside Terraform with equal resources: on the emulator as it is, with 40 ms
//! a call, and with states that last as on AWS.
//!
//!     cargo bench --bench speed -- [--runs N] [--plugins DIR] [--handler ZIP]
//!
//! Prints Markdown tables: seconds (the median of the runs), calls to AWS (those that change something apart), and the
//! depth: how many calls came one after the other, each when the one before was answered. Needs `terraform` on PATH to
//! compare with; DIR is a filesystem mirror with its AWS provider, without which `terraform init` downloads it. Building
//! the handler is not timed: both deploy the zip that was built before.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and a panic is how it fails"
)]
#![allow(dead_code, reason = "the tests use more of what is shared with them")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::support::command::root;
use crate::support::emulator::{Emulator, credentials_file};
use crate::support::pace::Pace;
use crate::support::proxy::{Call, Proxy};

#[path = "../../tests/it/support/mod.rs"]
mod support;

/// What a call to AWS takes from a machine that is not in its region.
const CALL: Duration = Duration::from_millis(40);

/// How long states last on AWS, roughly.
const AWS: Pace = Pace {
    call: CALL,
    stream: Duration::from_secs(15),
    stream_change: Duration::ZERO,
    role: Duration::from_secs(8),
    delivery_stream: Duration::from_secs(20),
    function: Duration::from_secs(4),
    delivery_fails: None,
};

const SPEC: &str = "examples/quickstart.yaml";

const STEPS: [&str; 4] = ["create everything", "nothing to do", "plan", "delete everything"];

#[derive(Parser)]
struct Options {
    /// How often everything is done.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// A filesystem mirror with Terraform's AWS provider.
    #[arg(long)]
    plugins: Option<PathBuf>,
    /// The deployment zip of the handler; default: the one that was built last.
    #[arg(long)]
    handler: Option<PathBuf>,
    /// What `cargo bench` gives to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How one command went.
#[derive(Clone, Copy)]
struct Measured {
    time: Duration,
    calls: usize,
    changes: usize,
    depth: usize,
    /// The most memory it had at a time.
    peak_kib: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let options = Options::parse();
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    // Builds the handler.
    let spec = std::fs::read_to_string(root().join(SPEC)).unwrap();
    emulator.local(&spec, ["smoke", "--ephemeral"]).exits_with(0);
    let handler = options.handler.unwrap_or_else(newest_zip);
    let scratch = tempfile::tempdir().unwrap();
    let terraform = which::which("terraform").ok();
    if let Some(terraform) = &terraform {
        init(terraform, options.plugins.as_deref(), scratch.path());
    }

    let mut path = Duration::ZERO;
    for (title, pace) in [
        ("The emulator as it is", Pace::default()),
        ("40 ms a call", Pace { call: CALL, ..Pace::default() }),
        ("40 ms a call, and states that last as on AWS", AWS),
    ] {
        proxy.set_pace(pace);
        let ours = repeat(options.runs, |step| measure(&proxy, ours(step, &proxy, &handler)));
        let theirs = terraform.as_ref().map(|terraform| {
            let run = |step| theirs(step, terraform, &proxy, &handler, scratch.path());
            repeat(options.runs, |step| measure(&proxy, run(step)))
        });
        table(title, &ours, theirs.as_deref());
        let up = &ours[0];
        if pace.stream.is_zero() {
            path = CALL * u32::try_from(up.depth).unwrap();
        } else {
            let path = pace.stream + pace.delivery_stream + path;
            println!(
                "\nThe stream, then the delivery stream, and the calls between: {:.1} s. `up` takes {:.2} times that.",
                path.as_secs_f64(),
                up.time.as_secs_f64() / path.as_secs_f64()
            );
        }
        println!("\n`up` had {:.1} MB of memory at most.", mb(up.peak_kib * 1024));
    }
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_split-pipeline")).unwrap();
    println!("\nThe binary, with the handler not embedded, has {:.1} MB.", mb(binary.len()));
}

fn mb(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// Does every step so often; gives the median run of each.
fn repeat(runs: usize, mut run: impl FnMut(usize) -> Measured) -> Vec<Measured> {
    let all: Vec<Vec<_>> = (0..runs).map(|_| (0..STEPS.len()).map(&mut run).collect()).collect();
    let median = |step: usize| {
        let mut one: Vec<Measured> = all.iter().map(|run| run[step]).collect();
        one.sort_by_key(|measured| measured.time);
        one[runs / 2]
    };
    (0..STEPS.len()).map(median).collect()
}

fn ours(step: usize, proxy: &Proxy, handler: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_split-pipeline"));
    let endpoint = format!("http://127.0.0.1:{}", proxy.port);
    command.args(["--endpoint-url", &endpoint, "--file", SPEC]);
    match step {
        0 | 1 => command.args(["up", "--yes", "--handler"]).arg(handler),
        2 => command.args(["plan", "--handler"]).arg(handler),
        _ => command.args(["down", "--yes", "--purge-data"]),
    };
    command.current_dir(root());
    command
}

fn theirs(step: usize, terraform: &Path, proxy: &Proxy, handler: &Path, directory: &Path) -> Command {
    let mut command = Command::new(terraform);
    match step {
        0 | 1 => command.args(["apply", "-auto-approve"]),
        2 => command.arg("plan"),
        _ => command.args(["destroy", "-auto-approve"]),
    };
    command
        .args(["-input=false", "-no-color"])
        .arg(format!("-var=endpoint=http://127.0.0.1:{}", proxy.port))
        .arg(format!("-var=handler={}", handler.display()))
        .env("TF_CLI_CONFIG_FILE", directory.join("terraform.rc"))
        .current_dir(directory);
    command
}

fn init(terraform: &Path, plugins: Option<&Path>, directory: &Path) {
    std::fs::copy(root().join("benches/speed/main.tf"), directory.join("main.tf")).unwrap();
    let mirror = plugins.map(|plugins| {
        let mirror = format!("filesystem_mirror {{ path = \"{}\" }}", plugins.display());
        format!("provider_installation {{ {mirror} }}\n")
    });
    std::fs::write(directory.join("terraform.rc"), mirror.unwrap_or_default()).unwrap();
    let mut command = Command::new(terraform);
    command
        .args(["init", "-input=false", "-no-color"])
        .env("TF_CLI_CONFIG_FILE", directory.join("terraform.rc"))
        .current_dir(directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The deployment zip that was built last.
fn newest_zip() -> PathBuf {
    let built = std::fs::read_dir(root().join("target/split-pipeline")).unwrap();
    let zips = built
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zip"));
    zips.max_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Runs a command that calls through the proxy.
fn measure(proxy: &Proxy, mut command: Command) -> Measured {
    proxy.take_calls();
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    let command = command
        .env("AWS_SHARED_CREDENTIALS_FILE", credentials_file(proxy.port))
        .env("AWS_REGION", "us-east-1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    // Read beside, or a long error would stop the command.
    let stderr = child.stderr.take().unwrap();
    let stderr = std::thread::spawn(|| std::io::read_to_string(stderr).unwrap());
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak_kib = peak_memory_kib(child.id()).unwrap_or_default().max(peak_kib);
        std::thread::sleep(Duration::from_millis(1));
    };
    let time = started.elapsed();
    let stderr = stderr.join().unwrap();
    assert!(status.success(), "{command:?}\n{stderr}");
    let calls = proxy.take_calls();
    Measured {
        time,
        calls: calls.len(),
        changes: calls.iter().filter(|call| call.changes).count(),
        depth: depth(&calls),
        peak_kib,
    }
}

fn peak_memory_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How many calls came one after the other, up to the one that was answered last: each waited at most for the one that
/// was answered last before it was made.
fn depth(calls: &[Call]) -> usize {
    let ended = |call: &Call| call.ended.get().copied();
    let mut last = calls.iter().max_by_key(|call| ended(call));
    let mut depth = 0;
    while let Some(call) = last {
        depth += 1;
        let before = calls.iter().filter(|other| ended(other).is_some_and(|end| end <= call.started));
        last = before.max_by_key(|call| ended(call));
    }
    depth
}

fn table(title: &str, ours: &[Measured], theirs: Option<&[Measured]>) {
    println!("\n### {title}\n");
    println!(
        "| step | split-pipeline | calls (changing) | depth | terraform | calls (changing) | depth | times faster |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (step, name) in STEPS.iter().enumerate() {
        let cells = |measured: &Measured| {
            let Measured { time, calls, changes, depth, .. } = measured;
            format!("{:.2} s | {calls} ({changes}) | {depth}", time.as_secs_f64())
        };
        let (ours, theirs) = (&ours[step], theirs.map(|theirs| &theirs[step]));
        let faster =
            theirs.map(|theirs| format!("{:.0}", theirs.time.as_secs_f64() / ours.time.as_secs_f64()));
        println!(
            "| {name} | {} | {} | {} |",
            cells(ours),
            theirs.map_or("- | - | -".to_owned(), cells),
            faster.unwrap_or("-".to_owned())
        );
    }
}
