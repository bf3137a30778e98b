//! Keeps the emulator's state on disk: one set of files per port, so that several emulators can run side by side.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::credentials::Credentials;
use super::identity::Leader;
use super::{LocalError, install};
use crate::ownership::private_directory;

const DEFAULT_PORT: u16 = 4566;

const LOCK_AGAIN: Duration = Duration::from_millis(50);

const LINES_SHOWN: usize = 15;

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) port: u16,
    directory: PathBuf,
}

impl State {
    pub(super) fn from_env() -> Result<Self, LocalError> {
        let port = match std::env::var("SPLIT_PIPELINE_LOCAL_PORT") {
            Err(_) => DEFAULT_PORT,
            Ok(text) => text.parse().map_err(|_| LocalError::Port(text))?,
        };
        let chosen = std::env::var_os("SPLIT_PIPELINE_CACHE_DIR").map(PathBuf::from);
        // Never a directory that users share, such as /tmp.
        let usual = || dirs::cache_dir().map(|directory| directory.join("split-pipeline"));
        let directory = chosen.or_else(usual).ok_or(LocalError::NoCacheDirectory)?;
        Self::in_directory(&directory, port)
    }

    /// The state of the emulator on a port, below a directory that only the user can enter.
    pub(super) fn in_directory(directory: &Path, port: u16) -> Result<Self, LocalError> {
        // Programs run in directories below, so a relative path would lead elsewhere.
        let directory = std::path::absolute(directory)
            .map_err(|source| LocalError::Io { path: directory.to_owned(), source })?;
        private_directory(&directory)?;
        Ok(Self { port, directory })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A directory of the emulator's own, which it runs in and has its temporary files in.
    pub(super) fn working_directory(&self) -> Result<PathBuf, LocalError> {
        let path = self.file("work");
        private_directory(&path)?;
        Ok(path)
    }

    /// Writes a file that the emulator or its installation reads, and returns its path.
    pub(super) fn write(&self, extension: &str, text: &str) -> Result<PathBuf, LocalError> {
        let path = self.file(extension);
        match fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(LocalError::Io { path, source }),
        }
    }

    pub(super) fn credentials_file(&self) -> PathBuf {
        self.file("credentials")
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        Credentials::read(&self.credentials_file())
    }

    pub(super) fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// The Python environment that the emulator is installed in, whatever the port.
    pub(super) fn environment(&self) -> PathBuf {
        self.directory.join(install::environment_name())
    }

    /// Waits, for so long at most, until no other command starts or stops the emulator.
    pub(super) async fn lock(
        &self,
        limit: Duration,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<File, LocalError> {
        // One lock for all ports: the installation is shared.
        let path = self.directory.join("lock");
        let failed = |source| LocalError::Io { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let deadline = Instant::now() + limit;
        let mut is_first_try = true;
        // Tried again and again: a blocking wait could not be interrupted.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(LocalError::Locked { path, limit });
                }
                Err(TryLockError::WouldBlock) if is_first_try => {
                    progress("waiting for another split-pipeline command to start or stop the emulator");
                }
                Err(TryLockError::WouldBlock) => {}
            }
            is_first_try = false;
            tokio::time::sleep(LOCK_AGAIN).await;
        }
    }

    pub(super) fn leader(&self) -> Option<Leader> {
        let remembered: Leader = fs::read_to_string(self.file("pid")).ok()?.parse().ok()?;
        remembered.is_running().then_some(remembered)
    }

    pub(super) fn remember(&self, leader: &Leader) -> Result<(), LocalError> {
        self.write("pid", &format!("{leader}\n")).map(drop)
    }

    /// Notes which command started the emulator, until another one uses it.
    pub(super) fn claim(&self) -> Result<(), LocalError> {
        match this_command() {
            Some(starter) => self.write("starter", &starter).map(drop),
            None => Ok(()),
        }
    }

    /// Whether this command started the emulator, and no other one has used it since.
    pub(super) fn is_claimed_by_this_command(&self) -> bool {
        let starter = fs::read_to_string(self.file("starter")).ok();
        starter.is_some() && starter == this_command()
    }

    /// Notes that this command uses an emulator that another one started.
    pub(super) fn share(&self) -> Result<(), LocalError> {
        if self.is_claimed_by_this_command() {
            return Ok(());
        }
        remove(&self.file("starter"), |path| fs::remove_file(path))
    }

    pub(super) fn forget(&self) -> Result<(), LocalError> {
        for extension in ["pid", "starter", "credentials"] {
            remove(&self.file(extension), |path| fs::remove_file(path))?;
        }
        remove(&self.file("work"), |path| fs::remove_dir_all(path))
    }

    pub(super) fn last_log_lines(&self) -> String {
        let text = fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        last_lines(&text.unwrap_or_default())
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("ministack-{}.{extension}", self.port))
    }
}

fn this_command() -> Option<String> {
    Leader::with_pid(std::process::id()).map(|process| process.to_string())
}

/// The last lines of an output, as many as an error shows.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

fn remove(path: &Path, remove: impl Fn(&Path) -> std::io::Result<()>) -> Result<(), LocalError> {
    match remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LocalError::Io { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(directory: &tempfile::TempDir) -> State {
        State::in_directory(directory.path(), 1).unwrap()
    }

    #[tokio::test]
    async fn a_lock_that_another_command_holds_is_waited_for_within_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(&directory);
        let held = state.lock(Duration::ZERO, &|_| ()).await.unwrap();
        let refused = state.lock(Duration::ZERO, &|_| ()).await.unwrap_err().to_string();
        let path = directory.path().join("lock");
        assert_eq!(
            refused,
            format!("another split-pipeline command still holds the lock {} after 0s", path.display())
        );
        let released = std::sync::Mutex::new(Some(held));
        let release = |_: &str| drop(released.lock().unwrap().take());
        state.lock(Duration::from_hours(1), &release).await.unwrap();
    }

    #[test]
    fn a_pid_file_names_the_process_that_wrote_it_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(&directory);
        assert_eq!(state.leader(), None);
        let this = Leader::with_pid(std::process::id()).unwrap();
        state.remember(&this).unwrap();
        assert_eq!(state.leader(), Some(this.clone()));
        // Without a start time, as earlier versions wrote it; and with the start time of another process.
        let id = std::process::id();
        for stranger in [id.to_string(), format!("{this}0"), format!("{id} long ago")] {
            fs::write(state.file("pid"), &stranger).unwrap();
            assert_eq!(state.leader(), None, "{stranger}");
        }
    }

    #[test]
    fn the_command_that_started_an_emulator_owns_it_until_another_one_uses_it() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(&directory);
        assert!(!state.is_claimed_by_this_command());
        state.claim().unwrap();
        state.share().unwrap();
        assert!(state.is_claimed_by_this_command());
        let another = format!("{}0", this_command().unwrap());
        state.write("starter", &another).unwrap();
        assert!(!state.is_claimed_by_this_command());
        state.share().unwrap();
        assert!(!directory.path().join("ministack-1.starter").exists());
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let text = (0..40).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        let shown = last_lines(&text);
        assert!(shown.starts_with("25\n") && shown.ends_with("\n39"));
        assert_eq!(last_lines(""), "");
    }
}
