//! `permissions`: prints the policy that whoever runs the other commands needs.

use super::Context;
use super::session::Session;
use super::smoke::{RUN_BYTES, ephemeral_base, ephemeral_settings};
use crate::cli;
use crate::desired::{Purpose, deployer_policy};
use crate::failure::{Exit, Failure};
use crate::names::Names;
use crate::results;

/// How long a managed policy may be, white space not counted (IAM, "IAM and AWS STS quotas").
const MANAGED_POLICY_CHARACTERS: usize = 6144;

pub(super) async fn run(context: &Context, args: &cli::Permissions) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let purposes: Vec<_> = args.commands().iter().copied().map(purpose).collect();
    let (names, spec) = if args.ephemeral {
        (ephemeral_names(&session), ephemeral_settings(&session.spec))
    } else {
        (session.names.clone(), session.spec.clone())
    };
    let policy = deployer_policy(&purposes, &spec, &names);
    let characters = policy.to_string().chars().count();
    if characters > MANAGED_POLICY_CHARACTERS {
        context.ui.warn(&format!(
            "this policy has {characters} characters without spaces, and IAM takes {MANAGED_POLICY_CHARACTERS} in a managed policy: \
             write it into a role, which takes 10240, or print one for each command (`permissions --for down`) and attach them all"
        ));
    }
    context.ui.result(&results::Permissions { policy })?;
    Ok(Exit::Done)
}

/// The names of every ephemeral pipeline: `?` is any one character to IAM.
fn ephemeral_names(session: &Session) -> Names {
    let name = format!("{}-{}", ephemeral_base(&session.spec), "?".repeat(2 * RUN_BYTES));
    let aws = &session.aws;
    Names::new(&name, &aws.account, &aws.partition, &aws.region)
}

fn purpose(command: cli::Permitted) -> Purpose {
    match command {
        cli::Permitted::Up => Purpose::Up,
        cli::Permitted::Status => Purpose::Status,
        cli::Permitted::Down => Purpose::Down,
        cli::Permitted::Smoke => Purpose::Smoke,
        cli::Permitted::Replay => Purpose::Replay,
    }
}
