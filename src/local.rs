//! The local emulator's life: MiniStack, pinned to one version, bound to this machine alone, with IAM enforced.
//!
//! Owns finding or installing it, starting it in the background, reusing and stopping it. Must not know about
//! resources.

use std::path::PathBuf;
use std::time::Duration;

use humantime::format_duration;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::foreign::{self, shell_word};

mod health;
mod identity;
mod install;
mod process;
mod state;

use health::Health;
use identity::Leader;
use rustix::process::Signal;
use state::State;

/// The version that all of this is tested with.
pub const MINISTACK_VERSION: &str = "1.5.33";

/// What it needs besides, and does not name itself: to answer in CBOR, as the SDK asks CloudWatch to, and to write Parquet and
/// run SQL.
pub const BESIDES: [&str; 2] = ["cbor2==5.9.0", "duckdb==1.4.1"];

/// How long a start may take: `uvx` downloads first.
const STARTING: Duration = Duration::from_mins(3);

/// How long a stop may take before the process is killed.
const STOPPING: Duration = Duration::from_secs(5);

/// How long a killed process may take to end.
const KILLING: Duration = Duration::from_secs(10);

/// How long another command may hold the lock: a first start downloads Python packages, then waits for the emulator.
const LOCKED: Duration = Duration::from_mins(10);

/// A running emulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// Where it answers.
    pub endpoint: String,
    /// Its process, where we started it.
    pub pid: Option<u32>,
    /// Its version.
    pub version: String,
}

/// What can go wrong with the emulator.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The port's number is no number.
    #[error("SPLIT_PIPELINE_LOCAL_PORT is no port number: {0}")]
    Port(String),
    /// Something else listens on the port.
    #[error("port {0} is in use by something that is not MiniStack")]
    PortInUse(u16),
    /// Another version, or one without IAM enforcement, runs there.
    #[error("a MiniStack that split-pipeline cannot use runs on port {port}: {why}")]
    Unusable {
        /// The port.
        port: u16,
        /// What is wrong with it.
        why: String,
    },
    /// The one that runs was not started by us.
    #[error("the MiniStack on port {0} was not started by split-pipeline, so it is left alone")]
    NotOurs(u16),
    /// There is no Python to run it with.
    #[error("there is no Python 3.10 or newer to run the local emulator with")]
    NoPython,
    /// It could not be installed.
    #[error("MiniStack {MINISTACK_VERSION} could not be installed:\n{}", foreign::quote(.0))]
    Install(String),
    /// It ended before it answered.
    #[error("the local emulator did not start:\n{}", foreign::quote(.0))]
    Start(String),
    /// Another command holds the lock for longer than a start takes.
    #[error("another split-pipeline command still holds the lock {path} after {limit}", path = path.display(), limit = format_duration(*limit))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long the lock was waited for.
        limit: Duration,
    },
    /// It does not end.
    #[error("the local emulator (process {pid}) is still running {limit} after it was killed", limit = format_duration(*limit))]
    StillRunning {
        /// Its process.
        pid: u32,
        /// How long its end was waited for.
        limit: Duration,
    },
    /// A file of its state cannot be read or written.
    #[error("{path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl LocalError {
    /// What the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::PortInUse(_) | Self::Unusable { .. } => {
                "free the port, or choose another one: SPLIT_PIPELINE_LOCAL_PORT=4567"
            }
            Self::NoPython => "install Python 3.10 or newer, or uv (https://docs.astral.sh/uv)",
            Self::Install(output) if output.contains("ensurepip") => {
                "Debian and Ubuntu: `apt install python3-venv`"
            }
            Self::Install(_) => {
                "the first start downloads it from PyPI: check the network and pip's configuration"
            }
            Self::NotOurs(_) => "stop it the way that it was started",
            Self::Locked { path, .. } => {
                return vec![format!(
                    "`lsof {}` shows the command that holds the lock",
                    shell_word(&path.to_string_lossy())
                )];
            }
            Self::StillRunning { pid, .. } => {
                return vec![format!(
                    "`ps -fp {pid}` shows the process; `split-pipeline local stop` tries again"
                )];
            }
            Self::Port(_) | Self::Start(_) | Self::Io { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// The access key id and secret that the emulator takes for its account's root.
pub fn credentials() -> (&'static str, &'static str) {
    ("test", "test")
}

/// Gives the emulator that runs, or starts it in the background and waits until it answers.
pub async fn ensure(progress: &(dyn Fn(&str) + Sync)) -> Result<Emulator, LocalError> {
    let state = State::from_env()?;
    // Two commands at once must not start two.
    let _lock = state.lock(LOCKED, progress).await?;
    if let Some(running) = usable(&state).await? {
        return Ok(running);
    }
    progress("starting the local emulator");
    // An interrupted start may have left one on its way.
    let leader = if let Some(leader) = state.leader() {
        leader
    } else {
        let leader = process::start(&install::command(&state, progress).await?, &state)?;
        state.remember(&leader)?;
        leader
    };
    let version = answering(&state, &leader).await?;
    Ok(Emulator {
        endpoint: state.endpoint(),
        pid: Some(leader.pid),
        version,
    })
}

/// Gives the emulator that runs, if one does.
pub async fn status() -> Result<Option<Emulator>, LocalError> {
    usable(&State::from_env()?).await
}

/// Stops the emulator if we started it, and gives what was stopped.
pub async fn stop(progress: &(dyn Fn(&str) + Sync)) -> Result<Option<Emulator>, LocalError> {
    let state = State::from_env()?;
    let _lock = state.lock(LOCKED, progress).await?;
    // By its process and not by what answers: it may hang, or be of another version.
    let Some(leader) = state.leader() else {
        return match health::ask(&state.endpoint()).await {
            Health::MiniStack { .. } => Err(LocalError::NotOurs(state.port)),
            Health::Nothing | Health::SomethingElse => Ok(None),
        };
    };
    let running = usable(&state).await.ok().flatten();
    leader.signal(Signal::TERM);
    if !ends(STOPPING, || leader.is_running()).await {
        leader.signal(Signal::KILL);
        if !ends(KILLING, || leader.is_running()).await {
            let (pid, limit) = (leader.pid, KILLING);
            return Err(LocalError::StillRunning { pid, limit });
        }
    }
    // The functions' processes are in its process group and may outlive it.
    leader.kill_orphans();
    state.forget()?;
    Ok(running)
}

/// Waits, for so long at most, until a process no longer runs, and tells whether it ended.
async fn ends(limit: Duration, is_running: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while is_running() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}

/// The emulator on our port, if there is one; an error if something else is there.
async fn usable(state: &State) -> Result<Option<Emulator>, LocalError> {
    let port = state.port;
    let unusable = |why: String| Err(LocalError::Unusable { port, why });
    match health::ask(&state.endpoint()).await {
        Health::Nothing => Ok(None),
        Health::SomethingElse => Err(LocalError::PortInUse(port)),
        Health::MiniStack { version, .. } if version != MINISTACK_VERSION => unusable(format!(
            "it is version {version}, and {MINISTACK_VERSION} is needed"
        )),
        Health::MiniStack { auth: false, .. } => unusable("it does not enforce IAM (AUTH=true)".to_owned()),
        Health::MiniStack { version, .. } => Ok(Some(Emulator {
            endpoint: state.endpoint(),
            pid: state.leader().map(|leader| leader.pid),
            version,
        })),
    }
}

/// Waits until a process that was just started answers.
async fn answering(state: &State, leader: &Leader) -> Result<String, LocalError> {
    let deadline = Instant::now() + STARTING;
    let mut delay = Duration::from_millis(50);
    loop {
        if let Health::MiniStack { version, .. } = health::ask(&state.endpoint()).await {
            return Ok(version);
        }
        if !leader.is_running() || Instant::now() > deadline {
            leader.signal(Signal::KILL);
            return Err(LocalError::Start(state.last_log_lines()));
        }
        tokio::time::sleep(delay).await;
        delay = delay.mul_f64(1.3).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_waited_for_within_a_bound() {
        assert!(!ends(Duration::ZERO, || true).await);
        let looks = std::cell::Cell::new(2);
        let runs_for_two_looks = || looks.replace(looks.get() - 1) > 0;
        assert!(ends(Duration::from_mins(1), runs_for_two_looks).await);
    }
}
