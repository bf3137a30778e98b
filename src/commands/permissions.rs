//! `permissions`: prints the policy that whoever runs the other commands needs.

use super::Context;
use super::session::Session;
use crate::cli;
use crate::desired::{Purpose, deployer_policy};
use crate::failure::{Exit, Failure};
use crate::results;

pub(super) async fn run(context: &Context, args: &cli::Permissions) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let purposes: Vec<_> = args.commands().iter().copied().map(purpose).collect();
    let policy = deployer_policy(&purposes, &session.spec, &session.names);
    context.ui.result(&results::Permissions { policy })?;
    Ok(Exit::Done)
}

fn purpose(command: cli::Permitted) -> Purpose {
    match command {
        cli::Permitted::Up => Purpose::Up,
        cli::Permitted::Status => Purpose::Status,
        cli::Permitted::Down => Purpose::Down,
    }
}
