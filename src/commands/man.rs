//! `man`: prints a manual page.

use clap::CommandFactory as _;

use super::Context;
use crate::cli::{Cli, Man};
use crate::failure::{Exit, Failure, FailureKind};
use crate::results::Text;

pub(super) fn run(context: &Context, args: &Man) -> Result<Exit, Failure> {
    let mut page = Cli::command();
    page.build();
    for name in &args.command {
        page = page.find_subcommand(name).cloned().ok_or_else(|| {
            let message = format!("there is no command `{}`", args.command.join(" "));
            Failure::new(FailureKind::Usage, message).hint("`split-pipeline help` lists them")
        })?;
    }
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(page).render(&mut text);
    context.ui.result(&Text(String::from_utf8_lossy(&text).into()))?;
    Ok(Exit::Done)
}
