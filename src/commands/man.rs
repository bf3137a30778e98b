//! `man`: prints a manual page.

use clap::CommandFactory as _;

use super::{Cli, Context, Invocation};
use crate::failure::{Exit, Failure, FailureKind};
use crate::ui::Verbatim;

/// Print the manual page, or that of one command
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline man up | man -l -")]
pub struct Args {
    /// The command, such as `up` or `local start`
    command: Vec<String>,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut page = Cli::command();
        page.build();
        for name in &self.command {
            page = page.find_subcommand(name).cloned().ok_or_else(|| {
                let message = format!("there is no command `{}`", self.command.join(" "));
                Failure::new(FailureKind::Usage, message).hint("`split-pipeline help` lists them")
            })?;
        }
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = clap_mangen::Man::new(page).render(&mut text);
        context.ui.result(&Verbatim(String::from_utf8_lossy(&text).into()))?;
        Ok(Exit::Done)
    }
}
