//! `up`: makes AWS match the spec.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use clap::ValueHint;
use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::aws::ErrorKind;
use crate::cli::some_time;
use crate::engine::Report;
use crate::engine::converge::converge;
use crate::engine::plan::Summary;
use crate::failure::{Exit, Failure, FailureKind};
use crate::foreign::shell_word;
use crate::kind::{Action, Kind};
use crate::pipeline::{Desired, Plan};
use crate::proposal::Proposal;
use crate::resource::{Adoption, Phase};
use crate::resources::alarm_topic;
use crate::resources::webhook::ApiId;
use crate::spec::Spec;
use crate::ui::Confirmation;
use crate::ui::Show;
use crate::undelivered::{self, Closing, KnownGaps, Undelivered};

/// Make AWS match the spec, and print the webhook URL
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline up
  split-pipeline up --local                   # on an emulator, with no AWS account
  URL=$(split-pipeline up --yes)              # in a script: nothing but the URL is printed")]
pub struct Args {
    /// Confirm changes that replace or shrink a resource, or may delete or hide existing data
    #[arg(long)]
    yes: bool,
    /// Take over resources of the right name that are not tagged as this pipeline's
    #[arg(long)]
    adopt: bool,
    /// Deploy this zip of the handler instead of building one
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    handler: Option<PathBuf>,
    /// The longest that the whole command may take; what is under way then is finished, and nothing new is started
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    timeout: Duration,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let work = async |context: Context| Box::pin(up(&context, self)).await;
        context.within(self.timeout, work).await
    }
}

#[derive(Debug, Serialize)]
pub(super) struct UpResult {
    name: String,
    region: String,
    account: String,
    pub(super) webhook_url: String,
    resources: Vec<Made>,
    elapsed_ms: u128,
}

/// One resource after `up`.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    kind: Kind,
    name: String,
    /// What AWS calls it.
    id: String,
    /// `created`, `updated`, `replaced`, `unchanged` or `adopted`.
    action: &'static str,
}

impl Show for UpResult {
    fn urls(&self) -> Vec<&str> {
        vec![&self.webhook_url]
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

async fn up(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let adoption = if args.adopt { Adoption::Allow } else { Adoption::Refuse };
    let consent = if args.yes { Consent::Given } else { Consent::Ask };
    let bringing = bring_up(&session, args.handler.as_deref(), adoption, consent);
    let result = Box::pin(bringing).await?;
    context.ui.result(&result)?;
    let url = &result.webhook_url;
    context.ui.note_with_url(&next_steps(&session, url), url);
    if to_be_confirmed(&session.spec, &result) {
        context
            .ui
            .note("\nAWS mails every new address in `monitoring.emails` a link; alarms reach it once that is followed.");
    }
    Ok(Exit::Done)
}

/// Whether the user has agreed to replacing and shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    Ask,
}

/// Builds the handler, compares, asks where there is something to ask, and applies.
pub(super) async fn bring_up(
    session: &Session,
    handler: Option<&Path>,
    adoption: Adoption,
    consent: Consent,
) -> Result<UpResult, Failure> {
    let started = Instant::now();
    session.topic_is_near()?;
    let code = session.code_to_deploy(handler).await?;
    let proposing = Proposal::look(&session.aws, &session.spec, session.desired(Some(code)), adoption);
    let proposal = session.context.unless_interrupted(proposing).await??;
    let summaries = proposal.summaries();
    refuse(&summaries)?;
    let questions = questions(&summaries);
    if consent == Consent::Ask && !questions.is_empty() {
        agree(session, &questions.join("\n")).await?;
    }
    let had_gaps = !proposal.gaps.gaps.is_empty();
    let Proposal { want, plan, .. } = proposal;
    let api = want.api();
    let again = async |want| look_again(session, want, adoption, consent).await;
    let report = Box::pin(converge(&session.aws, want, plan, Closing::of, again)).await;
    let up = outcome(session, report, api.get(), started);
    warn_of_undelivered(session, had_gaps).await;
    up
}

/// Warns about undelivered impressions, whether `up` succeeded or not.
async fn warn_of_undelivered(session: &Session, had_gaps: bool) {
    let looking = async {
        let gaps = if had_gaps {
            undelivered::read(&session.aws, &session.desired(None)).await?
        } else {
            KnownGaps::default()
        };
        Undelivered::look(&session.aws, &session.spec, &session.names, &gaps).await
    };
    let ui = &session.context.ui;
    match session.context.unless_interrupted(looking).await {
        Ok(Ok(undelivered)) => undelivered.warnings().iter().for_each(|warning| ui.warn(warning)),
        // An interrupted `up` leaves it to the next one.
        Ok(Err(error)) if error.kind == ErrorKind::Interrupted => {}
        Ok(Err(error)) => ui.warn(&format!("could not look for undelivered impressions: {error}")),
        Err(_interrupted) => {}
    }
}

/// What is left to do after another hand deleted something meanwhile, unless the user has to see it first.
async fn look_again(
    session: &Session,
    want: Desired,
    adoption: Adoption,
    consent: Consent,
) -> Option<(Desired, Plan)> {
    let looking = Proposal::look(&session.aws, &session.spec, want, adoption);
    let second = looking.await.ok()?;
    let summaries = second.summaries();
    let unasked = consent == Consent::Ask && !questions(&summaries).is_empty();
    (!unasked && refuse(&summaries).is_ok()).then_some((second.want, second.plan))
}

fn outcome(
    session: &Session,
    report: Report,
    api: Option<ApiId>,
    started: Instant,
) -> Result<UpResult, Failure> {
    let webhook = api.and_then(|api| Some((api.api, api.route?.path)));
    let Some((api, path)) = webhook.filter(|_| report.is_complete()) else {
        return Err(Failure::of_report("up", report));
    };
    let made = report.done.into_iter().map(|done| Made {
        kind: done.kind,
        name: done.name,
        id: done.id,
        action: done.action.done(),
    });
    Ok(UpResult {
        name: session.spec.name.to_string(),
        region: session.aws.region.clone(),
        account: session.aws.account.clone(),
        webhook_url: session.url(&api, &path),
        resources: made.collect(),
        elapsed_ms: started.elapsed().as_millis(),
    })
}

/// Stops before anything is changed where something is in the way.
fn refuse(summaries: &[Summary]) -> Result<(), Failure> {
    let refused: Vec<_> = summaries.iter().filter(|summary| summary.action == Action::Refuse).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(FailureKind::Conflict, "nothing was changed, since something is in the way");
    for summary in &refused {
        let why = summary.reason.as_deref().unwrap_or_default();
        failure.message = format!("{}\n{} {}: {why}", failure.message, summary.kind, summary.name);
    }
    if refused.iter().any(|summary| summary.owner.is_foreign()) {
        failure = failure.hint("--adopt takes over what fits, or choose another `name` in the spec");
    }
    Err(failure)
}

/// What the user has to agree to: whatever is replaced or shrinks.
fn questions(summaries: &[Summary]) -> Vec<String> {
    let replaced = summaries
        .iter()
        // What AWS could not make never worked, and has nothing to lose.
        .filter(|summary| !matches!(summary.phase, Some(Phase::Failed(_))))
        .filter(|summary| summary.action == Action::Replace)
        .map(|summary| {
            let why = summary.reason.as_deref().unwrap_or_default();
            format!("{} {} is replaced: {why}", summary.kind, summary.name)
        });
    let cautions = summaries.iter().filter_map(|summary| summary.caution.clone());
    replaced.chain(cautions).collect()
}

async fn agree(session: &Session, questions: &str) -> Result<(), Failure> {
    let question = format!("{questions}\nGo on?");
    match session.context.ask(&question).await? {
        Confirmation::Yes => Ok(()),
        Confirmation::No => Err(Failure::new(FailureKind::Declined, "nothing was changed")),
        Confirmation::NobodyThere => {
            let message = format!(
                "this needs your agreement, and there is no terminal to ask; nothing was changed\n{questions}"
            );
            Err(Failure::new(FailureKind::Usage, message).hint("--yes agrees to it"))
        }
    }
}

/// Whether there are new e-mail subscriptions, which count only once their owners have said so.
fn to_be_confirmed(spec: &Spec, up: &UpResult) -> bool {
    let is_new = |made: &Made| made.kind == alarm_topic::KIND && made.action != Action::Keep.done();
    !spec.monitoring.emails.is_empty() && up.resources.iter().any(is_new)
}

fn next_steps(session: &Session, url: &str) -> String {
    let paste = if session.aws.is_emulator() {
        "Split cannot reach this URL, since it is an emulator's. On AWS, you paste it into Split (Harness FME):"
    } else {
        "Paste this URL into Split (Harness FME):"
    };
    format!(
        "\n{paste}\n  \
         1. FME Settings → Integrations → Webhooks → Add (older accounts: Admin settings → Integrations →\n     \
         Outgoing Webhook (Impressions))\n  \
         2. choose the environments, paste the URL, press Test, then Save\n\n\
         Or try it at once:\n  \
         echo '[{{\"key\":\"user-1\",\"split\":\"my-flag\",\"treatment\":\"on\",\"time\":1700000000000}}]' | gzip | \\\n    \
         curl -sS --data-binary @- -H 'Content-Type: application/json' {}",
        shell_word(url)
    )
}
