//! `local`: starts, stops and looks at the local emulator.

use super::Context;
use crate::cli;
use crate::failure::{Exit, Failure};
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
    context.ui.result(&result(running, emulator))?;
    Ok(Exit::Done)
}

fn result(running: bool, emulator: Option<Emulator>) -> results::Local {
    let (endpoint, pid, version) = match emulator {
        Some(emulator) => (Some(emulator.endpoint), emulator.pid, Some(emulator.version)),
        None => (None, None, None),
    };
    results::Local {
        running,
        endpoint,
        pid,
        version,
    }
}
