//! The emulator's process: started so that it outlives this one, ended with everything that it started.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, kill_process_group, test_kill_process};

pub(super) use rustix::process::Signal;

use super::install::Run;
use super::state::State;
use super::{LocalError, credentials};

/// Variables that would change what the emulator does; ours are set, and the user's credentials are not its business.
const NOT_INHERITED: [&str; 9] = [
    "AWS_",
    "MINISTACK_",
    "LOCALSTACK_",
    "LAMBDA_",
    "S3_",
    "PERSIST_",
    "SERVICES",
    "USE_SSL",
    "EDGE_PORT",
];

/// Starts the emulator in a process group of its own, so that the terminal's Ctrl-C does not reach it.
pub(super) fn start(run: &Run, state: &State) -> Result<u32, LocalError> {
    let (log_path, directory) = (state.log(), state.working_directory());
    fs::create_dir_all(&directory).map_err(|source| LocalError::Io {
        path: directory.clone(),
        source,
    })?;
    let log = File::create(&log_path).and_then(|log| Ok((log.try_clone()?, log)));
    let (stdout, stderr) = log.map_err(|source| LocalError::Io {
        path: log_path,
        source,
    })?;
    let mut command = Command::new(&run.program);
    command
        .args(&run.arguments)
        .current_dir(&directory)
        .process_group(0);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    for (name, _) in std::env::vars_os() {
        if NOT_INHERITED
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    let (id, secret) = credentials();
    command
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", state.port.to_string())
        // Functions inherit this and reach the emulator's Kinesis and S3 by it.
        .env("AWS_ENDPOINT_URL", state.endpoint())
        .env("AWS_ACCESS_KEY_ID", id)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("TMPDIR", &directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Listeners that the pipeline does not need, on ports that would clash.
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0");
    let child = command
        .spawn()
        .map_err(|error| LocalError::Start(error.to_string()))?;
    Ok(child.id())
}

/// Whether a process runs.
pub(super) fn is_running(pid: u32) -> bool {
    // One that ended is a zombie until its parent waits for it, and that may be us.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    let zombie = stat.is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    });
    !zombie && as_pid(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Whether a process runs and is the emulator: process ids are used again.
pub(super) fn is_ours(pid: u32) -> bool {
    // Where there is no /proc, the id alone has to do.
    let command = fs::read(format!("/proc/{pid}/cmdline"));
    let other = command.is_ok_and(|command| !String::from_utf8_lossy(&command).contains("ministack"));
    !other && is_running(pid)
}

/// Sends a signal to the emulator and everything that it started.
pub(super) fn end(pid: u32, signal: Signal) {
    if let Some(pid) = as_pid(pid) {
        // That it is gone already is what was wanted.
        let _ = kill_process_group(pid, signal);
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
