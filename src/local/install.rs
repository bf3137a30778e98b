//! How to run the pinned MiniStack: one that is on PATH, `uvx`, or a Python environment of our own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::state::{State, last_lines};
use super::{BESIDES, LocalError, MINISTACK_VERSION};

/// Prints the version of the MiniStack that a Python has, if it has what MiniStack needs besides.
const VERSION_OF: &str = "import cbor2, duckdb, importlib.metadata as m; print(m.version('ministack'))";

/// Fails on a Python that MiniStack does not run on.
const PYTHON_IS_RECENT: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

/// The command that runs MiniStack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Run {
    fn module(python: PathBuf) -> Self {
        Self {
            program: python,
            arguments: vec!["-m".into(), "ministack".into()],
        }
    }
}

/// Finds the pinned MiniStack, or installs it.
pub(super) async fn command(state: &State, progress: &(dyn Fn(&str) + Sync)) -> Result<Run, LocalError> {
    if let Some(run) = on_path().await {
        return Ok(run);
    }
    if let Ok(uvx) = which::which("uvx") {
        let mut arguments = vec!["--from".into(), ministack().into()];
        for package in BESIDES {
            arguments.extend(["--with".into(), package.into()]);
        }
        arguments.push("ministack".into());
        return Ok(Run {
            program: uvx,
            arguments,
        });
    }
    let environment = state.environment();
    let marker = environment.join("complete");
    if !marker.exists() {
        progress(&format!("installing MiniStack {MINISTACK_VERSION}, once"));
        install(&environment).await?;
        fs::write(&marker, MINISTACK_VERSION).map_err(|source| LocalError::Io { path: marker, source })?;
    }
    Ok(Run::module(environment.join("bin/python")))
}

/// The MiniStack on PATH, if it is the pinned version.
async fn on_path() -> Option<Run> {
    let script = which::which("ministack").ok()?;
    let python = interpreter(&fs::read_to_string(script).ok()?).or_else(|| which::which("python3").ok())?;
    let version = output(&python, &["-c".as_ref(), VERSION_OF.as_ref()])
        .await
        .ok()?;
    (version.trim() == MINISTACK_VERSION).then(|| Run::module(python))
}

/// The Python that a console script names in its first line.
fn interpreter(script: &str) -> Option<PathBuf> {
    let line = script.lines().next()?.strip_prefix("#!")?.trim();
    (line.contains("python") && !line.contains(' ')).then(|| PathBuf::from(line))
}

/// The package that is MiniStack.
fn ministack() -> String {
    format!("ministack=={MINISTACK_VERSION}")
}

async fn install(environment: &Path) -> Result<(), LocalError> {
    let python = which::which("python3").map_err(|_| LocalError::NoPython)?;
    if output(&python, &["-c".as_ref(), PYTHON_IS_RECENT.as_ref()])
        .await
        .is_err()
    {
        return Err(LocalError::NoPython);
    }
    // What an interrupted installation left is of no use.
    if environment.exists() {
        let path = environment.to_owned();
        fs::remove_dir_all(environment).map_err(|source| LocalError::Io { path, source })?;
    }
    output(
        &python,
        &["-m".as_ref(), "venv".as_ref(), environment.as_os_str()],
    )
    .await?;
    let ministack = ministack();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let pip = pip.into_iter().chain([ministack.as_str()]).chain(BESIDES);
    let pip: Vec<_> = pip.map(AsRef::as_ref).collect();
    output(&environment.join("bin/python"), &pip).await.map(drop)
}

async fn output(program: &Path, arguments: &[&std::ffi::OsStr]) -> Result<String, LocalError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command
        .output()
        .await
        .map_err(|error| LocalError::Install(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(LocalError::Install(last_lines(
        &(text(&output.stdout) + &text(&output.stderr)),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_console_script_is_its_python() {
        assert_eq!(
            interpreter("#!/opt/venv/bin/python3\nimport re"),
            Some("/opt/venv/bin/python3".into())
        );
        assert_eq!(interpreter("#!/usr/bin/env bash\nexec pyenv"), None);
        assert_eq!(interpreter("#!/usr/bin/env python3\n"), None);
        assert_eq!(interpreter(""), None);
    }

    #[tokio::test]
    async fn a_failing_command_says_why() {
        let failed = output(
            Path::new("/bin/sh"),
            &["-c".as_ref(), "echo out; echo err >&2; exit 1".as_ref()],
        )
        .await;
        match failed {
            Err(LocalError::Install(text)) => assert_eq!(text, "out\nerr"),
            other => panic!("{other:?}"),
        }
    }
}
