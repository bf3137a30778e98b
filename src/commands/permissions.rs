//! `permissions`: prints the policy that whoever runs the other commands needs.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::session::Session;
use super::{Context, Invocation};
use crate::access::{Purpose, RestApis};
use crate::failure::{Exit, Failure};
use crate::foreign;
use crate::names::Names;
use crate::pipeline::access::policy;
use crate::smoke;
use crate::spec::Spec;
use crate::ui::Show;

/// How long a managed policy may be, white space not counted (IAM, "IAM and AWS STS quotas").
const MANAGED_POLICY_CHARACTERS: usize = 6144;

/// Print the IAM policy that whoever runs `up`, `status`, `down` and `smoke` needs
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline permissions > policy.json
  split-pipeline permissions --for status
  split-pipeline permissions --ephemeral      # for `smoke --ephemeral` in CI")]
pub struct Args {
    /// Only for these commands; default: up, status, down and smoke
    #[arg(long = "for", value_name = "COMMAND", value_enum, value_delimiter = ',')]
    commands: Vec<Permitted>,
    /// For the pipelines that `smoke --ephemeral` makes, which have names of their own
    #[arg(long)]
    ephemeral: bool,
}

impl Args {
    fn commands(&self) -> &[Permitted] {
        match self.commands.as_slice() {
            [] => &[Permitted::Up, Permitted::Status, Permitted::Down, Permitted::Smoke],
            some => some,
        }
    }
}

/// A command that a policy permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Permitted {
    /// `up`.
    Up,
    /// `status` and `plan`.
    Status,
    /// `down`.
    Down,
    /// `smoke`; with --ephemeral, together with `up` and `down`.
    Smoke,
    /// `replay`.
    Replay,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        let purposes: Vec<_> = self.commands().iter().copied().map(purpose).collect();
        let (spec, names) = if self.ephemeral {
            ephemeral(&session.spec, &session.names)
        } else {
            (session.spec.clone(), session.names.clone())
        };
        let apis = if self.ephemeral {
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
        context.done(&Policy { policy })
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Policy {
    policy: Value,
}

impl Show for Policy {
    fn text(&self) -> String {
        foreign::json(&format!("{:#}\n", self.policy))
    }
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
    (smoke::ephemeral::settings(spec), names)
}

fn purpose(command: Permitted) -> Purpose {
    match command {
        Permitted::Up => Purpose::Up,
        Permitted::Status => Purpose::Status,
        Permitted::Down => Purpose::Down,
        Permitted::Smoke => Purpose::Smoke,
        Permitted::Replay => Purpose::Replay,
    }
}

#[cfg(test)]
mod tests;
