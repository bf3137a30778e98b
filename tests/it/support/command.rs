//! Runs the `split-pipeline` binary as a user would.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where installed emulators are kept between runs.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A command line to be run, without the AWS configuration of the machine.
pub(crate) struct Run {
    command: Command,
    stdin: String,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command with these arguments.
pub(crate) fn split_pipeline<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_split-pipeline"));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SPLIT_PIPELINE_CACHE_DIR", cache());
    Run { command, stdin: String::new() }
}

/// The command on the spec, which it reads from standard input, against an endpoint.
pub(crate) fn against<A: AsRef<OsStr>>(
    endpoint: &str,
    spec: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Run {
    let run = split_pipeline(["--endpoint-url", endpoint, "--file", "-"]);
    run.arguments(arguments).stdin(spec)
}

/// The resource of a kind in a result.
#[track_caller]
pub(crate) fn resource<'a>(result: &'a Value, kind: &str) -> &'a Value {
    let mut resources = result["resources"].as_array().unwrap().iter();
    resources.find(|it| it["kind"] == kind).unwrap()
}

impl Run {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The access key id and secret to call AWS with.
    pub(crate) fn credentials(self, id: &str, secret: &str) -> Self {
        self.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_REGION", "us-east-1")
    }

    /// The session token that belongs to the credentials.
    pub(crate) fn session_token(self, token: &str) -> Self {
        self.env("AWS_SESSION_TOKEN", token)
    }

    /// More arguments.
    fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// Starts it, with its input given and its standard error to be read.
    pub(crate) fn spawn(mut self, stdout: Stdio) -> Child {
        let command = self.command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input closes it, and that is not an error here.
        let _ = child.stdin.take().unwrap().write_all(self.stdin.as_bytes());
        child
    }

    /// Starts it, writes to its standard input as much as it reads at once, and gives the open input.
    ///
    /// It reads already when this returns: a pipe holds less than what is written.
    pub(crate) fn spawn_unfinished(mut self) -> (Child, ChildStdin) {
        let command = self.command.stdin(Stdio::piped());
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let comment = "# The rest of this spec never comes.\n".repeat(8 << 10);
        stdin.write_all(comment.as_bytes()).unwrap();
        (child, stdin)
    }

    /// Runs it, and gives what came out.
    pub(crate) fn outcome(self) -> Outcome {
        let output = self.spawn(Stdio::piped()).wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it, and insists on its exit code.
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Outcome {
        let outcome = self.outcome();
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

/// Reads standard error up to a line with `text`, and gives what is to follow.
#[track_caller]
pub(crate) fn read_until(text: &str, child: &mut Child) -> BufReader<ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it never said {text:?}");
    }
    stderr
}

impl Outcome {
    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Insists that standard error has this text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        self
    }
}
