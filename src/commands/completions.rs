//! `completions`: prints a shell's completion script.

use clap::CommandFactory as _;

use super::Context;
use crate::cli::{Cli, Completions};
use crate::failure::{Exit, Failure};
use crate::results::Text;

pub(super) fn run(context: &Context, args: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "split-pipeline", &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 names a command with a hyphen in one way where it is chosen and in another where it is looked
    // up, so that nothing after the first word is completed (clap-rs/clap#6421).
    let script = script.replace("split__subcmd__pipeline", "split__pipeline");
    context.ui.result(&Text(script.into()))?;
    Ok(Exit::Done)
}
