//! The `split-pipeline` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use split_pipeline::commands::{self, Cli};
use split_pipeline::ui;
use tokio::runtime::Builder;

fn main() -> std::io::Result<ExitCode> {
    // Besides the main thread, one that hears Ctrl-C even while the main thread is blocked, on a FIFO for example.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let code = match Cli::try_parse() {
        Ok(cli) => runtime.block_on(commands::run(cli)),
        Err(error) => ui::usage(&error, std::env::args()),
    };
    // A blocked thread, such as one that looks up a name, must not delay the exit.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}
