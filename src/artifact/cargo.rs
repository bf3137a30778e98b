//! Runs cargo, and reports progress from its messages and the compiler's errors.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::compiler::BuildCommand;
use super::{ArtifactError, Profile};
use crate::programs;

/// How many of the compiler's last lines an error shows.
const LINES_SHOWN: usize = 30;

/// The part of cargo's messages that is read (Cargo book: "External tools").
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<CompiledTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct CompiledTarget {
    name: String,
}

pub(super) async fn build(
    workspace: &Path,
    target: &BuildCommand,
    profile: Profile,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, ArtifactError> {
    let doing = format!("compiling the handler ({} profile)", profile.cargo_name());
    progress(&format!("{doing} in {}", workspace.display()));
    let mut command = Command::new(cargo()?);
    // Build scripts and procedural macros have no business with AWS.
    for name in programs::aws_variables() {
        command.env_remove(name);
    }
    let mut child = command
        .args(&target.arguments)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(ArtifactError::NoCargo)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (executable, last_lines) =
        futures_util::join!(read_messages(stdout, &doing, progress), read_last(stderr));
    let status = child.wait().await.map_err(ArtifactError::NoCargo)?;
    if !status.success() {
        return Err(ArtifactError::Build(last_lines));
    }
    let below_target = target.output.as_ref().map(|output| target_directory(workspace).join(output));
    executable
        .or(below_target)
        .ok_or_else(|| ArtifactError::Build("cargo does not say where the binary is".to_owned()))
}

/// The cargo that runs this program, or the one on PATH.
fn cargo() -> Result<PathBuf, ArtifactError> {
    let running = std::env::var_os("CARGO").map(PathBuf::from);
    let running = running.filter(|path| path.is_absolute());
    let missing = || ArtifactError::NoCargo(io::ErrorKind::NotFound.into());
    running.or_else(|| programs::find("cargo")).ok_or_else(missing)
}

/// Counts what is compiled and picks out where the binary is.
async fn read_messages(
    stdout: Option<impl AsyncRead + Unpin>,
    doing: &str,
    progress: &(dyn Fn(&str) + Sync),
) -> Option<PathBuf> {
    let mut lines = BufReader::new(stdout?).lines();
    let (mut crates, mut executable) = (0, None);
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        let Some(target) = message.target.filter(|_| message.reason == "compiler-artifact") else {
            continue;
        };
        crates += 1;
        progress(&format!("{doing}: {crates} crates, {}", target.name));
        if target.name == "bootstrap" {
            executable = message.executable;
        }
    }
    executable
}

async fn read_last(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(stderr) = stderr else {
        return String::new();
    };
    let mut lines = BufReader::new(stderr).lines();
    let mut last = VecDeque::new();
    while let Ok(Some(line)) = lines.next_line().await {
        last.push_back(line);
        if last.len() > LINES_SHOWN {
            last.pop_front();
        }
    }
    Vec::from(last).join("\n")
}

fn target_directory(workspace: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |path| workspace.join(path))
}
