//! Installs, starts, reuses and stops the local emulator: MiniStack, pinned to one version, bound to this machine, with IAM
//! enforced, behind a gate that admits only the user who started it (`gate.py`).
//!
//! Must not know about resources.

use std::path::PathBuf;
use std::time::Duration;

use humantime::format_duration;
use tokio::time::Instant;

mod credentials;
mod health;
mod identity;
mod install;
mod process;
mod state;

pub use credentials::Credentials;
use health::Health;
use identity::Leader;
use rustix::process::Signal;
use state::State;

use crate::foreign::{self, shell_word};
use crate::ownership::NotPrivate;

pub const MINISTACK_VERSION: &str = "1.5.33";

const IDLE_VARIABLE: &str = "SPLIT_PIPELINE_LOCAL_IDLE";

/// After how long without a request the emulator ends, unless the variable says otherwise.
const DEFAULT_IDLE: Duration = Duration::from_hours(1);

/// `uvx` downloads first.
const START_LIMIT: Duration = Duration::from_mins(3);

const STOP_LIMIT: Duration = Duration::from_secs(5);

const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How long another command may hold the lock: a first start downloads Python packages, then waits for the emulator.
const LOCK_LIMIT: Duration = Duration::from_mins(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    pub endpoint: String,
    /// Its process, where we started it.
    pub pid: Option<u32>,
    pub version: String,
    /// The file with its credentials, for AWS's own tools (`AWS_SHARED_CREDENTIALS_FILE`).
    pub credentials_file: PathBuf,
    pub credentials: Credentials,
}

#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("SPLIT_PIPELINE_LOCAL_PORT is no port number: {0}")]
    Port(String),
    #[error("{IDLE_VARIABLE} is not a duration above zero: {0}")]
    Idle(String),
    #[error(
        "there is no cache directory for the local emulator's files: neither HOME nor XDG_CACHE_HOME is set"
    )]
    NoCacheDirectory,
    #[error("the local emulator's files need a directory of your own")]
    NotPrivate(#[from] NotPrivate),
    #[error("port {0} is in use by a program that this user's split-pipeline did not start")]
    PortInUse(u16),
    #[error("MiniStack {version} runs on port {port}, and split-pipeline needs {MINISTACK_VERSION}")]
    OtherVersion { port: u16, version: String },
    #[error("there is no Python 3.10 or newer to run the local emulator with")]
    NoPython,
    #[error("MiniStack {MINISTACK_VERSION} could not be installed:\n{}", foreign::quote(.0))]
    Install(String),
    #[error("the local emulator did not start:\n{}", foreign::quote(.0))]
    Start(String),
    #[error("another split-pipeline command still holds the lock {path} after {limit}", path = path.display(), limit = format_duration(*limit))]
    Locked { path: PathBuf, limit: Duration },
    #[error("the local emulator (process {pid}) is still running {limit} after it was killed", limit = format_duration(*limit))]
    StillRunning { pid: u32, limit: Duration },
    #[error("{path}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl LocalError {
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::PortInUse(_) => "stop that program, or choose another port: SPLIT_PIPELINE_LOCAL_PORT=4567",
            Self::OtherVersion { .. } => "run `split-pipeline local stop`; its state goes with it",
            Self::Idle(_) => "write a duration such as 30m or 2h",
            Self::NoCacheDirectory | Self::NotPrivate(_) => {
                "choose another directory: SPLIT_PIPELINE_CACHE_DIR=DIRECTORY"
            }
            Self::NoPython => "install Python 3.10 or newer, or uv (https://docs.astral.sh/uv)",
            Self::Install(output) if output.contains("ensurepip") => {
                "Debian and Ubuntu: `apt install python3-venv`"
            }
            Self::Install(_) => {
                "the first start downloads it from PyPI: check the network and pip's configuration"
            }
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

/// Gives the emulator that runs, or starts it in the background and waits until it answers.
pub async fn ensure(progress: &(dyn Fn(&str) + Sync)) -> Result<Emulator, LocalError> {
    let state = State::from_env()?;
    // Two commands at once must not start two.
    let _lock = state.lock(LOCK_LIMIT, progress).await?;
    if let Some(running) = running_emulator(&state).await? {
        state.share()?;
        return Ok(running);
    }
    progress("starting the local emulator");
    let idle = idle()?;
    // An interrupted start may have left one on its way; one that was idle may be about to end.
    if let Some(leader) = state.leader() {
        match wait_until_it_answers(&state, &leader).await {
            Err(LocalError::Start(_)) => {}
            answered => return answered,
        }
    }
    let leader = process::start(&install::python(&state, progress).await?, &state, idle)?;
    state.remember(&leader)?;
    state.claim()?;
    wait_until_it_answers(&state, &leader).await
}

pub async fn status() -> Result<Option<Emulator>, LocalError> {
    running_emulator(&State::from_env()?).await
}

fn idle() -> Result<Duration, LocalError> {
    match std::env::var(IDLE_VARIABLE) {
        Err(_) => Ok(DEFAULT_IDLE),
        Ok(text) => match humantime::parse_duration(&text) {
            Ok(idle) if !idle.is_zero() => Ok(idle),
            _ => Err(LocalError::Idle(text)),
        },
    }
}

/// Stops the emulator if this command started it, and no other command has used it since.
pub async fn stop_if_unshared(progress: &(dyn Fn(&str) + Sync)) -> Result<(), LocalError> {
    let state = State::from_env()?;
    let _lock = state.lock(LOCK_LIMIT, progress).await?;
    if state.is_claimed_by_this_command() {
        end(&state).await?;
    }
    Ok(())
}

/// Stops the emulator if we started it, and gives what was stopped.
pub async fn stop(progress: &(dyn Fn(&str) + Sync)) -> Result<Option<Emulator>, LocalError> {
    let state = State::from_env()?;
    let _lock = state.lock(LOCK_LIMIT, progress).await?;
    end(&state).await
}

/// Ends the emulator's process: by its identity and not by what answers, since it may hang, or be of another version.
async fn end(state: &State) -> Result<Option<Emulator>, LocalError> {
    let running = running_emulator(state).await.ok().flatten();
    let Some(leader) = state.leader() else {
        // It may have ended by itself.
        state.forget()?;
        return Ok(None);
    };
    leader.signal(Signal::TERM);
    if !has_ended_within(STOP_LIMIT, || leader.is_running()).await {
        leader.signal(Signal::KILL);
        if !has_ended_within(KILL_LIMIT, || leader.is_running()).await {
            let (pid, limit) = (leader.pid, KILL_LIMIT);
            return Err(LocalError::StillRunning { pid, limit });
        }
    }
    // The functions' processes are in its process group and may outlive it.
    leader.kill_orphans();
    state.forget()?;
    Ok(running)
}

/// Waits, for so long at most, until a process no longer runs, and tells whether it ended.
async fn has_ended_within(limit: Duration, is_running: impl Fn() -> bool) -> bool {
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
async fn running_emulator(state: &State) -> Result<Option<Emulator>, LocalError> {
    let port = state.port;
    let credentials = state.credentials();
    match (health::ask(&state.endpoint(), credentials.as_ref()).await, credentials) {
        (Health::Nothing, _) => Ok(None),
        (Health::Emulator(version), Some(credentials)) if version == MINISTACK_VERSION => {
            Ok(Some(emulator(state, version, credentials)))
        }
        (Health::Emulator(version), Some(_)) => Err(LocalError::OtherVersion { port, version }),
        (Health::SomethingElse | Health::Emulator(_), _) => Err(LocalError::PortInUse(port)),
    }
}

fn emulator(state: &State, version: String, credentials: Credentials) -> Emulator {
    Emulator {
        endpoint: state.endpoint(),
        pid: state.leader().map(|leader| leader.pid),
        version,
        credentials_file: state.credentials_file(),
        credentials,
    }
}

/// Waits until a process that was just started answers.
async fn wait_until_it_answers(state: &State, leader: &Leader) -> Result<Emulator, LocalError> {
    let deadline = Instant::now() + START_LIMIT;
    let mut delay = Duration::from_millis(50);
    loop {
        // While it starts on a busy machine, it may accept a connection and not answer in time.
        let looked = running_emulator(state).await;
        if let Ok(Some(emulator)) = looked {
            return Ok(emulator);
        }
        if !leader.is_running() || Instant::now() > deadline {
            leader.signal(Signal::KILL);
            return Err(match looked {
                Err(error) => error,
                Ok(_) => LocalError::Start(state.last_log_lines()),
            });
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
        assert!(!has_ended_within(Duration::ZERO, || true).await);
        let looks = std::cell::Cell::new(2);
        let runs_for_two_looks = || looks.replace(looks.get() - 1) > 0;
        assert!(has_ended_within(Duration::from_mins(1), runs_for_two_looks).await);
    }
}
