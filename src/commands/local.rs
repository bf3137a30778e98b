//! `local`: starts, stops and looks at the local emulator.

use super::Context;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::foreign::shell_word;
use crate::local::{self, Emulator};
use crate::progress::{Event, Progress as _};
use crate::results;

pub(super) async fn run(context: &Context, args: &cli::Local) -> Result<Exit, Failure> {
    let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
    let (running, emulator) = match args.command {
        cli::LocalCommand::Start => (
            true,
            Some(context.unless_interrupted(local::ensure(&progress)).await??),
        ),
        cli::LocalCommand::Stop => (false, context.unless_interrupted(local::stop(&progress)).await??),
        cli::LocalCommand::Status => {
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

fn result(running: bool, emulator: Option<Emulator>) -> results::Local {
    let Some(emulator) = emulator else {
        return results::Local {
            running,
            endpoint: None,
            pid: None,
            version: None,
            credentials_file: None,
        };
    };
    results::Local {
        running,
        endpoint: Some(emulator.endpoint),
        pid: emulator.pid,
        version: Some(emulator.version),
        // A stopped emulator's credentials are gone.
        credentials_file: Some(emulator.credentials_file).filter(|_| running),
    }
}
