//! Reads the user's files and standard input so that an interrupt or a deadline can end the wait for them.
//!
//! A pipe, a terminal or a FIFO may stay silent for as long as its writer likes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use super::Context;
use crate::failure::{Failure, FailureKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    StandardInput,
    File(PathBuf),
}

impl Input {
    /// The input that a path on the command line names; `-` is standard input.
    pub(super) fn at(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::StandardInput } else { Self::File(path.to_owned()) }
    }

    /// The input's name in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Blocks until `limit` bytes or the end.
    fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::StandardInput => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
            Self::File(path) => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }
}

impl Context {
    /// Reads an input up to its end, or `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// The outer one if the user interrupts or time runs out before the end, the inner one if reading fails.
    pub(super) async fn read(&self, input: &Input, limit: u64) -> Result<io::Result<Vec<u8>>, Failure> {
        let (sender, bytes) = oneshot::channel();
        let reader = input.clone();
        // A thread of its own: the process can exit while it is blocked, which tokio's blocking threads prevent.
        let started = std::thread::Builder::new().spawn(move || {
            // After an interrupt nothing receives the bytes.
            let _ = sender.send(reader.read(limit));
        });
        if let Err(error) = started {
            return Ok(Err(error));
        }
        let interrupted = |_| {
            let message = format!("interrupted while reading {}", input.name());
            Failure::new(FailureKind::Interrupted, message)
        };
        let received = self.unless_interrupted(bytes).await.map_err(interrupted)?;
        Ok(received.unwrap_or_else(|_| Err(io::Error::other("the reading thread ended"))))
    }
}
