//! `completions`: prints a shell's completion script.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Context, Invocation};
use crate::failure::{Exit, Failure};
use crate::ui::Verbatim;

/// Print a completion script
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline completions bash > ~/.local/share/bash-completion/completions/split-pipeline")]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "split-pipeline", &mut script);
        let script = String::from_utf8_lossy(&script);
        // clap_complete 4.6 names a command with a hyphen in one way where it is chosen and in another where it is looked
        // up, so that nothing after the first word is completed (clap-rs/clap#6421).
        let script = script.replace("split__subcmd__pipeline", "split__pipeline");
        context.done(&Verbatim(script.into()))
    }
}
