//! The `split-pipeline` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use split_pipeline::cli::Cli;
use split_pipeline::{commands, ui};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::from(match Cli::try_parse() {
        Ok(cli) => commands::run(cli).await,
        Err(error) => ui::usage(&error, std::env::args()),
    })
}
