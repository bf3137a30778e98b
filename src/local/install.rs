//! Finds the Python that runs the pinned MiniStack: that of the `ministack` on PATH, or that of split-pipeline's environment.
//!
//! Runs Python isolated (`-I`) and in a private directory: otherwise Python imports modules from the current directory, which
//! may be another user's.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::state::{State, last_lines};
use super::{LocalError, MINISTACK_VERSION};
use crate::programs;

/// MiniStack and all packages that it needs, each with the hashes of its files.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Prints the version of the MiniStack that a Python has, if it has what MiniStack needs besides.
const VERSION_OF: &str = "import cbor2, duckdb, importlib.metadata as m; print(m.version('ministack'))";

/// Fails on a Python that MiniStack does not run on.
const PYTHON_IS_RECENT: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

/// What `uv` is to find or download if the system has no recent Python.
const RECENT_PYTHON: &str = ">=3.10";

/// The name of an environment's directory, which tells environments with other packages apart.
pub(super) fn environment_name() -> String {
    let requirements = hex::encode(Sha256::digest(REQUIREMENTS));
    format!("ministack-{MINISTACK_VERSION}-{}", &requirements[..12])
}

/// Finds the Python that has the pinned MiniStack, or installs it.
pub(super) async fn python(state: &State, progress: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, LocalError> {
    if let Some(python) = on_path(state).await {
        return Ok(python);
    }
    let environment = state.environment();
    let (python, marker) = (environment.join("bin/python"), environment.join("complete"));
    if marker.exists() {
        return Ok(python);
    }
    progress(&format!("installing MiniStack {MINISTACK_VERSION}, once"));
    // What an interrupted installation left is of no use.
    if environment.exists() {
        let path = environment.clone();
        fs::remove_dir_all(&environment).map_err(|source| LocalError::Io { path, source })?;
    }
    let requirements = state.write("requirements", REQUIREMENTS)?;
    match programs::find("uv") {
        Some(uv) => install_with_uv(state, &uv, &python, &requirements).await?,
        None => install_with_pip(state, &python, &requirements).await?,
    }
    fs::write(&marker, MINISTACK_VERSION).map_err(|source| LocalError::Io { path: marker, source })?;
    Ok(python)
}

/// The Python of the `ministack` on PATH, if it is the pinned version.
async fn on_path(state: &State) -> Option<PathBuf> {
    let script = programs::find("ministack")?;
    let python = interpreter(&fs::read_to_string(script).ok()?).or_else(|| programs::find("python3"))?;
    let version = output(state, &python, ["-I", "-c", VERSION_OF]).await.ok()?;
    (version.trim() == MINISTACK_VERSION).then_some(python)
}

/// The Python that a console script names in its first line.
fn interpreter(script: &str) -> Option<PathBuf> {
    let line = script.lines().next()?.strip_prefix("#!")?.trim();
    (line.contains("python") && line.starts_with('/') && !line.contains(' ')).then(|| PathBuf::from(line))
}

async fn install_with_uv(
    state: &State,
    uv: &Path,
    python: &Path,
    requirements: &Path,
) -> Result<(), LocalError> {
    let environment = state.environment();
    let venv: [&OsStr; 6] = [
        "venv".as_ref(),
        "--no-config".as_ref(),
        "--quiet".as_ref(),
        "--python".as_ref(),
        RECENT_PYTHON.as_ref(),
        environment.as_ref(),
    ];
    output(state, uv, venv).await?;
    let install: [&OsStr; 8] = [
        "pip".as_ref(),
        "install".as_ref(),
        "--no-config".as_ref(),
        "--quiet".as_ref(),
        "--python".as_ref(),
        python.as_ref(),
        "--require-hashes".as_ref(),
        "-r".as_ref(),
    ];
    let install = install.into_iter().chain([requirements.as_os_str()]);
    output(state, uv, install).await.map(drop)
}

async fn install_with_pip(state: &State, python: &Path, requirements: &Path) -> Result<(), LocalError> {
    let system = programs::find("python3").ok_or(LocalError::NoPython)?;
    if output(state, &system, ["-I", "-c", PYTHON_IS_RECENT]).await.is_err() {
        return Err(LocalError::NoPython);
    }
    let environment = state.environment();
    let venv: [&OsStr; 4] = ["-I".as_ref(), "-m".as_ref(), "venv".as_ref(), environment.as_ref()];
    output(state, &system, venv).await?;
    let install = ["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let hashes = ["--require-hashes".as_ref(), "-r".as_ref(), requirements.as_os_str()];
    let install = install.into_iter().map(OsStr::new).chain(hashes);
    output(state, python, install).await.map(drop)
}

/// Runs a program without the user's AWS credentials and returns its output.
async fn output<A: AsRef<OsStr>>(
    state: &State,
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, LocalError> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(state.working_directory()?);
    for name in programs::aws_variables() {
        command.env_remove(name);
    }
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| LocalError::Install(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(LocalError::Install(last_lines(&(text(&output.stdout) + &text(&output.stderr)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_console_script_is_its_python() {
        assert_eq!(interpreter("#!/opt/venv/bin/python3\nimport re"), Some("/opt/venv/bin/python3".into()));
        assert_eq!(interpreter("#!/usr/bin/env bash\nexec pyenv"), None);
        assert_eq!(interpreter("#!/usr/bin/env python3\n"), None);
        assert_eq!(interpreter("#!python3\n"), None);
        assert_eq!(interpreter(""), None);
    }

    #[test]
    fn every_package_has_its_version_and_hashes() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        let (hashes, packages): (Vec<_>, Vec<_>) =
            lines.partition(|line| line.trim_start().starts_with("--hash=sha256:"));
        assert!(packages.contains(&format!("ministack=={MINISTACK_VERSION} \\").as_str()));
        assert!(
            packages.iter().all(|line| line.contains("==")) && hashes.len() >= packages.len(),
            "{packages:?}"
        );
    }

    #[tokio::test]
    async fn a_failing_command_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::in_directory(directory.path(), 1).unwrap();
        let failed = output(&state, Path::new("/bin/sh"), ["-c", "echo out; echo err >&2; exit 1"]).await;
        match failed {
            Err(LocalError::Install(text)) => assert_eq!(text, "out\nerr"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn python_imports_nothing_from_the_current_directory() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::in_directory(directory.path(), 1).unwrap();
        let python = programs::find("python3").unwrap();
        // Even the directory that Python runs in, which is private, is not imported from.
        let working_directory = state.working_directory().unwrap();
        for module in ["cbor2", "venv", "pip"] {
            fs::write(working_directory.join(format!("{module}.py")), "print('imported')").unwrap();
        }
        let printed = output(&state, &python, ["-I", "-c", "import venv, os; print(os.getcwd())"]).await;
        let printed = PathBuf::from(printed.unwrap().trim());
        assert_eq!(printed, working_directory.canonicalize().unwrap());
    }
}
