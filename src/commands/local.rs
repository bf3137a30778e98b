//! `local`: starts, stops and looks at the local emulator.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use super::{Context, Invocation};
use crate::failure::{Exit, Failure};
use crate::foreign::shell_word;
use crate::local::{self, Emulator};
use crate::progress::{Event, Progress as _};
use crate::ui::Show;

/// Start, stop or look at the local emulator
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline local status")]
pub struct Args {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum LocalCommand {
    /// Start it in the background, unless it runs
    Start,
    /// Stop it; its state goes with it
    Stop,
    /// Say whether it runs, and where
    Status,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
        let (running, emulator) = match self.command {
            LocalCommand::Start => (true, Some(context.unless_interrupted(local::ensure(&progress)).await??)),
            LocalCommand::Stop => (false, context.unless_interrupted(local::stop(&progress)).await??),
            LocalCommand::Status => {
                let emulator = context.unless_interrupted(local::status()).await??;
                (emulator.is_some(), emulator)
            }
        };
        let result = result(running, emulator);
        context.ui.result(&result)?;
        if let Some(file) = &result.credentials_file {
            let note = format!(
                "other tools need the emulator's credentials: AWS_SHARED_CREDENTIALS_FILE={}",
                shell_word(&file.to_string_lossy())
            );
            context.ui.note(&note);
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Default, Serialize)]
struct LocalResult {
    running: bool,
    endpoint: Option<String>,
    /// Its process, where it is ours.
    pid: Option<u32>,
    version: Option<String>,
    /// The file with its credentials, for AWS's own tools (`AWS_SHARED_CREDENTIALS_FILE`).
    credentials_file: Option<PathBuf>,
}

impl Show for LocalResult {
    fn text(&self) -> String {
        match &self.endpoint {
            Some(endpoint) if self.running => format!("{endpoint}\n"),
            Some(endpoint) => format!("stopped {endpoint}\n"),
            None => "not running\n".to_owned(),
        }
    }
}

fn result(running: bool, emulator: Option<Emulator>) -> LocalResult {
    let Some(emulator) = emulator else {
        return LocalResult::default();
    };
    LocalResult {
        running,
        endpoint: Some(emulator.endpoint),
        pid: emulator.pid,
        version: Some(emulator.version),
        // A stopped emulator's credentials are gone.
        credentials_file: Some(emulator.credentials_file).filter(|_| running),
    }
}
