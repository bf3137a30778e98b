//! The `split-pipeline` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use split_pipeline::cli::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::from(split_pipeline::commands::run(Cli::parse()).await)
}
