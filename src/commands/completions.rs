//! `completions`: prints a shell's completion script.

use clap::CommandFactory as _;

use super::Context;
use crate::cli::{Cli, Completions};
use crate::failure::{Exit, Failure};
use crate::results::Text;

pub(super) fn run(context: &Context, args: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "split-pipeline", &mut script);
    context
        .ui
        .result(&Text(String::from_utf8_lossy(&script).into_owned().into()))?;
    Ok(Exit::Done)
}
