//! Starts the emulator's process so that it outlives this one.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::identity::Leader;
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
pub(super) fn start(run: &Run, state: &State) -> Result<Leader, LocalError> {
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
    let mut child = command
        .spawn()
        .map_err(|error| LocalError::Start(error.to_string()))?;
    Leader::with_pid(child.id()).ok_or_else(|| {
        // It ended at once, or the system tells no start time, and then `stop` could not find it again.
        let _ = child.kill();
        LocalError::Start(state.last_log_lines())
    })
}
