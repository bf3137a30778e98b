//! `permissions`: prints the policy that whoever runs the other commands needs.

use super::Context;
use super::session::Session;
use super::smoke::ephemeral_settings;
use crate::access::{Purpose, RestApis};
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::names::Names;
use crate::pipeline::access::policy;
use crate::results;
use crate::spec::Spec;

/// How long a managed policy may be, white space not counted (IAM, "IAM and AWS STS quotas").
const MANAGED_POLICY_CHARACTERS: usize = 6144;

pub(super) async fn run(context: &Context, args: &cli::Permissions) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let purposes: Vec<_> = args.commands().iter().copied().map(purpose).collect();
    let (spec, names) = if args.ephemeral {
        ephemeral(&session.spec, &session.names)
    } else {
        (session.spec.clone(), session.names.clone())
    };
    let apis = if args.ephemeral {
        context.ui.note(&format!(
            "each ephemeral pipeline has a REST API of its own, so the policy names all REST APIs in {}: use an account or region \
             without others",
            session.aws.region
        ));
        RestApis::OfRegion
    } else {
        rest_apis(&session).await?
    };
    let policy = policy(&purposes, &spec, &names, &apis);
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

/// The pipeline's REST API, and younger ones with its tags, which `up` deletes.
async fn rest_apis(session: &Session) -> Result<RestApis, Failure> {
    let want = session.desired(None).rest_api;
    let (ui, region) = (&session.context.ui, &session.aws.region);
    match session.context.unless_interrupted(want.ids(&session.aws)).await? {
        Ok(ids) if !ids.is_empty() => return Ok(RestApis::WithIds(ids)),
        Ok(_) => ui.note(&format!(
            "{} has no REST API yet, so the policy names all REST APIs in {region}: run `split-pipeline permissions` \
             again after `split-pipeline up`",
            session.spec.name
        )),
        Err(error) => ui.warn(&format!(
            "could not look for the pipeline's REST API, so the policy names all REST APIs in {region}: {error}"
        )),
    }
    Ok(RestApis::OfRegion)
}

/// The settings and names of every ephemeral pipeline of a spec.
fn ephemeral(spec: &Spec, names: &Names) -> (Spec, Names) {
    let pattern = spec.name.ephemeral_pattern();
    let names = Names::new(&pattern, names.account(), names.partition(), names.region());
    (ephemeral_settings(spec), names)
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

#[cfg(test)]
mod tests;
