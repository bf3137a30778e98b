//! Starts the emulator's process so that it outlives this one.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::LocalError;
use super::credentials::Credentials;
use super::identity::Leader;
use super::state::State;

/// The program that runs MiniStack and admits only the user's requests.
const GATE: &str = include_str!("gate.py");

/// The variables of the user's environment that the emulator gets. Functions inherit them, and whatever else is in the
/// user's environment may be a secret.
const INHERITED: [&str; 6] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ"];

/// Starts the emulator in a process group of its own, so that the terminal's Ctrl-C does not reach it.
///
/// The emulator ends itself after `idle` without a request.
pub(super) fn start(python: &Path, state: &State, idle: Duration) -> Result<Leader, LocalError> {
    let directory = state.working_directory()?;
    let credentials = new_credentials(state)?;
    let gate = state.write("gate.py", GATE)?;
    let log_path = state.log();
    let log = File::create(&log_path).and_then(|log| Ok((log.try_clone()?, log)));
    let (stdout, stderr) = log.map_err(|source| LocalError::Io { path: log_path, source })?;
    let mut command = Command::new(python);
    command
        .arg("-I")
        .args([gate, state.credentials_file()])
        .arg(idle.as_secs_f64().to_string())
        .current_dir(&directory)
        .process_group(0);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.env_clear();
    let inherited = INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command
        .envs(inherited)
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", state.port.to_string())
        // Functions inherit this and reach the emulator's Kinesis and S3 by it.
        .env("AWS_ENDPOINT_URL", state.endpoint())
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id())
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key())
        .env("TMPDIR", &directory)
        // By default below /tmp, where other users can write.
        .env("S3_DATA_DIR", directory.join("s3"))
        .env("STATE_DIR", directory.join("state"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Listeners that the pipeline does not need, on ports that would clash.
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0");
    let mut child = command.spawn().map_err(|error| LocalError::Start(error.to_string()))?;
    Leader::with_pid(child.id()).ok_or_else(|| {
        // It ended at once, or the system tells no start time, and then `stop` could not find it again.
        let _ = child.kill();
        LocalError::Start(state.last_log_lines())
    })
}

fn new_credentials(state: &State) -> Result<Credentials, LocalError> {
    let credentials = Credentials::random().map_err(|error| LocalError::Start(error.to_string()))?;
    let path = state.credentials_file();
    match credentials.write(&path) {
        Ok(()) => Ok(credentials),
        Err(source) => Err(LocalError::Io { path, source }),
    }
}
